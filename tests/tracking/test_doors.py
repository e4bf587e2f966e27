"""The machine doors: what is refused and not received, what is received and waits, and what is answered."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime

import pytest
from django.test import Client

from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from tests.tracking.messages import box, equipment, number_of, shipment, source
from tracking.ingest import message_process
from tracking.models import InboundMessage, SightingRow
from tracking.services import dcsa_secret
from tracking.signatures import signature

pytestmark = [pytest.mark.walls, pytest.mark.req("G1")]


class Partner:
    """A source with its key and secret, as a partner's system would call us."""

    def __init__(self, tenant_id: int = OPERATOR_ID) -> None:
        self.secret = dcsa_secret()
        self.source = source(tenant_id=tenant_id, secret=self.secret)
        with as_tenant(tenant_id):
            _key, self.key = key_create(label="feed", at=clock.now(), scope="events:write", source_key=self.source.key)
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)  # as a real sender is treated

    def post(
        self,
        body: object,
        *,
        key: str | None = None,
        content_type: str = "application/json",
        to: str = "",
        **headers: str,
    ):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.key if key is None else key}", **headers}
        return self.client.post(
            f"/ingest/{to or self.source.key}", data=raw, content_type=content_type, headers=headers
        )

    def callback(self, body: object, *, sign: str | None = None, to: str = ""):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            f"/dcsa/callbacks/{to or self.source.key}", data=raw, content_type="application/json",
            headers={"notification-signature": signature(raw, self.secret) if sign is None else sign},
        )  # fmt: skip

    def received(self) -> int:
        with as_tenant(self.source.tenant_id):
            return InboundMessage.objects.filter(source=self.source).count()


@pytest.fixture
def line() -> Partner:
    return Partner()


def gate_in(number: str, **more: object) -> dict[str, object]:
    return equipment("GTIN", number, "2026-01-28T09:30:00+08:00", **more)


def test_a_batch_is_answered_with_what_became_of_it(acme, line) -> None:
    number = number_of(shipment(acme))
    events = [gate_in(number), gate_in(box()), {**gate_in(number), "equipmentEventTypeCode": "XXXX"}]
    answer = line.post(events)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["received"], body["accepted"], body["duplicate"], body["quarantined"]) == (3, 1, 0, 2)
    assert body["quarantined_by_reason"] == {"no_matching_shipment": 1, "unknown_code": 1}
    again = line.post(events).json()
    assert (again["accepted"], again["duplicate"], again["quarantined"]) == (0, 1, 2)
    refusals = line.client.get(body["refusals"], headers={"authorization": f"Bearer {line.key}"}).json()
    assert {r["position"] for r in refusals["items"]} == {"$[1].eventDateTime", "$[2].equipmentEventTypeCode"}
    assert all(r["detail"] for r in refusals["items"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'[{"eventType": "EQUIP', 400, "unreadable"),
        (b"", 400, "unreadable"),
        (b"\xff\xfe\x00", 400, "unreadable"),
        (b'{"a": 1, "a": 2}', 400, "unreadable"),
        (b"[" * 500 + b"]" * 500, 400, "unreadable"),
        (b"[" + b" " * (5 * 1024 * 1024) + b"]", 413, "too_large"),
    ],
    ids=["truncated", "empty", "not text", "name twice", "too deep", "over 5 MiB"],
)
def test_what_cannot_be_read_is_refused_and_not_received(line, caplog, body, status, code) -> None:
    for answer in (line.post(body), line.callback(body)):
        assert answer.status_code == status
        assert answer["Content-Type"].startswith("application/problem+json")
        assert answer.json()["code"] == code
        assert answer.json()["detail"]
    assert line.received() == 0
    assert "refused" in caplog.text


@pytest.mark.req("G10")
@pytest.mark.parametrize("sign", ["", "sha256=" + "0" * 64, "md5=1", "sha256=xyz"])
def test_a_wrong_signature_is_refused(line, sign) -> None:
    answer = line.callback([gate_in(box())], sign=sign)
    assert answer.status_code == 401
    assert line.received() == 0


@pytest.mark.req("G10")
def test_one_changed_byte_breaks_the_signature(line) -> None:
    raw = json.dumps([gate_in(box())]).encode()
    assert line.callback(raw + b"\n", sign=signature(raw, line.secret)).status_code == 401
    assert line.callback(raw, sign=signature(raw, line.secret)).status_code == 204


@pytest.mark.req("G1", "O1")
def test_a_callback_is_answered_when_durable_and_applied_by_the_outbox(acme, line) -> None:
    s = shipment(acme)
    answer = line.callback([gate_in(number_of(s)), {"eventType": "NONSENSE"}])
    assert (answer.status_code, answer.content) == (204, b"")
    with as_tenant(OPERATOR_ID):
        message = InboundMessage.objects.get(source=line.source)
        assert message.state == "RECEIVED"
        assert OutboxRow.objects.filter(name="tracking.process_message", payload__message=message.public_id).exists()
        done = message_process(public_id=message.public_id, at=clock.now())
        assert (done.events_accepted, done.events_quarantined) == (1, 1)
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 1


def test_an_unknown_source_is_not_there(line) -> None:
    assert line.callback([], to="no-such-source").status_code == 404
    assert line.post([], to="no-such-source").status_code == 404
    other = Partner()
    assert line.post([], to=other.source.key).status_code == 404
    assert other.received() == 0


@pytest.mark.req("A6")
@pytest.mark.parametrize("key", ["", "plm_x", "plm_" + "0" * 20 + "_" + "0" * 10 + "_" + "A" * 43])
def test_without_a_valid_key_nothing_is_taken(line, key) -> None:
    answer = line.post([gate_in(box())], key=key)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert line.received() == 0


@pytest.mark.req("A6")
def test_a_reading_key_cannot_write_events(acme, line) -> None:
    with as_tenant(acme.pk):
        _key, text = key_create(label="read", at=clock.now())
    assert line.post([gate_in(box())], key=text).status_code == 401


@pytest.mark.req("R1.0", "T6")
def test_anothers_shipment_on_a_tenants_own_source_answers_like_an_unknown_one(acme, globex) -> None:
    own = Partner(tenant_id=acme.pk)
    theirs = own.post([gate_in(number_of(shipment(globex)))]).json()
    unknown = own.post([gate_in(box())]).json()
    for body in (theirs, unknown):
        body.pop("message"), body.pop("refusals")
    assert theirs == unknown
    assert theirs["quarantined_by_reason"] == {"no_matching_shipment": 1}


@pytest.mark.req("W7")
def test_an_idempotency_key_replays_its_answer_and_refuses_another_body(acme, line) -> None:
    body, key = [gate_in(number_of(shipment(acme)))], secrets.token_hex(8)
    first = line.post(body, **{"idempotency-key": key}).json()
    again = line.post(body, **{"idempotency-key": key}).json()
    assert first == again
    assert line.post([], **{"idempotency-key": key}).status_code == 422
    assert line.received() == 1


@pytest.mark.req("W6")
def test_another_method_is_answered_in_kind(line) -> None:
    answer = line.client.get(f"/ingest/{line.source.key}", headers={"authorization": f"Bearer {line.key}"})
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert answer["Content-Type"].startswith("application/problem+json")


def test_the_event_of_the_future_is_kept_and_used_for_nothing(acme, line) -> None:
    s = shipment(acme)
    ahead = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = line.post([equipment("GTIN", number_of(s), ahead)]).json()
    assert set(body["quarantined_by_reason"]) <= {"future_actual", "implausible_time"}
    with as_tenant(acme.pk):
        assert not SightingRow.objects.filter(shipment=s).exists()
