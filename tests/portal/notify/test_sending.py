"""A notice goes to whom it concerns, once, and every way it can end is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings

from portal.account.facts import Invited
from portal.brand.selectors import Look
from portal.lib import seal
from portal.lib.facts import Fact
from portal.notify import channels, services
from portal.notify.models import Delivery, NoticePreference, Phase, SuppressedAddress
from portal.outbox import runner
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.services import emit
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Member, User
from portal.web import policy
from tests.cast import Account
from tests.processes import Sink
from tests.tracking.messages import shipment
from tiers.credits.facts import CreditApproved
from tracking.facts import MilestoneReached
from tracking.services import shipments_follow

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An SMTP server, and the settings that lead to it."""
    channels._breakers.clear()
    with Sink() as server, override_settings(EMAIL_HOST="127.0.0.1", EMAIL_PORT=server.port, EMAIL_TIMEOUT=1):
        yield server


@pytest.fixture(autouse=True)
def tier() -> Iterator[list[str]]:
    """Every account may have everything but what the test names."""
    before, refused = list(policy._entitled), []
    policy.ask_entitlements_of(lambda key, at: key not in refused)
    yield refused
    policy._entitled[:] = before


def tell(account: Account, fact: Fact, at: datetime = AT) -> None:
    """Records a fact."""
    with as_tenant(account.pk), transaction.atomic():
        emit(fact, at=at)


def run(account: Account, at: datetime = AT) -> None:
    """Runs what is due for one account, as the workers would."""
    for _round in range(20):
        with as_tenant(account.pk):
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=at).values_list("pk", flat=True)
            if not sum([runner.row_run(row_id=pk, at=at) for pk in due]):
                return


def deliveries(account: Account) -> list[Delivery]:
    """All of one account."""
    with as_tenant(account.pk):
        return list(Delivery.objects.order_by("pk"))


def rename(account: Account, pattern: str) -> str:
    """Gives the member an address to which the sink answers in its own way."""
    with as_tenant(account.pk), transaction.atomic():
        address = f"{pattern}-{account.member.public_id}@example.com"
        User.objects.filter(pk=account.member.user_id).update(email=address)
    return address


def only_member(account: Account) -> None:
    """The manager leaves, so that one mail is due."""
    with as_tenant(account.pk), transaction.atomic():
        Member.objects.filter(pk=account.manager.pk).update(is_active=False)


FACT = replace(MilestoneReached.example(), occurred_at=AT - timedelta(hours=2))


@pytest.mark.req("O7", "O8", "W3")
def test_each_follower_gets_one_mail_with_its_headers(acme: Account, sink: Sink) -> None:
    tell(acme, FACT)
    tell(acme, FACT)
    run(acme)
    assert [d.phase for d in deliveries(acme)] == [Phase.SENT, Phase.SENT]
    (mail,) = sink.to(acme.member.user.email)
    assert mail["Subject"] == "MRD-2026-00417: Vessel arrived, NLRTM"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith(f"<{settings.PUBLIC_URL}/notices/unsubscribe/")
    assert mail["List-Unsubscribe"].endswith(">")
    assert mail["Message-ID"] == next(d.message_id for d in deliveries(acme) if d.email == acme.member.user.email)
    plain, html = mail.get_payload()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    words = plain.get_payload(decode=True).decode()
    assert "MRD-2026-00417: Vessel arrived at NLRTM, 12 Mar 2026 07:40 CET" in words
    assert f"{settings.PUBLIC_URL}/shipments/" in words
    assert "<" not in words
    assert set(sink.by_message_id().values()) == {1}


@pytest.mark.req("O7")
def test_managers_hear_of_money_and_one_person_of_an_invitation(acme: Account, sink: Sink) -> None:
    tell(acme, replace(CreditApproved.example(), occurred_at=AT))
    tell(acme, replace(Invited.example(), occurred_at=AT))
    run(acme)
    assert sorted(d.email for d in deliveries(acme)) == sorted([acme.manager.user.email, "jo@example.com"])
    (invitation,) = [d for d in deliveries(acme) if d.member_id is None]
    assert (invitation.phase, invitation.fact) == (Phase.SENT, {})  # its secret link is forgotten
    (mail,) = [m for m in sink.to("jo@example.com") if m["Message-ID"] == invitation.message_id]
    assert mail["List-Unsubscribe"] is None
    assert seal.unseal(Invited.example().link) in mail.get_payload()[0].get_payload(decode=True).decode()


