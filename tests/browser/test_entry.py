"""A delivery that came by telephone, entered at the desk with a photo, in a browser and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk
from tests.browser.test_story import at_sea
from tests.tracking.pages import tiered

pytestmark = [pytest.mark.slow, pytest.mark.req("R1.12")]


def test_ops_enter_a_phoned_in_delivery_with_a_photo(desk: Callable[..., Desk], tmp_path: Path) -> None:
    account = tiered(cast.account("PHONE"), "PRIORITY")
    ship = at_sea(account)
    photo = tmp_path / "signed delivery note.jpg"
    Image.new("RGB", (1600, 1200), (120, 130, 140)).save(photo)
    ops = desk(cast.person(OPERATOR_ID, Role.OPS))
    ops.open(f"/ops/accounts/{account.tenant.public_id}/shipments/{ship.public_id}")
    ops.page.get_by_role("link", name="Enter an event").click()
    yesterday = (clock.now() - timedelta(days=1)).date()
    for size in (WIDE, NARROW):
        ops.look(size, "light")
        assert ops.judge() == []
    ops.look(WIDE, "light")
    ops.page.get_by_label("What happened").select_option("DELIVERED")
    ops.page.get_by_label("Day there").fill(yesterday.isoformat())
    ops.page.get_by_label("Time there").fill("10:30")
    ops.page.get_by_label("Place").fill("nowhere")  # as a hurried person would
    ops.page.get_by_label("Who says so").fill("phoned in by the haulier, Mr de Wit")
    ops.page.get_by_label("Photo or PDF as evidence").set_input_files(photo)
    ops.page.get_by_role("button", name="Put it on record").click()
    expect(ops.page.get_by_text("We know no place of this code")).to_be_visible()
    ops.page.get_by_label("Place").fill("")
    ops.page.get_by_label("Photo or PDF as evidence").set_input_files(photo)
    ops.page.get_by_role("button", name="Put it on record").click()
    expect(ops.page.get_by_text("Entered: Delivered")).to_be_visible()
    customer = desk(account.manager)
    customer.open(f"/shipments/{ship.public_id}")
    assert "Delivered" in customer.text()
    customer.open(f"/shipments/{ship.public_id}/events/1")
    assert "phoned in by the haulier, Mr de Wit" in customer.text()
    with customer.page.expect_download() as found:
        customer.page.get_by_role("link", name="the file as it was kept").click()
    with Image.open(found.value.path()) as kept:
        assert kept.size == (1600, 1200)
    assert customer.judge() == []
