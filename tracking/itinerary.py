"""The derived rows beside milestones: stays at terminals, legs as they went, how estimates moved.

Callers hold the locks of the shipments; only rows that changed are written. Nothing here is a record (1.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import models

from portal.tenancy.bulk import rows_create
from tracking.effective import live_versions
from tracking.estimates import Estimate, estimates
from tracking.legs import LegFacts, PlannedLeg, legs_as_they_went
from tracking.milestones import final_of
from tracking.models import EtaRow, Leg, LegRow, Shipment, VisitRow
from tracking.types import Journey, Milestone, Sighting
from tracking.visits import Stay, Stays, stays

Rows = list[models.Model]
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


def itinerary_rows(shipment: Shipment, found: Itinerary) -> Rows:
    """The same as rows, unsaved."""
    left_over = found.stays.anomalies or {}
    rows: Rows = [_visit(shipment, stay, left_over) for stay in found.stays.visits]
    rows += [_leg(shipment, leg) for leg in found.legs]
    rows += [
        EtaRow(
            shipment=shipment, milestone=one.milestone.value, published_at=one.published_at, eta_at=one.heard.time,
            source=one.heard.source, sighting=one.heard.sighting_id,
        )
        for one in found.moves
    ]  # fmt: skip
    return rows


def _visit(shipment: Shipment, stay: Stay, left_over: Mapping[tuple[str, str, str], int]) -> VisitRow:
    return VisitRow(
        shipment=shipment, container=stay.container, place=stay.place, facility=stay.facility, role=stay.role,
        entry_at=stay.entry_at, entry_code=stay.entry_code, entry_sighting=stay.entry_id, exit_at=stay.exit_at,
        exit_code=stay.exit_code, exit_sighting=stay.exit_id, seconds=stay.seconds,
        anomalies=left_over.get((stay.container, stay.place, stay.facility), 0),
    )  # fmt: skip


def _leg(shipment: Shipment, found: LegFacts) -> LegRow:
    leg, left, came = found.leg, found.departure, found.arrival
    return LegRow(
        shipment=shipment, sequence=leg.sequence, origin=leg.origin, destination=leg.destination, mode=leg.mode,
        voyage=found.voyage, vessel_imo=found.vessel_imo, departed_at=left.act.time if left.act else None,
        departure_expected_at=left.expected.time if left.expected else None,
        arrived_at=came.act.time if came.act else None,
        arrival_expected_at=came.expected.time if came.expected else None,
    )  # fmt: skip


def values_of(row: models.Model) -> tuple[Any, ...]:
    """The derived values of a row, to compare."""
    return tuple(getattr(row, name) for name in FIELDS[type(row)])


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


def itinerary_write(shipment_ids: Sequence[int], rows: Iterable[models.Model]) -> None:
    """Makes the stored rows of these shipments equal to `rows`; what is the same already is left alone."""
    wanted: dict[type[models.Model], dict[tuple[int, tuple[Any, ...]], models.Model]] = {m: {} for m in FIELDS}
    for row in rows:
        wanted[type(row)][getattr(row, "shipment_id"), values_of(row)] = row  # noqa: B009 - three models, one field
    for model, known in stored(shipment_ids).items():
        gone = [pk for key, pk in known.items() if key not in wanted[model]]
        fresh = [row for key, row in wanted[model].items() if key not in known]
        if gone:
            model._default_manager.filter(pk__in=gone).delete()
        if fresh:
            rows_create(fresh)


def differing(shipment_ids: Sequence[int], rows: Iterable[models.Model]) -> set[int]:
    """Shipments whose stored rows differ from these."""
    wanted: dict[type[models.Model], set[tuple[int, tuple[Any, ...]]]] = {m: set() for m in FIELDS}
    for row in rows:
        wanted[type(row)].add((getattr(row, "shipment_id"), values_of(row)))  # noqa: B009 - three models, one field
    known = stored(shipment_ids)
    return {shipment_id for model in FIELDS for shipment_id, _values in wanted[model] ^ known[model].keys()}