@pytest.mark.req("O10")
def test_a_server_that_says_later_is_asked_again_and_one_that_says_no_is_not(acme: Account, sink: Sink) -> None:
    only_member(acme)
    rename(acme, "later-451")
    tell(acme, FACT)
    run(acme)
    (waiting,) = deliveries(acme)
    assert (waiting.phase, waiting.attempts) == (Phase.QUEUED, 1)
    assert "451" in waiting.reason
    run(acme, AT + timedelta(minutes=2))
    assert deliveries(acme)[0].phase == Phase.SENT
    assert deliveries(acme)[0].message_id == waiting.message_id

    refused = rename(acme, "refuse-550")
    tell(acme, replace(FACT, milestone="DELIVERED"))
    run(acme)
    (_sent, failed) = deliveries(acme)
    assert failed.phase == Phase.FAILED
    with as_tenant(acme.pk):
        assert SuppressedAddress.objects.get().email == refused
    tell(acme, replace(FACT, milestone="DISCHARGED"))
    run(acme)
    assert (deliveries(acme)[-1].phase, deliveries(acme)[-1].reason) == (Phase.SUPPRESSED, "suppressed_address")
    assert sink.tries[refused] == 1


@pytest.mark.req("O7")
def test_silence_after_the_content_is_uncertain_and_waits_for_a_person(acme: Account, sink: Sink) -> None:
    only_member(acme)
    address = rename(acme, "drop")
    tell(acme, FACT)
    run(acme)
    run(acme, AT + timedelta(days=1))
    (lost,) = deliveries(acme)
    assert lost.phase == Phase.UNCERTAIN
    assert len(sink.to(address)) == 1  # never sent again by itself
    with as_tenant(acme.pk):
        with pytest.raises(services.ReasonNeeded):
            services.delivery_resolve(public_id=lost.public_id, sent=True, actor="ops", reason=" ", at=AT)
        services.delivery_resolve(public_id=lost.public_id, sent=False, actor="ops", reason="not in the log", at=AT)
        with pytest.raises(services.NotUncertain):
            services.delivery_resolve(public_id=lost.public_id, sent=True, actor="ops", reason="twice", at=AT)
        assert AuditEntry.objects.filter(action="delivery.resolved", object_id=lost.public_id).count() == 1
    run(acme)
    ids = [m["Message-ID"] for m in sink.to(address)]
    assert ids == [lost.message_id] * 2  # by a person's word, under the same key


@pytest.mark.req("O10", "P3")
def test_a_server_that_is_away_uses_up_no_tries_and_is_left_alone_for_a_while(acme: Account) -> None:
    channels._breakers.clear()
    only_member(acme)
    with override_settings(EMAIL_HOST="127.0.0.1", EMAIL_PORT=1, EMAIL_TIMEOUT=1):
        tell(acme, FACT)
        for minutes in range(12):
            run(acme, AT + timedelta(minutes=2 * minutes))
        (waiting,) = deliveries(acme)
        assert (waiting.phase, waiting.attempts) == (Phase.QUEUED, 0)
        assert waiting.reason == "the mail server is being left alone"
        assert channels.breaker().wait_seconds() > 0
    channels._breakers.clear()


@pytest.mark.req("O9", "A7")
def test_rights_wishes_and_age_are_judged_when_sending(acme: Account, sink: Sink) -> None:
    with as_tenant(acme.pk), transaction.atomic():
        services.preference_set(member=acme.member, fact_key=FACT.key, wanted=False, at=AT)
    tell(acme, FACT)
    with as_tenant(acme.pk):
        for pk in list(OutboxRow.objects.values_list("pk", flat=True)):
            runner.row_run(row_id=pk, at=AT)  # fanned out, not yet sent
        with transaction.atomic():
            Member.objects.filter(pk=acme.manager.pk).update(is_active=False)
    run(acme)
    assert {d.reason for d in deliveries(acme)} == {"not_wanted", "member_inactive"}
    assert not sink.accepted


@pytest.mark.req("O9")
def test_who_wants_followed_shipments_only_hears_of_those_and_others_of_all(acme: Account, sink: Sink) -> None:
    mine, other = shipment(acme), shipment(acme)
    with as_tenant(acme.pk), transaction.atomic():
        services.preference_set(member=acme.member, fact_key=f"{FACT.key}.followed", wanted=True, at=AT)
        shipments_follow(member=acme.member, shipments=[mine.pk], at=AT)
    for made in (mine, other):
        tell(acme, replace(FACT, shipment=made.public_id, reference=made.ref))
    run(acme)
    to_member = [mail["Subject"].split(":")[0] for mail in sink.to(acme.member.user.email)]
    to_manager = sorted(mail["Subject"].split(":")[0] for mail in sink.to(acme.manager.user.email))
    assert to_member == [mine.ref]
    assert to_manager == sorted([mine.ref, other.ref])
    assert [d.reason for d in deliveries(acme) if d.phase == Phase.SUPPRESSED] == ["not_followed"]


@pytest.mark.req("O9")
def test_old_news_is_dropped_with_its_reason(acme: Account, globex: Account, sink: Sink) -> None:
    tell(acme, FACT)
    run(acme, AT + timedelta(hours=73))  # nobody looked for three days
    only_member(globex)
    rename(globex, "later-451")
    tell(globex, FACT)
    run(globex)  # asked to come back, and then nobody did
    run(globex, AT + timedelta(hours=73))
    found = [*deliveries(acme), *deliveries(globex)]
    assert {(d.phase, d.reason) for d in found} == {(Phase.SUPPRESSED, "stale")}
    assert not sink.accepted


