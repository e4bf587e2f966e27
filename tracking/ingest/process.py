"""Applying: a received message in one transaction, all of it or, after a crash, all of it again; and trying again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from portal.lib.faults import declare, fault
from portal.tenancy.context import OPERATOR_ID, scope
from tracking.canonical import event_from_json
from tracking.ingest.acknowledge import acknowledge
from tracking.ingest.items import Item
from tracking.ingest.run import Run
from tracking.models import InboundMessage, MessageState, Quarantined, QuarantineState
from tracking.partners import partner_of
from tracking.positions import anchor, whole
from tracking.registry import adapter_for
from tracking.types import Parsed, Refusal, Unreadable

declare("ingest.before_apply", "a message is stored and committed, nothing of it is applied")
declare("ingest.before_commit", "a message is applied and counted, not committed")
declare("ingest.before_answer", "what the sender is to be told is committed, the answer is not given")
HISTORY: Final = "HISTORY"  # the channel of history files: recorded when the file says, told to nobody (R1.1)


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
    try:
        parsed = adapter_for(message.source.format, message.content_type, message.file_name).parse(
            bytes(message.raw.body), partner=partner_of(message.source)
        )
    except Unreadable as error:
        parsed = Parsed(refusals=(Refusal(code=error.code, position=error.position, detail=error.detail),))
    run = Run(source=message.source, message=message, at=at, own_tenant=own_tenant())
    items = run.apply(acknowledge(message, parsed, at))
    message_finish(message, items, at)
    fault("ingest.before_commit")
    return message


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


@transaction.atomic
def quarantined_apply(*, rows: Sequence[Quarantined], at: datetime) -> list[Item]:
    """Tries quarantined events of the entered scope again; replayed ones are closed, the others count an attempt.

    `rows` are locked by the caller. A row that cannot be read as an event is parsed again from the raw bytes.
    """
    done: list[Item] = []
    for row in rows:
        is_history = row.message.channel == HISTORY
        run = Run(source=row.source, message=row.message, at=at, own_tenant=own_tenant(), is_backfill=is_history,
                  quiet=is_history)  # fmt: skip
        items = _again(run, row)
        run.apply_items(items)
        row.attempts += 1
        if items and all(i.refused is None for i in items):
            row.state, row.decided_at, row.decided_by = QuarantineState.REPLAYED, at, row.decided_by or "SYSTEM"
        elif items:
            faults = [i.refused for i in items if i.refused is not None]
            row.reason, row.detail = faults[0].code, faults[0].detail[:400]
        row.save()
        done += items
    return done


def _again(run: Run, row: Quarantined) -> list[Item]:
    if row.event is not None:
        return run._timed(Parsed(events=(event_from_json(row.event),)))
    parsed = adapter_for(row.source.format, row.message.content_type, row.message.file_name).parse(
        bytes(row.message.raw.body), partner=partner_of(row.source)
    )
    named = anchor(row.position)
    readable = [e for e in parsed.events if anchor(e.position) == named]
    if readable:
        return run._timed(Parsed(events=tuple(readable)))
    same = [r for r in parsed.refusals if anchor(r.position) == named]
    if not same and named != whole(named):
        # what refused an EDI message as a whole (its envelope, a code in its head) is mended: every event of it
        freed = [e for e in parsed.events if whole(e.position) == whole(named)]
        if freed:
            return run._timed(Parsed(events=tuple(freed)))
    same = same or list(parsed.refusals)[:1]
    return [Item(position=row.position, refused=r) for r in same[:1]]
