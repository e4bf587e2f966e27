"""A message survives kill -9 at every step between two durable writes: it arrives, with the same id and bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import row_run
from portal.tenancy.context import as_tenant
from portal.webhooks.models import DeliveryState
from tests.cast import Account
from tests.portal.webhooks.receiver import Receiver, say
from tests.portal.webhooks.world import active, attempts, deliveries, tell
from tests.processes import ROOT
from tracking.facts import MilestoneReached

# A worker in short: runs what is due for one tenant, then ends.
RUN = """
import sys, django
django.setup()
from portal.web import policy
policy.ask_entitlements_of(lambda key, at: True)
from tests.portal.webhooks.test_crashes import run_all
run_all(int(sys.argv[1]))
"""
# point, how often each message may be heard at most
POINTS = [
    ("outbox.after_claim", 1),
    ("outbox.before_done", 1),
    ("outbox.before_done:2", 1),
    ("outbox.after_done", 1),
    ("webhooks.after_claim", 1),
    ("webhooks.after_claim:2", 1),
    ("webhooks.after_answer", 2),
    ("webhooks.after_answer:2", 2),
    ("webhooks.before_record", 2),
    ("webhooks.before_record:2", 2),
    ("webhooks.after_record", 1),
    ("webhooks.after_record:2", 1),
]
KILLS = [
    *((point, most, True) for point, most in POINTS),
    *((point, most, False) for point, most in POINTS if point.startswith("webhooks.") and not point.endswith(":2")),
]


def run_all(tenant_id: int) -> None:
    """Runs what is due now, and what that puts off to a little later."""
    with as_tenant(tenant_id):
        for minutes in (0, 1, 5, 10):
            at = datetime.now(UTC) + timedelta(minutes=minutes)
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=at).exclude(name="notify.send")
            for row_id in due.order_by("pk").values_list("pk", flat=True):
                row_run(row_id=row_id, at=at)


def killed_worker(account: Account, receiver: Receiver, fault: str) -> int:
    """Runs the short worker until its fault point and gives its exit status; its leases end at once."""
    environment = {
        **os.environ, **receiver.environment, "DJANGO_SETTINGS_MODULE": "portal.settings",
        "OUTBOX_LEASE_SECONDS": "0", "PLIMSOLL_FAULT": fault,
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(account.pk)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@pytest.mark.slow
@pytest.mark.usefixtures("tier")
@pytest.mark.req("H2", "O1", "O3", "O11")
@pytest.mark.parametrize(
    ("point", "most", "taken_at_once"), KILLS, ids=[f"{p}{'' if t else ' refused'}" for p, _m, t in KILLS]
)
def test_kill_at(point: str, most: int, taken_at_once: bool, acme: Account, receiver: Receiver) -> None:
    now = datetime.now(UTC)
    active(acme, receiver.url, at=now)
    active(acme, receiver.url + "/second", label="Second", at=now)
    receiver.heard.clear()
    if not taken_at_once:
        receiver.answers = [say(503)] * 2
    fact = replace(MilestoneReached.example(), occurred_at=now)
    tell(acme, fact, at=now)
    assert killed_worker(acme, receiver, point) == -9
    run_all(acme.pk)
    rows = deliveries(acme)
    assert [row.state for row in rows] == [DeliveryState.DONE, DeliveryState.DONE]
    with as_tenant(acme.pk):
        left = OutboxRow.objects.filter(state=RowState.PENDING).exclude(name="notify.send")
        assert not left.exists()
    for row in rows:
        heard = [one for one in receiver.heard if one.id == row.message_id]
        assert 1 <= len(heard) <= most + (0 if taken_at_once else 2), "at least once, and not without end"
        assert {one.body for one in heard} == {bytes(row.body)}, "always the same bytes"
        kept = attempts(acme, row)
        assert kept[-1].status == 200 and len({a.number for a in kept}) == len(kept)
    assert {one.id for one in receiver.heard} == {row.message_id for row in rows}
