"""What a person is told in the portal: counted on every page, listed, marked as read, its reader's alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.lib import clock, ids
from portal.notify.jobs import forget_bell
from portal.notify.models import BellNotice
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member, Role
from tests.cast import Account, person, sign_in
from tests.portal.notify.post import AT, FACT, bells, run, says, tell
from tests.tracking.messages import shipment
from tiers.credits.facts import CreditApproved
from tracking.facts import ExceptionRaised, SourceSilent
from tracking.services import shipments_follow

MILESTONES = ["DEPARTED", "VESSEL_ARRIVED", "DISCHARGED", "GATE_OUT", "DELIVERED"]


def told(account: Account, count: int = 1, **changes: object) -> None:
    """Facts, each fanned out; no mail is sent."""
    for n in range(count):
        tell(account, replace(FACT, **{"milestone": MILESTONES[n % 5], "shipment": f"{n:020}", **changes}))
    with as_tenant(account.pk):
        OutboxRow.objects.filter(name="notify.send").delete()
    run(account)


def rang(account: Account, count: int) -> None:
    """Many notices of the account's member, as they stand when told."""
    with as_tenant(account.pk), transaction.atomic():
        BellNotice.objects.bulk_create(
            BellNotice(member=account.member, key=ids.digest(f"{n}"), fact_key=FACT.key, fact=FACT.plain(),
                       needs=["milestone_emails"], recorded_at=AT)
            for n in range(count)
        )  # fmt: skip


def browser(member: Member) -> Client:
    return sign_in(Client(), member)


def count_of(client: Client) -> str:
    """What the bell of the list says."""
    page = client.get("/notices").content.decode()
    found = re.search(r'<span class="dot" aria-hidden="true">([^<]*)</span>', page)
    return found.group(1) if found else ""


def lines(page: str) -> list[str]:
    return re.findall(r'class="what rowlink">([^<]*)<', page)


@pytest.mark.req("O9", "W5")
def test_a_notice_is_counted_listed_opened_and_read(acme: Account) -> None:
    told(acme, 2)
    client = browser(acme.member)
    assert count_of(client) == "2"
    page = client.get("/notices").content.decode()
    assert lines(page)[0] == "MRD-2026-00417: Vessel arrived, NLRTM"
    newest = bells(acme.member)[-1]
    address = f"/notices/open/{newest.public_id}"
    assert client.get(address).status_code == 405  # looking changes nothing
    answer = client.post(address)
    assert (answer.status_code, answer["Location"]) == (302, FACT.path)
    assert count_of(client) == "1"
    assert "is-unread" in client.get("/notices?show=unread").content.decode()
    client.post(address, {"do": "unread", "back": "/notices?show=unread"})
    assert count_of(client) == "2"
    assert client.post(address, {"do": "read", "back": "//evil.example"})["Location"] == "/notices"
    assert count_of(browser(acme.manager)) == "2", "each person reads for herself"
    assert client.post(address, {"do": "burn"}).status_code == 400


def test_all_read_means_what_was_shown(acme: Account) -> None:
    told(acme, 3)
    client = browser(acme.member)
    upto = re.search(r'name="upto" value="(\d+)"', client.get("/notices").content.decode()).group(1)
    tell(acme, replace(FACT, milestone="GATE_IN"))
    run(acme)
    client.post("/notices/read", {"upto": upto})
    assert count_of(client) == "1"
    assert client.post("/notices/read", {"upto": "all"}).status_code == 400


def test_a_page_of_thirty_leads_on_by_keys_and_asks_no_more_often(acme: Account, globex: Account) -> None:
    rang(acme, 63)
    rang(globex, 3)
    client = browser(acme.member)
    seen, address = [], "/notices"
    while address:
        page = client.get(address).content.decode()
        seen.append(len(lines(page)))
        older = re.search(r'rel="next" href="(\?[^"]*)"', page)
        address = f"/notices{older.group(1)}" if older else ""
    assert seen == [30, 30, 3]
    back = re.search(r'rel="prev" href="(\?[^"]*)"', page).group(1)
    assert len(lines(client.get(f"/notices{back}").content.decode())) == 30
    counts = []
    for member in (acme.member, globex.member):
        other = browser(member)
        other.get("/notices")
        with CaptureQueriesContext(connection) as queries:
            other.get("/notices")
        counts.append(len(queries))
    assert counts[0] == counts[1]
    for bad in ("?older=x", "?newer=-1", "?show=none"):
        assert client.get(f"/notices{bad}").status_code == 400


def test_the_count_costs_a_page_no_statement_of_its_own(acme: Account) -> None:
    client, found = browser(acme.member), []
    client.get("/settings/notices")
    for unread in (0, 101):
        rang(acme, unread)
        with CaptureQueriesContext(connection) as queries:
            client.get("/settings/notices")
        found.append(len(queries))
    assert found[0] == found[1]
    assert count_of(client) == "99+"


