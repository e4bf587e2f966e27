"""A bill is brought, a question asked and answered, a last free day seen: by both sides, on desktop and phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import NARROW, Desk, judged
from tests.browser.test_story import ago, at_sea
from tests.tracking.messages import equipment, number_of, source, take
from tests.tracking.pages import tiered
from tracking.freetime import FreeKind, Term
from tracking.services import free_term_set

pytestmark = [pytest.mark.slow]
Open = Callable[..., Desk]


def sound(desk: Desk, name: str) -> None:
    """The page is sound on both screens, in both themes."""
    assert judged(desk, name) == []


def test_both_sides_work_on_one_shipment(desk: Open, tmp_path: Path) -> None:
    account = tiered(cast.account("PAPERS"), "PRIORITY")
    ship, now = at_sea(account), clock.now()
    with as_tenant(account.pk):
        day = now.date() - timedelta(days=90)
        for kind, free in ((FreeKind.DEMURRAGE, 4), (FreeKind.DETENTION, 3)):
            term = Term(kind=kind, place="NLRTM", free_days=free, first_day=day)
            free_term_set(term=term, by="Olga", at=now)
    box = number_of(ship)
    take(source(), [equipment("GTIN", box, ago(days=30)), equipment("DISC", box, ago(days=3), place="NLRTM")], at=now)
    bill = tmp_path / "MBL 4711.pdf"
    bill.write_bytes(b"%PDF-1.7 bill of lading")
    olga = cast.person(OPERATOR_ID, Role.OPS, name="Olga Owl")
    customer, ops = desk(account.member), desk(olga)

    page = customer.page
    customer.open(f"/shipments/{ship.public_id}")
    expect(page.get_by_text("Demurrage: last free day")).to_be_visible()
    expect(page.get_by_text("Bill of lading or Sea waybill")).to_be_visible()
    customer.look(NARROW, "light")
    page.get_by_role("link", name="All, add one").click()
    page.get_by_label("What it is").select_option("BILL_OF_LADING")
    page.get_by_label("File").set_input_files(bill)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Kept: Bill of lading, version 1.")).to_be_visible()
    with page.expect_download() as found:
        page.get_by_role("link", name="Bill of lading").first.click()
    assert found.value.suggested_filename == "MBL 4711.pdf"
    sound(customer, "documents")
    customer.open(f"/shipments/{ship.public_id}")
    page.get_by_label("Write a comment").fill("Can it be at the gate on Friday?")
    page.get_by_role("button", name="Post").click()
    expect(page.locator(".thread")).to_contain_text("Can it be at the gate on Friday?")
    assert page.url.endswith(ship.public_id), "the page was not left"
    expect(page.get_by_label("Write a comment")).to_be_focused()

    ops.open(f"/ops/accounts/{account.tenant.public_id}/shipments/{ship.public_id}")
    text = ops.page.get_by_label("Write a comment")
    text.fill("The haulier asks for a slot.")
    ops.page.get_by_role("button", name="Post").click()
    expect(ops.page.get_by_text("Internal note", exact=True)).to_be_visible()
    text.press_sequentially(f"@{account.member.name[:4].lower()}")
    ops.page.get_by_role("option", name=account.member.name).wait_for()
    text.press("Enter")
    text.press_sequentially("on Friday at ten.")
    ops.page.get_by_label("The customer reads it").check()
    ops.page.get_by_role("button", name="Post").click()
    expect(ops.page.locator(".mention")).to_have_text(f"@{account.member.name}")
    sound(ops, "shipment-ops")

    customer.open(f"/shipments/{ship.public_id}")
    expect(page.get_by_text("on Friday at ten.")).to_be_visible()
    assert "slot" not in customer.text()
    sound(customer, "shipment")
    page.get_by_role("link", name="Who changed what").click()
    expect(page.get_by_text("added Bill of lading, version 1")).to_be_visible()
    sound(customer, "changes")
    ops.open(f"/ops/accounts/{account.tenant.public_id}/free-days")
    sound(ops, "freedays")
    terms = tmp_path / "terms.csv"
    terms.write_text("place,kind,free_days,first_day\nNLRTM,DEMURRAGE,6,2030-01-01\nNLRTM,STORAGE,1,2030-01-01\n")
    ops.page.get_by_label("CSV file").set_input_files(terms)
    ops.page.get_by_role("button", name="Look at it").click()
    expect(ops.page.get_by_text("Not taken")).to_be_visible()
    sound(ops, "freedays-preview")
    ops.open(f"/ops/accounts/{account.tenant.public_id}/free-days/new")
    sound(ops, "freeday-form")
    assert customer.problems == ops.problems == []
