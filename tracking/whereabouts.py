"""Where a shipment is, said no more exactly than it is known: at a place, under way by its schedule, or not known.

Pure. What was heard of each place of the journey goes in, in the order of the journey; a ship's own position is not
asked of anybody, so that under way is always an estimate from the schedule and is called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

# An estimate never brings a ship to its port: arriving is heard of, not worked out.
FARTHEST: Final = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A place of the journey with what was heard of it. Instants are aware UTC."""

    place: str
    came: datetime | None = None  # the earliest actual there that does not leave it
    left: datetime | None = None  # the actual departure
    expected: datetime | None = None  # the arrival, as now expected


class Where(StrEnum):
    """How a shipment's whereabouts are known."""

    UNKNOWN = "UNKNOWN"  # nothing was heard that says where it is
    AT_PLACE = "AT_PLACE"
    UNDER_WAY = "UNDER_WAY"
    OVERDUE = "OVERDUE"  # under way, and its arrival was expected by now


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """At `place` since `since`; or between `place`, left at `since`, and `towards`, expected at `expected`.

    `share` of the way is covered if the schedule holds; None: no schedule says how far it has come.
    """

    where: Where
    stop: int = -1  # the number of `place` in the journey
    place: str = ""
    since: datetime | None = None
    towards: str = ""
    expected: datetime | None = None
    share: float | None = None


NOT_KNOWN: Final = Whereabouts(where=Where.UNKNOWN)


def whereabouts(stops: Sequence[Stop], now: datetime) -> Whereabouts:
    """By the last place of the journey of which anything actual was heard, whatever the order it was heard in.

    Left, and a place follows: under way to that place. Overdue, it stays before it until an arrival is heard. An
    arrival expected before the departure was heard says nothing, and is left out.
    """
    last = max((n for n, stop in enumerate(stops) if stop.came or stop.left), default=None)
    if last is None:
        return NOT_KNOWN
    here = stops[last]
    if here.left is None or last == len(stops) - 1:
        known = [at for at in (here.came, here.left) if at is not None]
        return Whereabouts(where=Where.AT_PLACE, stop=last, place=here.place, since=min(known))
    following = stops[last + 1]
    expected = following.expected if following.expected and following.expected > here.left else None
    return Whereabouts(
        where=Where.OVERDUE if expected and expected <= now else Where.UNDER_WAY, stop=last, place=here.place,
        since=here.left, towards=following.place, expected=expected, share=_share(here.left, expected, now),
    )  # fmt: skip


def _share(left: datetime, expected: datetime | None, now: datetime) -> float | None:
    if expected is None:
        return None
    return min(max((now - left) / (expected - left), 0.0), FARTHEST)
