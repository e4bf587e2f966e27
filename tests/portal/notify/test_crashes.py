"""A mail survives kill -9 at every step between two durable writes: sent once, or uncertain and listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import row_run
from portal.outbox.services import emit
from portal.tenancy.context import as_tenant
from tests.cast import Account
from tests.processes import ROOT, Sink
from tiers.credits.facts import CreditApproved

# A worker in short: runs what is due for one tenant, then ends.
RUN = """
import sys, django
django.setup()
from tests.portal.notify.test_crashes import run_all
run_all(int(sys.argv[1]))
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


def run_all(tenant_id: int) -> None:
    """Runs what is due now, and what that puts off to a little later."""
    with as_tenant(tenant_id):
        for minutes in (0, 1, 2):
            at = datetime.now(UTC) + timedelta(minutes=minutes)
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=at).order_by("pk")
            for row_id in due.values_list("pk", flat=True):
                row_run(row_id=row_id, at=at)


def killed_worker(account: Account, sink: Sink, fault: str) -> int:
    """Runs the short worker until its fault point and gives its exit status; its leases end at once."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "EMAIL_URL": sink.url,
        "OUTBOX_LEASE_SECONDS": "0",
        "PLIMSOLL_FAULT": fault,
    }
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(account.pk)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@pytest.mark.slow
@pytest.mark.req("O7", "O3", "O11", "I4")
@pytest.mark.parametrize(("point", "phase", "copies"), POINTS, ids=[p[0] for p in POINTS])
def test_kill_at(point: str, phase: Phase, copies: int, acme: Account) -> None:
    now = datetime.now(UTC)
    with as_tenant(acme.pk), transaction.atomic():
        emit(replace(CreditApproved.example(), occurred_at=now), at=now)
    with Sink() as sink:
        assert killed_worker(acme, sink, point) == -9
        with override_settings(EMAIL_HOST="127.0.0.1", EMAIL_PORT=sink.port):
            run_all(acme.pk)
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
    from portal.lib import faults
    from portal.outbox.handlers import load_jobs

    load_jobs()
    with override_settings(ALLOW_FAULTS=False), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_FAULT", "notify.after_claim")
        faults.fault("notify.after_claim")
    with pytest.raises(KeyError):
        faults.fault("nowhere.declared")
