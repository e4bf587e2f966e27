"""How the estimate moved, as a shipper reads it: the drawing and its table, wide and on a telephone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import as_tenant
from tests import cast
from tests.browser.desk import NARROW, WIDE
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import tiered

pytestmark = [pytest.mark.req("R2.17"), pytest.mark.slow]


def test_a_shipper_sees_how_the_estimate_moved_and_which_one_is_committed(desk) -> None:
    now, line = clock.now().replace(microsecond=0), source()
    acme = tiered(cast.account("ACME"), "PRIORITY")
    made = shipment(acme, due_date=(now + timedelta(days=2)).date())
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written
    for days_ago, days_ahead in ((30, 1), (20, 3), (12, 2), (5, 4), (1, 5)):
        published, expected = now - timedelta(days=days_ago), now + timedelta(days=days_ahead)
        take(line, [equipment("DROP", number_of(made), expected.isoformat(), place="NLRTM", cls="EST",
                              created=published.isoformat())], at=published)  # fmt: skip
    for days_ago, hours_ahead in ((30, -30), (10, -20)):
        published, expected = now - timedelta(days=days_ago), now + timedelta(hours=hours_ahead)
        take(line, [vessel("ARRI", booking, expected.isoformat(), place="NLRTM", cls="EST",
                           created=published.isoformat())], at=published)  # fmt: skip
    take(line, [vessel("ARRI", booking, (now - timedelta(hours=8)).isoformat(), place="NLRTM")], at=now)
    max_ = desk(acme.member)
    max_.open(f"/shipments/{made.public_id}")
    card = max_.page.get_by_role("region", name="How the estimate moved")
    expect(card.get_by_role("img")).to_be_visible()
    expect(card.locator("tbody tr")).to_have_count(5)
    for size in (WIDE, NARROW):
        max_.look(size, "light")
        assert max_.judge() == []
    max_.look(NARROW, "dark")
    assert max_.judge() == []
    card.get_by_role("link", name="Vessel arrived").click()
    expect(card.locator("tbody tr")).to_have_count(2)
    expect(card.locator("tbody tr", has_text="committed")).to_have_count(1)
    assert max_.judge() == []
