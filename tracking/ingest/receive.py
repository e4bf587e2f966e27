"""Receiving: the bytes and their delivery are durable before anything is answered (G1)."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.outbox.services import enqueue
from tracking.ingest.channels import CORRECTION
from tracking.models import InboundMessage, RawBody, Source

declare("ingest.after_raw", "the raw bytes are written, their delivery is not; nothing is committed")


class IdempotencyConflict(PortalError):
    """The same Idempotency-Key came with another body (W7)."""

    code, status = "idempotency_conflict", 422
    message = "This Idempotency-Key was used with another body."


@transaction.atomic
def message_receive(
    *,
    source: Source,
    body: bytes,
    channel: str,
    at: datetime,
    content_type: str = "",
    file_name: str = "",
    idempotency_key: str = "",
    process_after: datetime | None = None,
) -> InboundMessage:
    """Stores the bytes and the delivery durably, in the source's scope, with the work that will apply it (G1, O1).

    Raises IdempotencyConflict when the key was used with other bytes; with equal bytes the first message comes back.
    """
    digest = ids.digest(body)
    known = _known(source, idempotency_key, digest)
    if known is not None:
        return known
    raw = RawBody.objects.filter(source=source, sha256=digest).first()
    if raw is None:
        try:
            with transaction.atomic():
                raw = RawBody.objects.create(source=source, sha256=digest, body=body, received_at=at)
        except IntegrityError:  # the same bytes came on another connection at this moment
            raw = RawBody.objects.get(source=source, sha256=digest)
    fault("ingest.after_raw")
    try:
        with transaction.atomic():
            message = InboundMessage.objects.create(
                source=source, raw=raw, channel=channel, content_type=content_type[:120], file_name=file_name[:200],
                idempotency_key=idempotency_key, received_at=at,
            )  # fmt: skip
    except IntegrityError:  # the same key came on another connection at this moment
        known = _known(source, idempotency_key, digest)
        if known is None:
            raise
        return known
    if channel != CORRECTION:  # a person wrote it: no sign of life of the source
        Source.objects.filter(pk=source.pk).update(last_heard_at=at)
    enqueue("tracking.process_message", key=f"message:{message.public_id}", at=at, due_at=process_after,
            message=message.public_id)  # fmt: skip
    return message


def _known(source: Source, idempotency_key: str, digest: str) -> InboundMessage | None:
    """The message that came under this key before; IdempotencyConflict when it had other bytes (W7)."""
    if not idempotency_key:
        return None
    found = InboundMessage.objects.select_related("raw").filter(source=source, idempotency_key=idempotency_key).first()
    if found is not None and found.raw.sha256 != digest:
        raise IdempotencyConflict
    return found
