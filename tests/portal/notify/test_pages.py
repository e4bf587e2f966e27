"""The desk sees what leaves the house and decides what only a person can."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.test import Client

from portal.lib import ids
from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow, RowKind, RowState
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Installation, Member, Role
from tests.cast import Account, person, sign_in

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


def signed_in(member: Member) -> Client:
    """A browser of this person, past every factor."""
    return sign_in(Client(), member)


@pytest.fixture
def ops(acme: Account) -> Client:
    """Somebody of operations."""
    return signed_in(person(OPERATOR_ID, Role.OPS))


def lost(account: Account) -> Delivery:
    """An uncertain mail of this account."""
    with as_tenant(account.pk), transaction.atomic():
        return Delivery.objects.create(
            key=ids.public_id(),
            fact_key="tracking.milestone_reached",
            recorded_at=AT,
            email=account.member.user.email,
            member=account.member,
            phase=Phase.UNCERTAIN,
            message_id="<x@y>",
            created_at=AT,
            changed_at=AT,
            subject=f"lost of {account.tenant.code}",
        )


def dead(account: Account) -> OutboxRow:
    """A row that was given up."""
    with as_tenant(account.pk), transaction.atomic():
        return OutboxRow.objects.create(
            key=ids.public_id(), kind=RowKind.WORK, name="test.poison", created_at=AT, due_at=AT, state=RowState.DEAD
        )


def text(client: Client, address: str) -> str:
    """A page that opened."""
    response = client.get(address)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


@pytest.mark.req("P1", "R0.8")
def test_lists_over_all_accounts_and_leaves_a_record(acme: Account, globex: Account, ops: Client) -> None:
    first, second = lost(acme), lost(globex)
    with as_tenant(OPERATOR_ID):
        before = AuditEntry.objects.filter(action="tenancy.crossed").count()
    page = text(ops, "/ops/outbox?phase=UNCERTAIN")
    assert first.subject in page
    assert second.subject in page
    with as_tenant(OPERATOR_ID):
        assert AuditEntry.objects.filter(action="tenancy.crossed").count() == before + 1
    assert ops.get("/ops/outbox?phase=NONE").status_code == 400
    assert ops.get("/ops/outbox?older=x").status_code == 400
    assert signed_in(acme.manager).get("/ops/outbox").status_code == 404


@pytest.mark.req("O7", "L1")
def test_an_uncertain_mail_is_resolved_with_a_reason(acme: Account, ops: Client) -> None:
    mail = lost(acme)
    address = f"/ops/outbox/{acme.tenant.public_id}/{mail.public_id}"
    assert "Sent, or not?" in text(ops, address)
    assert ops.post(address, {"sent": "yes", "reason": ""}).status_code == 400
    assert ops.post(address, {"sent": "yes", "reason": "found in the log"}).status_code == 302
    with as_tenant(acme.pk):
        assert Delivery.objects.get(pk=mail.pk).phase == Phase.SENT
        assert AuditEntry.objects.filter(action="delivery.resolved", object_id=mail.public_id).exists()
    assert ops.post(address, {"sent": "no", "reason": "again"}).status_code == 409
    assert ops.get(address.replace(mail.public_id, "nothing")).status_code == 404


@pytest.mark.req("O5")
def test_what_was_given_up_can_be_tried_again(acme: Account, ops: Client) -> None:
    row = dead(acme)
    assert "Try again" in text(ops, "/ops/outbox?phase=DEAD")
    assert ops.post("/ops/outbox", {"do": f"retry:{acme.tenant.public_id}/{row.pk}"}).status_code == 302
    with as_tenant(acme.pk), transaction.atomic():
        assert OutboxRow.objects.get(pk=row.pk).state == RowState.PENDING
        OutboxRow.objects.all().delete()


@pytest.mark.req("P5", "T7")
def test_operations_pause_and_finance_only_looks(acme: Account, ops: Client) -> None:
    finance = signed_in(person(OPERATOR_ID, Role.FINANCE))
    assert "Operations and administrators" in text(finance, "/ops/outbox")
    assert finance.post("/ops/outbox", {"do": "pause"}).status_code == 403
    try:
        ops.post("/ops/outbox", {"do": "pause"})
        assert Installation.objects.get().sending_paused
        assert "Sending is paused" in text(ops, "/ops/outbox")
    finally:
        ops.post("/ops/outbox", {"do": "resume"})
    assert not Installation.objects.get().sending_paused


@pytest.mark.req("P1")
def test_metrics_count_what_waits(acme: Account) -> None:
    lost(acme)
    body = Client().get("/metrics").content.decode()
    for name in ("outbox_waiting", "outbox_dead", "outbox_oldest_seconds", "deliveries_uncertain"):
        assert name in body
