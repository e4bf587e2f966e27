"""Work of tracking that leaves through the outbox: thin, repeatable, ids only (O3, T11)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from portal.outbox.handlers import TryAgain, due_work, handler
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, scope
from tracking.ingest import message_process
from tracking.ingest.touched import WORK, touched_derive, touched_waits
from tracking.services import waiting_match

_PORTIONS: Final = 30  # a few seconds' work
_FORGOTTEN: Final = timedelta(minutes=5)


@handler("tracking.process_message")
def process_message(payload: dict[str, Any], at: datetime) -> None:
    """Applies a stored message; one that is applied already is left alone."""
    message_process(public_id=payload["message"], at=at)


@handler("tracking.match_waiting")
def match_waiting(payload: dict[str, Any], at: datetime) -> None:
    """Tries waiting events again: those of a message, or those that name one of the references."""
    waiting_match(refs=payload.get("refs", "").split(), message=payload.get("message", ""), at=at)


@handler(WORK, own_transactions=True)
def derive_touched(payload: dict[str, Any], at: datetime) -> None:
    """Derives shipments that were noted by large messages; what is too much for once goes on at once."""
    if not touched_derive(at=at, portions=_PORTIONS):
        raise TryAgain("more shipments wait to be derived", due_at=at)


@due_work("tracking.touched")
def touched_due(at: datetime) -> None:
    """Notes are cleared away by the work that came with them; what is left behind for minutes is asked for again."""
    if scope() != OPERATOR_ID and touched_waits(until=at - _FORGOTTEN):
        enqueue(WORK, key=f"again:{at:%Y-%m-%dT%H:%M}", at=at)
