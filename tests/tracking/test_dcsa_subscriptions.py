"""Subscriptions of DCSA Track & Trace 2.2.0 and their callbacks: signed, in order, again until taken (H1 to H7)."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from portal.lib import clock
from portal.outbox.handlers import TryAgain
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import run_due
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import key_create, key_revoke
from portal.tenancy.models import AuditEntry, Installation
from tests import processes
from tests.concurrency.acts import KILLED
from tests.doors import client_of
from tests.processes import running, wait_for
from tests.servers import ROOT
from tests.tracking import outward
from tests.tracking.dcsa_schema import check, check_event
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.outward import EVENTS, GOLDEN, SUBSCRIPTIONS
from tests.tracking.pages import NOW, tiered
from tests.tracking.subscriber import Came, Reply, Subscriber
from tiers.promises.models import Subscription
from tracking import services
from tracking.backfill import history_apply
from tracking.models import EventPush, EventSubscription, PushState, SightingRow
from tracking.pusher import GIVES_UP, push_run
from tracking.services import pushes_due, pushes_forget
from tracking.signatures import SignatureFault, signature, verify

pytestmark = pytest.mark.req("H1", "H2", "H3", "H6", "H7")
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODIES = json.loads((GOLDEN / "subscriptions.json").read_text())
VECTORS = json.loads((GOLDEN / "signatures.json").read_text())


class System:
    """A customer's system: an account with a key, a shipment that is heard of, and an address that takes callbacks."""

    def __init__(self, account: Any, tms: Subscriber, **filters: Any) -> None:
        self.account, self.tms = tiered(account, "PRIORITY"), tms
        with as_tenant(account.pk):
            self.key, text = key_create(label="TMS", at=clock.now())
        self.client = client_of(None, key=text)
        self.line, self.shipment = source(tenant_id=account.pk), shipment(account)
        self.number = number_of(self.shipment)
        body = {"callbackUrl": tms.url, "secret": SECRET, **filters}
        with clock.set_to(NOW):
            made = self.client.post(SUBSCRIPTIONS, body, content_type="application/json")
        assert made.status_code == 201, made.content
        self.id = made.json()["subscriptionID"]

    def hears(self, count: int = 1, *, at: datetime = NOW, code: str = "GTIN", **more: Any) -> None:
        """One message of so many events of the shipment's box."""
        events = [
            equipment(
                code, self.number, (datetime(2026, 2, 1, 10, tzinfo=UTC) + timedelta(minutes=n)).isoformat(), **more
            )
            for n in range(count)
        ]
        take(self.line, events, at=at)

    def run(self, at: datetime = NOW) -> None:
        """The outbox does what is due."""
        run_due(at=at)

    @property
    def row(self) -> EventSubscription:
        with as_tenant(self.account.pk):
            return EventSubscription.objects.get(subscription_id=self.id)

    def pushes(self) -> list[EventPush]:
        with as_tenant(self.account.pk):
            return list(EventPush.objects.filter(subscription__subscription_id=self.id).order_by("pk"))

    def due_at(self) -> datetime:
        """When it is tried again; the scheduler has asked by then."""
        at = self.row.next_at + timedelta(seconds=1)
        with as_tenant(self.account.pk), transaction.atomic():
            pushes_due(at=at)
        return at

    def put(self, **body: Any) -> Any:
        return self.client.put(f"{SUBSCRIPTIONS}/{self.id}", {"callbackUrl": self.tms.url, **body}, "application/json")


@pytest.fixture
def tms() -> Any:
    with Subscriber() as subscriber:
        yield subscriber


def genuine(came: Came, secret: str = SECRET) -> bool:
    """Whether the receiving side's own check of the signature passes."""
    try:
        verify(came.body, came.header("Notification-Signature"), [secret])
    except SignatureFault:
        return False
    return True


# --- the signature, as data ---


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["says"])
def test_a_signature_is_the_agreed_one(vector: dict[str, str]) -> None:
    body = (GOLDEN.parent / vector["body_file"]).read_bytes() if "body_file" in vector else vector["body"].encode()
    assert signature(body, vector["secret"]) == vector["signature"]
    verify(body, vector["signature"], [vector["secret"]])
    with pytest.raises(SignatureFault):
        verify(body + b"\n", vector["signature"], [vector["secret"]])


