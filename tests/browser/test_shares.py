"""Sharing a shipment as a shipper does it: made on the page, opened by a stranger on a telephone, revoked."""

from __future__ import annotations

import re

import pytest

from portal.lib import clock
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk
from tests.tracking.messages import box, number_of, source
from tests.tracking.pages import NOW, journey, tiered

pytestmark = [pytest.mark.req("A8"), pytest.mark.slow]


def judged(one: Desk, heading: str) -> list[str]:
    """What is wrong with the page of this heading, once it is there."""
    one.page.get_by_role("heading", name=heading, level=1).wait_for()
    return one.judge()


def test_a_shipper_shares_a_shipment_and_takes_it_back(desk) -> None:
    acme = cast.account("ACME")
    tiered(acme, "PRIORITY")
    with clock.set_to(NOW):
        made = journey(acme, source(), containers=(box(), box()))
    max_ = desk(acme.member)
    max_.open(f"/shipments/{made.public_id}")
    max_.page.get_by_role("link", name="Share", exact=True).click()
    assert judged(max_, "Share this shipment") == []
    max_.page.get_by_label("For whom").fill("Consignee Huber")
    max_.page.get_by_label("Days it works").fill("7")
    max_.page.get_by_label("Show container numbers").check()
    max_.page.get_by_role("button", name="Make the link").click()
    assert judged(max_, "Your new link") == []
    address = max_.page.locator("code.secret").inner_text()

    huber = desk(viewport=NARROW)  # no sign-in
    answer = huber.page.goto(address)
    assert answer is not None and answer.status == 200
    for scheme in ("light", "dark"):
        huber.look(NARROW, scheme)
        assert huber.judge() == []
    huber.look(WIDE, "light")
    assert huber.judge() == []
    said = huber.text()
    assert "Shanghai → Rotterdam" in said
    assert "No arrival heard, expected 10 Mar" in said
    assert number_of(made) in said
    assert made.ref not in said

    max_.page.get_by_role("link", name="I have copied it").click()
    max_.page.get_by_role("heading", name="Open links").wait_for()
    assert "1 time" in max_.text()
    max_.look(NARROW, "light")
    assert max_.judge() == []
    max_.page.get_by_role("link", name=re.compile("^Revoke")).click()
    assert judged(max_, "Revoke a link") == []
    max_.page.get_by_role("button", name="Revoke the link").click()
    max_.page.get_by_role("heading", name="Over").wait_for()
    assert "opens nothing any more" in max_.text()
    assert "Revoked by" in max_.text()

    answer = huber.page.reload()
    assert answer is not None and answer.status == 404
    huber.look(NARROW, "light")
    assert huber.judge() == []
    assert "Ask whoever sent it to you for a new one" in huber.text()
