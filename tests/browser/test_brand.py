"""An administrator sets the operator's look by hand; pages in it stay readable by day and by night."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from portal.brand.services import brand_change
from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def plain():
    """The look belongs to all: it is put back."""
    yield
    brand_change(accent="", sender_name="", sender="", logo=None, drop_logo=True, at=clock.now(), actor="test")


def test_a_look_is_chosen_and_every_page_wears_it(desk: Callable[..., Desk], plain: None, tmp_path: Path) -> None:
    cast.operator()
    picture = Image.new("RGBA", (600, 120), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rounded_rectangle((0, 10, 580, 110), 40, fill=(200, 60, 20, 255))
    picture.save(tmp_path / "logo.png")
    admin = desk(cast.person(OPERATOR_ID, Role.ADMIN, name="Ada Admin"))
    page = admin.page
    admin.open("/ops/settings/brand")
    page.get_by_label("Accent").fill("#ff9a3d")
    page.locator("input[name=logo]").set_input_files(tmp_path / "logo.png")
    page.get_by_label("Name of the sender of mails").fill("Meridian Tracking")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("would be too pale to read")).to_be_visible()
    for size, scheme in ((NARROW, "dark"), (WIDE, "light"), (WIDE, "dark")):
        admin.look(size, scheme)  # type: ignore[arg-type]
        assert admin.judge() == []
        if folder := os.environ.get("PLIMSOLL_PICTURES"):
            page.screenshot(path=Path(folder) / f"brand-{size['width']}-{scheme}.png", full_page=True)
    assert admin.problems == []