# --- managing them ---


@pytest.mark.req("T8", "W6", "W8")
@pytest.mark.parametrize("case", BODIES, ids=lambda c: c["says"])
def test_a_subscription_is_taken_or_refused_as_the_document_says(case: dict[str, Any]) -> None:
    client = outward.world().client
    response = client.post(SUBSCRIPTIONS, json.dumps(case["body"]), content_type="application/json")
    assert response.status_code == case["status"], response.content
    assert response.headers["API-Version"] == "2.2.0"
    body = response.json()
    if case["status"] == 201:
        check("subscriptionBodyWithSecret", case["body"])
        check("subscription", body)
        own = body.pop("subscriptionID")
        assert body == {k: v for k, v in case["body"].items() if k != "secret"}
        assert response.headers["Location"] == f"{settings.PUBLIC_URL}{SUBSCRIPTIONS}/{own}"
        assert client.get(f"{SUBSCRIPTIONS}/{own}").json() == {"subscriptionID": own, **body}
        assert client.delete(f"{SUBSCRIPTIONS}/{own}").status_code == 204
        assert client.get(f"{SUBSCRIPTIONS}/{own}").status_code == 404
        return
    check("error", body)
    assert [e["reason"] for e in body["errors"]] == [e["reason"] for e in case["errors"]]
    for said, wanted in zip(body["errors"], case["errors"], strict=True):
        assert wanted["message_holds"] in said["message"]
    assert SECRET not in response.content.decode()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(b"", "application/json"), (b"{", "application/json"), (b'{"a":1,"a":2}', "application/json"),
     (b'{"callbackUrl":NaN}', "application/json"), (b"[" * 50 + b"]" * 50, "application/json"),
     (b"\xff\xfe", "application/json"), (b" " * 70_000, "application/json"),
     (b"a=b", "application/x-www-form-urlencoded")],
    ids=["empty", "cut off", "a key twice", "NaN", "too deep", "not UTF-8", "too long", "a form"],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(raw: bytes, kind: str) -> None:
    client = outward.world().client
    response = client.post(SUBSCRIPTIONS, raw, content_type=kind)
    assert (response.status_code, response.json()["errors"][0]["reason"]) == (400, "invalidBody")
    check("error", response.json())


@pytest.mark.req("T6")
def test_what_is_anothers_is_not_there(acme, globex, tms) -> None:
    system = System(acme, tms)
    tiered(globex, "PRIORITY")
    other = client_of(None, key=outward.key_of(globex))
    body, kind = {"callbackUrl": tms.url}, "application/json"
    for own in (system.id, "8fbdc2d8-57c8-48b9-a04b-18fd8ec1d809", "nonsense"):
        answers = [
            other.get(f"{SUBSCRIPTIONS}/{own}"), other.put(f"{SUBSCRIPTIONS}/{own}", body, kind),
            other.delete(f"{SUBSCRIPTIONS}/{own}"),
            other.put(f"{SUBSCRIPTIONS}/{own}/secret", {"secret": SECRET}, kind),
        ]  # fmt: skip
        assert [a.status_code for a in answers] == [404] * 4
    assert other.get(SUBSCRIPTIONS).json() == []
    assert system.client.get(f"{SUBSCRIPTIONS}/{system.id}").status_code == 200


def test_the_list_comes_in_pages(acme) -> None:
    tiered(acme, "PRIORITY")
    client = client_of(None, key=outward.key_of(acme))
    for n in range(5):
        made = client.post(SUBSCRIPTIONS, {"callbackUrl": f"https://8.8.8.8/{n}", "secret": SECRET}, "application/json")
        assert made.status_code == 201
    whole = client.get(SUBSCRIPTIONS)
    assert len(whole.json()) == 5 and [h for h in whole.headers if h.endswith("-Page")] == ["Current-Page"]
    address, found, headers = f"{SUBSCRIPTIONS}?limit=2&sort=subscriptionID:DESC", [], []
    while address:
        response = client.get(address)
        found += [s["subscriptionID"] for s in response.json()]
        headers.append({h for h in response.headers if h.endswith("-Page")})
        address = response.headers.get("Next-Page", "").removeprefix(settings.PUBLIC_URL)
    assert found == sorted(found, reverse=True) and len(found) == 5
    ends, before = {"Next-Page", "Last-Page"}, {"Prev-Page", "First-Page"}
    assert headers == [{"Current-Page"} | ends, {"Current-Page"} | ends | before, {"Current-Page"} | before]
    for query in ("limit=0", "colour=blue", "limit=1&limit=2", "sort=callbackUrl", "cursor=x"):
        assert client.get(f"{SUBSCRIPTIONS}?{query}").status_code == 400


