"""`python bench/generate.py --size S --seed 1 OUT`: history files of a year and a half, the same for the same seed.

Needs Python alone; the traffic itself is portal/demo/traffic.py, which `manage.py seed_demo` loads too.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from portal.demo.traffic import SIZES, generate


def main() -> None:
    """Command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("out", type=Path, metavar="OUT")
    reader.add_argument("--size", choices=sorted(SIZES), default="S")
    reader.add_argument("--shipments", type=int, help="instead of a size")
    reader.add_argument("--accounts", type=int, default=200)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--until", default="2026-01-01", help="nothing is learned after this day")
    given = reader.parse_args()
    until = datetime.fromisoformat(given.until).replace(tzinfo=UTC)
    shipments = given.shipments or SIZES[given.size]
    print(generate(given.out, shipments=shipments, accounts=given.accounts, seed=given.seed, until=until))


if __name__ == "__main__":
    main()
