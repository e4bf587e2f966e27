"""Shipment state from stored sightings: reads rows into the pure rules, and keeps the derived rows current.

Callers hold the locks of the shipments they rebuild, taken in id order. Nothing derived here is a record (1.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from django.db import connection, transaction
from psycopg import Cursor

from portal.lib.facts import Fact
from portal.lib.periods import zone_named
from portal.tenancy.bulk import rows_create
from portal.tenancy.context import scope
from tracking.effective import Heard, on_time_instant
from tracking.exception_rows import Casebook
from tracking.facts import EtaChanged, MilestoneChanged, MilestoneReached
from tracking.itinerary import NO_PLAN, Plan, Row, differing, itinerary_of, itinerary_rows, itinerary_write, plans
from tracking.milestones import ContainerFacts, MilestoneFacts, ShipmentFacts, chain, critical_five, derive, final_of
from tracking.models import Container, MilestoneRow, Place, Shipment, Touched
from tracking.partners import anchoring, avpu_places, priority, settings_as_of
from tracking.types import FinalMilestone, Journey, Load, Milestone, Mode, Sighting

_FIELDS: Final = (
    "id", "shipment_id", "source", "source_kind", "event_key", "natural_key", "code", "kind", "classifier",
    "event_time", "precision", "recorded_at", "source_created_at", "container", "place", "facility", "place_role",
    "laden", "is_transshipment", "mode", "voyage", "vessel_imo", "document_type", "retracts_key", "payload_hash",
    "is_empty", "evidence_ref", "entered_by",
)  # fmt: skip


_SIGHTINGS: Final = (
    f"select {', '.join(_FIELDS)} from tracking_sightingrow "  # noqa: S608 - names of our own columns
    "where tenant_id = %s and shipment_id = any(%s)"
)


def sighting_of(row: Mapping[str, Any]) -> Sighting:
    """A stored row (as values) in the form of the pure rules; retractions name the event key they withdraw."""
    return Sighting(
        id=row["id"],
        source=row["source"],
        source_kind=row["source_kind"],
        event_key=row["event_key"],
        natural_key=row["natural_key"],
        code=row["code"],
        kind=row["kind"],
        classifier=row["classifier"],
        event_time=row["event_time"],
        precision=row["precision"],
        recorded_at=row["recorded_at"],
        source_created_at=row["source_created_at"],
        container=row["container"] or None,
        place=row["place"] or None,
        facility=row["facility"] or None,
        place_role=row["place_role"] or None,
        laden=row["laden"],
        is_transshipment=row["is_transshipment"],
        mode=row["mode"] or None,
        voyage=row["voyage"] or None,
        vessel_imo=row["vessel_imo"] or None,
        document_type=row["document_type"] or None,
        retracts=row["retracts_key"] or None,
        payload_hash=row["payload_hash"],
        is_empty=row["is_empty"],
        has_evidence=bool(row["evidence_ref"]) or not row["entered_by"],
    )


def sightings_of(shipment_ids: Sequence[int], *, as_of: datetime | None = None) -> dict[int, list[Sighting]]:
    """All stored sightings by shipment, in one query; up to `as_of` when given."""
    found: dict[int, list[Sighting]] = defaultdict(list)
    values: list[Any] = [scope(), list(shipment_ids)]
    until = ""
    if as_of is not None:
        until, values = " and recorded_at <= %s", [*values, as_of]
    # in binary form and past the ORM: these are the rows of which most are read
    with transaction.atomic(savepoint=False), connection.wrap_database_errors:
        assert connection.connection is not None
        with Cursor(connection.connection) as cursor:
            for row in cursor.execute(_SIGHTINGS + until, values, binary=True):
                found[row[1]].append(sighting_of(dict(zip(_FIELDS, row, strict=True))))
    return found


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What derivation needs beside the sightings, loaded once a batch."""

    containers: Mapping[int, tuple[str, ...]]
    zones: Mapping[str, str]
    avpu_places: frozenset[str]
    anchoring_sources: frozenset[str]
    priority: tuple[str, ...]
    plans: Mapping[int, Plan] = field(default_factory=dict)

    def journey(self, shipment: Shipment) -> Journey:
        """The shipment's journey in the form of the pure rules."""
        final_place = shipment.final_place or None
        return Journey(
            final=FinalMilestone(shipment.final_milestone),
            mode=Mode(shipment.mode),
            load=Load(shipment.load),
            pol=shipment.pol or None,
            pod=shipment.pod or None,
            final_place=final_place,
            transhipments=tuple(shipment.transhipments),
            containers=self.containers.get(shipment.pk, ()),
            voyage=shipment.voyage or None,
            vessel_imo=shipment.vessel_imo or None,
            arrival_is_anchorage=self.anchoring_sources,
            sends_avpu=(final_place or shipment.pod or "") in self.avpu_places,
            priority=self.priority,
        )

    def zone(self, place: str) -> ZoneInfo:
        """The zone of a place; UTC where it is unknown."""
        return zone_named(self.zones.get(place) or "UTC")