def test_an_account_has_at_most_fifty(acme, monkeypatch) -> None:
    tiered(acme, "PRIORITY")
    monkeypatch.setattr(services.subscriptions, "MOST", 1)
    client = client_of(None, key=outward.key_of(acme))
    body = {"callbackUrl": "https://8.8.8.8/", "secret": SECRET}
    answers = [client.post(SUBSCRIPTIONS, body, "application/json") for _n in range(2)]
    assert [a.status_code for a in answers] == [201, 409]
    check("error", answers[1].json())
    assert answers[1].json()["errors"][0]["reason"] == "tooManySubscriptions"


@pytest.mark.req("L1")
def test_whatever_is_done_to_one_is_recorded_and_no_secret_with_it(acme, tms) -> None:
    system = System(acme, tms)
    assert system.put().status_code == 200
    secret = system.client.put(f"{SUBSCRIPTIONS}/{system.id}/secret", {"secret": SECRET}, "application/json")
    assert (secret.status_code, secret.content) == (204, b"")
    assert system.client.delete(f"{SUBSCRIPTIONS}/{system.id}").status_code == 204
    with as_tenant(acme.pk):
        entries = list(AuditEntry.objects.filter(object_type="subscription").order_by("pk"))
    assert [e.action for e in entries] == [
        f"subscription.{a}" for a in ("made", "changed", "secret_changed", "deleted")
    ]
    assert {e.actor for e in entries} == {"TMS"}
    kept = json.dumps([e.details for e in entries])
    assert SECRET not in kept and "shipperRef" not in kept  # a receiver may know us by a secret in its address


def test_a_secret_stands_in_no_other_put_and_is_sealed(acme, tms) -> None:
    system = System(acme, tms)
    assert SECRET not in system.row.secret
    assert system.put(secret=SECRET).json()["errors"][0]["reason"] == "invalidField"
    assert system.put(subscriptionID=system.id).status_code == 200
    assert system.put(subscriptionID="8fbdc2d8-57c8-48b9-a04b-18fd8ec1d809").status_code == 400
    for body in ({}, {"secret": "short"}, {"secret": SECRET, "more": 1}, {"secret": 7}):
        answer = system.client.put(f"{SUBSCRIPTIONS}/{system.id}/secret", body, "application/json")
        assert answer.status_code == 400, body


# --- callbacks ---


