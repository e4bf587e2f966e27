"""A worker that is killed again and again while it fetches: in the end every event is there, once (O2, O3, O11)."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests import processes
from tests.cast import Account
from tests.processes import wait_for
from tests.tracking.messages import equipment, number_of, shipment, source
from tests.tracking.publisher import Publisher
from tracking.models import InboundMessage, MessageState, Poll, SightingRow
from tracking.services import PollSpec, poll_save

SEED = 1876
PAGES, SIZE = 16, 5


@pytest.mark.slow
@pytest.mark.req("O2", "O3", "O6", "O11")
def test_a_worker_that_is_killed_while_it_fetches_loses_and_doubles_nothing(own_database: str, acme: Account) -> None:
    chance, now = random.Random(SEED), datetime.now(UTC)
    feed, number = source(), number_of(shipment(acme))
    with Publisher() as carrier:
        carrier.meanwhile = lambda: time.sleep(0.12)
        for n in range(PAGES * SIZE):
            created = (now - timedelta(hours=9) + timedelta(minutes=n)).isoformat()
            carrier.events.append(equipment("GTIN", number, "2026-03-10T09:30:00+08:00", created=created))
        spec = PollSpec(base_url=carrier.url, token_url=f"{carrier.url}/token", client_id=carrier.client_id,
                        secret=carrier.secret, page_size=SIZE)  # fmt: skip
        with as_tenant(OPERATOR_ID):
            poll_save(spec, source=feed, since=now - timedelta(days=1), at=now, actor="Ada")
        quick = {"OUTBOX_LEASE_SECONDS": "2", "OUTBOX_AGAIN_SECONDS": "3", **carrier.environment}
        worker, dispatcher = processes.worker(**quick), processes.dispatcher(**quick)
        with processes.running(worker, dispatcher):
            wait_for(lambda: "ready." in worker.text(), seconds=40, what="the worker")
            ask(now)
            ask(now)  # another scheduler
            for _n in range(3):
                seen = carrier.pages
                wait_for(lambda seen=seen: carrier.pages >= min(seen + 2, PAGES), seconds=40, what="further pages")
                time.sleep(chance.uniform(0.0, 0.3))
                worker.kill()
                worker.start()
            wait_for(lambda: finished(feed), seconds=90, what="the end of the window")
    with as_tenant(acme.pk):
        told = Counter(SightingRow.objects.filter(source=feed.key).values_list("source_event_id", flat=True))
    assert told == Counter({event["eventID"]: 1 for event in carrier.events})
    with as_tenant(OPERATOR_ID):
        assert InboundMessage.objects.filter(source=feed).count() == PAGES, "no page is stored twice"
        assert Poll.objects.get(source=feed).window_from == datetime.fromisoformat(created)


def ask(at: datetime) -> None:
    """What a scheduler does every minute."""
    from django.db import transaction

    from tracking.poller import polls_enqueue

    with as_tenant(OPERATOR_ID), transaction.atomic():
        polls_enqueue(at=at)


def finished(feed: object) -> bool:
    """The window is read and everything in it applied."""
    with as_tenant(OPERATOR_ID):
        unread = Poll.objects.filter(source=feed, last_ok_at__isnull=True).exists()
        waiting = InboundMessage.objects.filter(source=feed).exclude(state=MessageState.APPLIED).exists()
        return not unread and not waiting and not OutboxRow.objects.exclude(state=RowState.DONE).exists()