def surroundings(shipments: Sequence[Shipment], *, as_of: datetime | None = None) -> Surroundings:
    """Containers live as of the instant, zones of the places, terminals that report availability."""
    containers: dict[int, list[str]] = defaultdict(list)
    for shipment_id, number, removed_at in Container.objects.filter(
        shipment_id__in=[s.pk for s in shipments]
    ).values_list("shipment_id", "number", "removed_at"):
        if removed_at is None or (as_of is not None and removed_at > as_of):
            containers[shipment_id].append(number)
    codes = {code for s in shipments for code in (s.pol, s.pod, s.final_place, *s.transhipments) if code}
    zones = dict(Place.objects.filter(code__in=codes).exclude(zone="").values_list("code", "zone"))
    settings = settings_as_of(as_of)
    return Surroundings(
        containers={i: tuple(sorted(numbers)) for i, numbers in containers.items()},
        zones=zones,
        avpu_places=avpu_places(codes, as_of),
        anchoring_sources=anchoring(settings),
        priority=priority(settings),
    )


def facts_of(shipments: Iterable[Shipment], *, as_of: datetime) -> dict[int, ShipmentFacts]:
    """Effective facts as of an instant by shipment id; seven queries whatever the number (R1.8)."""
    listed = list(shipments)
    sightings = sightings_of([s.pk for s in listed], as_of=as_of)
    around = surroundings(listed, as_of=as_of)
    return {s.pk: derive(sightings.get(s.pk, ()), around.journey(s), as_of=as_of) for s in listed}


def shipment_facts(shipment: Shipment, *, as_of: datetime) -> ShipmentFacts:
    """Effective facts of one shipment as of an instant."""
    return facts_of([shipment], as_of=as_of)[shipment.pk]


def rebuild(shipments: Sequence[Shipment], sightings: Mapping[int, Sequence[Sighting]], *, at: datetime) -> list[Fact]:
    """Writes the derived rows of locked shipments anew and returns the facts that are new since the last time."""
    shipment_ids = [s.pk for s in shipments]
    around = replace(surroundings(shipments), plans=plans(shipment_ids))
    stored, cases = _stored(shipment_ids), Casebook(shipments)
    known = {(row[0], row[2]): row[4] for row in stored if not row[1] and row[4] is not None}
    rows: list[DerivedMilestone] = []
    beside: list[Row] = []
    news: list[Fact] = []
    for shipment in shipments:
        eta_before = shipment.eta_at
        own, others = _derived(shipment, sightings.get(shipment.pk, ()), around, cases, at)
        rows += own
        beside += others
        news += _news(shipment, own, known, eta_before, around, at)
    _write_milestones(rows, stored)
    itinerary_write(shipment_ids, beside)
    news += cases.write(around.zones, at=at)
    _write_states(shipments)
    return news


