"""Applying: a received message in one transaction, all of it or, after a crash, all of it again; and trying again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from portal.lib.faults import declare, fault
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.services import SYSTEM
from tracking.canonical import event_from_json
from tracking.ingest.acknowledge import acknowledge
from tracking.ingest.channels import HISTORY
from tracking.ingest.heard import freshness_note
from tracking.ingest.items import Item, waits_for
from tracking.ingest.run import Run
from tracking.models import InboundMessage, MessageState, Quarantined, QuarantineState
from tracking.partners import partner_of
from tracking.positions import anchor, whole
from tracking.reasons import Reason
from tracking.registry import adapter_for
from tracking.types import Parsed, Refusal, Unreadable

declare("ingest.before_apply", "a message is stored and committed, nothing of it is applied")
declare("ingest.before_commit", "a message is applied and counted, not committed")
declare("ingest.before_answer", "what the sender is to be told is committed, the answer is not given")


@transaction.atomic
def message_process(*, public_id: str, at: datetime, body: bytes | None = None) -> InboundMessage:
    """Applies a received message in the entered scope of its source; a second call changes nothing (G2, O3).

    `body`: its bytes, when the caller has them at hand and they need not be fetched.
    """
    rows = InboundMessage.objects.select_for_update(of=("self",)).select_related("source", "raw")
    message = (rows if body is None else rows.defer("raw__body")).get(public_id=public_id)
    if message.state != MessageState.RECEIVED:
        return message
    if body is not None:
        message.raw.body = body
    fault("ingest.before_apply")
    run = Run(source=message.source, message=message, at=at, own_tenant=own_tenant())
    items = run.apply(acknowledge(message, message_read(message), at))
    message_finish(message, items, at)
    fault("ingest.before_commit")
    return message


def message_read(message: InboundMessage) -> Parsed:
    """What its adapter makes of the bytes as the partner means them now; a whole that cannot be read is one refusal."""
    source = message.source
    try:
        return adapter_for(source.format, message.content_type, message.file_name).parse(
            bytes(message.raw.body), partner=partner_of(source)
        )
    except Unreadable as error:
        return Parsed(refusals=(Refusal(code=error.code, position=error.position, detail=error.detail),))


def own_tenant() -> int | None:
    """A tenant's own source can report on that tenant only (R1.0)."""
    entered = scope()
    return None if entered == OPERATOR_ID else entered


def message_finish(message: InboundMessage, items: Sequence[Item], at: datetime) -> None:
    """Counts what became of each event and marks the message applied, in the transaction that applied it (I2)."""
    message.events_received = len(items)
    message.events_quarantined = sum(1 for i in items if i.refused is not None)
    message.events_accepted = sum(1 for i in items if i.accepted)
    message.events_duplicate = message.events_received - message.events_accepted - message.events_quarantined
    message.warnings = dict(Counter(w for i in items if i.event and not i.refused for w in i.event.warnings))
    message.state, message.applied_at = MessageState.APPLIED, at
    message.save()
    freshness_note(message, items, at)


@transaction.atomic
def quarantined_apply(*, rows: Sequence[Quarantined], at: datetime) -> list[Item]:
    """Tries quarantined events of the entered scope again; replayed ones are closed, the others count an attempt.

    `rows` are locked by the caller. A row that cannot be read as an event is parsed again from the raw bytes.
    """
    done: list[Item] = []
    read: dict[int, Parsed] = {}  # by message: many rows of one are read once
    for row in rows:
        is_history = row.message.channel == HISTORY
        run = Run(source=row.source, message=row.message, at=at, own_tenant=own_tenant(), is_backfill=is_history,
                  quiet=is_history)  # fmt: skip
        items = _again(run, row, read)
        run.apply_items(items)
        run._wake_withdrawals(items)
        row.attempts += 1
        if items and all(i.refused is None for i in items):
            row.state, row.decided_at, row.decided_by = QuarantineState.REPLAYED, at, row.decided_by or "SYSTEM"
        elif items:
            _still_refused(row, next(i for i in items if i.refused is not None), at)
        row.save()
        done += items
    return done


def _still_refused(row: Quarantined, item: Item, at: datetime) -> None:
    assert item.refused is not None
    row.reason, row.detail = item.refused.code, item.refused.detail[:400]
    for name, value in waits_for(item).items():
        setattr(row, name, value)
    if item.refused.code == Reason.NOT_TRACKED:  # its partner table says by now that it tells nothing
        row.state, row.decided_at, row.decision = QuarantineState.DISCARDED, at, Reason.NOT_TRACKED.value
        row.decided_by = row.decided_by or SYSTEM


def _again(run: Run, row: Quarantined, read: dict[int, Parsed]) -> list[Item]:
    if row.event is not None:
        return run.timed_items(Parsed(events=(event_from_json(row.event),)))
    if row.message_id not in read:
        row.message.source = row.source
        read[row.message_id] = message_read(row.message)
    parsed = read[row.message_id]
    named = anchor(row.position)
    readable = [e for e in parsed.events if anchor(e.position) == named]
    if readable:
        return run.timed_items(Parsed(events=tuple(readable)))
    same = [r for r in parsed.refusals if anchor(r.position) == named]
    if not same and named != whole(named):
        # what refused an EDI message as a whole (its envelope, a code in its head) is mended: every event of it
        freed = [e for e in parsed.events if whole(e.position) == whole(named)]
        if freed:
            return run.timed_items(Parsed(events=tuple(freed)))
    same = same or list(parsed.refusals)[:1]
    return [Item(position=row.position, refused=r) for r in same[:1]]
