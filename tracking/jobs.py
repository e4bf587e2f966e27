"""Work of tracking that leaves through the outbox: thin, repeatable, ids only (O3, T11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.outbox.handlers import due_work, handler
from tracking.ingest import message_process
from tracking.services import uploads_forget, waiting_match


@handler("tracking.process_message")
def process_message(payload: dict[str, Any], at: datetime) -> None:
    """Applies a stored message; one that is applied already is left alone."""
    message_process(public_id=payload["message"], at=at)


@handler("tracking.match_waiting")
def match_waiting(payload: dict[str, Any], at: datetime) -> None:
    """Tries waiting events again: those of a message, or those that name one of the references."""
    waiting_match(refs=payload.get("refs", "").split(), message=payload.get("message", ""), at=at)


@due_work("tracking.forget_uploads")
def forget_uploads(at: datetime) -> None:
    """Files that nobody imported are not kept for ever."""
    uploads_forget(at=at)