def _news(
    shipment: Shipment, rows: Sequence[DerivedMilestone], known: Mapping[tuple[int, str], datetime],
    eta_before: datetime | None, around: Surroundings, at: datetime,
) -> list[Fact]:  # fmt: skip
    """What changed: milestones reached, their times corrected or withdrawn, the estimate of the final one moved."""
    news: list[Fact] = []
    reached = {r.milestone: r for r in rows if not r.container and r.act_at is not None}
    for milestone, row in reached.items():
        before = known.get((shipment.pk, milestone))
        if before is None:
            news.append(_reached(shipment, row, around))
        elif before != row.act_at:
            news.append(_changed(shipment, milestone, before, row.act_at, at))
    for (shipment_id, milestone), before in known.items():
        if shipment_id == shipment.pk and milestone not in reached:
            news.append(_changed(shipment, milestone, before, None, at))
    if shipment.final_at is None and shipment.eta_at not in (None, eta_before):
        news.append(
            EtaChanged(
                occurred_at=at, shipment=shipment.public_id, reference=shipment.ref,
                was=eta_before.isoformat() if eta_before else "", now=shipment.eta_at.isoformat(),
                path=f"/shipments/{shipment.public_id}",
            )
        )  # fmt: skip
    return news


def _changed(
    shipment: Shipment, milestone: str, before: datetime, after: datetime | None, at: datetime
) -> MilestoneChanged:
    return MilestoneChanged(
        occurred_at=at, shipment=shipment.public_id, reference=shipment.ref, milestone=milestone,
        was=before.isoformat(), now=after.isoformat() if after else "", path=f"/shipments/{shipment.public_id}",
    )  # fmt: skip


def _derived(
    shipment: Shipment, listed: Sequence[Sighting], around: Surroundings, cases: Casebook, at: datetime
) -> tuple[list[DerivedMilestone], list[Row]]:
    """The milestone rows and the rows beside them of a shipment; its own columns are set, nothing is stored. What is
    wrong with it goes into the casebook.
    """
    # whoever waited for the lock has an older clock than what was stored meanwhile: all that is stored counts (G3)
    latest = max((s.recorded_at for s in listed), default=at)
    journey, as_of = around.journey(shipment), max(at, latest)
    facts = derive(listed, journey, as_of=as_of)
    _state(shipment, facts, around)
    plan = around.plans.get(shipment.pk, NO_PLAN)
    way = itinerary_of(listed, journey, plan.newest, as_of=as_of)
    zone = around.zone(journey.pod or "")
    cases.judge(shipment, facts, journey, way, plan, sightings=listed, at=as_of, pod_zone=zone)
    return _milestone_rows(shipment, facts), itinerary_rows(shipment, way)


_ROW_FIELDS: Final = (
    "container", "milestone", "node", "act_at", "act_source", "act_recorded_at", "est_at", "est_source",
    "est_recorded_at", "pln_at", "precision", "basis", "is_conflict",
)  # fmt: skip
_milestone_values: Final = attrgetter("shipment_id", *_ROW_FIELDS)


@dataclass(slots=True)
class DerivedMilestone:
    """What a MilestoneRow holds, before it is stored; there are many, and few of them are new."""

    shipment_id: int
    container: str
    milestone: str
    node: str
    act_at: datetime | None
    act_source: str
    act_recorded_at: datetime | None
    precision: str
    est_at: datetime | None
    est_source: str
    est_recorded_at: datetime | None
    pln_at: datetime | None
    basis: str
    is_conflict: bool


_Stored = dict[tuple[Any, ...], int]  # (shipment id, *values) -> id


def _stored(shipment_ids: Sequence[int]) -> _Stored:
    """The milestone rows as they stand."""
    rows = MilestoneRow.objects.filter(shipment_id__in=shipment_ids).values_list("pk", "shipment_id", *_ROW_FIELDS)
    return {row[1:]: row[0] for row in rows}


def _write_milestones(rows: Sequence[DerivedMilestone], stored: _Stored) -> None:
    """Makes the stored rows equal to these; what is the same already is left alone."""
    wanted = {_milestone_values(row): row for row in rows}
    if gone := [pk for values, pk in stored.items() if values not in wanted]:
        MilestoneRow.objects.filter(pk__in=gone)._raw_delete("default")
    rows_create([row for values, row in wanted.items() if values not in stored], of=MilestoneRow)


