"""The maps as a shipper uses them: where one shipment is, where all are, by keyboard, on a phone, by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import as_tenant
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk, judged
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import tiered
from tracking.models import Shipment
from tracking.services import searoutes_find

pytestmark = [pytest.mark.slow]
Open = Callable[..., Desk]


def sailing(account: cast.Account, *, left: int, due: int, pod: str = "NLRTM") -> Shipment:
    """Left Shanghai `left` days ago, expected in `due` days."""
    made, now = shipment(account, pod=pod, final_place=pod), clock.now()
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    gone, comes = now - timedelta(days=left), now + timedelta(days=due)
    events = [
        equipment("GTIN", number_of(made), (gone - timedelta(days=2)).isoformat(timespec="seconds")),
        vessel("DEPA", booking, gone.isoformat(timespec="seconds"), place="CNSHA"),
        vessel("ARRI", booking, comes.isoformat(timespec="seconds"), place=pod, cls="EST"),
    ]
    take(source(), events, at=now - timedelta(minutes=14))
    return made


def test_a_shipper_sees_where_everything_is_and_goes_on_from_there(desk: Open) -> None:
    account = tiered(cast.account("SEAMAP"), "PRIORITY")
    with as_tenant(account.pk):
        searoutes_find(pairs=["CNSHA NLRTM", "CNSHA USLAX"], at=clock.now())
    first = sailing(account, left=20, due=20)
    sailing(account, left=20, due=20)
    sailing(account, left=9, due=9, pod="USLAX")
    reader = desk(account.member)
    page = reader.page

    reader.open(f"/shipments/{first.public_id}")
    expect(page.get_by_text("Estimated from schedule, last heard from")).to_contain_text("14 min ago.")
    drawn = page.get_by_role("img", name="Where it is Between Shanghai and Rotterdam")
    expect(drawn).to_be_visible()
    assert drawn.evaluate("el => el.querySelector('use').getBBox().width") > 1_000  # the land has come
    assert judged(reader, "shipment-map") == []

    page.get_by_role("link", name="Live map").first.click()
    expect(page.get_by_role("heading", name="In transit: 3 shipments, 3 containers.")).to_be_visible()
    assert judged(reader, "live-map") == []
    reader.look(NARROW, "dark")
    page.locator("summary", has_text="Filters").click()
    assert reader.judge() == []
    reader.look(WIDE, "light")
    mark = page.get_by_role("link", name="2 shipments, 2 containers: Shanghai → Rotterdam")
    mark.focus()
    page.keyboard.press("Enter")  # both are at one place: the list of them
    expect(page.get_by_role("heading", name="In this part: 2 shipments, 2 containers.")).to_be_visible()
    assert page.url.endswith("#boxes")
    assert page.locator("#boxes tbody tr").count() == 2
    page.get_by_role("link", name="Everything").click()

    page.locator("#zoom-closer").focus()
    sailing(account, left=20, due=20)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as when it is looked at again
    expect(page.get_by_role("heading", name="In transit: 4 shipments, 4 containers.")).to_be_visible()
    expect(page.locator("#zoom-closer")).to_be_focused()
    page.locator("summary", has_text="Filters").click()
    page.get_by_label("Lane").select_option("CNSHA-USLAX")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="In transit: 1 shipment, 1 container.")).to_be_visible()
    assert judged(reader, "live-map-lane") == []  # over the Pacific, in one piece
    assert reader.problems == []
