"""Endpoints: made, checked, changed, switched off and on, and what they missed is sent when a person says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction

from portal.lib.egress import EgressRefused
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry
from portal.webhooks import deliveries as sends
from portal.webhooks import services
from portal.webhooks.deliveries import (
    EndpointOff,
    StillOpen,
    TooMany,
    TooManyTests,
    delivery_replay,
    ping_send,
    range_replay,
    sample_send,
)
from portal.webhooks.models import DeliveryState, EndpointState, OffReason, WebhookEndpoint, WebhookSecret
from portal.webhooks.services import TooManyEndpoints, UnknownKind
from tests.cast import Account
from tests.portal.webhooks.receiver import Receiver, say
from tests.portal.webhooks.world import AT, active, deliveries, endpoint, fresh, run, tell
from tracking.facts import MilestoneReached

pytestmark = pytest.mark.usefixtures("tier")
FACT = replace(MilestoneReached.example(), occurred_at=AT - timedelta(hours=2))


@pytest.fixture
def inside(acme: Account) -> Iterator[Account]:
    """An account whose scope is entered."""
    with as_tenant(acme.pk):
        yield acme


def audited(account: Account, action: str) -> list[AuditEntry]:
    """The audit rows of one action."""
    with as_tenant(account.pk):
        return list(AuditEntry.objects.filter(action=action).order_by("pk"))


@pytest.mark.req("H7")
def test_nothing_is_sent_before_a_signed_ping_was_answered(acme: Account, receiver: Receiver) -> None:
    from tests.portal.webhooks.test_sending import signed_by

    made, secret = endpoint(acme, receiver.url)
    tell(acme, FACT)
    run(acme)
    assert receiver.heard == [] and deliveries(acme) == []
    receiver.answers = [say(500, b"not ready")]
    with as_tenant(acme.pk):
        ping_send(endpoint=made, at=AT)
        ping_send(endpoint=made, at=AT)  # one at a time
    run(acme)
    run(acme, AT + timedelta(days=6))
    assert len(receiver.heard) == 1, "a ping is tried once"
    assert fresh(acme, made).state == EndpointState.UNVERIFIED
    (ping,) = deliveries(acme, tests=True)
    assert (ping.state, ping.reason, ping.is_test) == (DeliveryState.FAILED, "answered 500", True)
    with as_tenant(acme.pk):
        ping_send(endpoint=made, at=AT)
    run(acme)
    heard = receiver.heard[-1]
    assert signed_by(secret, heard.headers, heard.body)
    assert (heard.json()["type"], heard.json()["test"]) == ("webhooks.ping", True)
    now = fresh(acme, made)
    assert (now.state, now.verified_at) == (EndpointState.ACTIVE, AT)
    assert [row.object_id for row in audited(acme, "webhook.verified")] == [made.public_id]
    tell(acme, replace(FACT, milestone="DELIVERED"))
    run(acme)
    assert receiver.heard[-1].json()["data"]["milestone"] == "DELIVERED"


@pytest.mark.req("H7")
def test_another_address_must_answer_again_and_gets_nothing_that_waited(acme: Account, receiver: Receiver) -> None:
    made, _secret = active(acme, receiver.url)
    receiver.always = say(500)
    tell(acme, FACT)
    run(acme)
    receiver.always = say(200)
    heard = len(receiver.heard)
    with as_tenant(acme.pk):
        services.endpoint_change(
            endpoint=made, label="TMS", url=receiver.url + "/new", kinds=made.kinds, actor="test", at=AT
        )
    assert fresh(acme, made).state == EndpointState.UNVERIFIED
    run(acme, AT + timedelta(days=1))
    assert len(receiver.heard) == heard
    assert deliveries(acme)[0].reason == "replaced"
    with as_tenant(acme.pk):
        with pytest.raises(EndpointOff):
            delivery_replay(public_id=deliveries(acme)[0].public_id, actor="test", at=AT)
        ping_send(endpoint=made, at=AT)
    run(acme, AT)
    assert receiver.heard[-1].path == "/hook/new"
    with as_tenant(acme.pk):
        delivery_replay(public_id=deliveries(acme)[0].public_id, actor="test", at=AT)
    run(acme, AT)
    assert deliveries(acme)[0].state == DeliveryState.DONE


@pytest.mark.req("H4")
def test_what_was_missed_while_off_is_kept_and_sent_when_a_person_says_so(acme: Account, receiver: Receiver) -> None:
    made, _secret = active(acme, receiver.url)
    with as_tenant(acme.pk):
        services.endpoint_disable(endpoint=made, actor="test", at=AT)
    receiver.heard.clear()
    for n in range(3):
        at = AT + timedelta(hours=n)
        tell(acme, replace(FACT, milestone=f"M{n}", occurred_at=at), at=at)
        run(acme, at)
    assert receiver.heard == []
    assert {(row.state, row.reason) for row in deliveries(acme)} == {(DeliveryState.UNSENT, "endpoint_off")}
    later = AT + timedelta(hours=5)
    asked = {"since": AT, "until": AT + timedelta(hours=2), "all_of": False, "actor": "test", "at": later}
    with as_tenant(acme.pk):
        with pytest.raises(EndpointOff):
            range_replay(endpoint=fresh(acme, made), **asked)
        ping_send(endpoint=made, at=later)
    run(acme, later)
    receiver.heard.clear()
    with as_tenant(acme.pk):
        on = WebhookEndpoint.objects.get(pk=made.pk)
        assert range_replay(endpoint=on, **asked) == 2, "the end is not included"
    run(acme, later)
    assert sorted(one.json()["data"]["milestone"] for one in receiver.heard) == ["M0", "M1"]
    with as_tenant(acme.pk):
        assert range_replay(endpoint=on, **asked) == 0, "what was taken is not sent again unless asked for"
        first = receiver.heard[0]
        assert range_replay(endpoint=on, **{**asked, "all_of": True}) == 2
    run(acme, later)
    again = [one for one in receiver.heard[2:] if one.id == first.id]
    assert [one.body for one in again] == [first.body], "the same id and the same bytes"
    details = [row.details["messages"] for row in audited(acme, "webhook.replayed")]
    assert details == [2, 0, 2]


@pytest.mark.req("H7")
@pytest.mark.parametrize("step", ["off", "moved", "removed"])
def test_an_answer_that_comes_after_a_person_has_decided_switches_nothing_on(
    acme: Account, receiver: Receiver, step: str
) -> None:
    made, _secret = active(acme, receiver.url)

    def meanwhile(http: object) -> None:
        with as_tenant(acme.pk):
            now = WebhookEndpoint.objects.get(pk=made.pk)
            if step == "off":
                services.endpoint_disable(endpoint=now, actor="test", at=AT)
            elif step == "moved":
                services.endpoint_change(
                    endpoint=now, label="TMS", url=receiver.url + "/new", kinds=now.kinds, actor="test", at=AT
                )
            else:
                services.endpoint_remove(endpoint=now, actor="test", at=AT)
        connections.close_all()
        say(200)(http)  # type: ignore[arg-type]

    receiver.answers = [meanwhile]
    tell(acme, FACT)
    run(acme)
    assert [row.state for row in deliveries(acme)] == [DeliveryState.DONE], "it was taken all the same"
    after = fresh(acme, made)
    assert after.state == (EndpointState.UNVERIFIED if step == "moved" else EndpointState.DISABLED)
    assert after.verified_at == (None if step == "moved" else AT)
    with as_tenant(acme.pk):
        if step == "moved":
            receiver.answers = [meanwhile]  # a ping to the address before says nothing about the one after
            WebhookEndpoint.objects.filter(pk=made.pk).update(url=receiver.url)
            ping_send(endpoint=after, at=AT)
    run(acme)
    assert fresh(acme, made).state == after.state


@pytest.mark.req("H4")
def test_only_what_has_ended_is_sent_again_and_never_too_much_at_once(
    acme: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _secret = active(acme, receiver.url)
    receiver.always = say(500)
    tell(acme, FACT)
    run(acme)
    (row,) = deliveries(acme)
    with as_tenant(acme.pk):
        with pytest.raises(StillOpen):
            delivery_replay(public_id=row.public_id, actor="test", at=AT)
        for n in range(3):
            tell(acme, replace(FACT, milestone=f"M{n}"))
    receiver.always = say(410)
    run(acme)
    receiver.always = say(200)
    with as_tenant(acme.pk):
        ping_send(endpoint=made, at=AT)
    run(acme)
    monkeypatch.setattr(sends, "MOST_REPLAYED", 3)
    with as_tenant(acme.pk), pytest.raises(TooMany):
        range_replay(
            endpoint=fresh(acme, made), since=AT, until=AT + timedelta(hours=1), all_of=False, actor="t", at=AT
        )


def test_a_replayed_message_has_all_its_tries_again(acme: Account, receiver: Receiver) -> None:
    made, _secret = active(acme, receiver.url)
    receiver.answers = [say(410)]
    tell(acme, FACT)
    run(acme)
    with as_tenant(acme.pk):
        ping_send(endpoint=made, at=AT)
    run(acme)
    receiver.answers = [say(500)]
    with as_tenant(acme.pk):
        delivery_replay(public_id=deliveries(acme)[0].public_id, actor="test", at=AT)
    run(acme)
    (row,) = deliveries(acme)
    assert (row.state, row.tries, row.attempts) == (DeliveryState.WAITING, 1, 2)
    run(acme, row.next_at)
    assert deliveries(acme)[0].state == DeliveryState.DONE


@pytest.mark.req("H7")
def test_a_test_is_marked_tried_once_and_not_endless(acme: Account, receiver: Receiver) -> None:
    made, _secret = active(acme, receiver.url)
    receiver.answers = [say(500)]
    with as_tenant(acme.pk):
        row = sample_send(endpoint=made, kind="credits.credit_approved", at=AT)
    run(acme)
    heard = receiver.heard[-1].json()
    assert (heard["type"], heard["test"]) == ("credits.credit_approved", True)
    with as_tenant(acme.pk):
        row.refresh_from_db()
        assert (row.state, row.attempts) == (DeliveryState.FAILED, 1)
        for _n in range(sends.MOST_TESTS - 2):
            sample_send(endpoint=made, kind="credits.credit_approved", at=AT)
        with pytest.raises(TooManyTests):
            sample_send(endpoint=made, kind="credits.credit_approved", at=AT)
        sample_send(endpoint=made, kind="credits.credit_approved", at=AT + timedelta(hours=1, seconds=1))


@pytest.mark.req("H6")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook", "https://user:word@example.com/", "https://example.com:8443/", "https://127.0.0.1/",
        "https://[::1]/", "https://169.254.169.254/latest", "https://10.1.2.3/", "https://[fd00::1]/", "https://[64:ff9b::1]/",
        "https://[2002:7f00:1::]/", "https://[::ffff:10.0.0.1]/", "https://100.64.0.1/", "https://224.0.0.1/",
        "https://240.0.0.1/", "https://[fec0::1]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        "ftp://example.com/", "", "https://",
    ],
)  # fmt: skip
def test_an_address_that_may_never_be_called_cannot_be_entered(inside: Account, url: str) -> None:
    with pytest.raises(EgressRefused):
        services.endpoint_create(label="x", url=url, kinds=["credits.credit_approved"], actor="test", at=AT)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.req("H6")
def test_the_operators_own_hosts_are_none_of_a_customers(inside: Account) -> None:
    from django.test import override_settings

    with override_settings(EGRESS_ALLOW_HOSTS=["10.1.2.3", "gateway:8443"], EGRESS_PLAIN_HOSTS=["gateway"]):
        for url in ("https://10.1.2.3/", "https://gateway:8443/", "http://gateway/"):
            with pytest.raises(EgressRefused):
                services.endpoint_create(label="x", url=url, kinds=["credits.credit_approved"], actor="test", at=AT)


def test_kinds_are_those_offered_and_endpoints_not_without_end(inside: Account) -> None:
    for kinds in ([], ["people.invited"], ["credits.credit_approved", "webhooks.ping"], ["tracking.source_silent"]):
        with pytest.raises(UnknownKind):
            services.endpoint_create(label="x", url="https://example.com/", kinds=kinds, actor="test", at=AT)
    for n in range(services.MOST):
        made, _s = services.endpoint_create(
            label=f"n{n}", url="https://example.com/", kinds=["credits.credit_approved"], actor="test", at=AT
        )
    with pytest.raises(TooManyEndpoints):
        services.endpoint_create(
            label="one more", url="https://example.com/", kinds=["credits.credit_approved"], actor="test", at=AT
        )
    services.endpoint_remove(endpoint=made, actor="test", at=AT)
    assert not WebhookSecret.objects.filter(endpoint=made).exists()
    services.endpoint_create(
        label="one more", url="https://example.com/", kinds=["credits.credit_approved"], actor="test", at=AT
    )


@pytest.mark.req("P6")
def test_at_most_two_secrets_are_valid_and_the_oldest_goes_first(inside: Account) -> None:
    made, first = endpoint(inside, "https://example.com/")
    from portal.webhooks.selectors import secret_texts

    second = services.secret_rotate(endpoint=made, overlap=timedelta(days=7), actor="test", at=AT)
    assert secret_texts(made, at=AT) == [second, first]
    third = services.secret_rotate(
        endpoint=made, overlap=timedelta(hours=1), actor="test", at=AT + timedelta(minutes=1)
    )
    assert secret_texts(made, at=AT + timedelta(minutes=1)) == [third, second]
    assert secret_texts(made, at=AT + timedelta(hours=2)) == [third]
    at_once = AT + timedelta(hours=3)
    fourth = services.secret_rotate(endpoint=made, overlap=timedelta(), actor="test", at=at_once)
    assert secret_texts(made, at=at_once) == [fourth]


@pytest.mark.req("L1", "L3")
def test_every_change_is_in_the_audit_trail_without_secrets_or_the_whole_address(inside: Account) -> None:
    url = "https://example.com/hook?token=s3cretword"
    made, secret = endpoint(inside, url)
    services.endpoint_change(endpoint=made, label="New", url=url, kinds=made.kinds, actor="Mara", at=AT)
    newer = services.secret_rotate(endpoint=made, overlap=timedelta(hours=1), actor="Mara", at=AT)
    services.endpoint_disable(endpoint=made, actor="Mara", at=AT)
    services.endpoint_remove(endpoint=made, actor="Mara", at=AT)
    rows = list(AuditEntry.objects.filter(object_id=made.public_id).order_by("pk"))
    assert [row.action for row in rows] == [
        "webhook.created", "webhook.changed", "webhook.secret_rotated", "webhook.disabled", "webhook.removed",
    ]  # fmt: skip
    whole = " ".join(str(row.__dict__) for row in rows)
    assert "example.com" in whole
    assert not any(word in whole for word in ("s3cretword", secret[6:30], newer[6:30]))


@pytest.mark.req("T1", "D3")
def test_the_database_keeps_what_must_hold(acme: Account, globex: Account) -> None:
    made, _secret = endpoint(acme, "https://example.com/")
    with as_tenant(globex.pk):
        assert not WebhookEndpoint.objects.filter(pk=made.pk).exists()
    with as_tenant(acme.pk):
        with pytest.raises(IntegrityError), transaction.atomic():
            WebhookEndpoint.objects.filter(pk=made.pk).update(state=EndpointState.ACTIVE)
        row = ping_send(endpoint=made, at=AT)
        with pytest.raises(IntegrityError), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(state=DeliveryState.DONE)
    assert fresh(acme, made).off_reason == OffReason.NONE
