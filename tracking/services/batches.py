"""Decisions about many quarantined events: frozen as a list of items, worked off in steps through the outbox (G5, O3).

Each part stands in the scope that owns its items; a step is one transaction with one row in the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from portal.outbox.services import enqueue
from portal.tenancy.services import audit
from tracking.ingest import quarantined_apply
from tracking.models import BatchAction, QuarantineBatch, Quarantined, QuarantineState

STEP: Final = 100
WORK: Final = "tracking.quarantine_batch"


@transaction.atomic
def batch_start(
    *, batch: str, action: BatchAction, items: Sequence[int], reason: str, at: datetime, actor: str
) -> QuarantineBatch:
    """Writes the entered scope's part of a decision and the work that carries it out; once a scope and `batch`."""
    row = QuarantineBatch.objects.create(
        batch=batch, action=action, reason=reason[:400], items=list(items), created_at=at, created_by=actor,
        finished_at=None if items else at,
    )  # fmt: skip
    if items:
        enqueue(WORK, key=f"{batch}:0", at=at, batch=batch)
    return row


@transaction.atomic
def batch_step(*, batch: str, at: datetime) -> QuarantineBatch:
    """Decides about the next hundred items and enqueues the rest; nothing happens once the part is finished."""
    row = QuarantineBatch.objects.select_for_update().get(batch=batch)
    chunk = row.items[row.done : row.done + STEP]
    if not chunk:
        return row
    listed = list(
        Quarantined.objects.select_for_update(of=("self",))
        .select_related("source", "message__raw")
        .filter(pk__in=chunk, state=QuarantineState.OPEN)
        .order_by("pk")
    )
    settled = _discard(row, listed, at) if row.action == BatchAction.DISCARD else _replay(row, listed, at)
    row.done += len(chunk)
    row.settled += settled
    row.waiting += len(listed) - settled
    row.skipped += len(chunk) - len(listed)
    if row.done >= len(row.items):
        row.finished_at = at
    else:
        enqueue(WORK, key=f"{batch}:{row.done}", at=at, batch=batch)
    row.save(update_fields=["done", "settled", "waiting", "skipped", "finished_at"])
    _recorded(row, listed, settled, at)
    return row


def _replay(batch: QuarantineBatch, listed: Sequence[Quarantined], at: datetime) -> int:
    for row in listed:
        row.decided_by = batch.created_by
    quarantined_apply(rows=listed, at=at)
    return sum(1 for row in listed if row.state != QuarantineState.OPEN)


def _discard(batch: QuarantineBatch, listed: Sequence[Quarantined], at: datetime) -> int:
    for row in listed:
        row.state, row.decided_at = QuarantineState.DISCARDED, at
        row.decided_by, row.decision = batch.created_by, batch.reason
    Quarantined.objects.bulk_update(listed, ["state", "decided_at", "decided_by", "decision"])
    return len(listed)


def _recorded(batch: QuarantineBatch, listed: Sequence[Quarantined], settled: int, at: datetime) -> None:
    action = "quarantine.discarded" if batch.action == BatchAction.DISCARD else "quarantine.replayed"
    audit(
        action=action, actor=batch.created_by, at=at, object_type="quarantine_batch", object_id=batch.batch,
        details={"items": [row.public_id for row in listed], "settled": settled, "reason": batch.reason},
    )  # fmt: skip