@pytest.mark.req("A4")
def test_the_bell_asks_by_itself_and_is_answered_only_with_news(acme: Account) -> None:
    told(acme)
    client = browser(acme.manager)
    tag = client.get("/notices/bell")["ETag"]
    assert client.get("/notices/bell", headers={"If-None-Match": tag}).status_code == 304
    told(acme, 1, milestone="GATE_IN")
    answer = client.get("/notices/bell", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert "2 unread" in answer.content.decode()
    # a desk that nobody sits at is signed out in spite of it, and its page is asked anew
    began = clock.now()
    for minutes in (10, 20, 29):
        with clock.set_to(began + timedelta(minutes=minutes)):
            assert client.get("/notices/bell", headers={"HX-Request": "true"}).status_code == 200
    for minutes in (31, 32):
        with clock.set_to(began + timedelta(minutes=minutes)):
            away = client.get("/notices/bell", headers={"HX-Request": "true"})
            assert (away.status_code, away["HX-Refresh"]) == (204, "true")
    with clock.set_to(began + timedelta(minutes=33)):
        assert client.get("/", follow=True).request["PATH_INFO"] == "/accounts/login/"


@pytest.mark.req("A7", "R5.1")
def test_who_lost_the_right_sees_neither_line_nor_count(acme: Account, tier: list[str]) -> None:
    tell(acme, replace(ExceptionRaised.example(), occurred_at=AT))
    tell(acme, replace(CreditApproved.example(), occurred_at=AT))
    told(acme)
    manager, member = browser(acme.manager), browser(acme.member)
    assert (count_of(manager), count_of(member)) == ("3", "2")
    tier.append("exception_alerts")
    assert (count_of(manager), count_of(member)) == ("2", "1")
    assert "At risk" not in manager.get("/notices").content.decode()
    with as_tenant(acme.pk), transaction.atomic():
        Member.objects.filter(pk=acme.manager.pk).update(role=Role.MEMBER)
    demoted = browser(_fresh(acme.manager))
    assert count_of(demoted) == "1"
    tell(acme, replace(ExceptionRaised.example(), occurred_at=AT, case="abcdefghjk0123456780"))
    run(acme)
    tier.clear()
    assert len(bells(acme.member)) == 2, "what the account may not have is not written"


def _fresh(member: Member) -> Member:
    with as_tenant(member.tenant_id):
        return Member.objects.select_related("user").get(pk=member.pk)


@pytest.mark.req("T6", "T13")
def test_another_persons_notice_is_not_there(acme: Account, globex: Account) -> None:
    told(acme)
    theirs = f"/notices/open/{bells(acme.member)[0].public_id}"
    for other in (acme.manager, globex.member):
        assert browser(other).post(theirs).status_code == 404
    assert bells(acme.member)[0].read_at is None


@pytest.mark.req("O9")
def test_the_bell_is_a_channel_of_its_own(acme: Account) -> None:
    mine, other = shipment(acme), shipment(acme)
    with as_tenant(acme.pk):
        shipments_follow(member=acme.member, shipments=[mine.pk], at=AT)
    says(acme.member, FACT.key, mail="OFF", which="FOLLOWED")
    says(acme.manager, FACT.key, bell=False)
    for made in (mine, other):
        tell(acme, replace(FACT, shipment=made.public_id, reference=made.ref))
    run(acme)
    assert [row.fact["reference"] for row in bells(acme.member)] == [mine.ref]
    assert bells(acme.manager) == []


def test_old_news_is_not_put_under_the_bell_and_read_news_is_forgotten(acme: Account) -> None:
    tell(acme, FACT)
    run(acme, AT + timedelta(hours=73))
    assert bells(acme.member) == []
    told(acme, 2)
    with as_tenant(acme.pk), transaction.atomic():
        BellNotice.objects.filter(pk=bells(acme.member)[0].pk).update(recorded_at=AT - timedelta(days=91))
        forget_bell(AT)
    assert len(bells(acme.member)) == 1


def test_the_staff_have_a_bell_of_their_own() -> None:
    from tests.cast import operator

    operator()
    ops = person(OPERATOR_ID, Role.OPS)
    with as_tenant(OPERATOR_ID), transaction.atomic():
        from portal.notify.services import deliveries_create

        deliveries_create(fact=replace(SourceSilent.example(), source=ops.public_id), recorded_at=AT, at=AT)
        OutboxRow.objects.filter(name="notify.send").delete()
    page = browser(ops).get("/notices").content.decode()
    assert "Maersk is silent since 12 Mar 2026 07:40 CET" in page
