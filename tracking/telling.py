"""What is told of news: facts at once, exceptions without storms (R8.5).

Of more than ten messages to one account about one vessel call or place within an hour, the first ten go out singly; the
rest become one message at the end of that hour. What is overtaken before anybody was told of it is not told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from portal.lib import ids
from portal.lib.facts import Fact, fact_class
from portal.outbox.services import HISTORY, emit, emit_all, enqueue
from portal.tenancy.context import scope
from tracking.facts import ExceptionFact, ExceptionsGrouped
from tracking.models import ExceptionCase, ExceptionNotice, Told

SINGLE: Final = 10
WITHIN: Final = timedelta(minutes=60)
WORK: Final = "tracking.tell_exceptions"
_LISTED: Final = 500  # in one message
_AT_ONCE: Final = 5_000
_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended('exceptions told', %s))"
_RAISED: Final = "tracking.exception_raised"
_CLEARED: Final = "tracking.exception_cleared"


def news_tell(news: Iterable[Fact], *, at: datetime) -> None:
    """Records the news of shipments of the entered tenant in the transaction of their cause; exceptions are noted, with
    the work of telling them. What began more than 72 h ago is history and told to nobody (R1.1).
    """
    listed = list(news)
    emit_all([f for f in listed if not isinstance(f, ExceptionFact)], at=at)
    facts = [f for f in listed if isinstance(f, ExceptionFact) and at - f.occurred_at <= HISTORY]
    if not facts:
        return
    cases = dict(
        ExceptionCase.objects.filter(public_id__in=[f.case for f in facts]).values_list("public_id", "pk")
    )  # fmt: skip
    ExceptionNotice.objects.bulk_create([
        ExceptionNotice(case_id=cases[f.case], fact_key=f.key, fact=f.plain(), call=f.call[:100], noted_at=at)
        for f in facts
    ])  # fmt: skip
    enqueue(WORK, key=ids.public_id(), at=at)


@transaction.atomic
def exceptions_tell(*, at: datetime) -> int:
    """Decides how what waits in the entered tenant is told, one worker at a time; says how many were decided."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [scope()])
    waiting = list(ExceptionNotice.objects.filter(told=Told.WAITING).order_by("pk")[:_AT_ONCE])
    left = _without_overtaken(waiting, at)
    by_call: dict[str, list[ExceptionNotice]] = defaultdict(list)
    for notice in left:
        by_call[notice.call].append(notice)
    singly, held = _told_lately(by_call, at), _held(by_call)
    for call, notices in by_call.items():
        _decide(call, notices, singly[call], held.get(call), at)
    done = len(waiting) + _groups(at)
    if len(waiting) == _AT_ONCE:
        enqueue(WORK, key=ids.public_id(), at=at)
    return done


def _told_lately(calls: Iterable[str], at: datetime) -> dict[str, list[datetime]]:
    """When single messages about these calls went out in the last hour, oldest first."""
    rows = ExceptionNotice.objects.filter(call__in=list(calls), told=Told.SINGLY, told_at__gt=at - WITHIN)
    found: dict[str, list[datetime]] = defaultdict(list)
    for call, told_at in rows.order_by("told_at").values_list("call", "told_at"):
        found[call].append(told_at)
    return found


def _held(calls: Iterable[str]) -> dict[str, datetime]:
    """Calls of which some are held for a group already, with when that is due."""
    rows = ExceptionNotice.objects.filter(call__in=list(calls), told=Told.HELD)
    return {call: due_at for call, due_at in rows.values_list("call", "due_at") if due_at is not None}


def _decide(
    call: str, notices: Sequence[ExceptionNotice], singly: Sequence[datetime], due_at: datetime | None, at: datetime
) -> None:
    """The first ten of an hour singly, the rest held until its end."""
    free = 0 if due_at is not None else max(0, SINGLE - len(singly))
    _single(notices[:free], at)
    rest = notices[free:]
    if rest:
        due = due_at or (singly[0] if singly else at) + WITHIN
        ExceptionNotice.objects.filter(pk__in=[n.pk for n in rest]).update(told=Told.HELD, due_at=due)
        enqueue(WORK, key=f"{ids.digest(call)[:24]}:{due.isoformat()}", at=at, due_at=due)


def _single(notices: Sequence[ExceptionNotice], at: datetime) -> None:
    emit_all([fact_class(n.fact_key).read(n.fact) for n in notices], at=at)
    ExceptionNotice.objects.filter(pk__in=[n.pk for n in notices]).update(told=Told.SINGLY, told_at=at)


def _groups(at: datetime) -> int:
    """One message for each call whose hour has passed, about all that was held."""
    due = list(ExceptionNotice.objects.filter(told=Told.HELD, due_at__lte=at).order_by("pk"))
    by_call: dict[str, list[ExceptionNotice]] = defaultdict(list)
    for notice in _without_overtaken(due, at):
        by_call[notice.call].append(notice)
    for call, notices in by_call.items():
        if len(notices) == 1:
            _single(notices, at)
            continue
        emit(_grouped(call, notices, at), at=at)
        ExceptionNotice.objects.filter(pk__in=[n.pk for n in notices]).update(told=Told.GROUPED, told_at=at)
    return len(due)


def _grouped(call: str, notices: Sequence[ExceptionNotice], at: datetime) -> ExceptionsGrouped:
    listed = notices[:_LISTED]
    return ExceptionsGrouped(
        occurred_at=at, node=notices[0].fact["node"], call=call, count=len(notices),
        references=[n.fact["reference"] for n in listed], codes=[n.fact["code"] for n in listed],
        kinds=[n.fact_key.rpartition("_")[2] for n in listed], path="/shipments?exceptions=open",
        shipments=[n.fact["shipment"] for n in listed],
    )  # fmt: skip


def _without_overtaken(notices: Sequence[ExceptionNotice], at: datetime) -> list[ExceptionNotice]:
    """Those still worth telling. An end whose beginning was told to nobody is no news, nor is that beginning; what got
    worse before its beginning was told goes without a word of its own.
    """
    cases = {n.case_id for n in notices}
    before: dict[int, list[ExceptionNotice]] = defaultdict(list)
    for notice in ExceptionNotice.objects.filter(case_id__in=cases).exclude(told=Told.DROPPED).order_by("pk"):
        before[notice.case_id].append(notice)
    dropped: set[int] = set()
    for notice in notices:
        if notice.fact_key == _RAISED or notice.pk in dropped:
            continue
        raised = [n for n in before[notice.case_id] if n.fact_key == _RAISED and n.pk < notice.pk]
        open_one = raised[-1] if raised else None
        untold = open_one is not None and open_one.told in (Told.WAITING, Told.HELD)
        if notice.fact_key == _CLEARED and (open_one is None or untold):
            between = [n.pk for n in before[notice.case_id] if open_one and open_one.pk <= n.pk < notice.pk]
            dropped |= {notice.pk, *between}
        elif untold:
            dropped.add(notice.pk)
    if dropped:
        ExceptionNotice.objects.filter(pk__in=dropped).update(told=Told.DROPPED, told_at=at)
    return [n for n in notices if n.pk not in dropped]
