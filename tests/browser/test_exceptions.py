"""An exception by hand: found in the inbox, acknowledged, noted for the customer, resolved; every page is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import Desk, judged
from tests.tracking.messages import shipment, source, take, vessel
from tests.tracking.pages import tiered
from tracking.models import ExceptionCase, Shipment

pytestmark = [pytest.mark.slow, pytest.mark.req("R8.1", "R8.3")]
Open = Callable[..., Desk]


def rolled(account: cast.Account) -> Shipment:
    """Its ship left yesterday without it."""
    made, at = shipment(account), clock.now()
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    left = f"{at - timedelta(hours=20):%Y-%m-%dT%H:%M:00Z}"
    take(source(), [vessel("DEPA", booking, left, place="CNSHA")], at=at)
    return made


def test_a_rolled_box_is_taken_care_of_and_the_customer_reads_how(desk: Open) -> None:
    account = tiered(cast.account("ROLLED"), "PREMIUM")
    made = rolled(account)
    person, reader = desk(cast.person(OPERATOR_ID, Role.OPS, name="Olga Ops")), desk(account.member)
    page = person.page
    person.open(f"/ops/exceptions?account={account.tenant.public_id}")
    assert judged(person, "inbox") == []
    page.get_by_role("link", name="Rolled to another sailing").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Answer due in")
    assert judged(person, "case") == []
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged. It is not passed on any more.")).to_be_visible()
    page.get_by_label("What is being done").fill("Space is booked on the next sailing.")
    page.get_by_label("The customer reads it").check()
    page.get_by_role("button", name="Keep the note").click()
    expect(page.get_by_text("The note is kept.")).to_be_visible()
    assert judged(person, "case-noted") == []

    reader.open(f"/shipments/{made.public_id}")
    expect(reader.page.get_by_text("Space is booked on the next sailing.")).to_be_visible()
    expect(reader.page.get_by_text("Olga Ops takes care of it.")).to_be_visible()
    assert judged(reader, "shipment") == []

    page.get_by_label("Reason").fill("Loaded on the next ship.")
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("Resolved.", exact=True)).to_be_visible()
    assert judged(person, "case-resolved") == []
    with as_tenant(account.pk):
        assert ExceptionCase.objects.get(shipment=made, code="ROLLOVER").state == "RESOLVED"
    reader.open(f"/shipments/{made.public_id}")
    reader.page.get_by_text("1 that is over").click()
    expect(reader.page.get_by_text("Loaded on the next ship.")).to_be_visible()
    assert judged(reader, "shipment-over") == []


def test_an_owner_is_named_by_hand(desk: Open) -> None:
    account = cast.account("OWNED")
    cast.person(OPERATOR_ID, Role.OPS, name="Lena Lane")
    person = desk(cast.person(OPERATOR_ID, Role.ADMIN))
    person.open("/ops/settings/owners")
    page = person.page
    page.locator("#id_account").select_option(label=account.tenant.name)
    page.locator("#id_owner").select_option(label="Lena Lane")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=account.tenant.name)).to_contain_text("Lena Lane")
    assert judged(person, "owners") == []
