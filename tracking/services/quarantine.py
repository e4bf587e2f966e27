"""Decisions about quarantined events: tried again, given up with a reason (G5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.tenancy.services import audit
from tracking.ingest import quarantined_apply
from tracking.models import Quarantined, QuarantineState
from tracking.reasons import Reason


class AlreadyDecided(PortalError):
    """Somebody else replayed or discarded it before."""

    code, status = "already_decided", 409
    message = _("This event was already replayed or discarded.")


@transaction.atomic
def waiting_match(*, refs: Sequence[str] = (), message: str = "", at: datetime) -> int:
    """Replays the entered scope's events that wait for one of these references; returns how many left."""
    rows = (
        Quarantined.objects.select_for_update(of=("self",))
        .select_related("source", "message__raw")
        .filter(state=QuarantineState.OPEN, reason=Reason.NO_MATCHING_SHIPMENT)
    )
    rows = rows.filter(message__public_id=message) if message else rows.filter(refs__overlap=list(refs))
    listed = list(rows.order_by("pk")[:5_000])
    quarantined_apply(rows=listed, at=at)
    return sum(1 for r in listed if r.state == QuarantineState.REPLAYED)


@transaction.atomic
def quarantine_replay(*, public_id: str, at: datetime, actor: str) -> Quarantined:
    """Tries one quarantined event again in the entered scope; a replayed one stays replayed (G5)."""
    row = (
        Quarantined.objects.select_for_update(of=("self",))
        .select_related("source", "message__raw")
        .get(public_id=public_id)
    )
    if row.state == QuarantineState.REPLAYED:
        return row
    if row.state == QuarantineState.DISCARDED:
        raise AlreadyDecided
    row.decided_by = actor
    quarantined_apply(rows=[row], at=at)
    audit(action="quarantine.replayed", actor=actor, at=at, object_type="quarantined", object_id=public_id,
          details={"state": row.state, "reason": row.reason})  # fmt: skip
    return row


@transaction.atomic
def quarantine_discard(*, public_id: str, reason: str, at: datetime, actor: str) -> Quarantined:
    """Gives one up with a reason; its bytes stay (G5)."""
    row = Quarantined.objects.select_for_update().get(public_id=public_id)
    if row.state != QuarantineState.OPEN:
        raise AlreadyDecided
    row.state, row.decided_at, row.decided_by, row.decision = QuarantineState.DISCARDED, at, actor, reason[:400]
    row.save()
    audit(action="quarantine.discarded", actor=actor, at=at, object_type="quarantined", object_id=public_id,
          details={"reason": reason})  # fmt: skip
    return row
