"""`python bench/history.py --size S`: how quickly `load_history` takes in a history, and with how much memory.

Makes the files (bench/generate.py), loads them into a fresh database by the command itself, one process, and prints the
time of each part, events a second, and the peak memory of the loader.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from stage import ROOT, UNTIL, operator, stage

from portal.demo.traffic import SIZES, generate


def main() -> None:
    """Command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--size", choices=sorted(SIZES), default="S")
    reader.add_argument("--shipments", type=int, help="instead of a size")
    reader.add_argument("--accounts", type=int, default=200)
    given = reader.parse_args()
    with stage() as here:
        operator()
        folder = here.folder / "history"
        began = time.perf_counter()
        made = generate(
            folder, shipments=given.shipments or SIZES[given.size], accounts=given.accounts, seed=1, until=UNTIL
        )
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"made {made} in {time.perf_counter() - began:.0f} s, peak {memory} MB", flush=True)
        began = time.perf_counter()
        _load(folder)
        took = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        (stored,) = here.sql("select count(*) from tracking_sightingrow")[0]
        rate = made["events"] / took
        print(f"{made['events']:,} events in {took:.0f} s: {rate:,.0f} ev/s, all in; peak {memory} MB")
        print(f"{stored:,} sightings")


def _load(folder: Path) -> None:
    """The command, with its sentences about progress thinned out."""
    command = [sys.executable, "-W", "ignore", "-m", "django", "load_history", str(folder)]
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)  # fmt: skip
    assert child.stdout is not None
    said, began = 0.0, time.perf_counter()
    for line in child.stdout:
        now = time.perf_counter() - began
        if now - said > 10:
            said = now
            print(f"{now:6.0f} s  {line.strip()[:120]}", flush=True)
    assert child.wait() == 0


if __name__ == "__main__":
    main()
