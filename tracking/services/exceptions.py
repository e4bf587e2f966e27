"""What people do about exceptions: take note, take over, say what is being done, end a case with a reason (R8.3).

Everything is kept as a step that cannot be changed, and in the audit trail. The record's own word on a case is kept
current elsewhere; a case that a person ended stays ended.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member
from portal.tenancy.services import audit
from tracking.derivation import rebuild, sightings_of
from tracking.exceptions import SILENT, Code, Severity
from tracking.facts import ExceptionCleared
from tracking.models import (
    CaseState,
    ExceptionCase,
    ExceptionStep,
    OwnerKind,
    OwnerRule,
    Place,
    Resolution,
    Shipment,
    StepKind,
)
from tracking.telling import news_tell

HAND: Final = "HAND"


class CaseEnded(PortalError):
    """Nothing more is done about a case that has ended; what is known of it can still be noted."""

    code, status = "exception_ended", 409
    message = _("This exception has ended already.")


class NoteNeeded(PortalError):
    """A decision is kept with its reason."""

    code, status = "note_needed", 422
    message = _("Say in a few words why.")


class NotStaff(PortalError):
    """An exception is owned by one of the operator's staff who is active."""

    code, status = "not_staff", 422
    message = _("Choose one of your own people.")


def _held(public_id: str) -> ExceptionCase:
    """The entered account's case, locked after its shipment, as derivation does; raises NotFound."""
    pk = ExceptionCase.objects.filter(public_id=public_id).values_list("shipment_id", flat=True).first()
    if pk is None:
        raise NotFound
    shipment = Shipment.objects.select_for_update(no_key=True).get(pk=pk)
    case = ExceptionCase.objects.select_for_update(of=("self",)).get(public_id=public_id)
    case.shipment = shipment
    return case


def _step(case: ExceptionCase, kind: StepKind, actor: str, at: datetime, note: str = "", *, told: bool = False) -> None:
    ExceptionStep.objects.create(case=case, kind=kind, at=at, actor=actor[:200], note=note[:1000], is_for_customer=told)
    # the account's managers read its audit trail: a note that stays among the own people stays out of it
    private = kind == StepKind.COMMENTED and not told
    with as_tenant(OPERATOR_ID if private else case.tenant_id):
        audit(
            action=f"exception.{kind.lower()}", actor=actor, at=at, object_type="exception", object_id=case.public_id,
            details={"note": note[:500]} if note else {},
        )  # fmt: skip


def staff_member(public_id: str) -> Member:
    """One of the operator's active people; raises NotStaff."""
    with as_tenant(OPERATOR_ID):
        found = Member.objects.select_related("user").filter(public_id=public_id, is_active=True).first()
    if found is None:
        raise NotStaff
    return found


@transaction.atomic
def exception_acknowledge(*, public_id: str, actor: Member, at: datetime) -> ExceptionCase:
    """Somebody has seen it and takes care: it is not passed on any more. Who takes note of a case of the desk owns it.

    The second time changes nothing. Raises NotFound, CaseEnded.
    """
    case = _held(public_id)
    if case.state != CaseState.OPEN:
        raise CaseEnded
    if case.acknowledged_at is not None:
        return case
    case.acknowledged_at, case.acknowledged_by, case.changed_at = at, actor.label[:200], at
    if not case.owner:
        case.owner, case.owner_name, case.owner_step = actor.public_id, actor.name, HAND
    case.save(
        update_fields=["acknowledged_at", "acknowledged_by", "owner", "owner_name", "owner_step", "changed_at"]
    )  # fmt: skip
    _step(case, StepKind.ACKNOWLEDGED, actor.label, at)
    return case


@transaction.atomic
def exception_assign(*, public_id: str, owner: str, actor: Member, at: datetime) -> ExceptionCase:
    """Gives a case to one of the staff (by public id). Raises NotFound, CaseEnded, NotStaff."""
    case, member = _held(public_id), staff_member(owner)
    if case.state != CaseState.OPEN:
        raise CaseEnded
    if case.owner != member.public_id:
        case.owner, case.owner_name, case.owner_step, case.changed_at = member.public_id, member.name, HAND, at
        case.save(update_fields=["owner", "owner_name", "owner_step", "changed_at"])
        _step(case, StepKind.ASSIGNED, actor.label, at, member.name)
    return case


