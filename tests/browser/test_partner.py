"""An admin gives a partner's code another meaning, and sees on the test bench what that does, before anything comes.

Every page on the way is judged, wide and narrow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tracking.models import Quarantined, SightingRow

pytestmark = pytest.mark.slow
Open = Callable[..., Desk]


def good(desk: Desk) -> None:
    """Nothing is wrong with the page as it stands, by day on a wide screen and by night on a telephone."""
    assert desk.judge() == []
    desk.look(NARROW, "dark")
    assert desk.judge() == []
    desk.look(WIDE, "light")


def main(desk: Desk) -> Locator:
    return desk.page.locator("main")


def press(desk: Desk, name: str) -> None:
    main(desk).get_by_role("button", name=re.compile(name)).click()


def follow(desk: Desk, name: str) -> None:
    main(desk).get_by_role("link", name=re.compile(name)).first.click()


@pytest.mark.req("R1.0", "G5")
def test_an_overridden_code_is_seen_on_the_bench_before_a_message_comes(desk: Open) -> None:
    account = cast.account("BENCH")
    made, line = shipment(account), source()
    take(line, [equipment("GTIN", box(), "2026-02-01T10:00:00+08:00")], at=clock.now())
    admin = desk(cast.person(OPERATOR_ID, Role.ADMIN))
    admin.open("/ops/sources")
    main(admin).locator("tr", has_text=line.key).locator("a.rowlink").click()
    expect(main(admin)).to_contain_text("One event of this source waits in quarantine")
    good(admin)

    follow(admin, "Test bench")
    told = [
        equipment("GTIN", number_of(made), "2026-02-02T10:00:00+08:00"),
        equipment("GATE", number_of(made), "2026-02-03T10:00:00+08:00"),
    ]
    admin.page.get_by_label("Message", exact=True).fill(json.dumps(told, indent=1))
    press(admin, "^Try it$")
    first, second = main(admin).locator("section", has_text="Made by"), main(admin).locator("section", has_text="GATE")
    expect(first).to_contain_text("Gate in, full (actual)")
    expect(first).to_contain_text(made.ref)
    expect(first).to_contain_text(account.tenant.name)
    expect(second.locator("mark").last).to_have_text('"GATE"')
    good(admin)

    follow(admin, "Map this code")
    expect(admin.page.get_by_label("Code", exact=True)).to_have_value("GATE")
    good(admin)
    press(admin, "Store the line")
    expect(main(admin)).to_contain_text("Say which event the code means")
    good(admin)
    admin.page.get_by_label(re.compile(r"^Event\b")).select_option("GTOT")
    admin.page.get_by_label("Laden").select_option("EMPTY")
    press(admin, "Store the line")
    expect(main(admin)).to_contain_text("Gate out, empty")
    main(admin).locator("tr", has_text="GTIN").get_by_role("link", name=re.compile("Override")).click()
    admin.page.get_by_label(re.compile(r"^Event\b")).select_option("AVPU")
    press(admin, "Store the line")
    expect(main(admin)).to_contain_text("overridden above")
    good(admin)

    follow(admin, "Test bench")
    admin.page.get_by_label("Message", exact=True).fill(json.dumps(told))
    press(admin, "^Try it$")
    items = main(admin).locator("section", has_text="Made by")
    expect(items.nth(0)).to_contain_text("Available for pick-up, full (actual)")
    expect(items.nth(0)).to_contain_text("By the standard meanings it would be: Gate in, full (actual)")
    expect(items.nth(1)).to_contain_text("Gate out, empty (actual)")
    expect(items.nth(1)).to_contain_text("partner table: dcsa GATE")
    good(admin)
    with as_tenant(account.pk):
        assert SightingRow.objects.filter(shipment=made).count() == 0
    with as_tenant(OPERATOR_ID):
        assert Quarantined.objects.filter(source=line).count() == 1, "only what came before the bench was used"


@pytest.mark.req("A5", "A6", "R1.6")
def test_settings_keys_and_ranks_are_changed_by_hand(desk: Open) -> None:
    account, line = cast.account("RANKS"), source(secret="c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYw==")
    admin = desk(cast.person(OPERATOR_ID, Role.ADMIN))
    admin.open(f"/ops/sources/{line.key}")
    follow(admin, "^Settings$")
    good(admin)
    admin.page.get_by_label("Times without offset").select_option("FIXED")
    admin.page.get_by_label("That one zone").fill("Amsterdam")
    press(admin, "^Store$")
    expect(main(admin)).to_contain_text("There is no time zone called Amsterdam")
    good(admin)
    admin.page.get_by_label("That one zone").fill("Europe/Amsterdam")
    press(admin, "^Store$")
    expect(main(admin)).to_contain_text("Europe/Amsterdam")

    follow(admin, "Rank by account")
    admin.page.get_by_label("Account", exact=True).select_option(label=account.tenant.name)
    admin.page.get_by_label("Rank for this account").fill("2")
    press(admin, "^Store$")
    expect(main(admin)).to_contain_text(account.tenant.name)
    good(admin)

    admin.open(f"/ops/sources/{line.key}")
    follow(admin, "New key")
    good(admin)
    press(admin, "Make the key")
    key = admin.page.locator("code.secret").inner_text()
    good(admin)
    follow(admin, "I have stored them")
    assert key not in admin.page.content()
    follow(admin, "^Revoke")
    good(admin)
    press(admin, "Revoke the key")
    expect(main(admin)).to_contain_text("No key opens its doors")
    press(admin, "Close the source")
    expect(admin.page.locator("h1")).to_contain_text("Closed")
    good(admin)
