"""Being told, as a shipper lives it: the bell rings on an open page, is followed and read; mails come when they may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import expect

from portal.lib import clock
from portal.lib.facts import Fact
from portal.notify.services import deliveries_create
from portal.notify.wishes import habits_row, wishes_of
from portal.tenancy.context import as_tenant
from tests import cast
from tests.browser.desk import NARROW, WIDE
from tests.cast import Account
from tests.tracking.messages import shipment
from tests.tracking.pages import tiered
from tiers.credits.facts import CreditApproved
from tracking.facts import ExceptionCleared, ExceptionRaised, MilestoneReached

pytestmark = [pytest.mark.req("O9", "W4"), pytest.mark.slow]


def told(account: Account, *facts: Fact) -> None:
    """What happened a moment ago, as the workers tell it."""
    with as_tenant(account.pk), transaction.atomic():
        for fact in facts:
            deliveries_create(fact=fact, recorded_at=clock.now(), at=clock.now())


def news(made: Any) -> list[Fact]:
    """One of each kind that a shipper sees."""
    about = {"shipment": made.public_id, "reference": made.ref, "path": f"/shipments/{made.public_id}"}
    now = clock.now()
    return [
        replace(MilestoneReached.example(), occurred_at=now, **about),
        replace(ExceptionRaised.example(), occurred_at=now, **about),
        replace(ExceptionCleared.example(), occurred_at=now + timedelta(minutes=1), **about),
        replace(CreditApproved.example(), occurred_at=now),
    ]


def test_the_bell_rings_on_an_open_page_and_leads_to_what_it_is_about(desk: Any) -> None:
    acme = cast.account("ACME")
    tiered(acme, "PRIORITY")
    made = shipment(acme)
    one = desk(acme.manager)
    one.page.clock.install()
    one.open("/notices")
    bell = one.page.locator("#bell-link")
    expect(one.page.locator("#bell .dot")).to_have_count(0)
    one.page.clock.run_for(61_000)  # nothing is new: the page keeps its bell
    expect(one.page.locator("#bell .dot")).to_have_count(0)
    told(acme, *news(made))
    one.page.clock.run_for(61_000)
    expect(one.page.locator("#bell .dot")).to_have_text("4")
    expect(bell).to_have_accessible_name("Notices 4 unread")
    bell.click()
    one.page.get_by_text("Service credit of").first.wait_for()
    for size in (WIDE, NARROW):
        for scheme in ("light", "dark"):
            one.look(size, scheme)
            assert one.judge() == []
    one.look(WIDE, "light")
    one.page.keyboard.press("j")
    one.page.keyboard.press("j")  # the newest is the credit, then what is over
    one.page.keyboard.press("Enter")
    one.page.wait_for_url(f"**/shipments/{made.public_id}")
    expect(one.page.locator("#bell .dot")).to_have_text("3")
    one.open("/notices?show=unread")
    one.page.get_by_role("button", name="Mark as read").first.click()
    expect(one.page.locator("#bell .dot")).to_have_text("2")
    one.page.get_by_role("button", name="All read").click()
    one.page.get_by_text("Everything is read").wait_for()
    one.look(NARROW, "light")
    assert one.judge() == []
    assert one.problems == []


def test_a_hurried_person_says_on_a_telephone_what_to_be_told(desk: Any) -> None:
    acme = cast.account("ACME")
    made = shipment(acme)
    one = desk(acme.member, viewport=NARROW)
    one.open("/settings/notices")
    for size, scheme in ((NARROW, "light"), (NARROW, "dark"), (WIDE, "light")):
        one.look(size, scheme)
        assert one.judge() == []
    one.look(NARROW, "light")
    one.page.get_by_role("button", name="What goes wrong at once").click()
    one.page.get_by_text("Saved.").wait_for()
    key = "tracking.milestone_reached"
    one.page.get_by_label("Of which shipments: A shipment reached a milestone").select_option("LANES")
    one.page.get_by_label("Quiet from").fill("22:00")
    one.page.get_by_role("button", name="Save").click()
    one.page.get_by_text("Nothing is saved yet").wait_for()
    assert one.judge() == []
    one.page.locator("#id_quiet_to").fill("07:00")
    one.page.get_by_label(made.lane).check()
    one.page.get_by_role("button", name="Save").click()
    one.page.get_by_text("Saved.").wait_for()
    with as_tenant(acme.pk):
        assert (wishes_of(acme.member.pk)[key].mail, wishes_of(acme.member.pk)[key].which) == ("DIGEST", "LANES")
        row = habits_row(acme.member.pk)
        assert (row.digest, str(row.quiet_to), row.lanes) == ("DAILY", "07:00:00", [made.lane])
    assert one.problems == []
