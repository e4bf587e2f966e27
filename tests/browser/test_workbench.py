"""The quarantine workbench by hand: a code is mapped and what waited is replayed; many are set aside with a reason.

With a worker at work, so that the progress page finishes by itself. Every page on the way is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast, processes
from tests.browser.desk import NARROW, WIDE, Desk
from tests.processes import running
from tests.tracking.messages import number_of, shipment, source, take
from tracking.models import Quarantined, Source

pytestmark = pytest.mark.slow
Open = Callable[..., Desk]


@pytest.fixture(scope="module")
def at_work(portal: str) -> Iterator[None]:
    """Worker and dispatcher."""
    with running(processes.worker(PUBLIC_URL=portal), processes.dispatcher(PUBLIC_URL=portal)):
        yield


def waiting(count: int) -> Source:
    """So many rows of an account's boxes with a code that nobody knows."""
    account, src = cast.account("BENCH"), source(format="csv")
    head = "container,code,classifier,event_time,place\n"
    at = clock.now()
    time = f"{at - timedelta(hours=5):%Y-%m-%dT%H:%MZ}"
    rows = [f"{number_of(shipment(account))},DELV,ACT,{time},NLRTM" for _ in range(count)]
    take(src, (head + "\n".join(rows) + "\n").encode(), at=at)
    return src


def states(src: Source) -> set[str]:
    with as_tenant(OPERATOR_ID):
        return set(Quarantined.objects.filter(source=src).values_list("state", flat=True))


def judged(desk: Desk) -> list[str]:
    """The page as it stands, wide and narrow."""
    found = []
    for size, scheme in ((NARROW, "dark"), (WIDE, "light")):
        desk.look(size, scheme)  # type: ignore[arg-type]
        found += desk.judge()
    return found


@pytest.mark.req("G5")
def test_a_code_is_mapped_once_and_what_waited_is_replayed(desk: Open, at_work: None) -> None:
    src, person = waiting(3), desk(cast.person(OPERATOR_ID, Role.OPS))
    page = person.page
    person.open(f"/ops/quarantine?source={src.key}")
    page.locator("main .rowlink").first.click()
    expect(page.get_by_role("heading", name="Say what DELV means")).to_be_visible()
    assert judged(person) == []
    page.get_by_label("It means").select_option("DROP")
    page.get_by_label("The container is").select_option("LADEN")
    page.get_by_role("button", name="Map code and replay").click()
    expect(page.get_by_text("3 of 3 tried")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Finished")).to_be_visible()
    assert judged(person) == []
    assert states(src) == {"REPLAYED"}


@pytest.mark.req("G5")
def test_many_are_chosen_and_set_aside_with_one_reason(desk: Open, at_work: None) -> None:
    src, person = waiting(4), desk(cast.person(OPERATOR_ID, Role.OPS))
    page = person.page
    person.open(f"/ops/quarantine?source={src.key}")
    boxes = page.get_by_role("checkbox", name=re.compile("^Choose:"))
    expect(boxes).to_have_count(4)
    for n in range(3):
        boxes.nth(n).check()
    assert judged(person) == []
    page.get_by_role("button", name="Set aside").click()
    expect(page.get_by_text("3 events will be given up")).to_be_visible()
    assert judged(person) == []
    page.get_by_role("button", name="Set aside").click()  # without a reason the browser itself refuses
    expect(page.get_by_text("3 events will be given up")).to_be_visible()
    page.get_by_label("Why it is set aside").fill("a trial of theirs")
    page.get_by_role("button", name="Set aside").click()
    expect(page.get_by_text("3 of 3 decided")).to_be_visible(timeout=30_000)
    assert states(src) == {"DISCARDED", "OPEN"}
    with as_tenant(OPERATOR_ID):
        told = list(Quarantined.objects.filter(source=src, state="DISCARDED").values_list("decision", flat=True))
    assert told == ["a trial of theirs"] * 3


@pytest.mark.req("G12")
def test_an_event_is_mended_in_the_browser_and_applied(desk: Open) -> None:
    src, person = waiting(1), desk(cast.person(OPERATOR_ID, Role.OPS))
    page = person.page
    with as_tenant(OPERATOR_ID):
        item = Quarantined.objects.get(source=src)
    person.open(f"/ops/quarantine/{item.public_id}")
    page.get_by_role("link", name="Correct as a new message").click()
    box = page.get_by_role("textbox", name="The event")
    box.fill(box.input_value().replace("DELV", "DROP"))
    page.get_by_label("What was wrong").fill("they told us on the phone")
    assert judged(person) == []
    page.get_by_role("button", name="Send the correction").click()
    expect(page.get_by_text("Sent as a new message: 1 accepted")).to_be_visible()
    page.get_by_role("link", name=item.public_id).click()
    expect(page.get_by_text("they told us on the phone")).to_be_visible()
    assert judged(person) == []
    assert states(src) == {"REPLACED"}
