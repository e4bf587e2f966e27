"""A mail survives kill -9 at every step between two durable writes: sent once, or uncertain and listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction

from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.services import emit
from portal.tenancy.context import as_tenant
from tests.cast import Account
from tests.processes import ROOT, Sink
from tiers.credits.facts import CreditApproved

# A worker in short: runs what is due for one tenant, then ends.
RUN = """
import sys, django
django.setup()
from datetime import UTC, datetime, timedelta
from portal.outbox.models import OutboxRow
from portal.outbox.runner import row_run
from portal.tenancy.context import as_tenant
with as_tenant(int(sys.argv[1])):
    for minutes in sys.argv[2].split(","):
        at = datetime.now(UTC) + timedelta(minutes=int(minutes))
        for pk in OutboxRow.objects.filter(state="PENDING", due_at__lte=at).order_by("pk").values_list("pk", flat=True):
            row_run(row_id=pk, at=at)
"""
# point, phase in the end, how many copies the server has
POINTS = [
    ("outbox.after_claim", Phase.SENT, 1),
    ("outbox.after_claim:2", Phase.SENT, 1),
    ("outbox.before_done", Phase.SENT, 1),
    ("outbox.before_done:2", Phase.SENT, 1),
    ("outbox.after_done", Phase.SENT, 1),
    ("notify.after_claim", Phase.SENT, 1),
    ("notify.before_handover", Phase.SENT, 1),
    ("notify.after_handover", Phase.UNCERTAIN, 0),
    ("notify.before_sent", Phase.UNCERTAIN, 1),
    ("notify.after_sent", Phase.SENT, 1),
]


def worker(account: Account, sink: Sink, *, minutes: str = "0,0", fault: str = "") -> int:
    """Runs the short worker and gives its exit status; leases end with their process here."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "EMAIL_URL": sink.url,
        "OUTBOX_LEASE_SECONDS": "0",
        "PLIMSOLL_FAULT": fault,
    }
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(account.pk), minutes]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return ended.returncode


@pytest.mark.slow
@pytest.mark.req("O7", "O3", "O11", "I4")
@pytest.mark.parametrize(("point", "phase", "copies"), POINTS, ids=[p[0] for p in POINTS])
def test_kill_at(point: str, phase: Phase, copies: int, acme: Account) -> None:
    now = datetime.now(UTC)
    with as_tenant(acme.pk), transaction.atomic():
        emit(replace(CreditApproved.example(), occurred_at=now), at=now)
    with Sink() as sink:
        assert worker(acme, sink, fault=point) == -9
        assert worker(acme, sink, minutes="1,2,3") == 0
        with as_tenant(acme.pk):
            delivery = Delivery.objects.get()
            assert delivery.phase == phase
            assert not OutboxRow.objects.filter(state=RowState.PENDING).exists()
        assert sink.by_message_id()[delivery.message_id] == copies
    out = StringIO()
    call_command("outbox", "list", "--json", stdout=out)
    listed = {json.loads(line)["id"] for line in out.getvalue().splitlines()}
    assert (delivery.public_id in listed) == (phase == Phase.UNCERTAIN)


@pytest.mark.req("W2")
def test_points_are_inert_outside_tests() -> None:
    from django.test import override_settings

    from portal.lib import faults
    from portal.outbox.handlers import load_jobs

    load_jobs()
    with override_settings(ALLOW_FAULTS=False), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_FAULT", "notify.after_claim")
        faults.fault("notify.after_claim")
    with pytest.raises(KeyError):
        faults.fault("nowhere.declared")
