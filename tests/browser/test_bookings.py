"""Shipments by hand: rows pasted, one cell mended on the spot, stored; one entered, its promise changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from playwright.sync_api import expect

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import Desk, judged
from tests.tracking.messages import box
from tracking.models import Shipment

pytestmark = [pytest.mark.slow, pytest.mark.req("R1.16")]


def test_rows_are_pasted_mended_and_stored_and_a_promise_is_changed(desk: Callable[..., Desk]) -> None:
    account, due = cast.account("BOOKS"), clock.now().date() + timedelta(days=30)
    code = account.tenant.code
    person = desk(cast.person(OPERATOR_ID, Role.OPS, name="Olga Ops"))
    page = person.page
    person.open("/ops/shipments/many")
    head = "account,shipment_ref,final_milestone,pol,pod,due_date,containers"
    rows = [f"{code},P1,DOOR,CNSHA,NLRTM,{due},{box()}", f"{code},P2,DOOR,CNSHA,QQNOW,{due},MSKU0000007"]
    page.get_by_label("or its rows").fill("\n".join([head, *rows]))
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_text("Nothing is stored yet.")).to_be_visible()
    expect(page.get_by_text("is not known with its time zone")).to_be_visible()
    assert judged(person, "rows") == []
    page.get_by_label("or its rows").fill("\n".join([head, rows[0], rows[1].replace("QQNOW", "DEHAM")]))
    page.get_by_role("button", name="Store them").click()
    expect(page.get_by_text("Stored.", exact=True)).to_be_visible()
    assert judged(person, "stored") == []
    with as_tenant(account.pk):
        assert set(Shipment.objects.values_list("ref", "pod")) == {("P1", "NLRTM"), ("P2", "DEHAM")}

    page.get_by_role("link", name="P1").click()
    page.get_by_role("link", name="Promise", exact=True).click()
    later: date = due + timedelta(days=5)
    page.get_by_label("New promised day").fill(later.isoformat())
    page.get_by_label("The customer: it counts from now on").check()
    page.get_by_label("Reason").fill("Ms Li, by mail of this morning")
    assert judged(person, "promise") == []
    page.get_by_role("button", name="Record it").click()
    expect(page.get_by_text("The new day counts from now on.")).to_be_visible()
    page.get_by_role("link", name="Booking", exact=True).click()
    assert judged(person, "booking") == []
    with as_tenant(account.pk):
        assert Shipment.objects.get(ref="P1").due_date == later
    assert person.problems == []
