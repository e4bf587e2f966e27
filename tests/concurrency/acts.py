"""What a process does until it is killed: one act of the product, run by name in a child with a fault point set.

`python -m tests.concurrency.acts ACT JSON`; the tests call the same acts again in their own process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

KILLED = -9


def post(*, source: str, key: str, body: str, again: str = "") -> int:
    """One message at the keyed door; the status of the answer."""
    from django.test import Client

    headers = {"authorization": f"Bearer {key}", **({"idempotency-key": again} if again else {})}
    answer = Client().post(f"/ingest/{source}", data=body, content_type="application/json", headers=headers)
    return answer.status_code


def callback(*, source: str, secret: str, body: str) -> int:
    """One signed callback; the status of the answer."""
    from django.test import Client

    from tracking.signatures import signature

    answer = Client().post(
        f"/dcsa/callbacks/{source}", data=body, content_type="application/json",
        headers={"notification-signature": signature(body.encode(), secret)},
    )  # fmt: skip
    return answer.status_code


def work(*, tenant: int, message: str, at: str) -> None:
    """The worker's part for one stored message."""
    from portal.outbox.models import OutboxRow
    from portal.outbox.runner import row_run
    from portal.tenancy.context import as_tenant

    with as_tenant(tenant):
        row = OutboxRow.objects.get(name="tracking.process_message", payload__message=message)
        row_run(row_id=row.pk, at=datetime.fromisoformat(at))


def run(*, tenant: int, row: int, at: str) -> None:
    """The worker's part for one row of the outbox."""
    from portal.outbox.runner import row_run
    from portal.tenancy.context import as_tenant

    with as_tenant(tenant):
        row_run(row_id=row, at=datetime.fromisoformat(at))


def close(*, tenant: int, period: str, at: str) -> None:
    """A month is closed."""
    from kpis.services import month_close
    from portal.lib.periods import Month
    from portal.tenancy.context import as_tenant

    with as_tenant(tenant):
        month_close(period=Month.parse(period), at=datetime.fromisoformat(at))


def assess(*, tenant: int, snapshot: str, at: str) -> None:
    """What a closed month owes is worked out."""
    from kpis.models import Snapshot
    from portal.tenancy.context import as_tenant
    from tiers.credits.services import credit_assess

    with as_tenant(tenant):
        credit_assess(snapshot=Snapshot.objects.get(public_id=snapshot), at=datetime.fromisoformat(at))


def approve(*, tenant: int, credit: str, actor: str, at: str) -> None:
    """The second person approves a credit."""
    from portal.tenancy.context import OPERATOR_ID, as_tenant
    from portal.tenancy.models import Member
    from tiers.credits.services import credit_approve

    with as_tenant(OPERATOR_ID):
        second = Member.objects.select_related("user").get(public_id=actor)
    with as_tenant(tenant):
        credit_approve(public_id=credit, actor=second, at=datetime.fromisoformat(at))


ACTS = {act.__name__: act for act in (post, callback, work, run, close, assess, approve)}


def killed(act: str, point: str, **values: Any) -> int:
    """Runs an act in a child that dies at the fault point; its exit status."""
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "OUTBOX_LEASE_SECONDS": "0", "PLIMSOLL_FAULT": point,
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "tests.concurrency.acts", act, json.dumps(values)]
    return subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, check=False).returncode


if __name__ == "__main__":
    import django

    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    ACTS[sys.argv[1]](**json.loads(sys.argv[2]))
