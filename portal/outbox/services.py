"""Writing to the outbox: facts and work by name, in the transaction of their cause (O1).

Running the rows stands in runner.py; publishing them in dispatcher.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.facts import Audience, Fact, all_facts
from portal.outbox.models import Heartbeat, OutboxRow, RowKind, RowState
from portal.tenancy.bulk import rows_create

_LONGEST_KEY: Final = 200
_FEW: Final = 20
HISTORY: Final = timedelta(hours=72)  # facts older than this when recorded are no news (R1.1)
STALE: Final = timedelta(hours=72)  # nor are facts that nobody could be told of for so long (O9)

_listening: list[Callable[[], frozenset[str]]] = []

Plain = str | int | bool | None | list[str] | list[int] | tuple[str, ...]  # what a payload may hold: ids, codes, days


def ask_who_listens_of(answer: Callable[[], frozenset[str]]) -> None:
    """The app that tells the tenants' systems registers which keys of facts those of the entered tenant want."""
    _listening[:] = [answer]


class OutsideTransaction(PortalError):
    """An effect was asked for outside the transaction of its cause; a fault in the program, never a user's."""

    code, status = "outside_transaction", 500
    message = _("An effect must be written in the transaction of its cause.")


def emit(fact: Fact, *, at: datetime) -> None:
    """Records a fact in the entered scope; the same fact about the same object is recorded once.

    `at` is when we record it; `fact.occurred_at` is when it happened. Raises OutsideTransaction, NoTenantScope.
    """
    emit_all([fact], at=at)


def emit_all(facts: Iterable[Fact], *, at: datetime) -> None:
    """Like `emit`, for many facts in one statement."""
    listed = list(facts)
    heard = _heard() if any(fact.audience == Audience.SYSTEMS for fact in listed) else frozenset()
    _write([_fact_row(fact, at, heard) for fact in listed])


def _heard() -> frozenset[str]:
    return _listening[0]() if _listening and connection.in_atomic_block else frozenset()


def enqueue(name: str, *, key: str, at: datetime, due_at: datetime | None = None, **payload: Plain) -> None:
    """Work for the handler `name` in the entered scope, once per `key`; the payload is ids and plain values (T11).

    Due at once, or at `due_at`. Raises OutsideTransaction, NoTenantScope.
    """
    _write([_work_row(name, key=key, at=at, due_at=due_at, outgoing=False, payload=payload)])


def enqueue_outgoing(
    name: str, *, keys: dict[str, dict[str, Plain]], at: datetime, due_at: datetime | None = None
) -> None:
    """Work that leaves the house, by key with its payload: it waits while sending is paused (P5)."""
    _write([
        _work_row(name, key=key, at=at, due_at=due_at, outgoing=True, payload=payload) for key, payload in keys.items()
    ])  # fmt: skip


def _fact_row(fact: Fact, at: datetime, heard: frozenset[str]) -> OutboxRow:
    reason = _silence(fact, at, heard)
    return OutboxRow(
        key=_fitting(f"{fact.key}:{fact.object_key}"), kind=RowKind.FACT, name=fact.key, payload=fact.plain(),
        created_at=at, due_at=at, reason=reason,
        state=RowState.DONE if reason else RowState.PENDING, done_at=at if reason else None,
    )  # fmt: skip


def _silence(fact: Fact, at: datetime, heard: frozenset[str]) -> str:
    """Why nothing follows from a fact: it concerns nobody, or it is history that we only now learn (R1.1)."""
    if fact.audience == Audience.NOBODY or (fact.audience == Audience.SYSTEMS and fact.key not in heard):
        return "nobody"
    old = fact.audience != Audience.PERSON and at - fact.occurred_at > HISTORY
    return "history" if old else ""


def _work_row(
    name: str, *, key: str, at: datetime, due_at: datetime | None, outgoing: bool,
    payload: dict[str, Plain],
) -> OutboxRow:  # fmt: skip
    return OutboxRow(
        key=_fitting(f"{name}:{key}"), kind=RowKind.WORK, name=name, payload=payload, outgoing=outgoing,
        created_at=at, due_at=due_at or at,
    )  # fmt: skip


def _fitting(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[:120]}#{ids.digest(key)}"


def _write(rows: list[OutboxRow]) -> None:
    if not connection.in_atomic_block:
        raise OutsideTransaction
    if len(rows) > _FEW:
        rows_create(rows, ignore_conflicts=True)
    elif rows:
        OutboxRow.objects.bulk_create(rows, ignore_conflicts=True)


def run_again(name: str, *, key: str, at: datetime) -> bool:
    """Work of the entered scope that was done or given up is due again; False when there is no such row."""
    if not connection.in_atomic_block:
        raise OutsideTransaction
    rows = OutboxRow.objects.filter(key=_fitting(f"{name}:{key}"))
    return bool(
        rows.update(
            state=RowState.PENDING, done_at=None, due_at=at, attempts=0, published_at=None, lease_until=None,
            fence=F("fence") + 1, reason="",
        )
    )  # fmt: skip


def run_all_again(name: str, *, keys: dict[str, dict[str, Plain]], at: datetime, due_at: datetime) -> None:
    """Outgoing work of the entered scope, by key with its payload, is due (again) at `due_at`, whatever it was."""
    enqueue_outgoing(name, keys=keys, at=at, due_at=due_at)
    OutboxRow.objects.filter(key__in=[_fitting(f"{name}:{key}") for key in keys]).update(
        state=RowState.PENDING, done_at=None, due_at=due_at, attempts=0, published_at=None, lease_until=None,
        fence=F("fence") + 1, reason="",
    )  # fmt: skip


def heartbeat(process: str, *, at: datetime) -> None:
    """A process says that it works (P1)."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(process=process, at=at)], update_conflicts=True, unique_fields=["process"], update_fields=["at"]
    )


def stale_facts_close(*, at: datetime) -> int:
    """Closes facts of the entered scope that waited until they were no news any more, in one statement each kind.

    After a long absence, and after the demo's history was told, nobody is to work through them one by one (O9).
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction
    waiting = OutboxRow.objects.filter(kind=RowKind.FACT, state=RowState.PENDING, created_at__lt=at - STALE)
    personal = [name for name, kind in all_facts().items() if kind.audience == Audience.PERSON]
    closed = {"state": RowState.DONE, "done_at": at, "reason": "stale", "lease_until": None, "fence": F("fence") + 1}
    return waiting.filter(name__in=personal).update(payload={}, **closed) + waiting.update(**closed)
