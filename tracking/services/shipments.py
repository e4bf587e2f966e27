"""Writes about shipments and their promises: registered, sent again, changed (R1.13 to R1.18)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.periods import zone_named
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from portal.tenancy.services import SYSTEM
from tracking import matching
from tracking.derivation import rebuild, sightings_of
from tracking.masterdata import carriers_note
from tracking.models import (
    CommitmentRow,
    Container,
    Leg,
    Place,
    Quarantined,
    QuarantineState,
    Reference,
    ReferenceKind,
    Shipment,
)
from tracking.reasons import Reason
from tracking.rules import Commitment, LimitOp, due_period, limit_of
from tracking.telling import news_tell
from tracking.types import UNKNOWN_MODES, FinalMilestone, Load, Mode


class UnknownPlace(PortalError):
    """A place without a known zone cannot carry a promise: its local day is unknown (R1.16)."""

    code, status = "unknown_place", 422
    message = _("The place %(place)s is not known with its time zone; add it first.")


class LclToCy(PortalError):
    """LCL cargo shares its box: no customer can be promised the box itself (1.1)."""

    code, status = "lcl_to_cy", 422
    message = _("Shipment %(ref)s is LCL; it can be promised to the warehouse (CFS) or to the door, not to the yard.")


class NoCommitment(PortalError):
    """A promise needs exactly one of a date and an instant."""

    code, status = "no_commitment", 422
    message = _("Shipment %(ref)s needs either a due date or a due instant, not both.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentSpec:
    """A shipment as booked: what the history files and the operator's system say of it (design 4.4)."""

    ref: str
    final_milestone: FinalMilestone
    pol: str = ""
    pod: str = ""
    final_place: str = ""
    due_date: date | None = None
    due_at: datetime | None = None
    tol_days: int = 0
    tol_hours: int = 0
    early_hours: int | None = None
    carrier: str = ""
    booked_at: datetime | None = None
    confirmed_at: datetime | None = None
    containers: tuple[str, ...] = ()
    hbl: str = ""
    mbl: str = ""
    booking: str = ""
    po_numbers: tuple[str, ...] = ()
    branch: str = ""
    vertical: str = ""
    trade: str = ""
    mode: Mode = Mode.SEA
    load: Load = Load.FCL
    mode_as_written: str = ""
    vessel_imo: str = ""
    voyage: str = ""
    transhipments: tuple[str, ...] = ()
    cancelled_at: datetime | None = None
    cancelled_by: str = ""
    cutoff_at: datetime | None = None  # boxes must be at the terminal by then
    made_at: datetime | None = None  # when it was promised, where neither booking nor confirmation is known

    @property
    def place(self) -> str:
        """The place of the final milestone."""
        return self.final_place or self.pod

    @property
    def lane(self) -> str:
        """Origin and destination; `?` for what is unknown (R1.18)."""
        origin = self.pol or "?"
        destination = (self.pod if self.mode == Mode.SEA else self.place) or self.place or "?"
        return f"{origin}-{destination}"


@transaction.atomic
def shipment_register(*, spec: ShipmentSpec, at: datetime, actor: str = SYSTEM) -> Shipment:
    """Makes or updates a shipment of the entered account, with references, containers, legs and its commitment.

    What was promised is never overwritten: another date becomes a change that binds only by R1.16. Events that
    waited for one of its references are matched by a job. Raises UnknownPlace, NoCommitment.
    """
    return shipments_register(specs=[spec], at=at, actor=actor)[0]


@transaction.atomic
def shipments_register(*, specs: Sequence[ShipmentSpec], at: datetime, actor: str = SYSTEM) -> list[Shipment]:
    """Many at once, with a constant number of statements; new ones in bulk, known ones one by one."""
    return list(shipments_put(specs=specs, at=at, actor=actor).shipments)


@dataclass(frozen=True, slots=True)
class Put:
    """Shipments in the order they were given in, and which of them (by reference) are new or say something new."""

    shipments: tuple[Shipment, ...]
    made: frozenset[str]
    changed: frozenset[str]


