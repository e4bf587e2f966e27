"""Webhooks with real processes: a slow endpoint holds nobody up; a lost broker and killed workers lose nothing."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest
import redis
from django.conf import settings
from django.db import transaction

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.webhooks import rules
from portal.webhooks.models import DeliveryState
from tests import processes
from tests.cast import Account
from tests.portal.webhooks.receiver import Receiver, late, say
from tests.portal.webhooks.world import active, deliveries, fresh, tell
from tests.processes import running, wait_for
from tiers.promises.services import subscription_open
from tiers.promises.types import Tier
from tracking.facts import MilestoneReached

pytestmark = pytest.mark.slow
QUICK = {"OUTBOX_LEASE_SECONDS": "3", "OUTBOX_AGAIN_SECONDS": "2"}


def premium(account: Account) -> None:
    """Real processes ask the real tiers."""
    with as_tenant(account.pk), transaction.atomic():
        subscription_open(tier=Tier.PREMIUM, valid_from=clock.now().date().replace(day=1), at=clock.now())


def events(account: Account, number: int, mark: str) -> None:
    """So many milestones."""
    now = datetime.now(UTC)
    facts = [replace(MilestoneReached.example(), occurred_at=now, shipment=f"{mark}{n:014d}") for n in range(number)]
    tell(account, *facts, at=now)


def done(account: Account, number: int) -> bool:
    """Whether so many messages were taken."""
    return sum(row.state == DeliveryState.DONE for row in deliveries(account)) >= number


@pytest.mark.req("H5", "F2")
def test_a_slow_endpoint_delays_no_other(acme: Account, globex: Account, receiver: Receiver) -> None:
    for account in (acme, globex):
        premium(account)
        active(account, f"{receiver.url}/{account.tenant.code}", at=datetime.now(UTC))
    slow, over = f"/hook/{acme.tenant.code}", threading.Event()

    def hangs(http: BaseHTTPRequestHandler) -> None:
        over.wait(18)
        say(200)(http)

    receiver.by_path[slow] = hangs
    receiver.heard.clear()
    patient = {**QUICK, "OUTBOX_LEASE_SECONDS": "10", **receiver.environment}
    caller = processes.worker(pool="threads", concurrency=8, queue=settings.CALLS_QUEUE, **patient)
    worker = processes.worker(queue="plimsoll", **patient)
    with running(caller, worker, processes.dispatcher(**QUICK)):
        events(acme, 6, "slow")
        wait_for(lambda: receiver.flying, seconds=60, what="the slow endpoint's first message")
        events(globex, 20, "fast")
        wait_for(lambda: done(globex, 20), seconds=60, what="the quick endpoint's messages")
        quick_by = time.monotonic()
        over.set()
        wait_for(lambda: done(acme, 6), seconds=150, what="the slow endpoint's messages")
    at_slow = [one for one in receiver.heard if one.path == slow]
    assert len({one.id for one in at_slow}) == 6
    assert max(one.ended for one in at_slow) > quick_by, "the quick one waited for none of them"
    most = max(sum(b.began <= one.began < b.ended for b in at_slow) for one in at_slow)
    assert most <= rules.AT_ONCE, "no more at once than it may be sent"


@pytest.mark.req("O2", "O11", "H2", "P3")
def test_killed_workers_and_an_emptied_broker_lose_nothing(acme: Account, receiver: Receiver) -> None:
    premium(acme)
    made, _secret = active(acme, receiver.url, at=datetime.now(UTC))
    receiver.heard.clear()
    receiver.always = late(0.1)
    caller = processes.worker(pool="threads", concurrency=4, **QUICK, **receiver.environment)
    with running(caller, processes.dispatcher(**QUICK)):
        events(acme, 40, "kill")
        for kill in range(3):
            wait_for(lambda n=kill: len(receiver.heard) >= 5 * (n + 1), seconds=40, what="some messages")
            caller.kill()
            redis.Redis.from_url(os.environ["CELERY_BROKER_URL"]).flushdb()
            caller.start()
        wait_for(lambda: done(acme, 40), seconds=120, what="every message")
    bodies: dict[str, set[bytes]] = {}
    for one in receiver.heard:
        bodies.setdefault(one.id, set()).add(one.body)
    assert set(bodies) == {row.message_id for row in deliveries(acme)} and len(bodies) == 40
    assert all(len(seen) == 1 for seen in bodies.values()), "the same id, the same bytes"
    assert fresh(acme, made).last_ok_at is not None
