"""Decisions about quarantined events: tried again, given up with a reason (G5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.tenancy.services import audit
from tracking.ingest import CORRECTION, message_process, message_receive, quarantined_apply
from tracking.models import InboundMessage, Quarantined, QuarantineState
from tracking.reasons import Reason


class AlreadyDecided(PortalError):
    """Somebody else replayed or discarded it before."""

    code, status = "already_decided", 409
    message = _("This event was already replayed or discarded, or sent again corrected.")


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
    if row.state != QuarantineState.OPEN:
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


@transaction.atomic
def quarantine_correct(*, public_id: str, body: bytes, reason: str, at: datetime, actor: str) -> InboundMessage:
    """Receives a mended event as a new message of the same source and closes the old item with the link (G5, G12).

    Nothing is overwritten: the old bytes and the new ones both stay, and each leads to the other. Returns the message
    as it was applied. Raises AlreadyDecided.
    """
    row = (
        Quarantined.objects.select_for_update(of=("self",)).select_related("source", "message").get(public_id=public_id)
    )
    if row.state != QuarantineState.OPEN:
        raise AlreadyDecided
    row.state, row.decided_at, row.decided_by, row.decision = QuarantineState.REPLACED, at, actor, reason[:400]
    row.save()
    message = message_receive(
        source=row.source, body=body, channel=CORRECTION, at=at, content_type=row.message.content_type,
        file_name=_corrected_name(row, actor),
    )  # fmt: skip
    InboundMessage.objects.filter(pk=message.pk).update(corrects=row, detail=reason[:400])
    audit(action="quarantine.corrected", actor=actor, at=at, object_type="quarantined", object_id=public_id,
          details={"message": message.public_id, "reason": reason})  # fmt: skip
    return message_process(public_id=message.public_id, at=at)


def _corrected_name(row: Quarantined, actor: str) -> str:
    """`correction of <item> by <person>.csv`: with the ending of the original, which tells a reader its format."""
    _stem, dot, ending = row.message.file_name.rpartition(".")
    return f"correction of {row.public_id} by {actor[:120]}{dot}{ending[:8] if dot else ''}"