@transaction.atomic
def exception_comment(*, public_id: str, note: str, for_customer: bool, actor: Member, at: datetime) -> ExceptionCase:
    """Notes what is being done; the customer reads what is meant for it. Raises NotFound, NoteNeeded."""
    case = _held(public_id)
    if not note.strip():
        raise NoteNeeded
    _step(case, StepKind.COMMENTED, actor.label, at, note.strip(), told=for_customer)
    return case


@transaction.atomic
def exception_resolve(
    *, public_id: str, resolution: Resolution, note: str, actor: Member, at: datetime
) -> ExceptionCase:  # fmt: skip
    """Ends a case with a reason, dealt with or as a false alarm; the account is told once (R8.5).

    Raises NotFound, CaseEnded, NoteNeeded.
    """
    case = _held(public_id)
    if not note.strip():
        raise NoteNeeded
    if case.state != CaseState.OPEN:
        raise CaseEnded
    case.state, case.resolution, case.resolved_at, case.changed_at = CaseState.RESOLVED, resolution, at, at
    case.save(update_fields=["state", "resolution", "resolved_at", "changed_at"])
    _step(case, StepKind.RESOLVED, actor.label, at, note.strip(), told=True)
    if Code(case.code) not in SILENT:
        news_tell([_ended(case, at)], at=at)
    return case


def _ended(case: ExceptionCase, at: datetime) -> ExceptionCleared:
    shipment = case.shipment
    zone = ZoneInfo(Place.objects.filter(code=case.node).values_list("zone", flat=True).first() or "UTC")
    there = case.started_at.astimezone(zone)
    return ExceptionCleared(
        occurred_at=at, case=case.public_id, shipment=shipment.public_id, reference=shipment.ref, code=case.code,
        severity=Severity(case.severity).name, node=case.node, since=f"{there:%d %b %Y %H:%M} {there.tzname()}",
        delay_hours=max(0, (case.delay_seconds or 0) // 3600), call=case.node, opening=case.openings,
        because="resolved", path=f"/shipments/{shipment.public_id}",
    )  # fmt: skip


@transaction.atomic
def cutoff_set(*, shipment: Shipment, cutoff_at: datetime | None, actor: str, at: datetime) -> Shipment:
    """Until when the boxes of the entered account's shipment must be at the terminal; None: not known (8.1).

    What follows from it for its exceptions is worked out and told at once.
    """
    held = Shipment.objects.select_for_update(no_key=True).get(pk=shipment.pk)
    if held.cutoff_at == cutoff_at:
        return held
    held.cutoff_at = cutoff_at
    held.save(update_fields=["cutoff_at"])
    audit(
        action="shipment.cutoff_set", actor=actor, at=at, object_type="shipment", object_id=held.public_id,
        details={"cutoff_at": cutoff_at.isoformat() if cutoff_at else ""},
    )  # fmt: skip
    news_tell(rebuild([held], sightings_of([held.pk]), at=at), at=at)
    return held


@transaction.atomic
def owner_set(
    *, kind: OwnerKind, about: str, owner: str, deputy: str, valid_from: date, actor: str, at: datetime
) -> OwnerRule:
    """Who owns the exceptions of the entered account, or in the operator's scope of a lane or a branch, from a day on.

    The rule before it ends there; past rules stay. It holds for cases that open from then on. Raises NotStaff.
    """
    own, stands_in = staff_member(owner), staff_member(deputy) if deputy else None
    before = OwnerRule.objects.select_for_update(of=("self",)).filter(kind=kind, about=about, valid_to__isnull=True)
    for row in before:
        if row.valid_from >= valid_from:
            row.delete()
        else:
            row.valid_to = valid_from
            row.save(update_fields=["valid_to"])
    made = OwnerRule.objects.create(
        kind=kind, about=about, owner=own.public_id, owner_name=own.name,
        deputy=stands_in.public_id if stands_in else "", deputy_name=stands_in.name if stands_in else "",
        valid_from=valid_from, created_at=at, created_by=actor[:200],
    )  # fmt: skip
    audit(action="exception.owner_set", actor=actor, at=at, object_type="ownerrule", object_id=made.public_id,
          details={"kind": kind.value, "about": about, "owner": own.label})  # fmt: skip
    return made
