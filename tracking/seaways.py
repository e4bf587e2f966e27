"""Reads of ways between places: by sea where one was worked out, else straight over the globe, which is said.

Never writes; what is missing is worked out by services/searoutes.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tracking.earth import Point, Way, continuous, great_circle
from tracking.models import SeaRoute

Pair = tuple[str, str]


class Drawn(StrEnum):
    """What a line on the map is."""

    SEA = "SEA"  # the usual way of ships
    STRAIGHT = "STRAIGHT"  # over the globe: by land or air, or no way by sea leads there
    WAITS = "WAITS"  # straight for now: the way by sea is not worked out yet


@dataclass(frozen=True, slots=True)
class Line:
    """The line from one place to the next."""

    way: Way
    drawn: Drawn


def in_order(pair: Pair) -> Pair:
    """The pair as routes are kept by: a way is the same in both directions."""
    return (pair[0], pair[1]) if pair[0] < pair[1] else (pair[1], pair[0])


def seaways(pairs: Collection[Pair], places: Mapping[str, Point], *, by_sea: Collection[Pair]) -> dict[Pair, Line]:
    """The lines of these pairs of places whose places are known, in one query; `by_sea`: those that a ship goes."""
    wanted = {in_order(pair) for pair in by_sea}
    stored: dict[Pair, list[list[float]]] = {}
    if wanted:
        rows = SeaRoute.objects.filter(one__in={a for a, _b in wanted}, other__in={b for _a, b in wanted})
        stored = {(one, other): points for one, other, points in rows.values_list("one", "other", "points")}
    found: dict[Pair, Line] = {}
    for pair in pairs:
        a, b = places.get(pair[0]), places.get(pair[1])
        if a is not None and b is not None:
            found[pair] = _line(pair, a, b, stored.get(in_order(pair)), by_sea=pair in by_sea)
    return found


def _line(pair: Pair, a: Point, b: Point, points: list[list[float]] | None, *, by_sea: bool) -> Line:
    if by_sea and points:
        known = [(lon, lat) for lon, lat in (points if pair == in_order(pair) else points[::-1])]
        return Line(Way.of(continuous([a, *known, b])), Drawn.SEA)
    drawn = Drawn.WAITS if by_sea and points is None else Drawn.STRAIGHT
    return Line(Way.of(great_circle(a, b)), drawn)


def waiting(lines: Mapping[Pair, Line]) -> list[Pair]:
    """The pairs whose way by sea is still to be worked out."""
    return sorted({in_order(pair) for pair, line in lines.items() if line.drawn == Drawn.WAITS})


def texts(pairs: Iterable[Pair]) -> list[str]:
    """Pairs as an outbox row holds them."""
    return [f"{a} {b}" for a, b in pairs]
