"""Work of tracking that leaves through the outbox: thin, repeatable, ids only (O3, T11)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from portal.outbox.handlers import TryAgain, due_work, handler
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.selectors import operator_zone
from tracking import inbox, poller, pusher
from tracking.ingest import message_process
from tracking.ingest.subscribers import NEWS
from tracking.ingest.touched import WORK, touched_derive, touched_waits
from tracking.models import Shipment
from tracking.services import (
    answer_is_due,
    batch_step,
    derivation_mend,
    exceptions_escalate,
    exceptions_look,
    export_build,
    exports_forget,
    look_is_due,
    norms_renew,
    pushes_create,
    pushes_due,
    pushes_forget,
    searoutes_find,
    shipments_rederive,
    silence_note,
    uploads_forget,
    waiting_match,
)
from tracking.services.searoutes import WORK as ROUTES
from tracking.services.subscriptions import SEND
from tracking.telling import WORK as TELLING
from tracking.telling import exceptions_tell

_NIGHT_FROM: Final = 2  # o'clock at the operator's: after the day's last feeds, before people come
_PORTIONS: Final = 30  # a few seconds' work
_SOON: Final = timedelta(seconds=1)
_FORGOTTEN: Final = timedelta(minutes=5)
_LOG: Final = timedelta(days=30)  # how long it can be seen what became of a callback (H7)


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


@handler(NEWS)
def push_events(payload: dict[str, Any], at: datetime) -> None:
    """Puts down callbacks for what a message brought, one series for each subscription that wants it."""
    pushes_create(
        message=payload["message"], recorded_at=datetime.fromisoformat(payload["recorded"]),
        shipments=payload["shipments"], at=at,
    )  # fmt: skip


@handler(SEND, own_transactions=True)
def push(payload: dict[str, Any], at: datetime) -> None:
    """Sends what waits for one subscription, in order, one callback at a time."""
    pusher.push_run(subscription=payload["subscription"], at=at)


@due_work("tracking.pushes")
def pushes(at: datetime) -> None:
    """For whom something waits whose time has come."""
    if scope() != OPERATOR_ID:
        pushes_due(at=at)


@due_work("tracking.forget_pushes")
def forget_pushes(at: datetime) -> None:
    """The log of callbacks is kept for a month."""
    if scope() != OPERATOR_ID:
        pushes_forget(before=at - _LOG)


@due_work("tracking.exceptions_look")
def look_due(at: datetime) -> None:
    """Shipments that the clock calls up, by their own rows: what a minute finds is one piece of work."""
    if scope() != OPERATOR_ID and look_is_due(at=at):
        enqueue("tracking.exceptions_look", key=f"look:{at:%Y-%m-%dT%H:%M}", at=at)


@handler("tracking.exceptions_look", own_transactions=True)
def look(payload: dict[str, Any], at: datetime) -> None:
    """Finds exceptions that begin or end by the clock; what is too much for once goes on at once."""
    if not exceptions_look(at=at, portions=_PORTIONS):
        raise TryAgain("more shipments are called up by the clock", due_at=at + _SOON)


@handler(TELLING)
def tell_exceptions(payload: dict[str, Any], at: datetime) -> None:
    """Decides how noted exceptions are told: singly, or held for one message at the end of the hour."""
    exceptions_tell(at=at)


@due_work("tracking.exceptions_unanswered")
def answers_due(at: datetime) -> None:
    """Cases that nobody took note of in time."""
    if scope() != OPERATOR_ID and answer_is_due(at=at):
        enqueue("tracking.exceptions_escalate", key=f"escalate:{at:%Y-%m-%dT%H:%M}", at=at)


@handler("tracking.exceptions_escalate")
def escalate(payload: dict[str, Any], at: datetime) -> None:
    """Passes them on to the next owner."""
    exceptions_escalate(at=at)


@due_work("tracking.sea_routes")
def routes_due(at: datetime) -> None:
    """Once a night of the operator, for each account that has shipments: ways by sea that are not worked out yet."""
    if scope() == OPERATOR_ID:
        return
    local = at.astimezone(operator_zone())
    if local.hour >= _NIGHT_FROM and Shipment.objects.exists():
        enqueue(ROUTES, key=f"night:{local:%Y-%m-%d}", at=at)


@handler(ROUTES, own_transactions=True)
def find_routes(payload: dict[str, Any], at: datetime) -> None:
    """Works out ways by sea, those that are named or all that open shipments go; what is known is left alone."""
    searoutes_find(pairs=payload.get("pairs", ()), at=at)


@due_work("tracking.usual_stays")
def norms_due(at: datetime) -> None:
    """Once a night of the operator, for each account that has shipments: how long stays usually take."""
    if scope() == OPERATOR_ID:
        return
    local = at.astimezone(operator_zone())
    if local.hour >= _NIGHT_FROM and Shipment.objects.exists():
        enqueue("tracking.usual_stays", key=f"stays:{local:%Y-%m-%d}", at=at)


@handler("tracking.usual_stays")
def usual_stays(payload: dict[str, Any], at: datetime) -> None:
    """The P90 of each node's visits in twelve months."""
    norms_renew(at=at)