def test_a_new_address_is_asked_first_and_events_follow(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    (first,) = tms.came
    assert (first.body, first.path) == (b"[]", "/dcsa?shipperRef=4711")
    assert system.row.answered_at == NOW
    system.hears(2)
    system.run()
    assert len(tms.came) == 2
    came = tms.came[1]
    assert came.header("Subscription-ID") == system.id
    assert came.header("API-Version") == "2.2.0"
    assert came.header("Content-Type") == "application/json"
    assert genuine(came) and genuine(first)
    for event in came.events:
        check_event(event)
    assert came.events == system.client.get(EVENTS).json()  # what is sent is what can be asked for


def test_nothing_is_sent_to_an_address_that_never_took_the_first_callback(acme, tms) -> None:
    system = System(acme, tms)
    tms.answers = [Reply(404), Reply(200)]  # a 200 does not say that it was taken
    system.run()
    system.hears(1)
    system.run()
    assert [c.body for c in tms.came] == [b"[]"]
    at = system.due_at()
    system.run(at)
    assert [c.body for c in tms.came] == [b"[]", b"[]"]
    at = system.due_at()
    system.run(at)
    assert [len(c.events) for c in tms.came] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [({}, ["GTIN", "ARRI", "GTOT"]), ({"eventType": ["TRANSPORT"]}, ["ARRI"]),
     ({"equipmentEventTypeCode": ["GTOT", "LOAD"]}, ["GTOT"]), ({"UNLocationCode": "CNSHA"}, ["GTIN"]),
     ({"vesselIMONumber": "9321483"}, ["ARRI"]), ({"vesselIMONumber": "9074729"}, []),
     ({"carrierBookingReference": "NOBODYS"}, []),
     ({"transportCallID": "call-1", "exportVoyageNumber": "601W"}, ["ARRI"])],
)  # fmt: skip
def test_only_what_fits_the_filters_is_sent(acme, tms, filters: dict[str, Any], wanted: list[str]) -> None:
    system = System(acme, tms, **filters)
    with as_tenant(acme.pk):
        booking = system.shipment.references.get(kind="BOOKING").written
    take(system.line, [
        equipment("GTIN", system.number, "2026-02-01T10:00:00+08:00"),
        vessel("ARRI", booking, "2026-03-02T10:00:00+01:00", place="NLRTM"),
        equipment("GTOT", system.number, "2026-03-03T10:00:00+01:00", place="NLRTM"),
    ], at=NOW)  # fmt: skip
    system.run()
    codes = ("equipmentEventTypeCode", "transportEventTypeCode")
    assert [e.get(codes[0]) or e.get(codes[1]) for b in tms.bundles for e in b] == wanted


@pytest.mark.req("R1.0", "T11")
def test_another_accounts_events_go_to_nobody_but_it(acme, globex, tms) -> None:
    with Subscriber() as theirs:
        both = [f"127.0.0.1:{tms.port}", f"127.0.0.1:{theirs.port}"]
        from django.test import override_settings

        with override_settings(EGRESS_ALLOW_HOSTS=both, EGRESS_PLAIN_HOSTS=both):
            one, two = System(acme, tms), System(globex, theirs)
            shared = source()
            take(shared, [equipment("GTIN", s.number, "2026-02-01T10:00:00+08:00") for s in (one, two, one)], at=NOW)
            one.run()
    assert {e["equipmentReference"] for b in tms.bundles for e in b} == {one.number}
    assert {e["equipmentReference"] for b in theirs.bundles for e in b} == {two.number}


def test_many_events_come_in_bundles_of_a_hundred_each_once(acme, tms) -> None:
    system = System(acme, tms)
    system.hears(230)
    system.run()
    assert [len(b) for b in tms.bundles] == [100, 100, 30]
    ids = [e["eventID"] for b in tms.bundles for e in b]
    assert len(set(ids)) == 230
    system.run(NOW + timedelta(minutes=5))
    assert len(tms.bundles) == 3


@pytest.mark.req("R1.3", "R1.4")
def test_a_correction_is_news_under_the_same_id_and_a_repeat_is_none(acme, tms) -> None:
    system = System(acme, tms)
    for n, (when, created) in enumerate((("10", "01"), ("10", "01"), ("12", "02"))):
        event = equipment(
            "GTIN", system.number, f"2026-02-01T{when}:00:00+08:00", id="e", created=f"2026-02-{created}T09:00:00Z"
        )
        take(system.line, [event], at=NOW + timedelta(minutes=n))
        system.run(NOW + timedelta(minutes=n))
    first, second = [b for (b,) in tms.bundles]
    assert first["eventID"] == second["eventID"]
    assert (first["eventDateTime"][11:13], second["eventDateTime"][11:13]) == ("10", "12")


def test_history_is_told_to_nobody(acme, tms) -> None:
    system = System(acme, tms)
    rows = (
        f"container,code,classifier,event_time,place,laden\n{system.number},GTIN,ACT,2026-02-01T10:00:00Z,CNSHA,true\n"
    )
    with as_tenant(acme.pk):
        history_apply(source=system.line, body=rows.encode(), at=NOW)
        assert SightingRow.objects.count() == 1
    system.run()
    assert tms.bundles == []
    assert len(system.client.get(EVENTS).json()) == 1  # it can be asked for


