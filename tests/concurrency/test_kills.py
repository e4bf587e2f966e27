"""kill -9 at random moments over web, worker, dispatcher and scheduler loses nothing and sends nothing twice (O11)."""

from __future__ import annotations

import random
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import transaction

from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.services import emit
from portal.tenancy.context import as_tenant
from tests import processes
from tests.cast import Account
from tests.processes import Process, Sink, wait_for
from tiers.credits.facts import CreditApproved

SEED = 1876
ENDED = (Phase.SENT, Phase.UNCERTAIN, Phase.FAILED, Phase.SUPPRESSED)


def tell(account: Account, number: int) -> None:
    """One fact, one mail to the account's manager."""
    now = datetime.now(UTC)
    with as_tenant(account.pk), transaction.atomic():
        emit(replace(CreditApproved.example(), credit=f"credit-{number:05}", occurred_at=now), at=now)


def start(sink: Sink) -> list[Process]:
    """Everything that production runs, with short leases."""
    quick = {"OUTBOX_LEASE_SECONDS": "2", "OUTBOX_AGAIN_SECONDS": "2", "EMAIL_URL": sink.url}
    return [
        processes.worker(pool="prefork", concurrency=2, **quick),
        processes.dispatcher(**quick),
        processes.beat(**quick),
        processes.web(processes.free_port(), **quick),
    ]


def unfinished(accounts: list[Account]) -> int:
    """Rows and mails that have not come to an end."""
    left = 0
    for account in accounts:
        with as_tenant(account.pk):
            left += OutboxRow.objects.exclude(state=RowState.DONE).count()
            left += Delivery.objects.exclude(phase__in=ENDED).count()
    return left


def story(accounts: list[Account], *, kills: int, facts: int) -> None:
    """Emits facts while processes die at random; then everything comes to an end, once."""
    chance = random.Random(SEED)
    with Sink() as sink:
        running = start(sink)
        try:
            wait_for(lambda: "ready." in running[0].text(), seconds=30, what="the worker")
            told = 0
            for kill in range(kills):
                while told < facts * (kill + 1) // kills:
                    tell(accounts[told % len(accounts)], told)
                    told += 1
                time.sleep(chance.uniform(0.05, 1.2))
                victim = chance.choice(running)
                victim.kill()
                victim.start()
            wait_for(lambda: unfinished(accounts) == 0, seconds=90, what="the end of every mail")
            assert all(process.alive() for process in running)
            wait_for(lambda: _answers(running[3]), seconds=15, what="the web")
        finally:
            for process in reversed(running):
                process.stop(5.0)
        _judge(accounts, sink, kills=kills, facts=facts)


def _answers(web: Process) -> bool:
    address = next(word for word in web.command if word.startswith("127.0.0.1:"))
    try:
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _judge(accounts: list[Account], sink: Sink, *, kills: int, facts: int) -> None:
    copies, sent, uncertain = sink.by_message_id(), 0, 0
    for account in accounts:
        with as_tenant(account.pk):
            for delivery in Delivery.objects.all():
                assert copies[delivery.message_id] <= 1, "sent twice under one key"
                assert delivery.phase in (Phase.SENT, Phase.UNCERTAIN)
                sent += delivery.phase == Phase.SENT
                uncertain += delivery.phase == Phase.UNCERTAIN
                if delivery.phase == Phase.SENT:
                    assert copies[delivery.message_id] == 1, "said to be sent, and the server has nothing"
    assert sent + uncertain == facts, "lost"
    assert uncertain <= 2 * kills  # two children a worker, each with at most one mail in its hands


@pytest.mark.slow
@pytest.mark.req("O11", "O2", "I3", "I4")
def test_ten_kills_lose_nothing_and_send_nothing_twice(acme: Account, globex: Account) -> None:
    story([acme, globex], kills=10, facts=120)


@pytest.mark.nightly
@pytest.mark.req("O11")
def test_a_hundred_kills_lose_nothing_and_send_nothing_twice(acme: Account, globex: Account) -> None:
    story([acme, globex], kills=100, facts=1500)
