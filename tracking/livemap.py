"""Where all shipments in transit of an account are: each at a point of the map, with the line it is on.

Reads the entered scope by a constant number of queries, from derived rows; never asks for the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Max, QuerySet

from portal.lib.periods import zone_named
from tracking.calls import calls_of, places_of, point_of, sea_pairs
from tracking.earth import Point
from tracking.filters import ShipmentFilter
from tracking.models import Container, Place, Shipment
from tracking.search import Hits
from tracking.seaways import Line, Pair, seaways
from tracking.selectors import shipments_found
from tracking.standing import Prospect, Standing
from tracking.whereabouts import Whereabouts, whereabouts

IN_TRANSIT: Final = ("UNDER_WAY", "ARRIVED")
_TONES: Final = {Standing.LATE: "late", Standing.AT_RISK: "warn"}
MOST: Final = 10_000  # shipments on one map
_FIELDS: Final = (
    "id", "public_id", "ref", "mode", "carrier", "pol", "transhipments", "pod", "final_place", "final_milestone",
    "status", "punctuality", "due_at", "due_date", "eta_at", "final_at", "last_heard_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Afloat:
    """One shipment in transit. `point`: None where its place or its progress is not known."""

    row: Mapping[str, Any]
    here: Whereabouts
    point: Point | None
    boxes: int
    prospect: Prospect
    tone: str  # late, warn (at risk), ok (neither)


@dataclass(frozen=True, slots=True)
class LiveMap:
    """All of them, the next expected first; `has_more`: beyond what one map shows."""

    ships: list[Afloat]
    lines: Mapping[Pair, Line]
    places: Mapping[str, tuple[str, str]]  # code -> (name, zone)
    points: Mapping[str, Point]
    has_more: bool

    def name_of(self, code: str) -> str:
        """A place's name, else its code."""
        return self.places.get(code, ("", ""))[0] or code


def in_transit(wanted: ShipmentFilter, *, hits: Hits | None, now: datetime, follower: int | None) -> QuerySet[Shipment]:
    """The shipments of the filter that have begun their journey and not ended it."""
    found = shipments_found(wanted, hits=hits, now=now, every_event=True, follower=follower)
    return found.filter(status__in=IN_TRANSIT, final_at__isnull=True)


def mark_of(found: QuerySet[Shipment]) -> tuple[int, datetime | None]:
    """What changes when any of them is heard of: how many, and when one was heard of last; one query."""
    seen = found.aggregate(number=Count("pk"), heard=Max("last_heard_at"))
    return seen["number"], seen["heard"]


def live_map(found: QuerySet[Shipment], *, now: datetime) -> LiveMap:
    """Where they are as of now; six queries for any number."""
    rows = list(found.order_by("eta_at", "id").values(*_FIELDS)[: MOST + 1])
    has_more = len(rows) > MOST
    rows = rows[:MOST]
    pks = [row["id"] for row in rows]
    boxes = dict(
        Container.objects.filter(shipment__in=pks, removed_at__isnull=True).order_by()
        .values_list("shipment").annotate(Count("pk"))
    )  # fmt: skip
    calls = calls_of(pks, every_event=True)
    journeys = {row["id"]: places_of(row["pol"], row["transhipments"], row["pod"], row["final_place"]) for row in rows}
    places, points = _places({code for codes in journeys.values() for code in codes})
    heres = {pk: whereabouts(calls.stops(pk, codes), now) for pk, codes in journeys.items()}
    pairs = {(here.place, here.towards) for here in heres.values() if here.towards}
    by_sea = {p for row in rows for p in sea_pairs(row["mode"], row["pol"], row["transhipments"], row["pod"])}
    lines = seaways(pairs, points, by_sea=by_sea & pairs)
    ships = []
    for row in rows:
        here, prospect = heres[row["id"]], _prospect(row, places)
        tone = _TONES.get(prospect.standing(now), "ok")
        ships.append(Afloat(row, here, point_of(here, lines, points), boxes.get(row["id"], 0), prospect, tone))
    return LiveMap(ships, lines, places, points, has_more)


def _places(codes: Iterable[str]) -> tuple[dict[str, tuple[str, str]], dict[str, Point]]:
    rows = list(Place.objects.filter(code__in=set(codes)).values_list("code", "name", "zone", "lat", "lon"))
    names = {code: (name, zone) for code, name, zone, _lat, _lon in rows}
    points = {code: (float(lon), float(lat)) for code, _n, _z, lat, lon in rows if lat is not None and lon is not None}
    return names, points


def _prospect(row: Mapping[str, Any], places: Mapping[str, tuple[str, str]]) -> Prospect:
    zone = places.get(row["final_place"] or row["pod"], ("", ""))[1]
    return Prospect(
        status=row["status"], punctuality=row["punctuality"], due_at=row["due_at"], due_date=row["due_date"],
        eta_at=row["eta_at"], final_at=row["final_at"], final_milestone=row["final_milestone"],
        zone=zone_named(zone or "UTC"),
    )  # fmt: skip


def legs_in_use(ships: Iterable[Afloat]) -> list[tuple[Pair, int]]:
    """The pairs of places between which somebody is now, the busiest first, with how many."""
    return Counter((s.here.place, s.here.towards) for s in ships if s.here.towards).most_common()