def test_an_event_that_waited_in_quarantine_is_sent_when_it_is_applied(acme, tms) -> None:
    system = System(acme, tms)
    late = box()
    take(system.line, [equipment("GTIN", late, "2026-02-01T10:00:00+08:00")], at=NOW)
    system.run()
    assert tms.bundles == []
    shipment(acme, containers=(late,))
    system.run(NOW + timedelta(minutes=1))
    assert [e["equipmentReference"] for b in tms.bundles for e in b] == [late]


# --- when it is not taken ---


def test_the_same_bytes_are_sent_until_they_are_taken_and_nothing_overtakes(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    tms.answers = [Reply(200), Reply(302, headers=(("Location", tms.url),)), Reply(500, b"<h1>Oh</h1>")]
    system.hears(1, code="GTIN")
    system.run()
    system.hears(1, code="LOAD", at=NOW + timedelta(seconds=10))
    system.run(NOW + timedelta(seconds=10))
    assert len(tms.bundles) == 1  # the first one waits, and what comes after it too
    said = [system.row.last_error]
    for _n in range(2):
        system.run(system.due_at())
        said.append(system.row.last_error)
    assert said == ["HTTP 200, and 204 was expected", "HTTP 302, and 204 was expected",
                    "HTTP 500, and 204 was expected: <h1>Oh</h1>"]  # fmt: skip
    system.run(system.due_at())
    codes = [b[0]["equipmentEventTypeCode"] for b in tms.bundles]
    assert codes == ["GTIN", "GTIN", "GTIN", "GTIN", "LOAD"]
    assert len({c.body for c in tms.came[1:5]}) == 1
    assert all(map(genuine, tms.came))
    row, (first, second) = system.row, system.pushes()
    assert (row.failures, row.failing_since, row.last_error) == (0, None, "")
    assert (first.attempts, first.state, second.attempts) == (4, PushState.TAKEN, 1)


def test_it_is_tried_at_least_nine_times_in_three_days_and_ends_after_five(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    tms.usual = Reply(503)
    system.hears(1)
    system.run()
    times = [NOW]
    while system.row.is_active:
        times.append(system.due_at())
        system.run(times[-1])
    assert len([t for t in times if t - NOW <= timedelta(hours=72)]) >= 10
    assert times[-1] - NOW >= GIVES_UP > times[-2] - NOW
    assert max(b - a for a, b in itertools.pairwise(times)) < timedelta(hours=8)
    assert system.client.get(SUBSCRIPTIONS).json() == []  # the list is of active ones
    assert system.client.get(f"{SUBSCRIPTIONS}/{system.id}").status_code == 200


@pytest.mark.req("H4")
def test_the_managers_are_told_and_a_put_begins_again_with_what_is_kept(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    tms.answers = [Reply(410)]
    system.hears(1)
    system.run()
    assert (system.row.is_active, system.row.ended_because) == (False, "gone")
    with as_tenant(acme.pk):
        (fact,) = OutboxRow.objects.filter(name="tracking.subscription_ended")
    assert fact.payload["waiting"] == 1 and fact.payload["address"] == tms.url.partition("?")[0]
    assert fact.payload["why"] == "HTTP 410, and 204 was expected"
    system.hears(1, code="LOAD", at=NOW + timedelta(minutes=1))
    system.run(NOW + timedelta(minutes=1))
    assert len(tms.bundles) == 1  # nothing more is sent, nothing more is put down
    with clock.set_to(NOW + timedelta(hours=1)):
        assert system.put().status_code == 200
    system.run(NOW + timedelta(hours=1))
    assert [b[0]["equipmentEventTypeCode"] for b in tms.bundles] == ["GTIN", "GTIN"]
    assert system.row.is_active


@pytest.mark.parametrize("status", [413, 429, 503])
def test_the_other_side_says_how_long_it_wants_peace(acme, tms, status: int) -> None:
    system = System(acme, tms)
    system.run()
    tms.answers = [Reply(status, headers=(("Retry-After", "7200"),))]
    system.hears(1)
    system.run()
    assert system.row.next_at >= NOW + timedelta(hours=2)
    with as_tenant(acme.pk):
        push_run(subscription=system.id, at=NOW + timedelta(hours=1))
    assert len(tms.bundles) == 1
    system.run(system.due_at())
    assert len(tms.bundles) == 2


def test_a_bundle_that_is_too_large_is_halved(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    tms.answers = [Reply(413), Reply(413), Reply(), Reply(), Reply()]
    system.hears(10)
    system.run()
    assert [len(b) for b in tms.bundles] == [10, 5, 5, 3, 2]
    taken = [e["eventID"] for b in tms.bundles[2:] for e in b]
    assert sorted(taken) == sorted(e["eventID"] for e in tms.bundles[0])
    assert [p.state for p in system.pushes()].count(PushState.SPLIT) == 2


def test_an_address_that_hangs_or_vanishes_is_a_failure_like_any_other(acme, tms, monkeypatch) -> None:
    from tracking import pusher

    system = System(acme, tms)
    system.run()
    monkeypatch.setattr(pusher, "_REQUEST", 0.3)
    tms.answers = [Reply(after=1.0)]
    system.hears(1)
    system.run()
    assert "took too long" in system.row.last_error
    tms.server.shutdown()
    tms.server.server_close()
    system.run(system.due_at())
    assert "refuses the connection" in system.row.last_error
    assert system.row.failures == 2


@pytest.mark.req("H6")
def test_an_address_that_may_not_be_called_any_more_is_not_called(acme, tms) -> None:
    from django.test import override_settings

    system = System(acme, tms)
    with override_settings(EGRESS_ALLOW_HOSTS=[], EGRESS_PLAIN_HOSTS=[]):
        system.run()
    assert tms.came == []
    assert "cannot be called" in system.row.last_error


# --- rights, secrets, changes ---


@pytest.mark.req("A7", "T11")
def test_a_revoked_key_sends_nothing_any_more_until_a_valid_one_takes_over(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    system.hears(1)
    with as_tenant(acme.pk):
        key_revoke(public_id=system.key.public_id, at=NOW, actor="Ada")
    system.run()
    assert tms.bundles == [] and system.row.ended_because == "key_ended"
    assert system.client.get(SUBSCRIPTIONS).status_code == 401
    system.client = client_of(None, key=outward.key_of(acme))
    with clock.set_to(NOW + timedelta(minutes=1)):
        assert system.put().status_code == 200
    system.run(NOW + timedelta(minutes=1))
    assert len(tms.bundles) == 1


@pytest.mark.req("A7")
def test_without_the_entitlement_nothing_is_sent_and_that_is_written_down(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    system.hears(1)
    with as_tenant(acme.pk):
        Subscription.objects.all().update(valid_to=datetime(2026, 3, 1, tzinfo=UTC).date())
    system.run()
    assert tms.bundles == []
    (push,) = system.pushes()
    assert (push.state, push.answer) == (PushState.NOT_SENT, "not_entitled")


@pytest.mark.req("P6")
def test_a_new_secret_signs_from_then_on_also_what_waited(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    tms.answers = [Reply(500)]
    system.hears(1)
    system.run()
    other = VECTORS[2]["secret"]
    assert (
        system.client.put(f"{SUBSCRIPTIONS}/{system.id}/secret", {"secret": other}, "application/json").status_code
        == 204
    )
    system.run(system.due_at())
    assert [(genuine(c), genuine(c, other)) for c in tms.came[1:]] == [(True, False), (False, True)]
    assert tms.came[1].body == tms.came[2].body


def test_a_changed_address_is_asked_anew_and_filters_are_replaced(acme, tms) -> None:
    system = System(acme, tms, eventType=["TRANSPORT"])
    system.run()
    with Subscriber() as moved:
        answer = system.client.put(f"{SUBSCRIPTIONS}/{system.id}", {"callbackUrl": moved.url}, "application/json")
        assert answer.json() == {"subscriptionID": system.id, "callbackUrl": moved.url}
        system.hears(1, at=datetime.now(UTC))
        system.run(datetime.now(UTC) + timedelta(seconds=1))
        assert [len(c.events) for c in moved.came] == [0, 1]
    assert len(tms.came) == 1


@pytest.mark.req("P5")
def test_nothing_leaves_while_sending_is_paused(acme, tms) -> None:
    system = System(acme, tms)
    Installation.objects.update(sending_paused=True)
    try:
        system.run()
        with as_tenant(acme.pk), pytest.raises(TryAgain):
            push_run(subscription=system.id, at=NOW)
        assert tms.came == []
    finally:
        Installation.objects.update(sending_paused=False)
    system.run()
    assert len(tms.came) == 1


@pytest.mark.req("O3", "H5")
def test_two_workers_send_nothing_twice_and_an_account_holds_few_at_a_time(acme, tms) -> None:
    system = System(acme, tms)
    with as_tenant(acme.pk):
        EventSubscription.objects.update(lease_until=NOW + timedelta(seconds=30))
        with pytest.raises(TryAgain):
            push_run(subscription=system.id, at=NOW)
        EventSubscription.objects.update(lease_until=None)
        held = EventSubscription.objects.get()
        for _n in range(2):
            EventSubscription.objects.create(
                callback_url=held.callback_url, secret=held.secret, key=held.key, made_by="", created_at=NOW,
                changed_at=NOW, next_at=NOW, lease_until=NOW + timedelta(seconds=30),
            )  # fmt: skip
        with pytest.raises(TryAgain):
            push_run(subscription=system.id, at=NOW)
        assert tms.came == []
        push_run(subscription=system.id, at=NOW + timedelta(minutes=1))  # their holders are gone
    assert len(tms.came) == 1


def test_a_deleted_subscription_sends_nothing_and_leaves_nothing(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    system.hears(1)
    assert system.client.delete(f"{SUBSCRIPTIONS}/{system.id}").status_code == 204
    system.run()
    assert tms.bundles == []
    with as_tenant(acme.pk):
        assert EventPush.objects.count() == 0
        assert OutboxRow.objects.filter(name="tracking.push", state=RowState.PENDING).count() == 0


def test_the_log_is_kept_for_a_month(acme, tms) -> None:
    system = System(acme, tms)
    system.hears(1)
    system.run()
    with as_tenant(acme.pk):
        pushes_forget(before=NOW)
        assert len(system.pushes()) == 1
        pushes_forget(before=NOW + timedelta(seconds=1))
    assert system.pushes() == []


# --- real processes ---


@pytest.mark.slow
@pytest.mark.req("O2", "O3", "H4")
def test_real_processes_send_what_a_real_web_server_was_told(acme, tms) -> None:
    system = System(acme, tms)
    quick = {"OUTBOX_LEASE_SECONDS": "5", "OUTBOX_AGAIN_SECONDS": "2", **tms.environment}
    with running(processes.worker(**quick), processes.dispatcher(**quick)):
        wait_for(lambda: tms.came, seconds=30, what="the first callback")
        system.hears(60, at=datetime.now(UTC))  # more than fifty: copied
        wait_for(lambda: sum(map(len, tms.bundles)) == 60, seconds=30, what="the events")
        tms.usual = Reply(410)
        system.hears(1, at=datetime.now(UTC), code="LOAD")
        wait_for(lambda: not system.row.is_active, seconds=30, what="the end of the subscription")
    assert all(map(genuine, tms.came))


@pytest.mark.slow
@pytest.mark.req("O11")
@pytest.mark.parametrize("point", ["push.after_answer", "push.after_taken"])
def test_killed_between_two_callbacks_it_goes_on_and_loses_nothing(acme, tms, point: str) -> None:
    system = System(acme, tms)
    system.hears(150)
    program = (
        "import django; django.setup()\n"
        "from portal.outbox.runner import run_due\nfrom datetime import datetime\n"
        f"run_due(at=datetime.fromisoformat('{NOW.isoformat()}'))\n"
    )
    died = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, check=False, capture_output=True,
        env={**os.environ, **tms.environment, "DJANGO_SETTINGS_MODULE": "portal.settings",
             "PLIMSOLL_FAULT": f"{point}:2"},
    )  # fmt: skip
    assert died.returncode == KILLED, died.stderr.decode()[-500:]
    later = NOW + timedelta(minutes=10)
    with as_tenant(acme.pk):
        OutboxRow.objects.filter(state=RowState.PENDING).update(lease_until=None)
    system.run(later)
    sent = [e["eventID"] for b in tms.bundles for e in b]
    assert len(set(sent)) == 150
    assert len({c.body for c in tms.came}) == 3  # what came twice came byte for byte
    assert all(map(genuine, tms.came))