@pytest.mark.req("O9")
def test_staff_are_told_in_their_own_scope_only(acme: Account, sink: Sink) -> None:
    with as_tenant(OPERATOR_ID), transaction.atomic():
        assert services.deliveries_create(fact=FACT, recorded_at=AT, at=AT) == 0
    with as_tenant(acme.pk):
        assert not Delivery.objects.exists()


@pytest.mark.req("P5")
def test_a_pause_holds_every_mail_back_and_loses_none(acme: Account, sink: Sink) -> None:
    from portal.outbox.selectors import due_rows

    services.sending_set(paused=True, actor="ops", at=AT)
    try:
        tell(acme, FACT)
        run(acme)
        assert {d.phase for d in deliveries(acme)} == {Phase.QUEUED}
        later = AT + timedelta(hours=1)
        due = due_rows(at=later, most=100_000, each=100_000, again_seconds=0)
        assert acme.pk not in {tenant for tenant, _ in due}  # not even published
    finally:
        assert services.sending_set(paused=False, actor="ops", at=AT)
    run(acme, AT + timedelta(hours=1))
    assert {d.phase for d in deliveries(acme)} == {Phase.SENT}


@pytest.mark.req("O8")
def test_a_header_with_a_line_break_is_refused(acme: Account, sink: Sink) -> None:
    only_member(acme)
    tell(acme, replace(FACT, reference="MRD\r\nBcc: everybody@example.com"))
    run(acme)
    (failed,) = deliveries(acme)
    assert failed.phase == Phase.FAILED
    assert "line break" in failed.reason
    assert not sink.accepted


@pytest.mark.req("O3", "O7")
def test_a_sender_that_wakes_after_its_lease_transmits_nothing(acme: Account, sink: Sink) -> None:
    from portal.notify import sending

    only_member(acme)
    tell(acme, FACT)
    with as_tenant(acme.pk):
        for pk in list(OutboxRow.objects.values_list("pk", flat=True)):
            runner.row_run(row_id=pk, at=AT)
        key = Delivery.objects.get().key
        sleeper = sending._claim(key)
        assert sleeper is not None
        content = sending._content(sleeper, Look(name="Meridian"), AT)
        with transaction.atomic():
            Delivery.objects.update(lease_until=datetime(2020, 1, 1, tzinfo=UTC))
        sending.delivery_send(key=key, at=AT)  # another worker
        with pytest.raises(sending.LostClaim):
            sending._dialogue(sleeper, content, AT)
    assert list(sink.by_message_id().values()) == [1]


@pytest.mark.req("R5.1", "O9")
def test_atier_without_these_mails_gets_none(acme: Account, sink: Sink, tier: list[str]) -> None:
    tell(acme, FACT)
    tier.append(str(FACT.entitlement))
    run(acme)
    assert {(d.phase, d.reason) for d in deliveries(acme)} == {(Phase.SUPPRESSED, "not_entitled")}


def test_unsubscribing_takes_one_click_and_no_sign_in(acme: Account, sink: Sink) -> None:
    from django.test import Client

    tell(acme, FACT)
    run(acme)
    link = str(sink.to(acme.member.user.email)[0]["List-Unsubscribe"]).strip("<>").removeprefix(settings.PUBLIC_URL)
    client = Client(enforce_csrf_checks=True)
    assert client.get(link).status_code == 200
    with as_tenant(acme.pk):
        assert not NoticePreference.objects.exists()  # looking changes nothing
    assert client.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert client.post(link[:-3] + "xyz").status_code == 404
    tell(acme, replace(FACT, milestone="DELIVERED"))
    run(acme)
    assert {(d.email, d.phase) for d in deliveries(acme) if d.fact["milestone"] == "DELIVERED"} == {
        (acme.member.user.email, Phase.SUPPRESSED), (acme.manager.user.email, Phase.SENT),
    }  # fmt: skip


@pytest.mark.req("O10")
@pytest.mark.parametrize("address", ["jörg@example.com", "ſ@example.com", "a@example..com", f"a@{'x' * 64}.com"])
def test_an_address_that_no_server_can_be_told_fails_at_once(acme: Account, sink: Sink, address: str) -> None:
    only_member(acme)
    with as_tenant(acme.pk), transaction.atomic():
        User.objects.filter(pk=acme.member.user_id).update(email=f"{acme.member.public_id}{address}")
    tell(acme, FACT)
    run(acme)
    (delivery,) = deliveries(acme)
    assert (delivery.phase, delivery.reason) == (Phase.FAILED, "No mail server can be told this address.")
    assert sink.accepted == []


@pytest.mark.req("O8")
def test_a_domain_in_other_letters_is_written_in_ascii(acme: Account, sink: Sink) -> None:
    only_member(acme)
    with as_tenant(acme.pk), transaction.atomic():
        User.objects.filter(pk=acme.member.user_id).update(email=f"{acme.member.public_id}@exämple.com")
    tell(acme, FACT)
    run(acme)
    assert [m["To"] for _to, m in sink.accepted] == [f"{acme.member.public_id}@xn--exmple-cua.com"]