def stale(shipments: Sequence[Shipment], *, at: datetime) -> list[Shipment]:
    """Those whose stored rows or columns differ from a full derivation; stores nothing (1.5). What is noted to be
    derived in a moment is left out.

    The caller holds their locks, or repeats the question for those that are named.
    """
    shipment_ids = [s.pk for s in shipments]
    around, sightings = replace(surroundings(shipments), plans=plans(shipment_ids)), sightings_of(shipment_ids)
    stored: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for pk, *values in MilestoneRow.objects.filter(shipment__in=shipments).values_list("shipment_id", *_ROW_FIELDS):
        stored[pk].add(tuple(values))
    found, beside, cases = [], [], Casebook(shipments)
    for shipment in shipments:
        anew = copy(shipment)
        own, others = _derived(anew, sightings.get(shipment.pk, ()), around, cases, at)
        beside += others
        rows = {tuple(getattr(row, name) for name in _ROW_FIELDS) for row in own}
        if rows != stored[shipment.pk] or any(getattr(anew, n) != getattr(shipment, n) for n in _COMPARED):
            found.append(shipment)
    # what the clock calls up is looked at within minutes
    called = {s.pk for s in shipments if s.look_at is not None and s.look_at <= at}
    apart = (differing(shipment_ids, beside) | (cases.differing() - called)) - {s.pk for s in found}
    waiting = _waiting(shipment_ids)
    return [s for s in [*found, *(s for s in shipments if s.pk in apart)] if s.pk not in waiting]


def _waiting(shipment_ids: Sequence[int]) -> set[int]:
    """Those that a large message touched and that are derived in a moment."""
    notes = Touched.objects.filter(shipments__overlap=list(shipment_ids)).values_list("shipments", flat=True)
    return {pk for note in notes for pk in note}


_STATE_TYPES: Final = {
    "pk": "bigint", "milestone": "text", "milestone_at": "timestamptz", "status": "text", "eta_at": "timestamptz",
    "final_at": "timestamptz", "punctuality": "text", "last_event_at": "timestamptz", "last_heard_at": "timestamptz",
    "look_at": "timestamptz",
}  # fmt: skip
_STATE_FIELDS: Final = tuple(_STATE_TYPES)
_COMPARED: Final = tuple(name for name in _STATE_FIELDS if name != "look_at")
_STATES: Final = (
    f"update tracking_shipment as s set {', '.join(f'{n} = n.{n}' for n in _STATE_FIELDS if n != 'pk')} "  # noqa: S608
    f"from json_to_recordset(%s) as n({', '.join(f'{name} {kind}' for name, kind in _STATE_TYPES.items())}) "
    "where s.tenant_id = %s and s.id = n.pk"
)


def _write_states(shipments: Sequence[Shipment]) -> None:
    """The derived columns in one statement; a tenth of the time that an update by cases takes."""
    rows = [{name: getattr(s, name) for name in _STATE_FIELDS} for s in shipments]
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [msgspec.json.encode(rows).decode(), scope()])


def _milestone_rows(shipment: Shipment, facts: ShipmentFacts) -> list[DerivedMilestone]:
    rows = [
        _row(shipment, part.container or "", found, found.act)
        for part in facts.containers
        for found in part.milestones
        if part.container
    ]
    seen: dict[Milestone, MilestoneFacts] = {}
    for part in facts.containers:
        for found in part.milestones:
            seen.setdefault(found.milestone, found)
    for milestone, found in seen.items():
        row = _row(shipment, "", found, facts.reached(milestone))
        expected = facts.expected(milestone)
        if expected is not None:
            row.est_at, row.est_source = expected.time, expected.source
            row.est_recorded_at = expected.recorded_at
        row.is_conflict = any(c.get(milestone).conflict for c in facts.containers)
        rows.append(row)
    return rows


def _row(shipment: Shipment, container: str, found: MilestoneFacts, act: Heard | None) -> DerivedMilestone:
    return DerivedMilestone(
        shipment_id=shipment.pk,
        container=container,
        milestone=found.milestone.value,
        node=found.node,
        act_at=act.time if act else None,
        act_source=act.source if act else "",
        act_recorded_at=act.recorded_at if act else None,
        precision=act.precision if act else "minute",
        est_at=found.est.time if found.est else None,
        est_source=found.est.source if found.est else "",
        est_recorded_at=found.est.recorded_at if found.est else None,
        pln_at=found.pln.time if found.pln else None,
        basis=found.basis,
        is_conflict=found.conflict,
    )


