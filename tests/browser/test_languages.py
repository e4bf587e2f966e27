"""The main pages in German and in Chinese on a telephone: whole, no wider than the screen, readable by everybody."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member
from tests import cast
from tests.browser.desk import NARROW, Desk
from tests.tracking.messages import source
from tests.tracking.pages import journey, tiered

pytestmark = [pytest.mark.slow]
SIGN_IN = {"de": "Anmelden", "zh-hans": "登录"}


def judged(one: Desk, path: str, code: str) -> None:
    answer = one.open(path)
    assert (answer.status, answer.headers["content-language"]) == (200, code)
    expect(one.page.locator("html")).to_have_attribute("lang", code)
    assert one.judge() == [], path


@pytest.mark.parametrize("code", ["de", "zh-hans"])
def test_the_pages_of_a_shipper_read_well_on_a_telephone(desk, code: str) -> None:
    account = tiered(cast.account("SPRACHE"), "PREMIUM")
    made = journey(account, source())
    visitor = desk(None)
    visitor.look(NARROW, "light")
    visitor.open("/accounts/login/")
    visitor.page.get_by_role("button", name={"de": "Deutsch", "zh-hans": "简体中文"}[code]).click()
    expect(visitor.page.locator("h1")).to_have_text(SIGN_IN[code])
    judged(visitor, "/accounts/login/", code)

    reader = desk(account.member)
    reader.look(NARROW, "light")
    reader.open("/accounts/security/")
    reader.page.locator("#language").select_option(code)
    reader.page.locator("#language").locator("xpath=ancestor::form").get_by_role("button").click()
    expect(reader.page.locator("html")).to_have_attribute("lang", code)
    with as_tenant(account.pk):
        assert Member.objects.get(pk=account.member.pk).language == code
    for path in ("/", "/shipments", f"/shipments/{made.public_id}", "/settings/notices", "/accounts/security/"):
        judged(reader, path, code)
        # nothing is left in English but names and codes
        assert not re.search(r"\b(the|and|of|is|are|your)\b", reader.text()), reader.text()
