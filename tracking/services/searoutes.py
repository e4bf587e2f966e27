"""Ways by sea between ports: asked for by pages, worked out by a worker in a process of its own, kept for everybody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from django.db import transaction

from portal.lib import ids
from portal.outbox.services import enqueue
from tracking.earth import Point, continuous, km_between, thinned
from tracking.models import LegRow, Place, SeaRoute, Shipment
from tracking.seaways import Pair, in_order, texts
from tracking.selectors import OPEN_STATUSES

WORK: Final = "tracking.sea_routes"
_CHILD: Final = Path(__file__).resolve().parent.parent / "searoute_child.py"
_PATIENCE: Final = 240  # seconds for all pairs of one go
_MOST: Final = 400  # pairs in one go
_ASHORE_KM: Final = 160  # a place farther from every sea lane lies inland
_TOLERANCE: Final = 0.05  # degrees that a kept line may lie off


def searoutes_want(*, pairs: Sequence[Pair], at: datetime) -> None:
    """Asks for ways that a page lacked; the same ones once a day."""
    if pairs:
        listed = texts(sorted({in_order(pair) for pair in pairs})[:_MOST])
        enqueue(WORK, key=f"{ids.digest(' '.join(listed))}:{at:%Y-%m-%d}", at=at, pairs=listed)


def searoutes_find(*, pairs: Iterable[str] = (), at: datetime) -> int:
    """Works out the ways of these pairs (`CNSHA NLRTM`), else of all that the account's open shipments go by sea.

    What is known already, from where the places lie now, is left alone. How many were worked out. Run outside a
    transaction: it takes seconds.
    """
    wanted = {in_order((a, b)) for a, _cut, b in (pair.partition(" ") for pair in pairs)} or _needed()
    places = _where({code for pair in wanted for code in pair})
    known = {(r.one, r.other): r.ends for r in SeaRoute.objects.filter(one__in={a for a, _b in wanted}).only(
        "one", "other", "ends")}  # fmt: skip
    fresh = [
        pair for pair in sorted(wanted)
        if pair[0] in places and pair[1] in places and pair[0] != pair[1] and known.get(pair) != _ends(pair, places)
    ][:_MOST]  # fmt: skip
    rows = [_row(pair, places, line, at) for pair, line in zip(fresh, _lines(fresh, places), strict=True)]
    with transaction.atomic():
        SeaRoute.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["one", "other"],
            update_fields=["ends", "points", "km", "found_at"],
        )  # fmt: skip
    return len(rows)


def _needed() -> set[Pair]:
    """What the account's open shipments go by sea, by their legs as they went and as they were booked."""
    with transaction.atomic():
        open_ones = Shipment.objects.filter(status__in=OPEN_STATUSES, mode="SEA")
        heard = LegRow.objects.filter(shipment__in=open_ones, mode__in=("VESSEL", "BARGE"))
        found = set(heard.values_list("origin", "destination").distinct())
        for pol, stops, pod in open_ones.values_list("pol", "transhipments", "pod").distinct():
            calls = [code for code in (pol, *stops, pod) if code]
            found |= set(pairwise(calls))
    return {in_order(pair) for pair in found if pair[0] != pair[1]}


def _where(codes: set[str]) -> dict[str, Point]:
    rows = Place.objects.filter(code__in=codes).values_list("code", "lon", "lat")
    return {code: (float(lon), float(lat)) for code, lon, lat in rows if lon is not None and lat is not None}


def _ends(pair: Pair, places: dict[str, Point]) -> list[list[float]]:
    return [list(places[code]) for code in pair]


def _lines(pairs: Sequence[Pair], places: dict[str, Point]) -> list[dict[str, Any] | None]:
    """What the child answers, in the order of the pairs. Raises CalledProcessError, TimeoutExpired."""
    if not pairs:
        return []
    asked = json.dumps([[*places[a], *places[b]] for a, b in pairs])
    # our own file under our own interpreter; the places go in by its standard input
    done = subprocess.run(
        [sys.executable, "-I", str(_CHILD)], input=asked, capture_output=True, text=True, timeout=_PATIENCE, check=True
    )
    answer: list[dict[str, Any] | None] = json.loads(done.stdout)
    return answer


def _row(pair: Pair, places: dict[str, Point], line: dict[str, Any] | None, at: datetime) -> SeaRoute:
    ends = [places[code] for code in pair]
    row = SeaRoute(one=pair[0], other=pair[1], ends=_ends(pair, places), found_at=at)
    if line is None:
        return row
    points = [(float(lon), float(lat)) for lon, lat in line["points"]]
    ashore = [km_between(end, point) for end, point in zip(ends, (points[0], points[-1]), strict=True)]
    if max(ashore) <= _ASHORE_KM:
        kept = thinned(continuous(points, after=ends[0][0]), _TOLERANCE)
        row.points = [[round(lon, 2), round(lat, 2)] for lon, lat in kept]
        row.km = round(line["km"] + sum(ashore))
    return row
