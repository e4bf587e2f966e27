"""Mails that wait come once, in one mail, at the person's hour; what newer news has overtaken never comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email.header import decode_header, make_header
from email.message import Message

import pytest
from django.db import transaction
from django.test import Client

from portal.notify.digests import digest_collect, forgotten_enqueue
from portal.notify.models import Delivery, HeldFor, Phase, SuppressedAddress
from portal.notify.preferences import DigestNeeded
from portal.notify.wishes import habits_row, wishes_of
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member, Tenant
from tests.cast import Account
from tests.portal.notify.post import AT, FACT, bells, deliveries, lives, only_member, run, says, tell
from tests.portal.notify.test_crashes import killed_worker
from tests.processes import Sink
from tests.tracking.messages import shipment
from tiers.credits.facts import CreditApproved
from tracking.facts import ExceptionCleared, ExceptionRaised, ExceptionsGrouped, ExceptionWorsened
from tracking.services import shipments_follow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEXT = datetime(2026, 3, 13, 6, 0, tzinfo=UTC)  # 07:00 in Amsterdam, the day after AT
RAISED = replace(ExceptionRaised.example(), occurred_at=AT, severity="MEDIUM")
WORSENED = replace(ExceptionWorsened.example(), occurred_at=AT + HOUR, severity="MEDIUM")
CLEARED = replace(ExceptionCleared.example(), occurred_at=AT + 2 * HOUR, severity="MEDIUM")
KEYS = (FACT.key, RAISED.key, WORSENED.key, CLEARED.key)


@pytest.fixture
def ana(acme: Account) -> Member:
    """The only person of the account, with a digest at seven in the morning."""
    only_member(acme)
    lives(acme.member, digest="DAILY", digest_hour=7)
    return acme.member


def words(mail: Message) -> str:
    """The plain part."""
    return mail.get_payload()[0].get_payload(decode=True).decode().replace("\r\n", "\n")


def phases(account: Account) -> list[tuple[str, str]]:
    return [(str(d.phase), d.reason) for d in deliveries(account)]


@pytest.mark.req("O9", "O7")
def test_a_digest_is_one_mail_at_the_persons_hour_by_shipment(acme: Account, ana: Member, sink: Sink) -> None:
    says(ana, *KEYS, mail="DIGEST")
    tell(acme, FACT)
    tell(acme, replace(FACT, milestone="DISCHARGED", local_time="12 Mar 2026 09:10 CET"), AT + HOUR)
    tell(acme, replace(RAISED, shipment="0123456789abcdefghjz", reference="MRD-2"), AT + HOUR)
    run(acme, AT + 2 * HOUR)
    assert {(d.phase, d.held_until, d.held_for) for d in deliveries(acme)} == {(Phase.HELD, NEXT, HeldFor.DIGEST)}
    run(acme, NEXT - timedelta(minutes=1))
    assert not sink.accepted
    run(acme, NEXT)
    (mail,) = sink.to(ana.user.email)
    assert mail["Subject"] == "Your digest: 3 pieces of news about 2 shipments"
    text = words(mail)
    assert text.index("MRD-2\n- ") < text.index("MRD-2026-00417\n- Vessel arrived, NLRTM (12 Mar 2026 07:40 CET)\n- ")
    assert "Discharged, NLRTM (12 Mar 2026 09:10 CET)" in text
    assert text.count("MRD-2026-00417") == 1
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    *singles, digest = deliveries(acme)
    assert {(d.phase, d.digest_id) for d in singles} == {(Phase.COLLECTED, digest.pk)}
    assert (digest.phase, digest.email, digest.message_id) == (Phase.SENT, ana.user.email, mail["Message-ID"])
    run(acme, NEXT + 3 * DAY)
    assert len(sink.to(ana.user.email)) == 1


@pytest.mark.req("O9")
def test_an_exception_that_ended_before_the_digest_is_told_to_nobody(acme: Account, ana: Member, sink: Sink) -> None:
    says(ana, *KEYS, mail="DIGEST")
    for n, fact in enumerate((RAISED, WORSENED, CLEARED)):
        tell(acme, fact, AT + n * HOUR)
        run(acme, AT + n * HOUR)
    run(acme, NEXT)
    assert phases(acme) == [("SUPPRESSED", "over_before_told")] * 3
    assert not sink.accepted
    assert len(bells(ana)) == 3, "under the bell it stands as it happened"


@pytest.mark.req("O9")
def test_of_an_arrival_that_moves_again_and_again_the_last_word_is_told(acme: Account, ana: Member, sink: Sink) -> None:
    says(ana, *KEYS, mail="DIGEST")
    for n in (1, 2, 3):  # each day later is a case of its own
        slip = replace(RAISED, code="ETA_SLIP", case=f"abcdefghjk012345678{n}", delay_hours=24 * n)
        tell(acme, slip, AT + n * HOUR)
    run(acme, AT + 4 * HOUR)
    run(acme, NEXT)
    (mail,) = sink.to(ana.user.email)
    assert mail["Subject"] == "Your digest: 1 piece of news about 1 shipment"
    assert sorted(phases(acme)) == [("COLLECTED", ""), ("SENT", "")] + [("SUPPRESSED", "overtaken")] * 2


@pytest.mark.req("O9")
def test_an_end_that_may_go_at_once_is_not_told_while_its_beginning_waits(
    acme: Account, ana: Member, sink: Sink
) -> None:
    says(ana, RAISED.key, mail="DIGEST")
    tell(acme, RAISED)
    run(acme, AT)
    tell(acme, CLEARED, AT + 2 * HOUR)
    run(acme, AT + 2 * HOUR)
    run(acme, NEXT)
    assert phases(acme) == [("SUPPRESSED", "over_before_told")] * 2
    assert not sink.accepted
    # told before: its end is news at once, and what waited in between is old then
    lives(ana, digest="DAILY", at=NEXT)
    says(ana, RAISED.key, mail="NOW", at=NEXT)
    says(ana, WORSENED.key, mail="DIGEST", at=NEXT)
    for n, fact in enumerate((RAISED, WORSENED, CLEARED)):
        tell(acme, replace(fact, case="abcdefghjk012345678x"), NEXT + n * HOUR)
        run(acme, NEXT + n * HOUR)
    run(acme, NEXT + DAY)
    assert [str(make_header(decode_header(m["Subject"]))) for m in sink.to(ana.user.email)] == [
        "MRD-2026-00417: Promise at risk, NLRTM", "MRD-2026-00417: over – Promise at risk",
    ]  # fmt: skip
    assert phases(acme)[2:] == [("SENT", ""), ("SUPPRESSED", "overtaken"), ("SENT", "")]


@pytest.mark.req("O9", "R8.5")
def test_quiet_hours_hold_low_and_medium_and_never_high(acme: Account, ana: Member, sink: Sink) -> None:
    lives(ana, quiet_from=time(9), quiet_to=time(18))
    tell(acme, RAISED)
    tell(acme, FACT)
    tell(acme, replace(RAISED, case="abcdefghjk012345678h", severity="HIGH"))
    run(acme)
    assert [m["Subject"] for m in sink.to(ana.user.email)] == ["MRD-2026-00417: Promise at risk, NLRTM"]
    evening = AT.replace(hour=17)
    run(acme, evening - timedelta(minutes=1))
    assert len(sink.accepted) == 1
    run(acme, evening)
    (_high, mail) = sink.to(ana.user.email)
    assert mail["Subject"] == "While it was quiet: 2 pieces of news about 1 shipment"
    tell(acme, replace(FACT, milestone="DELIVERED"), AT + DAY)  # what waits alone goes out as the mail that it is
    run(acme, AT + DAY)
    run(acme, evening + DAY)
    assert sink.to(ana.user.email)[-1]["Subject"] == "MRD-2026-00417: Delivered, NLRTM"
    says(ana, FACT.key, always=True)  # the person's own exemption
    tell(acme, replace(FACT, milestone="DISCHARGED", occurred_at=AT + 4 * DAY), AT + 4 * DAY)
    run(acme, AT + 4 * DAY)
    assert sink.to(ana.user.email)[-1]["Subject"] == "MRD-2026-00417: Discharged, NLRTM"


def test_the_weekend_may_be_quiet_in_the_persons_own_zone(acme: Account, ana: Member, sink: Sink) -> None:
    lives(ana, quiet_weekend=True, zone="Pacific/Auckland")
    friday = datetime(2026, 3, 13, 12, 0, tzinfo=UTC)  # Saturday, one in the morning there
    tell(acme, FACT, friday)
    run(acme, friday)
    assert deliveries(acme)[0].held_until == datetime(2026, 3, 15, 11, 0, tzinfo=UTC)  # Monday, midnight there


@pytest.mark.req("O9")
def test_whoever_chooses_anew_is_told_at_once_what_waited(acme: Account, ana: Member, sink: Sink) -> None:
    says(ana, FACT.key, mail="DIGEST")
    tell(acme, FACT)
    run(acme)
    says(ana, FACT.key, mail="NOW", at=AT + HOUR)
    run(acme, AT + HOUR)
    assert [m["Subject"] for m in sink.to(ana.user.email)] == ["MRD-2026-00417: Vessel arrived, NLRTM"]
    run(acme, NEXT)
    assert len(sink.accepted) == 1
    says(ana, FACT.key, mail="DIGEST", at=NEXT)
    with as_tenant(acme.pk), pytest.raises(DigestNeeded):
        lives(ana, digest="NONE")
    tell(acme, replace(FACT, milestone="DELIVERED"), NEXT)
    run(acme, NEXT)
    says(ana, FACT.key, mail="OFF", at=NEXT + HOUR)
    run(acme, NEXT + HOUR)
    assert phases(acme)[-1] == ("SUPPRESSED", "not_wanted")


@pytest.mark.req("O9", "A7")
def test_what_lost_its_reader_before_the_digest_left_is_left_out(
    acme: Account, ana: Member, sink: Sink, tier: list[str]
) -> None:
    says(ana, *KEYS, mail="DIGEST")
    tell(acme, FACT)
    tell(acme, RAISED)
    run(acme)
    tier.append("exception_alerts")
    run(acme, NEXT)
    (mail,) = sink.to(ana.user.email)
    assert mail["Subject"] == "Your digest: 1 piece of news about 1 shipment"
    assert ("SUPPRESSED", "not_entitled") in phases(acme)
    tell(acme, replace(RAISED, case="abcdefghjk012345678y"), NEXT)
    tier.clear()
    run(acme, NEXT)
    tier.append("exception_alerts")
    run(acme, NEXT + DAY)
    assert phases(acme)[-1] == ("SUPPRESSED", "nothing_left")
    tell(acme, replace(FACT, milestone="DELIVERED"), NEXT + DAY)
    run(acme, NEXT + DAY)
    with as_tenant(acme.pk):
        SuppressedAddress.objects.create(email=ana.user.email, reason="5.1.1", created_at=NEXT)
    run(acme, NEXT + 2 * DAY)
    assert phases(acme)[-1] == ("SUPPRESSED", "suppressed_address")
    assert len(sink.accepted) == 1


@pytest.mark.req("O9")
def test_a_digest_that_nobody_could_send_for_days_is_no_news(acme: Account, ana: Member, sink: Sink) -> None:
    says(ana, FACT.key, mail="DIGEST")
    tell(acme, FACT)
    run(acme)
    run(acme, NEXT + timedelta(hours=73))
    assert phases(acme) == [("SUPPRESSED", "stale")]
    assert not sink.accepted


@pytest.mark.req("O6", "O3")
def test_two_workers_and_a_late_sweep_make_one_digest(acme: Account, ana: Member, sink: Sink) -> None:
    says(ana, FACT.key, mail="DIGEST")
    tell(acme, FACT)
    run(acme)
    with as_tenant(acme.pk):
        assert digest_collect(member=ana.public_id, at=NEXT - timedelta(seconds=1)) is None
        made = digest_collect(member=ana.public_id, at=NEXT)
        assert made is not None
        assert digest_collect(member=ana.public_id, at=NEXT) is None
    run(acme, NEXT)
    assert len(sink.accepted) == 1
    tell(acme, replace(FACT, milestone="DELIVERED"), NEXT)
    run(acme, NEXT)
    with as_tenant(acme.pk), transaction.atomic():
        OutboxRow.objects.filter(name="notify.digest").delete()  # whatever became of it
        forgotten_enqueue(at=NEXT + DAY)
        assert not OutboxRow.objects.filter(name="notify.digest").exists()
        forgotten_enqueue(at=NEXT + DAY + timedelta(minutes=4))
    run(acme, NEXT + DAY + timedelta(minutes=4))
    assert [m["Subject"] for m in sink.to(ana.user.email)][1:] == ["Your digest: 1 piece of news about 1 shipment"]


@pytest.mark.req("O9", "R8.5")
def test_the_group_message_of_a_storm_names_only_what_the_reader_wants_to_hear_of(acme: Account, sink: Sink) -> None:
    mine, other = shipment(acme), shipment(acme)
    with as_tenant(acme.pk):
        shipments_follow(member=acme.member, shipments=[mine.pk], at=AT)
    says(acme.member, RAISED.key, which="FOLLOWED")
    group = replace(
        ExceptionsGrouped.example(), occurred_at=AT, count=3, references=[mine.ref, other.ref, mine.ref],
        codes=["ETA_SLIP", "ETA_SLIP", "AT_RISK"], kinds=["raised", "raised", "cleared"],
        shipments=[mine.public_id, other.public_id, mine.public_id],
    )  # fmt: skip
    tell(acme, group)
    run(acme)
    (to_member,), (to_manager,) = sink.to(acme.member.user.email), sink.to(acme.manager.user.email)
    assert to_member["Subject"] == "2 more changes at NLRTM"
    assert other.ref not in words(to_member)
    assert to_manager["Subject"] == "3 more changes at NLRTM"
    assert [row.fact["count"] for row in bells(acme.member)] == [2]
    says(acme.member, CLEARED.key, mail="OFF")
    tell(acme, replace(group, occurred_at=AT + HOUR, shipments=[other.public_id] * 2 + [mine.public_id]), AT + HOUR)
    run(acme, AT + HOUR)
    assert len(sink.to(acme.member.user.email)) == 1
    assert ("SUPPRESSED", "not_followed") in phases(acme)
    old = {name: value for name, value in group.plain().items() if name != "shipments"}
    noted_before = ExceptionsGrouped.read(old)
    assert noted_before.for_reader(lambda *_about: False) is noted_before, "nobody can tell whose they are"


@pytest.mark.req("O9")
def test_a_person_may_hear_of_some_lanes_only(acme: Account, sink: Sink) -> None:
    mine, other = shipment(acme), shipment(acme, pod="DEHAM", final_place="DEHAM")
    assert mine.lane != other.lane
    lives(acme.member, lanes=[mine.lane])
    says(acme.member, FACT.key, which="LANES")
    for made in (mine, other):
        tell(acme, replace(FACT, shipment=made.public_id, reference=made.ref))
    run(acme)
    assert [m["Subject"].split(":")[0] for m in sink.to(acme.member.user.email)] == [mine.ref]
    assert [row.fact["reference"] for row in bells(acme.member)] == [mine.ref]


@pytest.mark.req("O8")
@pytest.mark.parametrize("quiet", [False, True])
def test_one_click_stops_a_digest_and_leaves_the_bell(acme: Account, ana: Member, sink: Sink, quiet: bool) -> None:
    if quiet:
        lives(ana, quiet_from=time(9), quiet_to=time(18))
    else:
        says(ana, *KEYS, mail="DIGEST")
    tell(acme, FACT)
    tell(acme, RAISED)
    run(acme)
    run(acme, NEXT)
    link = str(sink.to(ana.user.email)[0]["List-Unsubscribe"]).strip("<>")
    path = "/" + link.split("/", 3)[3]
    client = Client(enforce_csrf_checks=True)
    assert client.get(path).status_code == 200
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    with as_tenant(acme.pk):
        said = wishes_of(ana.pk)
        assert {said[key].mail for key in (FACT.key, RAISED.key)} == {"OFF"}
        assert all(wish.bell for wish in said.values())
        assert habits_row(ana.pk).digest == "NONE"
    tell(acme, replace(FACT, milestone="DELIVERED"), NEXT)
    run(acme, NEXT + DAY)
    assert len(sink.accepted) == 1


def test_money_waits_for_a_managers_quiet_hours_and_says_so_beside_the_shipments(acme: Account, sink: Sink) -> None:
    lives(acme.manager, quiet_from=time(9), quiet_to=time(18))
    tell(acme, replace(CreditApproved.example(), occurred_at=AT))
    tell(acme, FACT)
    run(acme)
    with as_tenant(acme.pk):
        Tenant.objects.filter(pk=acme.pk).update(name="Acme & Söhne")
    run(acme, AT.replace(hour=17))
    (mail,) = sink.to(acme.manager.user.email)
    assert "Beside your shipments\n- " in words(mail)
    assert "Acme &amp; Söhne" in mail.get_payload()[1].get_payload(decode=True).decode()


@pytest.mark.slow
@pytest.mark.req("O3", "O11")
@pytest.mark.parametrize("point", ["notify.after_hold", "outbox.before_done:2", "outbox.after_done:2"])
def test_a_worker_that_dies_leaves_a_mail_that_waits_and_comes_once(
    acme: Account, ana: Member, sink: Sink, point: str
) -> None:
    now = datetime.now(UTC)
    says(ana, FACT.key, mail="DIGEST")
    tell(acme, replace(FACT, occurred_at=now), now)
    assert killed_worker(acme, sink, point) == -9
    run(acme, now + timedelta(minutes=2))  # the row that was being worked on is taken up again
    (held,) = deliveries(acme)
    assert held.phase == Phase.HELD
    with as_tenant(acme.pk):
        assert not OutboxRow.objects.filter(name="notify.send", state="PENDING").exists()
    run(acme, held.held_until)
    run(acme, held.held_until + DAY)
    assert len(sink.to(ana.user.email)) == 1


@pytest.mark.req("I3")
def test_the_invariants_hold_with_mails_that_wait_and_mails_in_digests(acme: Account, ana: Member, sink: Sink) -> None:
    from portal.checks.invariants import key_breaches, notice_breaches

    says(ana, FACT.key, mail="DIGEST")
    tell(acme, FACT)
    run(acme)
    run(acme, NEXT)
    tell(acme, replace(FACT, milestone="DELIVERED"), NEXT)
    run(acme, NEXT)
    with as_tenant(acme.pk):
        breaches = [b for b in (*notice_breaches(), *key_breaches()) if "waits" not in b["what"]]
        assert breaches == []
        Delivery.objects.filter(phase=Phase.HELD).update(held_until=datetime(2026, 1, 1, tzinfo=UTC))
        assert [b["what"] for b in notice_breaches()] == ["a mail waits and nothing has taken it up"]
