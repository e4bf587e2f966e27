"""Work of tracking that leaves through the outbox: thin, repeatable, ids only (O3, T11)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from portal.outbox.handlers import TryAgain, due_work, handler
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.selectors import operator_zone
from tracking import inbox, poller
from tracking.ingest import message_process
from tracking.ingest.touched import WORK, touched_derive, touched_waits
from tracking.models import Shipment
from tracking.services import (
    batch_step,
    derivation_mend,
    export_build,
    exports_forget,
    shipments_rederive,
    silence_note,
    uploads_forget,
    waiting_match,
)

_NIGHT_FROM: Final = 2  # o'clock at the operator's: after the day's last feeds, before people come
_PORTIONS: Final = 30  # a few seconds' work
_SOON: Final = timedelta(seconds=1)
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
        raise TryAgain("more shipments wait to be derived", due_at=at + _SOON)


@due_work("tracking.touched")
def touched_due(at: datetime) -> None:
    """Notes are cleared away by the work that came with them; what is left behind for minutes is asked for again."""
    if scope() != OPERATOR_ID and touched_waits(until=at - _FORGOTTEN):
        enqueue(WORK, key=f"again:{at:%Y-%m-%dT%H:%M}", at=at)


@due_work("tracking.derivation_check")
def derivation_due(at: datetime) -> None:
    """Once a night of the operator, for each account that has shipments: what is derived is compared and mended."""
    if scope() == OPERATOR_ID:
        return
    local = at.astimezone(operator_zone())
    if local.hour >= _NIGHT_FROM and Shipment.objects.exists():
        enqueue("tracking.derivation_check", key=f"derivation:{local:%Y-%m-%d}", at=at)


@handler("tracking.derivation_check", own_transactions=True)
def derivation_check(payload: dict[str, Any], at: datetime) -> None:
    """Works every shipment of the account out anew, page by page; a difference is a defect: logged, mended, told."""
    derivation_mend(at=at)


@handler("tracking.rederive", own_transactions=True)
def rederive(payload: dict[str, Any], at: datetime) -> None:
    """Works out anew what a changed setting of a source or a place concerns."""
    shipments_rederive(at=at, source=payload.get("source", ""), place=payload.get("place", ""))


@handler("tracking.poll", own_transactions=True)
def poll(payload: dict[str, Any], at: datetime) -> None:
    """Fetches what a carrier has for us; stores page by page, so that it may be killed and run again."""
    poller.poll_run(source=payload["source"], at=at)


@due_work("tracking.polls")
def polls(at: datetime) -> None:
    """Whose turn it is, by the rows themselves."""
    poller.polls_enqueue(at=at)


@handler("tracking.inbox", own_transactions=True)
def inbox_look(payload: dict[str, Any], at: datetime) -> None:
    """Takes in what partners have dropped; a file is stored before it is moved."""
    inbox.inbox_run(source=payload["source"], at=at)


@due_work("tracking.inboxes")
def inboxes(at: datetime) -> None:
    """In whose folder something is ready."""
    inbox.inboxes_enqueue(at=at)


@handler("tracking.put_acknowledgements", own_transactions=True)
def put_acknowledgements(payload: dict[str, Any], at: datetime) -> None:
    """Writes what a message was answered into the partner's folder; written twice it is the same."""
    inbox.acknowledgements_put(message=payload["message"], at=at)


@due_work("tracking.forget_uploads")
def forget_uploads(at: datetime) -> None:
    """Files that nobody imported are not kept for ever."""
    uploads_forget(at=at)


@handler("tracking.export_build", own_transactions=True)
def build_export(payload: dict[str, Any], at: datetime) -> None:
    """Makes the workbook of a large list; a run that was overtaken stops by itself."""
    export_build(public_id=payload["export"], at=at)


@due_work("tracking.forget_exports")
def forget_exports(at: datetime) -> None:
    """Files of lists are kept for a day."""
    exports_forget(at=at)


@handler("tracking.quarantine_batch")
def quarantine_batch(payload: dict[str, Any], at: datetime) -> None:
    """The next step of a decision about many quarantined events; the last one finishes it."""
    batch_step(batch=payload["batch"], at=at)


@due_work("tracking.silence")
def silence(at: datetime) -> None:
    """Tells of sources that have fallen silent or speak again, once for each silence."""
    silence_note(at=at)
