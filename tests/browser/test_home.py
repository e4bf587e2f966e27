"""The first page after sign-in, as a shipper, a manager and the desk find it, wide and on a telephone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import tiered
from tracking.services import news_opened

pytestmark = [pytest.mark.slow]


def iso(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()


def under_way(account: cast.Account, line: Any, now: datetime, *, due: date, expected: datetime) -> Any:
    """Left Shanghai three weeks ago, expected at the door then."""
    made = shipment(account, due_date=due)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    left = now - timedelta(days=21)
    take(line, [
        equipment("GTIN", number_of(made), iso(left - timedelta(days=2))),
        vessel("DEPA", booking, iso(left), place="CNSHA"),
        vessel("ARRI", booking, iso(expected - timedelta(days=2)), place="NLRTM", cls="EST", created=iso(left)),
        equipment("DROP", number_of(made), iso(expected), place="NLRTM", cls="EST", created=iso(left)),
    ], at=left)  # fmt: skip
    return made


@pytest.fixture
def acme() -> cast.Account:
    """Late, at risk, arriving, missing and new things, a key that ends soon."""
    now, line = clock.now(), source()
    account = tiered(cast.account("ACME"), "PREMIUM")
    late = under_way(account, line, now, due=(now - timedelta(days=3)).date(), expected=now - timedelta(days=2))
    under_way(account, line, now, due=(now + timedelta(days=2)).date(), expected=now + timedelta(days=5))
    moved = under_way(account, line, now, due=(now + timedelta(days=20)).date(), expected=now + timedelta(days=4))
    for person in (account.member, account.manager):
        with as_tenant(account.pk):
            news_opened(member=person, at=now - timedelta(days=1))
    take(line, [equipment("DISC", number_of(late), iso(now - timedelta(hours=5)), place="NLRTM")],
         at=now - timedelta(hours=4))  # fmt: skip
    take(line, [equipment("DROP", number_of(moved), iso(now + timedelta(days=6)), place="NLRTM", cls="EST",
                          created=iso(now - timedelta(hours=3)))], at=now - timedelta(hours=3))  # fmt: skip
    with as_tenant(account.pk):
        key_create(label="TMS", at=now - timedelta(days=80), expires_at=now + timedelta(days=4))
    return account


def judged(one: Desk) -> None:
    """Readable by everybody at both widths, by day and by night."""
    one.look(WIDE, "light")
    assert one.judge() == []
    one.look(NARROW, "dark")
    assert one.judge() == []


def test_a_shipper_sees_what_needs_attention_and_follows_each_figure(desk, acme) -> None:
    max_ = desk(acme.member)
    max_.open("/")
    judged(max_)
    page = max_.page
    news = page.get_by_role("region", name="Since your last visit")
    expect(news).to_contain_text("Discharged")
    expect(news).to_contain_text("Expected 2 days later")
    expect(page.get_by_role("region", name="Missing", exact=True)).to_contain_text("No delivery heard")
    expect(page.locator("main")).not_to_contain_text("For you as manager")
    running = page.locator(".tile", has=page.get_by_text("On time so far", exact=True))
    expect(running).to_contain_text("due so far")  # it comes a moment after the page
    for label in ("Late", "At risk", "Arriving in 7 days", "Milestone overdue"):
        tile = page.locator(".tile", has=page.get_by_text(label, exact=True))
        number = int(tile.locator(".tile-value").inner_text())
        assert number >= 1, label
        tile.get_by_role("link").click()
        expect(page.locator("h1")).to_contain_text("Shipments")
        expect(page.locator("tbody tr")).to_have_count(number)
        max_.open("/")


def test_a_manager_sees_keys_that_end_besides(desk, acme) -> None:
    mara = desk(acme.manager)
    mara.open("/")
    judged(mara)
    todo = mara.page.get_by_role("region", name="For you as manager")
    expect(todo).to_contain_text("The key “TMS” ends soon")
    expect(todo).to_contain_text("You are the only manager")
    todo.get_by_role("link", name="The key “TMS” ends soon").click()
    expect(mara.page.locator("h1")).to_contain_text("API keys")


def test_the_first_day_of_an_account_shows_the_next_step(desk) -> None:
    fresh = cast.account("FRESH")
    first = desk(fresh.manager)
    first.open("/")
    judged(first)
    first.page.get_by_role("link", name="Invite colleagues").click()
    expect(first.page.locator("h1")).to_contain_text("Invite")


@pytest.mark.parametrize("role", [Role.OPS, Role.ACCOUNT_MANAGER, Role.FINANCE, Role.ADMIN])
def test_each_desk_reads_well_and_its_figures_lead_somewhere(desk, acme, role: Role) -> None:
    take(source(), [equipment("GTIN", box(), "2026-03-01T10:00:00+08:00")], at=clock.now())
    one = desk(cast.person(OPERATOR_ID, role))
    one.open("/")
    judged(one)
    for address in {a.get_attribute("href") for a in one.page.locator("main a").all()}:
        if address and not address.startswith("#"):
            assert one.context.request.get(address).status == 200, address
