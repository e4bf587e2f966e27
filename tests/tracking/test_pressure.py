"""Above the marks the doors say "later" before anything is stored (G13)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.test import override_settings

from portal.tenancy.context import as_tenant
from tests.tracking.messages import equipment, number_of, shipment
from tests.tracking.test_doors import Partner
from tracking.ingest import message_process, message_receive
from tracking.models import InboundMessage, MessageState, RawBody

pytestmark = pytest.mark.req("G13")


@pytest.fixture
def line(acme) -> Partner:
    """A source of the account's own: its backlog is nobody else's."""
    return Partner(tenant_id=acme.pk)


def event(acme) -> list[dict]:
    return [equipment("GTIN", number_of(shipment(acme)), "2026-01-28T09:30:00+08:00")]


def stored(line: Partner) -> int:
    with as_tenant(line.source.tenant_id):
        return RawBody.objects.filter(source=line.source).count()


def test_with_too_much_waiting_senders_are_told_to_come_later(acme, line) -> None:
    with override_settings(INGEST_MOST_WAITING=3):
        for n in range(3):
            assert line.callback(event(acme)).status_code == 204, n
        assert line.callback(event(acme)).status_code == 204, "the mark itself is still allowed"
        for answer in (line.post(event(acme)), line.callback(event(acme))):
            assert (answer.status_code, answer.json()["code"]) == (429, "too_much_waiting")
            assert int(answer["Retry-After"]) > 0
        assert stored(line) == line.received() == 4
        with as_tenant(line.source.tenant_id):
            for message in InboundMessage.objects.filter(state=MessageState.RECEIVED):
                message_process(public_id=message.public_id, at=datetime.now(UTC))
        assert line.post(event(acme)).status_code == 200


def test_with_little_disk_senders_are_told_to_come_later(acme, line) -> None:
    with override_settings(INGEST_DISK="/", INGEST_LEAST_FREE_MB=10**12):
        for answer in (line.post(event(acme)), line.callback(event(acme))):
            assert (answer.status_code, answer.json()["code"]) == (503, "too_little_room")
            assert int(answer["Retry-After"]) > 0
        assert stored(line) == 0
    with override_settings(INGEST_DISK="/", INGEST_LEAST_FREE_MB=0):
        assert line.post(event(acme)).status_code == 200


def test_one_account_s_backlog_is_not_another_s(acme, globex, line) -> None:
    other = Partner(tenant_id=globex.pk)
    with as_tenant(acme.pk):
        for n in range(3):
            message_receive(source=line.source, body=json.dumps([n]).encode(), channel="FILE", at=datetime.now(UTC))
    with override_settings(INGEST_MOST_WAITING=2):
        assert line.post(event(acme)).status_code == 429
        assert other.post(event(globex)).status_code == 200


def test_a_forged_callback_learns_nothing_of_the_backlog(acme, line) -> None:
    with override_settings(INGEST_DISK="/", INGEST_LEAST_FREE_MB=10**12):
        assert line.callback(event(acme), sign="sha256=" + "0" * 64).status_code == 401
