"""A row of the outbox is written with its cause, run at least once, and takes effect once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from portal.outbox import runner
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.services import OutsideTransaction, emit, enqueue, stale_facts_close
from portal.outbox.tasks import what_is_due
from portal.tenancy.context import NoTenantScope, as_tenant
from portal.tenancy.models import AuditEntry
from tests.cast import Account
from tests.workshop import jobs  # noqa: F401 - registers the tests' work
from tracking.facts import MilestoneReached

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


def noted(account: Account, mark: str) -> int:
    """How often the work with this mark took effect."""
    with as_tenant(account.pk):
        return AuditEntry.objects.filter(action="test.noted", object_id=mark).count()


def put(account: Account, name: str, **payload: str) -> int:
    """Enqueues and gives the row's id."""
    with as_tenant(account.pk), transaction.atomic():
        enqueue(name, key=payload["mark"], at=AT, **payload)
        return OutboxRow.objects.get(key=f"{name}:{payload['mark']}").pk


def row(account: Account, row_id: int) -> OutboxRow:
    """The row as it stands."""
    with as_tenant(account.pk):
        return OutboxRow.objects.get(pk=row_id)


def run(account: Account, row_id: int, at: datetime = AT) -> bool:
    """As a worker would."""
    with as_tenant(account.pk):
        return runner.row_run(row_id=row_id, at=at)


@pytest.mark.req("O1")
def test_refuses_an_effect_without_the_transaction_of_its_cause(acme: Account) -> None:
    with as_tenant(acme.pk), pytest.raises(OutsideTransaction):
        enqueue("test.note", key="x", at=AT, mark="x")
    with transaction.atomic(), pytest.raises(NoTenantScope):
        enqueue("test.note", key="x", at=AT, mark="x")


@pytest.mark.req("O1", "O7")
def test_is_written_once_for_one_key_and_vanishes_with_its_cause(acme: Account) -> None:
    fact = MilestoneReached.example()
    with as_tenant(acme.pk):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            emit(fact, at=AT)
            _ = 1 // 0
        assert not OutboxRow.objects.exists()
        for _again in range(3):
            with transaction.atomic():
                emit(fact, at=AT)
        assert OutboxRow.objects.count() == 1


@pytest.mark.req("R1.1")
def test_lets_nothing_follow_from_what_is_history_when_recorded(acme: Account) -> None:
    fact = MilestoneReached.example()
    with as_tenant(acme.pk), transaction.atomic():
        emit(fact, at=fact.occurred_at + timedelta(hours=72, seconds=1))
        kept = OutboxRow.objects.get()
    assert (kept.state, kept.reason) == (RowState.DONE, "history")


@pytest.mark.req("O9")
def test_is_closed_with_its_reason_when_nobody_could_be_told_for_three_days(acme: Account) -> None:
    fact = MilestoneReached.example()
    with as_tenant(acme.pk), transaction.atomic():
        emit(fact, at=AT)
        enqueue("test.note", key="stays", at=AT, mark="stays")
        assert stale_facts_close(at=AT + timedelta(hours=72)) == 0
        assert stale_facts_close(at=AT + timedelta(hours=72, seconds=1)) == 1
        kept = OutboxRow.objects.get(name=fact.key)
        assert (kept.state, kept.reason, kept.payload) == (RowState.DONE, "stale", fact.plain())
        assert OutboxRow.objects.get(name="test.note").state == RowState.PENDING


def test_is_run_once(acme: Account) -> None:
    row_id = put(acme, "test.note", mark="once")
    assert run(acme, row_id)
    assert not run(acme, row_id)
    assert noted(acme, "once") == 1


def test_cannot_be_run_from_another_scope(acme: Account, globex: Account) -> None:
    row_id = put(acme, "test.note", mark="walled")
    assert not run(globex, row_id)
    assert noted(acme, "walled") == 0


@pytest.mark.req("O5")
def test_is_tried_ten_times_and_then_given_up_with_its_reason(acme: Account) -> None:
    poison, good = put(acme, "test.poison", mark="poison"), put(acme, "test.note", mark="good")
    at, waits = AT, []
    for _try in range(runner.MAX_ATTEMPTS):
        assert run(acme, poison, at)
        now = row(acme, poison)
        waits.append(now.due_at - at)
        at = max(now.due_at, at)
    dead = row(acme, poison)
    assert (dead.state, dead.attempts, dead.reason) == (RowState.DEAD, 10, "ValueError: poison")
    assert waits[:-1] == sorted(waits[:-1])  # each wait is longer than the one before
    assert noted(acme, "poison") == 0
    assert run(acme, good)  # and delays nobody
    with as_tenant(acme.pk):
        assert runner.row_retry(row_id=poison, at=at)
    assert row(acme, poison).state == RowState.PENDING


def test_waits_until_the_time_its_handler_names(acme: Account) -> None:
    until = AT + timedelta(hours=5)
    row_id = put(acme, "test.later", mark="l", until=until.isoformat())
    assert run(acme, row_id)
    kept = row(acme, row_id)
    assert (kept.due_at, kept.attempts, kept.state) == (until, 0, RowState.PENDING)
    assert not run(acme, row_id, until - timedelta(seconds=1))


@pytest.mark.req("O3")
def test_takes_no_result_from_a_worker_that_wakes_after_its_lease(acme: Account) -> None:
    row_id = put(acme, "test.note", mark="fence")
    with as_tenant(acme.pk):
        sleeper = runner._claim(row_id, AT)
        assert sleeper is not None
        assert runner._claim(row_id, AT) is None  # held
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("update outbox_outboxrow set lease_until = now() - interval '1 s' where id = %s", [row_id])
        assert runner.row_run(row_id=row_id, at=AT)  # another worker took over and ended it
        with pytest.raises(runner.LostLease):
            runner._work(sleeper, AT)
    assert noted(acme, "fence") == 1


def test_forgets_a_secret_link_once_its_mail_has_its_own_copy(acme: Account) -> None:
    from portal.account.facts import Invited

    with as_tenant(acme.pk):
        with transaction.atomic():
            emit(Invited.example(), at=AT)
        row_id = OutboxRow.objects.get().pk
        assert runner.row_run(row_id=row_id, at=AT)
        kept = OutboxRow.objects.get(pk=row_id)
    assert kept.state == RowState.DONE
    assert kept.payload == {}


@pytest.mark.req("O6")
def test_asks_the_database_what_is_due_so_that_each_period_comes_once(acme: Account) -> None:
    from portal.lib import clock

    with clock.set_to(datetime(2031, 5, 1, tzinfo=UTC)):
        what_is_due()
        what_is_due()
    with clock.set_to(datetime(2031, 4, 30, 23, tzinfo=UTC)):  # the clock jumps back
        what_is_due()
    with clock.set_to(datetime(2031, 5, 9, tzinfo=UTC)):
        what_is_due()
    with as_tenant(acme.pk):
        keys = list(OutboxRow.objects.filter(name="test.note").values_list("key", flat=True).order_by("key"))
    assert keys == ["test.note:month-2031-04", "test.note:month-2031-05"]


@pytest.mark.req("F2")
def test_lets_tenants_take_turns(acme: Account, globex: Account) -> None:
    from portal.outbox.selectors import due_rows

    for number in range(50):
        put(acme, "test.note", mark=f"many-{number}")
    last = put(globex, "test.note", mark="one")
    turns = [r for t, r in due_rows(at=AT, most=1000, each=20, again_seconds=30) if t in (acme.pk, globex.pk)]
    assert turns.index(last) <= 1
    assert len(turns) == 21  # and one tenant has no more than its share in flight
