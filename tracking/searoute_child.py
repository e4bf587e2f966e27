"""The other process that works out ways by sea: pairs of places on its standard input, lines on its output, as JSON.

The network of sea lanes takes over a hundred megabytes and seconds to load, for a few pairs a day: no worker keeps
it.
Imports nothing of ours. In: [[lon, lat, lon, lat], ...]; out: [{"points": [[lon, lat], ...], "km": number}
or null, ...].
"""

from __future__ import annotations

import json
import sys
import warnings


def main() -> None:
    """All pairs in one go."""
    import searoute

    warnings.simplefilter("ignore")  # of places without a way: answered with null
    found: list[dict[str, object] | None] = []
    for lon1, lat1, lon2, lat2 in json.load(sys.stdin):
        line = searoute.searoute([lon1, lat1], [lon2, lat2], units="km")
        points = line["geometry"]["coordinates"] if line else []
        found.append({"points": points, "km": line["properties"]["length"]} if len(points) > 1 else None)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
