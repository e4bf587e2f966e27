"""Work of tracking that leaves through the outbox: thin, repeatable, ids only (O3, T11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.outbox.handlers import due_work, handler
from tracking.ingest import message_process
from tracking.services import batch_step, silence_note, waiting_match


@handler("tracking.process_message")
def process_message(payload: dict[str, Any], at: datetime) -> None:
    """Applies a stored message; one that is applied already is left alone."""
    message_process(public_id=payload["message"], at=at)


@handler("tracking.match_waiting")
def match_waiting(payload: dict[str, Any], at: datetime) -> None:
    """Tries waiting events again: those of a message, or those that name one of the references."""
    waiting_match(refs=payload.get("refs", "").split(), message=payload.get("message", ""), at=at)


@handler("tracking.quarantine_batch")
def quarantine_batch(payload: dict[str, Any], at: datetime) -> None:
    """The next step of a decision about many quarantined events; the last one finishes it."""
    batch_step(batch=payload["batch"], at=at)


@due_work("tracking.silence")
def silence(at: datetime) -> None:
    """Tells of sources that have fallen silent or speak again, once for each silence."""
    silence_note(at=at)
