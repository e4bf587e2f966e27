"""Work of credits: a closed month is assessed unasked once its charges are in; holds end by themselves (O6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kpis.selectors import snapshot_get
from portal.outbox.handlers import due_work, handler
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, scope
from tiers.credits import selectors, services


@due_work("credits.months")
def credits_due(at: datetime) -> None:
    """Enqueues the assessment of closed months past their charge cut-off, and of lines whose hold is over."""
    if scope() == OPERATOR_ID:
        return
    for snapshot in selectors.snapshots_to_assess(at=at):
        enqueue("credits.assess", key=snapshot.public_id, at=at, snapshot=snapshot.public_id)
    for line in selectors.lines_to_release(at=at):
        enqueue("credits.release", key=f"{line.public_id}:{line.held_until}", at=at, credit=line.public_id)


@handler("credits.assess")
def assess(payload: dict[str, Any], at: datetime) -> None:
    """Works out what is owed for one closed month of the entered tenant."""
    snapshot = snapshot_get(payload["snapshot"])
    if snapshot is not None:
        services.credit_assess(snapshot=snapshot, at=at)


@handler("credits.release")
def release(payload: dict[str, Any], at: datetime) -> None:
    """Assesses a held line whose hold is over."""
    services.credit_release(public_id=payload["credit"], at=at)
