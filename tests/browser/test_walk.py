"""Every page of the portal, opened by somebody who may: readable by everybody, on a wide screen and on a telephone.

Generated from the URL resolver, so that a new page is walked from its first day. What it says is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from django.urls import reverse

from portal.lib import clock
from portal.notify.models import Delivery
from portal.notify.services import deliveries_create
from portal.tenancy.context import as_tenant
from portal.web.checks import Route, routes
from tests.browser.conftest import LETTER
from tests.browser.desk import NARROW, WIDE, Desk
from tests.contracts import access_world
from tests.contracts.access_world import World
from tracking.facts import MilestoneReached

pytestmark = [pytest.mark.req("W2", "T7"), pytest.mark.slow]

# The first of these who may open a page, and is answered one, walks it.
WALKERS: Final = ("PREMIUM_MANAGER", "ADMIN", "FINANCE", "ACCOUNT_MANAGER", "OPS", "PREMIUM_MEMBER", "ANONYMOUS")
# Routes that answer GET with no page of their own.
NO_PAGE: Final = {
    "mfa_authenticate": "only in the middle of signing in; the story opens it",
    "people_invitation": "needs the link of a mail; tests/portal/account opens it",
    "notices:bell": "a part of every page, which asks for it",
    "tracking:shipments_counts": "a part of the list, which asks for it",
    "ops:tracking_shipments_counts": "the same, for the staff",
    "brand:sheet": "a style sheet",
    "brand:logo": "a picture",
    "tracking:map_live": "a part of the live map, which asks for it; tests/browser/test_map.py looks at it",
    "demo:letter_html": "a mail as it was sent, shown in the frame of demo:letter",
}


def role(principal: str) -> str:
    """`MANAGER` of `PREMIUM_MANAGER`."""
    return principal.removeprefix("PREMIUM_").removeprefix("STANDARD_")


def pages() -> list[Route]:
    """Routes that a person may ask for with GET."""
    return [
        r for r in routes()
        if "GET" in r.methods and r.policy and {role(w) for w in WALKERS} & r.policy.who
        and not r.name.startswith("static") and r.name not in NO_PAGE
    ]  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    """The access matrix's world, with a mail on its way and one in the demo's inbox."""
    made = access_world.build()
    premium = made.tiers["PREMIUM"]
    with as_tenant(premium.account.pk), transaction.atomic():
        deliveries_create(fact=MilestoneReached.example(), recorded_at=clock.now(), at=clock.now())
        premium.objects["notify:delivery:public_id"] = Delivery.objects.values_list("public_id", flat=True)[0]
    made.desk["demo:letter:name"] = LETTER
    return made


@pytest.fixture(scope="module")
def walkers(world: World, chromium: Any, portal: str) -> Iterator[dict[str, Desk]]:
    """One browser a principal, kept through the walk."""
    made = {}
    for name in (*WALKERS, "STANDARD_MEMBER"):
        context = chromium.new_context(base_url=portal, viewport=WIDE)
        made[name] = Desk(context, portal, world.principal(name)[0])
    yield made
    for desk in made.values():
        desk.context.close()


@pytest.mark.parametrize("route", pages(), ids=lambda r: r.name)
def test_a_page_reads_well_wide_and_narrow(route: Route, world: World, walkers: dict[str, Desk]) -> None:
    name, path = fitting(route, world, walkers)
    assert name, "nobody is answered a page here, and nothing in NO_PAGE says why"
    if path:
        assert judged(walkers[name], path) == []


@pytest.mark.parametrize("name", ["STANDARD_MEMBER", "PREMIUM_MEMBER", "OPS", "ACCOUNT_MANAGER", "FINANCE"])
def test_the_home_of_each_role_reads_well(name: str, walkers: dict[str, Desk]) -> None:
    assert judged(walkers[name], "/") == []


@pytest.mark.parametrize("name", ["PREMIUM_MANAGER", "OPS", "ANONYMOUS"])
def test_a_page_that_is_not_there_reads_well(name: str, walkers: dict[str, Desk]) -> None:
    assert judged(walkers[name], "/nothing/here", status=404) == []


def test_what_is_left_out_of_the_walk_exists() -> None:
    assert set(NO_PAGE) <= {r.name for r in routes()}


def fitting(route: Route, world: World, walkers: dict[str, Desk]) -> tuple[str, str]:
    """(who is answered 200, at which path); the path is empty when the answer is a file."""
    assert route.policy is not None
    for name in WALKERS:
        if role(name) in route.policy.who:
            path = reverse(route.name, kwargs=access_world.arguments(world, route, name, "own"))
            answer = walkers[name].context.request.get(path, max_redirects=0)
            if answer.status == 200:
                return name, path if answer.headers["content-type"].startswith("text/html") else ""
    return "", ""


def judged(desk: Desk, path: str, *, status: int = 200) -> list[str]:
    """Opens the page wide and by day, then narrow and by night; everything that is wrong with it."""
    before = len(desk.problems)
    desk.look(WIDE, "light")
    answer = desk.open(path)
    found = [] if answer.status == status else [f"answered {answer.status}"]
    found += [f"1440 px: {line}" for line in desk.judge()]
    desk.look(NARROW, "dark")
    found += [f"360 px: {line}" for line in desk.judge()]
    return found + desk.problems[before:]