@transaction.atomic
def shipments_put(*, specs: Sequence[ShipmentSpec], at: datetime, actor: str = SYSTEM, tell: bool = False) -> Put:
    """As shipments_register, and says what came of each. With `tell`, what follows for known shipments is news.

    Raises UnknownPlace, NoCommitment, LclToCy; no reference may come twice.
    """
    specs, zones = _placed(specs)
    carriers_note({s.carrier for s in specs}, at=at)
    for spec in specs:
        if not zones.get(spec.place):
            raise UnknownPlace(place=spec.place or "?")
        if (spec.due_date is None) == (spec.due_at is None):
            raise NoCommitment(ref=spec.ref)
        if spec.load == Load.LCL and spec.final_milestone == FinalMilestone.CY:
            raise LclToCy(ref=spec.ref)
    known = {
        s.ref: s for s in Shipment.objects.select_for_update().filter(ref__in=[s.ref for s in specs]).order_by("pk")
    }
    fresh = [s for s in specs if s.ref not in known]
    made = Shipment.objects.bulk_create([_shipment(s, zones[s.place], at) for s in fresh], batch_size=1_000)
    _children(list(zip(made, fresh, strict=True)), zones, at, actor)
    changed = _changed([s for s in specs if s.ref in known], known)
    for spec in changed:
        _update(known[spec.ref], spec, zones[spec.place], at, actor)
    by_ref = {**known, **{s.ref: s for s in made}}
    if changed:
        again = [known[s.ref] for s in changed]
        news = rebuild(again, sightings_of([s.pk for s in again]), at=at)
        news_tell(news if tell else (), at=at)
    _match_waiting([*fresh, *changed], at)
    return Put(
        shipments=tuple(by_ref[s.ref] for s in specs), made=frozenset(s.ref for s in fresh),
        changed=frozenset(s.ref for s in changed),
    )  # fmt: skip


def _placed(specs: Sequence[ShipmentSpec]) -> tuple[Sequence[ShipmentSpec], dict[str, str]]:
    """The specs with each place under the code that events are read with, and the zones of their final places."""
    named = {code for s in specs for code in (s.pol, s.pod, s.final_place, *s.transhipments) if code}
    rows = list(Place.objects.filter(code__in=named).values_list("code", "zone", "alias_of"))
    zones, aliases = {code: zone for code, zone, _a in rows}, {code: alias for code, _z, alias in rows if alias}
    if aliases:
        zones.update(Place.objects.filter(code__in=aliases.values()).values_list("code", "zone"))
        specs = [
            replace(
                s, pol=aliases.get(s.pol, s.pol), pod=aliases.get(s.pod, s.pod),
                final_place=aliases.get(s.final_place, s.final_place),
                transhipments=tuple(aliases.get(c, c) for c in s.transhipments),
            )
            for s in specs
        ]  # fmt: skip
    return specs, zones


_DESCRIBED: Final = (
    "pol", "pod", "carrier", "voyage", "vessel_imo", "branch", "vertical", "trade", "mode_as_written", "booked_at",
    "confirmed_at", "cancelled_at", "cancelled_by", "final_milestone", "mode", "load", "final_place", "transhipments",
)  # fmt: skip


def _changed(specs: Sequence[ShipmentSpec], known: dict[str, Shipment]) -> list[ShipmentSpec]:
    """Those that say something new of a known shipment: most are sent again as they were (X15)."""
    ids_known = [known[s.ref].pk for s in specs]
    references: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for pk, kind, value in Reference.objects.filter(shipment_id__in=ids_known).values_list(
        "shipment_id", "kind", "value"
    ):
        references[pk].add((kind, value))
    live: dict[int, set[str]] = defaultdict(set)
    boxes = Container.objects.filter(shipment_id__in=ids_known, removed_at=None)
    for pk, number in boxes.values_list("shipment_id", "number"):
        live[pk].add(number)
    rows = CommitmentRow.objects.filter(shipment_id__in=ids_known).order_by("pk")
    asked = {pk: (due_date, due_at) for pk, due_date, due_at in rows.values_list("shipment_id", "due_date", "due_at")}

    def is_same(spec: ShipmentSpec) -> bool:
        shipment, told = known[spec.ref], Shipment(ref=spec.ref)
        _describe(told, spec)
        return (
            all(getattr(shipment, name) == getattr(told, name) for name in _DESCRIBED)
            and {(r.kind, r.value) for r in _reference_rows(told, spec)} <= references[shipment.pk]
            and {ids.reference(n) for n in spec.containers} == live[shipment.pk]
            and asked.get(shipment.pk) == (spec.due_date, spec.due_at)
            and spec.cutoff_at in (None, shipment.cutoff_at)
        )

    return [s for s in specs if not is_same(s)]


