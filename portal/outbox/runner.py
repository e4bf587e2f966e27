"""Runs one row: claim with a lease and a fencing number, work, result only while the claim still stands (O3, O5).

Which rows are due stands in selectors.py; what the work is, in each app's jobs.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from portal.lib.errors import PortalError
from portal.lib.facts import Audience, fact_class
from portal.lib.faults import declare, fault
from portal.outbox.handlers import TryAgain, handler_of, listeners
from portal.outbox.models import OutboxRow, RowKind, RowState
from portal.outbox.selectors import due_rows
from portal.tenancy.context import as_tenant, scope

MAX_ATTEMPTS: Final = 10
LONGEST_LEASE_SECONDS: Final = 330  # above the hard time limit of a task
FIRST_WAIT: Final = timedelta(seconds=2)
LONGEST_WAIT: Final = timedelta(minutes=15)

declare("outbox.after_claim", "a row is claimed, its work not begun")
declare("outbox.before_done", "the work of a row is written, not committed")
declare("outbox.after_done", "a row is done and committed")

_log = logging.getLogger(__name__)
_random = SystemRandom()

# Each further try holds longer: work that outlives its lease is overtaken once, and then gets the time it needs.
_CLAIM: Final = """
UPDATE outbox_outboxrow SET fence = fence + 1, attempts = attempts + 1, publishes = 0,
       lease_until = clock_timestamp() + make_interval(secs => least(%s * power(2, least(attempts, 9)), %s))
 WHERE tenant_id = %s AND id = %s AND state = 'PENDING' AND due_at <= %s
   AND (lease_until IS NULL OR lease_until < clock_timestamp())
RETURNING fence
"""


class LostLease(PortalError):
    """Somebody else has claimed the row since: nothing of this run may be written."""

    code, status = "lost_lease", 409


class UnknownWork(PortalError):
    """No handler has this name in this release."""

    code, status = "unknown_work", 500


def row_run(*, row_id: int, at: datetime) -> bool:
    """Runs a due row of the entered scope once; False when it is done, not due, or held by another worker.

    Failures of the work are kept on the row; only the database's own come back as exceptions.
    """
    row = _claim(row_id, at)
    if row is None:
        return False
    fault("outbox.after_claim")
    if row.attempts > MAX_ATTEMPTS:
        _close(row, at, reason=f"ended {MAX_ATTEMPTS} times without an answer: {row.reason}"[:500])
        return True
    try:
        _work(row, at)
    except LostLease:
        _log.warning("outbox row %s was taken over by another worker", row.pk)
    except TryAgain as later:
        _put_off(
            row, due_at=later.due_at, reason=str(later), attempts=row.attempts if later.counts else row.attempts - 1
        )
    except Exception as error:
        _log.exception("outbox row %s (%s) failed, try %s", row.pk, row.name, row.attempts)
        _failed(row, error, at)
    fault("outbox.after_done")
    return True


def run_due(*, at: datetime, most: int = 100_000) -> int:
    """Runs what is due at `at` in this process, round after round, and says how many rows were run.

    For the demo's history and for tests; a running portal has its dispatcher and workers.
    """
    total = 0
    while total < most:
        found = due_rows(at=at, most=500, each=500, again_seconds=0)
        ran = 0
        for tenant_id, row_id in found:
            with as_tenant(tenant_id):
                ran += row_run(row_id=row_id, at=at)
        total += ran
        if not ran:
            break
    return total


def _claim(row_id: int, at: datetime) -> OutboxRow | None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [settings.OUTBOX_LEASE_SECONDS, LONGEST_LEASE_SECONDS, scope(), row_id, at])
            if cursor.fetchone() is None:
                return None
        return OutboxRow.objects.get(pk=row_id)


def _work(row: OutboxRow, at: datetime) -> None:
    if row.kind == RowKind.FACT:
        _tell(row, at)
        return
    entry = handler_of(row.name)
    if entry is None:
        raise UnknownWork
    if entry.own_transactions:
        entry.work(row.payload, at)
        _done(row, at)
        return
    with transaction.atomic():
        entry.work(row.payload, at)
        _done(row, at)


def _tell(row: OutboxRow, at: datetime) -> None:
    kind = fact_class(row.name)
    with transaction.atomic():
        for listener in listeners():
            listener(kind.read(row.payload), row.created_at, at)
        _done(row, at, forget=kind.audience == Audience.PERSON)


def _done(row: OutboxRow, at: datetime, *, forget: bool = False) -> None:
    """Marks the row done in the work's own transaction. Raises LostLease, which undoes the work too."""
    fault("outbox.before_done")
    # facts for one person carry secret links; what is still to be sent keeps its own copy
    more: dict[str, Any] = {"payload": {}} if forget else {}
    _write(row, state=RowState.DONE, done_at=at, lease_until=None, reason="", **more)


def _failed(row: OutboxRow, error: Exception, at: datetime) -> None:
    reason = error.code if isinstance(error, PortalError) else f"{type(error).__name__}: {error}"[:500]
    if row.attempts >= MAX_ATTEMPTS:
        _close(row, at, reason=reason)
        return
    _put_off(row, due_at=at + backoff(row.attempts), reason=reason, attempts=row.attempts)


def _close(row: OutboxRow, at: datetime, *, reason: str) -> None:
    _log.error("outbox row %s (%s) is given up: %s", row.pk, row.name, reason)
    _try_write(row, state=RowState.DEAD, lease_until=None, reason=reason)


def _put_off(row: OutboxRow, *, due_at: datetime, reason: str, attempts: int) -> None:
    _try_write(row, due_at=due_at, reason=reason[:500], attempts=max(attempts, 0), lease_until=None, published_at=None)


def _try_write(row: OutboxRow, **changes: object) -> None:
    try:
        _write(row, **changes)
    except LostLease:
        _log.warning("outbox row %s was taken over by another worker", row.pk)


def _write(row: OutboxRow, **changes: object) -> None:
    standing = OutboxRow.objects.filter(pk=row.pk, fence=row.fence, state=RowState.PENDING)
    if not standing.update(**changes):
        raise LostLease


def backoff(attempts: int) -> timedelta:
    """2 s, 4 s, 8 s ... at most 15 min, each spread by half so that failures do not come back together."""
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    return wait * _random.uniform(0.75, 1.25)


def row_retry(*, row_id: int, at: datetime) -> bool:
    """A person wants a row of the entered scope run again that was given up; False when it is not given up."""
    given_up = OutboxRow.objects.filter(pk=row_id, state=RowState.DEAD)
    return bool(given_up.update(state=RowState.PENDING, attempts=0, due_at=at, published_at=None, fence=F("fence") + 1))