_STATUS: Final = {
    Milestone.GATE_IN_FULL: "UNDER_WAY",
    Milestone.CFS_RECEIVED: "UNDER_WAY",
    Milestone.LOADED: "UNDER_WAY",
    Milestone.VESSEL_DEPARTED: "UNDER_WAY",
    Milestone.VESSEL_ARRIVED: "ARRIVED",
    Milestone.DISCHARGED: "ARRIVED",
    Milestone.CY_AVAILABLE: "ARRIVED",
    Milestone.GATE_OUT_FULL: "ARRIVED",
}


def _state(shipment: Shipment, facts: ShipmentFacts, around: Surroundings) -> None:
    """The columns that lists show; provisional, the close judges for itself."""
    order = chain(FinalMilestone(shipment.final_milestone), Mode(shipment.mode), Load(shipment.load))
    reached = [(m, heard) for m in order if (heard := facts.reached(m)) is not None]
    last = reached[-1] if reached else None
    shipment.milestone = last[0].value if last else ""
    shipment.milestone_at = last[1].time if last else None
    final = final_of(FinalMilestone(shipment.final_milestone))
    done, best = facts.reached(final), facts.best(final)
    shipment.final_at = done.time if done else None
    shipment.eta_at = best.time if best else None
    shipment.last_heard_at = facts.last_recorded_at
    shipment.last_event_at = max((h.time for _m, h in reached), default=None)
    if shipment.cancelled_at is not None:
        shipment.status = "CANCELLED"
    elif done is not None:
        shipment.status = "DONE"
    else:
        shipment.status = _STATUS.get(last[0], "UNDER_WAY") if last else "BOOKED"
    shipment.punctuality = punctuality(shipment, done, best, around.zone(shipment.final_place or shipment.pod))


def punctuality(shipment: Shipment, done: Heard | None, best: Heard | None, zone: ZoneInfo) -> str:
    """OPEN, AT_RISK, LATE or ON_TIME against the binding limit (R2.1), as far as known now."""
    if shipment.due_at is None:
        return "OPEN"
    if done is not None:
        instant = on_time_instant(done.time, done.precision, zone)
        return "ON_TIME" if _holds(shipment, instant) else "LATE"
    if best is not None and not _holds(shipment, best.time):
        return "AT_RISK"
    return "OPEN"


def _holds(shipment: Shipment, instant: datetime) -> bool:
    if shipment.due_at is None:
        return True
    return instant < shipment.due_at if shipment.due_is_exclusive else instant <= shipment.due_at


def _reached(shipment: Shipment, row: DerivedMilestone, around: Surroundings) -> MilestoneReached:
    assert row.act_at is not None
    zone = around.zone(row.node)
    local = row.act_at.astimezone(zone)
    return MilestoneReached(
        occurred_at=row.act_at,
        shipment=shipment.public_id,
        reference=shipment.ref,
        milestone=row.milestone,
        node=row.node,
        local_time=f"{local:%d %b %Y}" if row.precision == "day" else f"{local:%d %b %Y %H:%M} {local.tzname()}",
        next_step=_next_step(shipment, Milestone(row.milestone)),
        path=f"/shipments/{shipment.public_id}",
        is_core=_is_core(shipment, Milestone(row.milestone)),
    )


def _is_core(shipment: Shipment, milestone: Milestone) -> bool:
    return milestone in critical_five(
        FinalMilestone(shipment.final_milestone), Mode(shipment.mode), Load(shipment.load)
    )


def _next_step(shipment: Shipment, reached: Milestone) -> str:
    order = chain(FinalMilestone(shipment.final_milestone), Mode(shipment.mode), Load(shipment.load))
    if reached not in order:
        return ""
    later = order[order.index(reached) + 1 :]
    return later[0].value if later else ""


__all__ = [
    "ContainerFacts",
    "facts_of",
    "punctuality",
    "rebuild",
    "shipment_facts",
    "sightings_of",
    "stale",
    "surroundings",
]
