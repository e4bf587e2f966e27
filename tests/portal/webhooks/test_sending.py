"""A fact reaches each endpoint that wants it, at least once and with the same id and bytes, or the log says why not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings

from portal.lib.egress import call
from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import as_tenant
from portal.webhooks import rules, services
from portal.webhooks.models import DeliveryState, EndpointState, OffReason
from tests.cast import Account
from tests.portal.webhooks.receiver import Receiver, late, say, slam
from tests.portal.webhooks.world import AT, active, attempts, deliveries, endpoint, fresh, run, tell
from tiers.credits.facts import CreditApproved
from tracking.facts import EtaChanged, MilestoneReached

pytestmark = pytest.mark.usefixtures("tier")
FACT = replace(MilestoneReached.example(), occurred_at=AT - timedelta(hours=2))


def signed_by(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Written down from the specification, not from the code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return wanted in headers["webhook-signature"].split(" ")


@pytest.mark.req("H1", "H2", "O1")
def test_a_fact_is_sent_once_to_who_wants_it_signed_and_whole(acme: Account, receiver: Receiver) -> None:
    made, secret = active(acme, receiver.url)
    active(acme, receiver.url + "/money", label="Finance", wants=["credits.credit_approved"])
    receiver.heard.clear()
    tell(acme, FACT)
    tell(acme, FACT)
    run(acme)
    (heard,) = receiver.heard
    assert heard.path == "/hook"
    assert signed_by(secret, heard.headers, heard.body)
    assert heard.headers["webhook-timestamp"] == str(int(AT.timestamp()))
    assert heard.headers["content-type"] == "application/json"
    assert heard.json() == {
        "type": "tracking.milestone_reached", "version": 1, "timestamp": "2026-03-12T07:00:00Z",
        "account": acme.tenant.code,
        "data": {"shipment": FACT.shipment, "reference": "MRD-2026-00417", "milestone": "VESSEL_ARRIVED",
                 "node": "NLRTM", "local_time": "12 Mar 2026 07:40 CET", "next_step": "DISCHARGED", "is_core": True},
        "links": {"portal": f"{settings.PUBLIC_URL}{FACT.path}"},
    }  # fmt: skip
    (row,) = deliveries(acme)
    assert (row.state, row.attempts, row.about) == (DeliveryState.DONE, 1, "MRD-2026-00417")
    assert heard.id == row.message_id
    assert [(a.status, a.number) for a in attempts(acme, row)] == [(200, 1)]
    assert fresh(acme, made).last_ok_at == AT
