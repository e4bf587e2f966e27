"""The invariants hold after an ordinary story, and each breach is told by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction

from portal.checks.invariants import derivation_breaches, invariant_breaches, tenant_breaches
from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.webhooks.deliveries import ping_send
from portal.webhooks.services import endpoint_create
from tests.tracking.messages import equipment, number_of, shipment, source, take
from tracking.ingest import message_receive
from tracking.models import InboundMessage, MilestoneRow, RawBody, Shipment

NOW = datetime(2026, 3, 12, 12, tzinfo=UTC)


def told(at: datetime = NOW) -> list[str]:
    """What is breached in the operator's scope."""
    with as_tenant(OPERATOR_ID):
        return [f"{b['invariant']} {b['what']}" for b in tenant_breaches(at=at)]


@pytest.mark.req("I1", "I2", "I3", "I4", "I5", "I6", "I8")
def test_nothing_is_breached_after_an_ordinary_day(acme) -> None:
    line, made = source(), shipment(acme)
    event = equipment("DISC", number_of(made), "2026-03-12T08:00:00Z", place="NLRTM")
    take(line, [event, event, {"eventType": "NONSENSE"}], at=NOW)
    take(line, [event], at=NOW)
    run_due(at=NOW)
    with as_tenant(acme.pk):
        assert Delivery.objects.exists(), "somebody was told"
        assert list(tenant_breaches(at=NOW + timedelta(hours=1))) == []


@pytest.mark.req("I1")
def test_a_message_that_nobody_applied_is_told_after_five_minutes(acme) -> None:
    line = source()
    with as_tenant(OPERATOR_ID):
        waiting = message_receive(source=line, body=b"[]", channel="HTTP", at=NOW)
    found = [b for b in list(invariant_breaches(at=NOW + timedelta(minutes=6))) if b.get("message")]
    assert waiting.public_id in {b["message"] for b in found}
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("check_invariants", "--json", stdout=out)
    assert stopped.value.code == 1
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {"invariant", "what", "account"} <= lines[0].keys()
    with as_tenant(OPERATOR_ID):
        InboundMessage.objects.filter(pk=waiting.pk).update(state="APPLIED")


@pytest.mark.req("I1", "I2")
def test_bytes_without_a_message_and_wrong_counts_are_told(acme) -> None:
    line = source(tenant_id=acme.pk)
    with as_tenant(acme.pk), transaction.atomic():
        raw = RawBody.objects.create(source=line, sha256="0" * 64, body=b"x", received_at=NOW)
        assert [b["what"] for b in tenant_breaches(at=NOW)] == ["stored bytes without a message"]
        InboundMessage.objects.create(
            source=line, raw=raw, channel="HTTP", received_at=NOW, state="APPLIED", events_received=1,
            events_quarantined=1,
        )  # fmt: skip
        assert [(b["rows"], b["quarantined"]) for b in tenant_breaches(at=NOW)] == [(0, 1)]
        transaction.set_rollback(True)


@pytest.mark.req("I3", "I4")
def test_a_lost_notification_and_a_lost_sending_are_told(acme) -> None:
    line, made = source(), shipment(acme)
    take(line, [equipment("DISC", number_of(made), "2026-03-12T08:00:00Z", place="NLRTM")], at=NOW)
    run_due(at=NOW)
    with as_tenant(acme.pk), transaction.atomic():
        first, second = Delivery.objects.order_by("pk")[:2]
        first.delete()
        assert "a fact was told and a notification is missing" in [b["what"] for b in tenant_breaches(at=NOW)]
        Delivery.objects.filter(pk=second.pk).update(phase=Phase.QUEUED)
        OutboxRow.objects.filter(key=f"notify.send:{second.key}").delete()
        assert "a notification is open and nothing will send it" in [b["what"] for b in tenant_breaches(at=NOW)]
        Delivery.objects.filter(pk=second.pk).update(key="f" * 64)
        assert "a notification's key is not made of its fact and reader" in [b["what"] for b in tenant_breaches(at=NOW)]
        transaction.set_rollback(True)


@pytest.mark.req("I3")
def test_a_webhook_that_nothing_will_send_is_told(acme) -> None:
    with as_tenant(acme.pk), transaction.atomic():
        made, _secret = endpoint_create(
            label="TMS", url="https://example.com/hook", kinds=["credits.credit_approved"], actor="test", at=NOW
        )
        row = ping_send(endpoint=made, at=NOW)
        assert list(tenant_breaches(at=NOW)) == []
        OutboxRow.objects.filter(key=f"webhooks.send:{row.key}").delete()
        assert [b["what"] for b in tenant_breaches(at=NOW)] == ["a webhook is open and nothing will send it"]
        type(row).objects.filter(pk=row.pk).update(state="FAILED", ended_at=NOW)
        assert [b["what"] for b in tenant_breaches(at=NOW)] == ["a webhook was not delivered and no reason is kept"]
        transaction.set_rollback(True)


@pytest.mark.req("P4")
def test_a_derived_row_that_does_not_follow_from_the_events_is_told(acme) -> None:
    line, made = source(), shipment(acme)
    take(line, [equipment("DISC", number_of(made), "2026-03-12T08:00:00Z", place="NLRTM")], at=NOW)
    with as_tenant(acme.pk), transaction.atomic():
        assert list(derivation_breaches(at=NOW)) == []
        MilestoneRow.objects.filter(shipment=made, container="", milestone="DISCHARGED").delete()
        assert [b["shipment"] for b in derivation_breaches(at=NOW)] == [made.public_id]
        transaction.set_rollback(True)
    with as_tenant(acme.pk), transaction.atomic():
        Shipment.objects.filter(pk=made.pk).update(status="DONE")
        assert [b["invariant"] for b in derivation_breaches(at=NOW)] == ["P4"]
        transaction.set_rollback(True)
