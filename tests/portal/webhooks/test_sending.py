"""A fact reaches each endpoint that wants it, at least once and with the same id and bytes, or the log says why not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from portal.lib.egress import call
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import row_run
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


@pytest.mark.req("H2", "H3")
@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (say(500, b"out of order"), 500, "answered 500"), (say(404), 404, "answered 404"),
        (say(302, Location="https://elsewhere.example/"), 302, "answered 302: redirects are not followed"),
        (say(307, Location="https://localhost:1/"), 307, "answered 307: redirects are not followed"),
        (slam, None, "localhost"),
    ],
    ids=["500", "404", "302", "307", "no answer"],
)  # fmt: skip
def test_what_is_not_taken_comes_again_with_the_same_id_and_bytes(
    acme: Account, receiver: Receiver, answer: object, status: int | None, says: str
) -> None:
    active(acme, receiver.url)
    receiver.heard.clear()
    receiver.answers = [answer]  # type: ignore[list-item]
    tell(acme, FACT)
    run(acme)
    (row,) = deliveries(acme)
    assert (row.state, row.attempts) == (DeliveryState.WAITING, 1)
    assert says in row.reason
    run(acme, AT + timedelta(seconds=29))
    assert deliveries(acme)[0].attempts == 1, "not before its time"
    run(acme, AT + timedelta(seconds=40))
    (row,) = deliveries(acme)
    assert (row.state, row.attempts, row.reason) == (DeliveryState.DONE, 2, "")
    first, second = receiver.heard
    assert (first.id, first.body) == (second.id, second.body)
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 40
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    kept = attempts(acme, row)
    assert [a.status for a in kept] == [status, 200]
    assert kept[0].excerpt == ("out of order" if status == 500 else "")


@pytest.mark.req("H3", "H4")
def test_an_endpoint_that_never_takes_anything_is_switched_off_after_five_days_and_its_managers_are_told(
    acme: Account, receiver: Receiver
) -> None:
    made, _secret = active(acme, receiver.url)
    receiver.heard.clear()
    receiver.always = say(503)
    tell(acme, FACT)
    at, tried = AT, []
    for _try in range(40):
        before = len(receiver.heard)
        run(acme, at)
        tried += [at] if len(receiver.heard) > before else []
        (row,) = deliveries(acme)
        if row.state != DeliveryState.WAITING:
            break
        assert fresh(acme, made).state == EndpointState.ACTIVE
        at = row.next_at
    waits = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert len(waits) >= 9 and tried[-1] - tried[0] >= timedelta(hours=72)
    assert tried[-1] - tried[0] >= timedelta(days=5), "nothing is given up before the endpoint is switched off"
    assert any(w % timedelta(seconds=1) for w in waits), "spread, so that failures do not come back together"
    assert len({one.id for one in receiver.heard}) == len({one.body for one in receiver.heard}) == 1
    assert (row.state, row.attempts) == (DeliveryState.FAILED, len(tried))
    assert row.reason == f"given up after {len(tried)} tries: answered 503"
    off = fresh(acme, made)
    assert (off.state, off.off_reason) == (EndpointState.DISABLED, OffReason.FAILING)
    told = mails(acme, "webhooks.endpoint_disabled")
    assert told == [(acme.manager.user.email, "12 Mar 2026 10:00 CET")]


def mails(account: Account, fact_key: str) -> list[tuple[str, str]]:
    """(address, since) of the mails about a fact."""
    from portal.notify.models import Delivery

    with as_tenant(account.pk):
        return [(d.email, d.fact.get("since", "")) for d in Delivery.objects.filter(fact_key=fact_key).order_by("pk")]


@pytest.mark.req("H4")
def test_a_message_that_is_never_taken_is_given_up_aloud_while_others_pass(acme: Account, receiver: Receiver) -> None:
    made, _secret = active(acme, receiver.url, wants=["tracking.milestone_reached", "credits.credit_approved"])
    tell(acme, FACT)
    at = AT
    for n in range(rules.MOST_TRIES):
        receiver.answers = [say(500)]
        run(acme, at, names="webhooks")
        if n == 0:
            run(acme, at)
        receiver.answers = []
        tell(acme, replace(CreditApproved.example(), occurred_at=at, credit=f"{n:020d}"), at=at)
        run(acme, at)  # another one is taken: the endpoint does not fail
        bad = deliveries(acme)[0]
        at = bad.next_at if bad.state == DeliveryState.WAITING else at
    bad, *good = deliveries(acme)
    assert (bad.state, bad.tries) == (DeliveryState.FAILED, rules.MOST_TRIES)
    assert {row.state for row in good} == {DeliveryState.DONE}
    assert fresh(acme, made).state == EndpointState.ACTIVE
    run(acme, at)
    assert [email for email, _since in mails(acme, "webhooks.deliveries_given_up")] == [acme.manager.user.email]


@pytest.mark.req("H3")
def test_an_endpoint_that_is_gone_is_switched_off_at_once(acme: Account, receiver: Receiver) -> None:
    made, _secret = active(acme, receiver.url)
    receiver.answers = [say(500)]
    tell(acme, FACT)
    run(acme)
    receiver.answers = [say(410)]
    tell(acme, replace(FACT, milestone="GATE_OUT_FULL"))
    run(acme)
    off = fresh(acme, made)
    assert (off.state, off.off_reason) == (EndpointState.DISABLED, OffReason.GONE)
    waiting, gone = deliveries(acme)
    assert (gone.state, gone.reason) == (DeliveryState.FAILED, "answered 410")
    assert (waiting.state, waiting.reason) == (DeliveryState.UNSENT, "endpoint_off")
    assert [email for email, _since in mails(acme, "webhooks.endpoint_disabled")] == [acme.manager.user.email]
    heard = len(receiver.heard)
    tell(acme, replace(FACT, milestone="DELIVERED"))
    run(acme, AT + timedelta(days=1))
    assert len(receiver.heard) == heard
    assert deliveries(acme)[-1].reason == "endpoint_off", "kept, so that it can be sent again"
    with as_tenant(acme.pk):
        assert not OutboxRow.objects.filter(name="webhooks.send", state=RowState.PENDING).exists()


@pytest.mark.req("H3")
@pytest.mark.parametrize(
    ("status", "said", "waits"),
    [
        (429, "90", timedelta(seconds=90)), (503, "Thu, 12 Mar 2026 09:20:00 GMT", timedelta(minutes=20)),
        (429, "999999", timedelta(hours=6)), (503, "soon", timedelta(seconds=30)), (503, "-5", timedelta(seconds=30)),
        (500, "90", timedelta(seconds=30)), (429, "1", timedelta(seconds=30)),
        (503, "Thu, 12 Mar 2020 09:20:00 GMT", timedelta(seconds=30)),
    ],
)  # fmt: skip
def test_who_asks_to_be_left_alone_is_left_alone(
    acme: Account, receiver: Receiver, status: int, said: str, waits: timedelta
) -> None:
    active(acme, receiver.url)
    receiver.answers = [say(status, Retry_After=said)]
    tell(acme, FACT)
    run(acme)
    (row,) = deliveries(acme)
    assert waits <= row.next_at - AT <= waits * 1.16
    if status != 500 and waits > timedelta(seconds=30):
        tell(acme, replace(FACT, milestone="GATE_OUT_FULL"))  # another message waits as well
        heard = len(receiver.heard)
        run(acme, AT + waits - timedelta(seconds=1))
        assert len(receiver.heard) == heard
        run(acme, AT + waits * 1.16 + timedelta(seconds=30))
        assert {row.state for row in deliveries(acme)} == {DeliveryState.DONE}


@pytest.mark.req("H3")
@pytest.mark.parametrize(
    "answer", [say(200, b"x" * 300_000), say(204), say(299, b"\x00\xff<b>", Content_Encoding="gzip")]
)
def test_2xx_is_taken_whatever_else_is_said(acme: Account, receiver: Receiver, answer: object) -> None:
    active(acme, receiver.url)
    receiver.answers = [answer]  # type: ignore[list-item]
    tell(acme, FACT)
    run(acme)
    (row,) = deliveries(acme)
    assert row.state == DeliveryState.DONE
    (kept,) = attempts(acme, row)
    assert len(kept.excerpt) <= rules.EXCERPT
    assert "\x00" not in kept.excerpt


@pytest.mark.req("H3")
def test_an_endpoint_that_takes_too_long_has_not_taken_it(
    acme: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.webhooks import sending

    assert sending.SECONDS == 20
    assert sending.MOST_READ == 64 * 1024
    active(acme, receiver.url)
    monkeypatch.setattr(sending, "SECONDS", 0.4)
    receiver.answers = [late(3)]
    tell(acme, FACT)
    run(acme)
    (row,) = deliveries(acme)
    assert (row.state, row.attempts) == (DeliveryState.WAITING, 1)
    assert "took too long" in row.reason


@pytest.mark.req("H6")
def test_an_address_that_is_not_public_is_never_called_and_the_log_says_so(acme: Account, receiver: Receiver) -> None:
    active(acme, receiver.url)
    heard = len(receiver.heard)
    tell(acme, FACT)
    from django.test import override_settings

    with override_settings(WEBHOOK_ALLOW_HOSTS=[], EGRESS_PORTS=[443, receiver.port]):
        run(acme)
        # what the operator may reach inside is not for customers
        with override_settings(EGRESS_ALLOW_HOSTS=[f"localhost:{receiver.port}"]):
            run(acme, AT + timedelta(minutes=1))
            assert call("POST", receiver.url, body=b"").status == 200
    assert len(receiver.heard) == heard + 1
    (row,) = deliveries(acme)
    assert (row.state, row.attempts) == (DeliveryState.WAITING, 2)
    assert "is not public" in row.reason


@pytest.mark.req("O9", "A7", "R5.1")
@pytest.mark.parametrize(
    ("lost", "fact", "unsent"),
    [
        ("webhooks", FACT, True), ("milestone_emails", FACT, True), ("live_tracking", FACT, False),
        ("live_tracking", replace(FACT, milestone="DISCHARGED", is_core=False), True),
        ("live_tracking", replace(EtaChanged.example(), occurred_at=AT), True),
        ("kpi_snapshots", FACT, False),
    ],
)  # fmt: skip
def test_the_tier_is_judged_when_sending(
    acme: Account, receiver: Receiver, tier: set[str], lost: str, fact: object, unsent: bool
) -> None:
    active(acme, receiver.url)
    receiver.heard.clear()
    tell(acme, fact)  # type: ignore[arg-type]
    tier.add(lost)
    run(acme)
    (row,) = deliveries(acme)
    assert len(receiver.heard) == (0 if unsent else 1)
    assert (row.state, row.reason, row.attempts) == (
        (DeliveryState.UNSENT, "not_entitled", 0) if unsent else (DeliveryState.DONE, "", 1)
    )  # fmt: skip


@pytest.mark.req("O9", "A7")
def test_nothing_goes_to_a_closed_account_nor_while_sending_is_paused(acme: Account, receiver: Receiver) -> None:
    from portal.notify.services import sending_set
    from portal.tenancy.models import Tenant

    active(acme, receiver.url)
    receiver.heard.clear()
    tell(acme, FACT)
    try:
        sending_set(paused=True, actor="test", at=AT)
        run(acme)
        assert receiver.heard == []
        assert deliveries(acme)[0].state == DeliveryState.WAITING
    finally:
        sending_set(paused=False, actor="test", at=AT)
    with as_tenant(acme.pk):
        Tenant.objects.filter(pk=acme.pk).update(is_active=False)
    run(acme, AT + timedelta(minutes=1))
    assert receiver.heard == []
    assert deliveries(acme)[0].reason == "account_inactive"


@pytest.mark.req("H1", "P6")
def test_while_a_secret_is_replaced_both_sign(acme: Account, receiver: Receiver) -> None:
    made, old = active(acme, receiver.url)
    with as_tenant(acme.pk):
        new = services.secret_rotate(endpoint=made, overlap=timedelta(hours=24), actor="test", at=AT)
    for hours, both in ((1, True), (23, True), (24, False)):
        at = AT + timedelta(hours=hours)
        receiver.heard.clear()
        tell(acme, replace(FACT, milestone=f"STEP_{hours}"), at=at)
        run(acme, at)
        (heard,) = receiver.heard
        assert signed_by(new, heard.headers, heard.body)
        assert signed_by(old, heard.headers, heard.body) is both
        assert len(heard.headers["webhook-signature"].split(" ")) == (2 if both else 1)


@pytest.mark.req("H1")
def test_secrets_are_long_random_and_sealed_at_rest(acme: Account) -> None:
    from portal.webhooks.models import WebhookSecret

    seen = set()
    for n in range(5):
        _made, secret = endpoint(acme, "https://example.com/hook", label=f"n{n}")
        assert secret.startswith("whsec_") and 24 <= len(base64.b64decode(secret[6:])) <= 64
        seen.add(secret)
    assert len(seen) == 5
    with as_tenant(acme.pk):
        stored = " ".join(row.sealed + row.hint for row in WebhookSecret.objects.all())
    assert all(secret[6:] not in stored and secret[6:-4] not in stored for secret in seen)


@pytest.mark.req("T13", "T11")
def test_no_message_carries_another_accounts_data(acme: Account, globex: Account, receiver: Receiver) -> None:
    from tests.tracking.messages import equipment, number_of, shipment, source, take

    both, line = {}, source()
    for account, mark in ((acme, "acme"), (globex, "globex")):
        active(account, f"{receiver.url}/{mark}")
        both[mark] = shipment(account)
    receiver.heard.clear()
    now = datetime(2026, 2, 21, 12, tzinfo=UTC)
    for mark in both:
        take(line, [equipment("GTIN", number_of(both[mark]), "2026-02-20T09:30:00+08:00")], at=now)
    for account in (acme, globex):
        run(account, now)
    told = {mark: [h for h in receiver.heard if h.path == f"/hook/{mark}"] for mark in both}
    for mine, other, account, stranger in (("acme", "globex", acme, globex), ("globex", "acme", globex, acme)):
        assert told[mine], "both are told of their own"
        for heard in told[mine]:
            whole = heard.body.decode() + json.dumps(heard.headers)
            assert both[mine].public_id in whole and account.tenant.code in whole
            for foreign in (both[other].public_id, both[other].ref, stranger.tenant.code, stranger.tenant.name):
                assert foreign not in whole


@pytest.mark.req("H2")
def test_facts_for_systems_alone_wake_nobody_where_nobody_listens(acme: Account, receiver: Receiver) -> None:
    fact = replace(EtaChanged.example(), occurred_at=AT)
    tell(acme, fact)
    with as_tenant(acme.pk):
        assert (OutboxRow.objects.get().state, OutboxRow.objects.get().reason) == (RowState.DONE, "nobody")
    active(acme, receiver.url, wants=["tracking.eta_changed"])
    receiver.heard.clear()
    tell(acme, replace(fact, now="2026-03-15T06:40:00+00:00"))
    run(acme)
    assert [h.json()["data"]["now"] for h in receiver.heard] == ["2026-03-15T06:40:00+00:00"]
    from portal.notify.models import Delivery

    with as_tenant(acme.pk):
        assert not Delivery.objects.filter(fact_key=fact.key).exists(), "no person is told"


@pytest.mark.req("H7", "L4")
def test_the_log_is_forgotten_after_thirty_days_and_what_waits_is_not(acme: Account, receiver: Receiver) -> None:
    from portal.outbox.tasks import what_is_due

    active(acme, receiver.url)
    tell(acme, FACT)
    run(acme)
    from portal.lib import clock

    for days, left in ((29, 2), (31, 0)):
        with clock.set_to(AT + timedelta(days=days)):
            what_is_due()
        run(acme, AT + timedelta(days=days))
        assert len(deliveries(acme, tests=True)) == left


@pytest.mark.req("H5", "F2")
@pytest.mark.parametrize(
    ("flying", "failing", "last_ms", "goes"),
    [
        ([3], False, 50, True), ([4], False, 50, False), ([0, 4, 3], False, 50, True), ([0, 4, 4], False, 50, False),
        ([1], True, 50, False), ([0], True, 50, True), ([1], False, 2_001, False), ([0, 4], True, 50, True),
    ],
)  # fmt: skip
def test_no_more_requests_are_in_flight_than_may_be(
    acme: Account, receiver: Receiver, flying: list[int], failing: bool, last_ms: int, goes: bool
) -> None:
    from portal.webhooks.models import WebhookDelivery, WebhookEndpoint

    made = [active(acme, f"{receiver.url}/{n}", label=f"n{n}", wants=["tracking.milestone_reached"])[0]
            for n in range(len(flying))]  # fmt: skip
    for n in range(4):
        tell(acme, replace(FACT, milestone=f"M{n}"))
    run(acme, names="tracking")
    with as_tenant(acme.pk):
        for one, number in zip(made, flying, strict=True):
            rows = WebhookDelivery.objects.filter(endpoint=one, is_test=False).order_by("pk")
            held = list(rows.values_list("pk", flat=True)[:number])
            WebhookDelivery.objects.filter(pk__in=held).update(
                state=DeliveryState.SENDING, lease_until=datetime.now(UTC) + timedelta(minutes=2)
            )
        WebhookEndpoint.objects.filter(pk=made[0].pk).update(failing_since=AT if failing else None, last_ms=last_ms)
    tell(acme, replace(FACT, milestone="LAST"))
    run(acme, names="tracking")
    receiver.heard.clear()
    with as_tenant(acme.pk):
        last = WebhookDelivery.objects.filter(endpoint=made[0], is_test=False).order_by("-pk")[0]
        row = OutboxRow.objects.get(key=f"webhooks.send:{last.key}")
        row_run(row_id=row.pk, at=AT)
        row.refresh_from_db()
    assert len(receiver.heard) == int(goes)
    assert (row.state == RowState.DONE) is goes
    if not goes:
        assert AT < row.due_at <= AT + timedelta(seconds=15), "soon again"
        assert row.attempts == 0, "waiting is no attempt"
