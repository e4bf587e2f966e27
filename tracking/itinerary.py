"""The derived rows beside milestones: stays at terminals, legs as they went, how estimates moved.

Callers hold the locks of the shipments; only rows that changed are written. Nothing here is a record (1.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import models

from portal.tenancy.bulk import rows_create
from tracking.effective import live_versions
from tracking.estimates import Estimate, estimates
from tracking.legs import LegFacts, PlannedLeg, legs_as_they_went
from tracking.milestones import final_of
from tracking.models import EtaRow, Leg, LegRow, Shipment, VisitRow
from tracking.types import Journey, Milestone, Sighting
from tracking.visits import Stay, Stays, stays

FIELDS: Final[Mapping[type[models.Model], tuple[str, ...]]] = {
    VisitRow: (
        "container", "place", "facility", "role", "entry_at", "entry_code", "entry_sighting", "exit_at", "exit_code",
        "exit_sighting", "seconds", "anomalies",
    ),
    LegRow: (
        "sequence", "origin", "destination", "mode", "voyage", "vessel_imo", "departed_at", "departure_expected_at",
        "arrived_at", "arrival_expected_at",
    ),
    EtaRow: ("milestone", "published_at", "eta_at", "source", "sighting"),
}  # fmt: skip

# A row before it is stored: (table, shipment, the values of its fields). There are many, and few of them are new.
Row = tuple[type[models.Model], int, tuple[Any, ...]]
_SHAPES: Final[Mapping[type[models.Model], Any]] = {
    model: msgspec.defstruct(model.__name__, ["shipment_id", *names], gc=False) for model, names in FIELDS.items()
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The legs of the newest plan, and those that were booked first."""

    newest: Sequence[PlannedLeg] = ()
    booked: Sequence[PlannedLeg] = ()


NO_PLAN: Final = Plan()


def plans(shipment_ids: Sequence[int]) -> dict[int, Plan]:
    """The plans by shipment, in one query (R1.14)."""
    found: dict[int, dict[int, list[PlannedLeg]]] = defaultdict(lambda: defaultdict(list))
    rows = Leg.objects.filter(shipment_id__in=shipment_ids).order_by("shipment_id", "version", "sequence")
    for row in rows.values_list(
        "shipment_id", "version", "sequence", "origin", "destination", "mode", "voyage", "vessel_imo"
    ):
        found[row[0]][row[1]].append(PlannedLeg(sequence=row[2], origin=row[3], destination=row[4], mode=row[5],
                                                voyage=row[6], vessel_imo=row[7]))  # fmt: skip
    return {pk: Plan(versions[max(versions)], versions[min(versions)]) for pk, versions in found.items()}


@dataclass(frozen=True, slots=True)
class Itinerary:
    """What was heard of one shipment's way; nothing while nothing was heard of it: the plan stands."""

    live: Sequence[Sighting] = ()
    stays: Stays = field(default_factory=Stays)
    legs: Sequence[LegFacts] = ()
    moves: Sequence[Estimate] = ()


def itinerary_of(
    sightings: Sequence[Sighting], journey: Journey, plan: Sequence[PlannedLeg], *, as_of: datetime
) -> Itinerary:
    """Visits, legs and estimate moves of one shipment."""
    if not sightings:
        return Itinerary()
    live = live_versions(sightings, as_of=as_of)
    told = (Milestone.VESSEL_DEPARTED, Milestone.VESSEL_ARRIVED, final_of(journey.final))
    return Itinerary(
        live=live,
        stays=stays(live, containers=journey.containers, priority=journey.priority),
        legs=legs_as_they_went(plan, live, priority=journey.priority),
        moves=estimates(sightings, journey, milestones=told, as_of=as_of),
    )


def itinerary_rows(shipment: Shipment, found: Itinerary) -> list[Row]:
    """The same as rows."""
    left_over = found.stays.anomalies or {}
    rows: list[Row] = [(VisitRow, shipment.pk, _visit(stay, left_over)) for stay in found.stays.visits]
    rows += [(LegRow, shipment.pk, _leg(leg)) for leg in found.legs]
    rows += [(EtaRow, shipment.pk, _move(move)) for move in found.moves]
    return rows


def _visit(stay: Stay, left_over: Mapping[tuple[str, str, str], int]) -> tuple[Any, ...]:
    return (
        stay.container, stay.place, stay.facility, stay.role, stay.entry_at, stay.entry_code, stay.entry_id,
        stay.exit_at, stay.exit_code, stay.exit_id, stay.seconds,
        left_over.get((stay.container, stay.place, stay.facility), 0),
    )  # fmt: skip


def _leg(found: LegFacts) -> tuple[Any, ...]:
    leg, left, came = found.leg, found.departure, found.arrival
    return (
        leg.sequence, leg.origin, leg.destination, leg.mode, found.voyage, found.vessel_imo,
        left.act.time if left.act else None, left.expected.time if left.expected else None,
        came.act.time if came.act else None, came.expected.time if came.expected else None,
    )  # fmt: skip


def _move(one: Estimate) -> tuple[Any, ...]:
    return one.milestone.value, one.published_at, one.heard.time, one.heard.source, one.heard.sighting_id


def stored(shipment_ids: Sequence[int]) -> dict[type[models.Model], dict[tuple[int, tuple[Any, ...]], int]]:
    """What is stored now: table -> (shipment, values) -> id; one query a table."""
    return {
        model: {
            (shipment_id, tuple(values)): pk
            for pk, shipment_id, *values in model._default_manager.filter(shipment_id__in=shipment_ids).values_list(
                "pk", "shipment_id", *names
            )
        }
        for model, names in FIELDS.items()
    }


def itinerary_write(shipment_ids: Sequence[int], rows: Iterable[Row]) -> None:
    """Makes the stored rows of these shipments equal to `rows`; what is the same already is left alone."""
    wanted = _by_table(rows)
    for model, known in stored(shipment_ids).items():
        gone = [pk for key, pk in known.items() if key not in wanted[model]]
        fresh = [_SHAPES[model](pk, *values) for pk, values in wanted[model] if (pk, values) not in known]
        if gone:
            model._default_manager.filter(pk__in=gone).delete()
        rows_create(fresh, of=model)


def differing(shipment_ids: Sequence[int], rows: Iterable[Row]) -> set[int]:
    """Shipments whose stored rows differ from these."""
    wanted, known = _by_table(rows), stored(shipment_ids)
    return {shipment_id for model in FIELDS for shipment_id, _values in wanted[model].keys() ^ known[model].keys()}


def _by_table(rows: Iterable[Row]) -> dict[type[models.Model], dict[tuple[int, tuple[Any, ...]], None]]:
    found: dict[type[models.Model], dict[tuple[int, tuple[Any, ...]], None]] = {model: {} for model in FIELDS}
    for model, shipment_id, values in rows:
        found[model][shipment_id, values] = None
    return found
