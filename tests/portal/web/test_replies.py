"""Calls with an Idempotency-Key: done once, answered alike, also when many come at once or one dies in between (W7)."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import KeptReply
from portal.tenancy.replies import KEPT, KeyUsedOtherwise, Reply, StillAtIt, once, replies_forget
from tests.tracking.test_bookings import BookingSystem, booked
from tracking.models import CommitmentRow, Shipment

pytestmark = pytest.mark.req("W7")
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
CALL = {"owner": "k", "call": "POST /x", "body": b"1"}


def test_a_call_is_done_once_and_answered_alike(acme) -> None:
    system, row = BookingSystem(), booked(acme)
    path = f"{system.source.key}/shipments"
    key = {"idempotency-key": "order 1"}
    first = system.post([row], to=path, **key)
    again = system.post([row], to=path, **key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert json.loads(again.content)["made"] == 1
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    other = system.post([{**row, "due_date": "2026-05-05"}], to=path, **key)
    assert (other.status_code, json.loads(other.content)["code"]) == (422, "idempotency_conflict")
    with as_tenant(acme.pk):
        assert (Shipment.objects.count(), CommitmentRow.objects.count()) == (1, 1)
    elsewhere = BookingSystem()
    assert json.loads(elsewhere.post([row], to=f"{elsewhere.source.key}/shipments", **key).content)["unchanged"] == 1


@pytest.mark.parametrize("key", ["", " a", "a" * 121, "ä", "a\tb"])
def test_a_malformed_key_is_refused_and_nothing_is_done(acme, key) -> None:
    system = BookingSystem()
    answer = system.post([booked(acme)], to=f"{system.source.key}/shipments", **{"idempotency-key": key})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "bad_idempotency_key")
    with as_tenant(acme.pk):
        assert not Shipment.objects.exists()


def test_while_one_is_being_answered_the_next_is_told_to_wait(acme) -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def slow() -> Reply:
        begun.set()
        assert go.wait(20)
        return Reply(200, b"first")

    def call() -> None:
        with as_tenant(acme.pk):
            done.append(once(**CALL, key="a", at=NOW, act=slow))
        connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(20)
    with as_tenant(acme.pk), pytest.raises(StillAtIt):
        once(**CALL, key="a", at=NOW, act=lambda: Reply(200, b"second"))
    go.set()
    thread.join()
    with as_tenant(acme.pk):
        assert once(**CALL, key="a", at=NOW, act=lambda: Reply(200, b"third")) == Reply(200, b"first", again=True)
    assert done == [Reply(200, b"first")]


def test_what_fails_has_done_nothing_and_may_be_tried_again(acme, globex) -> None:
    def fails() -> Reply:
        KeptReply.objects.create(**{**CALL, "body": b""}, key="inside", body_digest="d", status=1, kept_at=NOW)
        raise KeyError

    with as_tenant(acme.pk):
        with pytest.raises(KeyError):
            once(**CALL, key="a", at=NOW, act=fails)
        assert not KeptReply.objects.exists()
        assert once(**CALL, key="a", at=NOW, act=lambda: Reply(201, b"ok")).body == b"ok"
        with pytest.raises(KeyUsedOtherwise):
            once(**{**CALL, "body": b"2"}, key="a", at=NOW, act=fails)
    with as_tenant(globex.pk):
        assert once(**CALL, key="a", at=NOW, act=lambda: Reply(200, b"theirs")).body == b"theirs"


def test_an_answer_is_kept_for_two_days(acme) -> None:
    with as_tenant(acme.pk):
        once(**CALL, key="a", at=NOW, act=lambda: Reply(200, b"1"))
        late = NOW + KEPT - timedelta(seconds=1)
        assert once(**CALL, key="a", at=late, act=lambda: Reply(200, b"2")).body == b"1"
        assert replies_forget(at=late) == 0
        assert once(**CALL, key="a", at=NOW + KEPT, act=lambda: Reply(200, b"3")).body == b"3"
        assert replies_forget(at=NOW + KEPT * 2) == 1


def test_each_key_of_a_source_stands_for_itself(acme) -> None:
    """Two keys of one source are two callers."""
    from portal.tenancy.keys import key_create

    system, row = BookingSystem(), booked(acme)
    with as_tenant(OPERATOR_ID):
        _key, second = key_create(label="b", at=clock.now(), scope="events:write", source_key=system.source.key)
    path, header = f"{system.source.key}/shipments", {"idempotency-key": "same"}
    assert json.loads(system.post([row], to=path, **header).content)["made"] == 1
    assert json.loads(system.post([row], to=path, key=second, **header).content)["unchanged"] == 1