def _commitment(spec: ShipmentSpec, zone: str) -> Commitment:
    due_at = spec.due_at.astimezone(UTC) if spec.due_at else None
    return Commitment(
        zone=zone_named(zone), due_date=spec.due_date, due_at=due_at, tol_days=spec.tol_days,
        tol_hours=spec.tol_hours, early_hours=spec.early_hours,
    )  # fmt: skip


def _shipment(spec: ShipmentSpec, zone: str, at: datetime) -> Shipment:
    shipment = Shipment(ref=spec.ref, created_at=at, lane=spec.lane)
    _describe(shipment, spec)
    commitment = _commitment(spec, zone)
    bind(shipment, commitment)
    shipment.covered_from = _made_at(spec, at)
    if spec.cancelled_at:
        shipment.status = "CANCELLED"
    shipment.look_at = at if spec.cutoff_at else None  # the clock has something to look for
    return shipment


def _made_at(spec: ShipmentSpec, at: datetime) -> datetime:
    """When the promise was made (R1.16): with the confirmation, else the booking, else now."""
    return spec.confirmed_at or spec.booked_at or spec.made_at or at


def _describe(shipment: Shipment, spec: ShipmentSpec) -> None:
    for name in ("pol", "pod", "carrier", "voyage", "vessel_imo", "branch", "vertical", "trade", "mode_as_written",
                 "booked_at", "confirmed_at", "cancelled_at", "cancelled_by"):  # fmt: skip
        setattr(shipment, name, getattr(spec, name))
    shipment.cutoff_at = spec.cutoff_at or shipment.cutoff_at  # who sends none takes none back
    shipment.final_milestone, shipment.mode = spec.final_milestone.value, spec.mode.value
    shipment.load = spec.load.value
    shipment.final_place = spec.place
    shipment.transhipments = list(spec.transhipments)


def bind(shipment: Shipment, commitment: Commitment) -> None:
    limit = limit_of(commitment)
    shipment.due_at, shipment.due_is_exclusive = limit.utc, limit.op == LimitOp.LT
    shipment.due_date, shipment.due_period = commitment.due_day, str(due_period(commitment))


def _commitment_row(
    shipment: Shipment, spec: ShipmentSpec, zone: str, at: datetime, actor: str, **more: Any
) -> CommitmentRow:
    from tracking.milestones import final_of

    return CommitmentRow(
        shipment=shipment, made_at=more.pop("made_at", _made_at(spec, at)), recorded_at=at,
        milestone=final_of(spec.final_milestone).value, place=spec.place, zone=zone, due_date=spec.due_date,
        due_at=spec.due_at, tol_days=spec.tol_days, tol_hours=spec.tol_hours, early_hours=spec.early_hours,
        recorded_by=actor, **more,
    )  # fmt: skip


def _dims(shipment: Shipment) -> dict[str, str]:
    named = {
        "lane": shipment.lane, "trade": shipment.trade, "pol": shipment.pol, "pod": shipment.pod,
        "carrier": shipment.carrier, "branch": shipment.branch, "vertical": shipment.vertical, "mode": shipment.mode,
    }  # fmt: skip
    if shipment.mode_as_written.upper() in UNKNOWN_MODES:
        named["mode"] = ""
    return {name: value or "?" for name, value in named.items()}


def _reference_rows(shipment: Shipment, spec: ShipmentSpec) -> list[Reference]:
    listed: list[tuple[str, str]] = [(ReferenceKind.SHIPMENT, spec.ref)]
    listed += [(ReferenceKind.CONTAINER, c) for c in spec.containers]
    listed += [(ReferenceKind.PO, p) for p in spec.po_numbers]
    listed += [
        (kind, value)
        for kind, value in (
            (ReferenceKind.BOOKING, spec.booking), (ReferenceKind.HBL, spec.hbl), (ReferenceKind.MBL, spec.mbl)
        )
        if value
    ]  # fmt: skip
    listed += [(kind, value) for kind, value in matching.voyage_ref(spec.vessel_imo, spec.voyage)]
    rows = {
        (kind, ids.reference(written)): Reference(
            shipment=shipment, kind=kind, value=ids.reference(written), written=written[:64]
        )
        for kind, written in listed
        if ids.reference(written)
    }
    return list(rows.values())


