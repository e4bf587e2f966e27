"""Fetching from a carrier is set up in the browser: a wrong field, a trial, and then it is saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.models import Role
from tests import cast, processes
from tests.browser.desk import NARROW, WIDE, Desk, answers
from tests.tracking.messages import source
from tests.tracking.publisher import ERROR, Publisher

pytestmark = pytest.mark.slow


@pytest.fixture
def outward() -> Iterator[tuple[str, Publisher]]:
    """A portal that may call a carrier on loopback."""
    port = processes.free_port()
    address = f"http://127.0.0.1:{port}"
    with Publisher() as carrier, processes.running(processes.web(port, PUBLIC_URL=address, **carrier.environment)):
        processes.wait_for(lambda: answers(f"{address}/readyz"), seconds=40, what="the portal")
        yield address, carrier


def test_an_administrator_sets_up_what_is_fetched(chromium: Any, outward: tuple[str, Publisher]) -> None:
    address, carrier = outward
    feed = source()
    context = chromium.new_context(base_url=address, viewport=WIDE)
    desk = Desk(context, address, cast.person(OPERATOR_ID, Role.ADMIN))
    page = desk.page
    desk.open(f"/ops/sources/{feed.key}/poll")
    page.get_by_label("Address", exact=True).fill("http://api.example.com")
    page.get_by_label("Client id").fill(carrier.client_id)
    page.get_by_label("Client secret").fill(carrier.secret)
    page.get_by_label("Token address").fill(f"{carrier.url}/token")
    page.get_by_role("button", name="Test the connection").click()
    assert "must begin with https://" in desk.text()
    page.get_by_label("Address", exact=True).fill(carrier.url)
    page.get_by_label("Client secret").fill(carrier.secret)
    page.get_by_label("Filters").fill("eventType=EQUIPMENT,TRANSPORT")
    carrier.refuse(400, ERROR)
    page.get_by_role("button", name="Test the connection").click()
    assert "Unknown value XYZ for eventType" in desk.text()
    page.get_by_label("Client secret").fill(carrier.secret)
    page.get_by_role("button", name="Test the connection").click()
    assert "The connection works" in desk.text()
    page.get_by_label("Client secret").fill(carrier.secret)
    page.get_by_role("button", name="Save and fetch").click()
    assert "Saved." in page.locator("body").inner_text()
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        desk.look(size, scheme)
        assert desk.judge() == []
    page.get_by_role("button", name="Pause").click()
    assert "Paused" in desk.text()
    assert desk.problems == []
    context.close()
