"""What was heard of each place of journeys, as whereabouts.py takes it: from derived rows, never from raw events.

Reads the entered scope, two queries for any number of shipments. Never asks for the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from django.db.models import Max, Min, Q
from django.db.models.functions import Coalesce

from tracking.earth import Point
from tracking.models import LegRow, MilestoneRow, Place, Shipment
from tracking.seaways import Line, Pair, seaways
from tracking.selectors import CORE
from tracking.types import Milestone
from tracking.whereabouts import Stop, Where, Whereabouts, whereabouts

_M = Milestone
_ANY_BOX: Final = (
    _M.GATE_IN_FULL, _M.CFS_RECEIVED, _M.LOADED, _M.TS_DISCHARGED, _M.VESSEL_ARRIVED, _M.DISCHARGED, _M.CY_AVAILABLE,
)  # fmt: skip
_ALL_BOXES: Final = (_M.CFS_AVAILABLE, _M.DELIVERED)
_LEAVES: Final = (_M.VESSEL_DEPARTED, _M.GATE_OUT_FULL)
_ARRIVES: Final = (_M.VESSEL_ARRIVED, _M.CFS_AVAILABLE, _M.DELIVERED)


def places_of(pol: str, transhipments: Iterable[str], pod: str, final_place: str) -> tuple[str, ...]:
    """The places of a journey in order, each once."""
    return tuple(dict.fromkeys(code for code in (pol, *transhipments, pod, final_place) if code))


@dataclass(slots=True)
class _Heard:
    came: datetime | None = None
    left: datetime | None = None
    expected: datetime | None = None

    def add(self, came: datetime | None, left: datetime | None, expected: datetime | None) -> None:
        """The earliest coming; the first known leaving and estimate."""
        self.came = min((at for at in (self.came, came) if at), default=None)
        self.left, self.expected = self.left or left, self.expected or expected


@dataclass(frozen=True, slots=True)
class Calls:
    """What was heard of each place, by shipment."""

    heard: Mapping[int, Mapping[str, _Heard]]

    def stops(self, shipment_id: int, places: Sequence[str]) -> list[Stop]:
        """The places of one journey in order."""
        heard = self.heard.get(shipment_id, {})
        nothing = _Heard()
        return [
            Stop(place=code, came=h.came, left=h.left, expected=h.expected)
            for code in places
            for h in (heard.get(code, nothing),)
        ]


def calls_of(shipments: Sequence[int], *, every_event: bool) -> Calls:
    """For the shipments of these ids. Without `every_event` from the critical five alone (5.1).

    At a port of loading, transhipment or discharge is who has one box there; at a final place who has all of them;
    left is a place when nothing is there any more.
    """
    heard: dict[int, dict[str, _Heard]] = defaultdict(lambda: defaultdict(_Heard))
    if every_event:  # a vessel's own calls first: loading only stands in for a departure that nobody tells of
        rows = LegRow.objects.filter(shipment__in=shipments).order_by("shipment", "sequence")
        for pk, origin, destination, *times in rows.values_list(
            "shipment_id", "origin", "destination", "departed_at", "arrived_at", "arrival_expected_at"
        ):
            heard[pk][origin].add(None, times[0], None)
            heard[pk][destination].add(times[1], None, times[2])
    for row in _milestones(shipments, every_event=every_event):
        heard[row["shipment_id"]][row["node"]].add(row["came"], row["left"], row["expected"])
    return Calls(heard)


def _milestones(shipments: Sequence[int], *, every_event: bool) -> Iterable[dict[str, Any]]:
    """One row a shipment and node."""
    whole = Q(container="")
    wanted = {*_ANY_BOX, *_ALL_BOXES, *_LEAVES, _M.TS_LOADED}
    found = MilestoneRow.objects.filter(
        shipment__in=shipments, milestone__in=sorted(wanted if every_event else wanted & CORE)
    )
    return found.values("shipment_id", "node").annotate(
        came=Min("act_at", filter=Q(milestone__in=_ANY_BOX) | whole & Q(milestone__in=_ALL_BOXES)),
        left=Max("act_at", filter=whole & Q(milestone__in=_LEAVES) | Q(milestone=_M.TS_LOADED)),
        expected=Min(Coalesce("est_at", "pln_at"), filter=whole & Q(milestone__in=_ARRIVES)),
    )


def sea_pairs(mode: str, pol: str, transhipments: Sequence[str], pod: str) -> set[Pair]:
    """The pairs of places between which a shipment goes by ship."""
    if mode != "SEA":
        return set()
    calls = places_of(pol, transhipments, pod, "")
    return set(pairwise(calls))


def whereabouts_of(
    shipment: Shipment, places: Mapping[str, Point], *, at: datetime, live: bool
) -> tuple[tuple[str, ...], Whereabouts, dict[Pair, Line]]:
    """One shipment: the places of its journey, where it is, and the lines between them; three queries.

    Without `live` tracking from the critical five, and how far it has come on its way is left out (5.1).
    """
    codes = places_of(shipment.pol, shipment.transhipments, shipment.pod, shipment.final_place)
    stops = calls_of([shipment.pk], every_event=live).stops(shipment.pk, codes)
    by_sea = sea_pairs(shipment.mode, shipment.pol, shipment.transhipments, shipment.pod)
    here = whereabouts(stops, at)
    lines = seaways(set(pairwise(codes)), places, by_sea=by_sea)
    return codes, here if live else replace(here, share=None), lines


def points_of(places: Mapping[str, Place]) -> dict[str, Point]:
    """(longitude, latitude) of the places that have one."""
    return {code: (float(p.lon), float(p.lat)) for code, p in places.items() if p.lat is not None and p.lon is not None}


def point_of(here: Whereabouts, lines: Mapping[Pair, Line], points: Mapping[str, Point]) -> Point | None:
    """Where it is on the map; None where nobody can say."""
    if here.where == Where.AT_PLACE:
        return points.get(here.place)
    line = lines.get((here.place, here.towards))
    return line.way.at(here.share) if line is not None and here.share is not None else None