def _leg_rows(shipment: Shipment, spec: ShipmentSpec, at: datetime, version: int) -> list[Leg]:
    calls = [c for c in (spec.pol, *spec.transhipments, spec.pod) if c]
    if spec.place and spec.place not in calls:
        calls.append(spec.place)
    return [
        Leg(
            shipment=shipment, version=version, sequence=n, origin=a, destination=b,
            mode="VESSEL" if spec.mode == Mode.SEA and b in (*spec.transhipments, spec.pod) else "",
            voyage=spec.voyage if n == 1 else "", vessel_imo=spec.vessel_imo if n == 1 else "", recorded_at=at,
        )
        for n, (a, b) in enumerate(pairwise(calls), start=1)
    ]  # fmt: skip


def _children(pairs: Sequence[tuple[Shipment, ShipmentSpec]], zones: dict[str, str], at: datetime, actor: str) -> None:
    references = [row for shipment, spec in pairs for row in _reference_rows(shipment, spec)]
    Reference.objects.bulk_create(references, batch_size=2_000)
    Container.objects.bulk_create(
        [Container(shipment=s, number=ids.reference(n)) for s, spec in pairs for n in spec.containers], batch_size=2_000
    )
    Leg.objects.bulk_create([leg for s, spec in pairs for leg in _leg_rows(s, spec, at, 1)], batch_size=2_000)
    CommitmentRow.objects.bulk_create(
        [
            _commitment_row(s, spec, zones[spec.place], at, actor, asked_by="ORIGINAL", is_binding=True, dims=_dims(s))
            for s, spec in pairs
        ],
        batch_size=2_000,
    )


def _update(shipment: Shipment, spec: ShipmentSpec, zone: str, at: datetime, actor: str) -> None:
    """A shipment that is sent again: its description follows, its promise does not (R1.16)."""
    before = (shipment.pol, shipment.pod, shipment.final_place, list(shipment.transhipments))
    _describe(shipment, spec)
    shipment.save()
    Reference.objects.bulk_create(_reference_rows(shipment, spec), ignore_conflicts=True)
    _swap_containers(shipment, spec, at)
    if before != (shipment.pol, shipment.pod, shipment.final_place, list(shipment.transhipments)):
        newest = max((leg.version for leg in shipment.legs.all()), default=0)
        Leg.objects.bulk_create(_leg_rows(shipment, spec, at, newest + 1))
    newest_row = shipment.commitments.order_by("-id").first()
    asked = (spec.due_date, spec.due_at)
    if newest_row is not None and (newest_row.due_date, newest_row.due_at) != asked:
        CommitmentRow.objects.bulk_create([
            _commitment_row(shipment, spec, zone, at, actor, made_at=at, asked_by="OPERATOR", is_binding=False)
        ])  # fmt: skip


def _swap_containers(shipment: Shipment, spec: ShipmentSpec, at: datetime) -> None:
    """A replaced container leaves scope at the swap, its successor enters (R1.13)."""
    wanted = {ids.reference(n) for n in spec.containers}
    live = {c.number: c for c in shipment.containers.all() if c.removed_at is None}
    for number in live.keys() - wanted:
        live[number].removed_at = at
        live[number].save(update_fields=["removed_at"])
    Container.objects.bulk_create(
        [Container(shipment=shipment, number=n) for n in sorted(wanted - live.keys())], ignore_conflicts=True
    )


def _match_waiting(specs: Iterable[ShipmentSpec], at: datetime) -> None:
    """Asks the operator's scope, and the tenant's own, to try waiting events again (R1.0)."""
    dummy = Shipment()
    refs = sorted({f"{r.kind}:{r.value}" for spec in specs for r in _reference_rows(dummy, spec)})
    tenant_id = scope()
    for where in (OPERATOR_ID, tenant_id):
        with as_tenant(where):
            waiting = Quarantined.objects.filter(
                state=QuarantineState.OPEN, reason=Reason.NO_MATCHING_SHIPMENT, refs__overlap=refs
            )
            if waiting.exists():
                enqueue("tracking.match_waiting", key=f"refs:{ids.public_id()}", at=at, refs=" ".join(refs))
