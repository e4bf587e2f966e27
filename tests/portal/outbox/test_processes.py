"""The outbox with real processes: nothing is lost when the broker, a worker or a dispatcher is."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import pytest
import redis
from django.conf import settings
from django.db import transaction

from portal.outbox.models import OutboxRow, RowState
from portal.outbox.services import enqueue
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry
from tests import processes
from tests.cast import Account
from tests.processes import running, wait_for

pytestmark = pytest.mark.slow
QUICK = {"OUTBOX_LEASE_SECONDS": "2", "OUTBOX_AGAIN_SECONDS": "2"}


def put(account: Account, name: str, mark: str, **payload: str) -> None:
    """Work that is due now."""
    with as_tenant(account.pk), transaction.atomic():
        enqueue(name, key=mark, at=datetime.now(UTC), mark=mark, **payload)


def noted(account: Account) -> list[str]:
    """Marks of the work that took effect."""
    with as_tenant(account.pk):
        return sorted(AuditEntry.objects.filter(action="test.noted").values_list("object_id", flat=True))


def done(account: Account, count: int) -> bool:
    """Whether so many rows are done."""
    with as_tenant(account.pk):
        return OutboxRow.objects.filter(state=RowState.DONE).count() >= count


@pytest.mark.req("O4")
def test_a_real_worker_has_the_settings_that_lose_nothing(acme: Account) -> None:
    from portal.celery import app

    worker = processes.worker()
    with running(worker):
        conf = wait_for(lambda: app.control.inspect(timeout=1).conf(), seconds=20, what="the worker's settings")
        (seen,) = conf.values()
    assert seen["task_acks_late"] is True
    assert seen["task_reject_on_worker_lost"] is True
    assert seen["worker_prefetch_multiplier"] == 1
    assert seen["accept_content"] == ["json"]
    assert seen["task_serializer"] == "json"
    assert seen["task_time_limit"] > seen["task_soft_time_limit"] > 0
    assert seen["task_publish_retry"] is False
    options = seen["broker_transport_options"]
    assert options["visibility_timeout"] > 2 * seen["task_time_limit"]
    assert options["unacked_restore_interval"] <= 10
    assert options["unacked_restore_throttle"] == 1


@pytest.mark.req("O2", "P3")
def test_emptying_the_broker_loses_nothing_and_two_dispatchers_do_no_harm(acme: Account, globex: Account) -> None:
    first, second = processes.dispatcher(**QUICK), processes.dispatcher(**QUICK)
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    with running(first, second):
        for number in range(30):
            put((acme, globex)[number % 2], "test.note", f"{number:02}")
        wait_for(lambda: broker.llen("plimsoll"), seconds=20, what="something published")
        time.sleep(1)
        broker.flushdb()
        worker = processes.worker(**QUICK)
        with running(worker):
            wait_for(lambda: done(acme, 15) and done(globex, 15), seconds=20, what="all rows done")
        assert first.stop() < 5  # SIGTERM ends it within seconds
    assert noted(acme) == [f"{n:02}" for n in range(0, 30, 2)]
    assert noted(globex) == [f"{n:02}" for n in range(1, 30, 2)]


@pytest.mark.req("O3", "O4", "T11")
def test_a_killed_child_loses_no_work_and_a_deadly_task_ends(acme: Account, globex: Account) -> None:
    worker, dispatcher = processes.worker(pool="prefork", concurrency=2, **QUICK), processes.dispatcher(**QUICK)
    with running(worker, dispatcher):
        wait_for(lambda: "ready." in worker.text(), seconds=20, what="the worker")
        put(acme, "test.slow", "slow", seconds="1.2")
        put(globex, "test.die", "die")
        with as_tenant(acme.pk):
            wait_for(lambda: OutboxRow.objects.filter(fence__gt=0).exists(), what="the claim")
        for child in worker.children():
            os.kill(child, 9)
        put(globex, "test.note", "good")
        wait_for(lambda: noted(acme) == ["slow"] and noted(globex) == ["good"], seconds=20, what="the work")
    with as_tenant(globex.pk):
        deadly = OutboxRow.objects.get(name="test.die")
        assert deadly.attempts > 0
        assert deadly.state == RowState.PENDING  # bounded by its attempts, each with a longer lease


@pytest.mark.req("P3")
def test_a_dispatcher_outlasts_its_broker(acme: Account) -> None:
    from portal.outbox import dispatcher

    put(acme, "test.note", "waits")
    sent: list[tuple[int, int]] = []

    def away(tenant_id: int, row_id: int, calls_out: bool) -> None:
        raise dispatcher.BrokerAway("gone")

    with pytest.raises(dispatcher.BrokerAway):
        dispatcher.publish_due(away)
    dispatcher.publish_due(lambda tenant, row, _out: sent.append((tenant, row)))  # at once, not at the next sweep
    assert acme.pk in {tenant_id for tenant_id, _ in sent}

    lost = processes.dispatcher(CELERY_BROKER_URL=f"redis://127.0.0.1:{processes.free_port()}/0", **QUICK)
    with running(lost):
        wait_for(lambda: "cannot publish" in lost.text(), seconds=15, what="the warning")
        time.sleep(1.5)
        assert lost.alive()
        assert lost.stop() < 10  # the driver itself tries a few times before it says no
