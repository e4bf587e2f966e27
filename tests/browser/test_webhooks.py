"""A manager makes an endpoint in the browser, stores its secret, and sees it become active by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from portal.lib import clock
from portal.tenancy.context import as_tenant
from tests import cast, processes
from tests.browser.desk import NARROW, WIDE, Desk, answers
from tests.portal.webhooks.receiver import Receiver, say
from tests.portal.webhooks.test_signatures import verifier
from tiers.promises.services import subscription_open
from tiers.promises.types import Tier

pytestmark = [pytest.mark.slow, pytest.mark.req("H7", "A5")]
WAIT = 90_000  # ms, for processes that have only begun to start
QUICK = {"OUTBOX_LEASE_SECONDS": "3", "OUTBOX_AGAIN_SECONDS": "2"}


@pytest.fixture
def outward() -> Iterator[tuple[str, Receiver]]:
    """A portal with all its processes that may call an endpoint on loopback."""
    port = processes.free_port()
    address = f"http://127.0.0.1:{port}"
    with Receiver() as receiver:
        own = {"PUBLIC_URL": address, **QUICK, **receiver.environment}
        started = [
            processes.web(port, **own),
            processes.dispatcher(**own),
            processes.worker(pool="threads", concurrency=2, queue=settings.CALLS_QUEUE, **own),
        ]
        with processes.running(*started):
            processes.wait_for(lambda: answers(f"{address}/readyz"), seconds=40, what="the portal")
            yield address, receiver


def test_a_manager_connects_a_system_without_help(
    chromium: Any, outward: tuple[str, Receiver], acme: cast.Account
) -> None:
    address, receiver = outward
    with as_tenant(acme.pk), transaction.atomic():
        subscription_open(tier=Tier.PREMIUM, valid_from=clock.now().date().replace(day=1), at=clock.now())
    context = chromium.new_context(base_url=address, viewport=WIDE)
    desk = Desk(context, address, acme.manager)
    page = desk.page
    desk.open("/settings/webhooks")
    page.get_by_role("link", name="Make the first endpoint").click()
    page.get_by_label("Name").fill("TMS")
    page.get_by_label("Address", exact=True).fill("http://tms.example.com/hook")
    page.get_by_role("button", name="Make the endpoint").click()
    assert "must begin with https://" in desk.text()
    page.get_by_label("Address", exact=True).fill(receiver.url)
    page.get_by_role("button", name="Make the endpoint").click()
    secret = page.locator("code.secret").inner_text()
    page.get_by_role("link", name="I have stored it").click()
    assert "Nothing is sent to it yet" in desk.text()
    receiver.answers = [say(401, b"who are you?")]
    page.get_by_role("button", name="Send a signed ping").click()
    page.get_by_text("answered 401").first.wait_for(timeout=WAIT)  # the page looks again by itself
    page.get_by_role("button", name="Send a signed ping").click()
    page.get_by_role("heading", name="TMS").get_by_text("Active").wait_for(timeout=WAIT)
    ping = receiver.heard[-1]
    assert verifier()(secret, ping.headers, ping.body) == ping.id
    page.get_by_role("button", name="Send the example").click()
    page.get_by_text("Delivered").first.wait_for(timeout=WAIT)
    assert receiver.heard[-1].json()["test"] is True
    for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
        desk.look(size, scheme)
        assert desk.judge() == []
    assert desk.problems == []
    context.close()
