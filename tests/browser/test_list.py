"""The list as a shipper opens it every morning: paste, filter, keep, share, tick, take along.

By mouse, by keys, and without scripts; a long list as a workbook that a real worker makes in the background.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Locator, expect
from python_calamine import CalamineWorkbook

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Role
from tests import cast, processes
from tests.browser.desk import NARROW, WIDE, Desk
from tests.processes import Sink, running, wait_for
from tests.tracking.messages import shipment
from tracking.models import Shipment

pytestmark = pytest.mark.slow
Open = Callable[..., Desk]
PASTE = """(box, text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  box.focus();
  box.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
}"""


@dataclass
class Morning:
    """An account with six shipments of two carriers, and a colleague."""

    account: cast.Account
    colleague: Any


@pytest.fixture(scope="module")
def morning() -> Morning:
    """Due on six days around today, so that some are late."""
    account, now = cast.account("MORNING"), clock.now()
    for n in range(6):
        shipment(account, ref=f"MRN-{n}", carrier="MAEU" if n % 2 else "HLCU", po_numbers=(f"PO 47{n}",),
                 due_date=(now + timedelta(days=4 * n - 9)).date(), booked_at=now - timedelta(days=40),
                 confirmed_at=now - timedelta(days=39))  # fmt: skip
    return Morning(account, cast.person(account.pk, Role.MEMBER, name="Kim Colleague"))


def refs(desk: Desk) -> list[str]:
    """The references of the rows, in order."""
    return [text.strip() for text in desk.page.locator("#list a.rowlink").all_inner_texts()]


def press(desk: Desk, name: str) -> None:
    desk.page.get_by_role("button", name=name, exact=True).click()


def follow_link(desk: Desk, name: str) -> None:
    desk.page.get_by_role("link", name=name, exact=True).click()


def main(desk: Desk) -> Locator:
    return desk.page.locator("main")


def saved(desk: Desk, name: str, folder: Path) -> bytes:
    """What pressing a download gives."""
    with desk.page.expect_download() as waiting:
        follow_link(desk, name)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_bytes()


def test_the_daily_job_paste_filter_keep_share_and_take_along(desk: Open, morning: Morning, tmp_path: Path) -> None:
    shipper = desk(morning.account.member)
    shipper.open("/shipments")
    expect(shipper.page.locator("#standing .num").first).to_have_text(re.compile(r"\d+"))  # the counts came after it

    main(shipper).get_by_text("Paste a list").click()
    shipper.page.get_by_label("Up to 200 references").fill("MRN-1\nPO 472\nMRN-3\nNOT-MINE-1\n")
    press(shipper, "Find them")
    expect(main(shipper)).to_contain_text("Not found: NOT-MINE-1")
    assert sorted(refs(shipper)) == ["MRN-1", "MRN-2", "MRN-3"]
    assert shipper.judge() == []

    follow_link(shipper, "Filters")  # opens below the buttons, the list stays
    shipper.page.locator("#panel").get_by_label("Carrier").select_option("MAEU")
    press(shipper, "Show")
    assert sorted(refs(shipper)) == ["MRN-1", "MRN-3"]
    follow_link(shipper, "Columns")
    shipper.page.locator("#panel").get_by_role("link", name="Purchase orders").click()
    expect(shipper.page.locator("#columns ol")).to_contain_text("Purchase orders")
    follow_link(shipper, "Show these columns")
    expect(shipper.page.locator("#list thead")).to_contain_text("Purchase orders")

    follow_link(shipper, "Keep this view")
    shipper.page.get_by_label("Name").fill("Mine this week")
    press(shipper, "Keep")
    expect(main(shipper).get_by_role("link", name="Mine this week")).to_have_attribute("aria-current", "true")
    assert shipper.judge() == []

    other = desk(morning.colleague)
    other.open(shipper.page.url.removeprefix(shipper.address))  # the address is all that is sent
    assert refs(other) == refs(shipper)
    expect(other.page.locator("#list thead")).to_contain_text("Purchase orders")

    table = list(csv.DictReader(io.StringIO(saved(shipper, "CSV", tmp_path).decode())))
    assert [row["shipment"] for row in table] == refs(shipper)
    assert [row["purchase_orders"] for row in table] == [f"PO 47{row['shipment'][-1]}" for row in table]
    book = CalamineWorkbook.from_filelike(io.BytesIO(saved(shipper, "Excel", tmp_path)))
    head, *rows = book.get_sheet_by_index(0).to_python()
    assert head == list(table[0])
    assert [row[0] for row in rows] == refs(shipper)


def test_the_list_is_worked_with_keys_alone(desk: Open, morning: Morning) -> None:
    shipper = desk(morning.account.member)
    shipper.open("/shipments?view=all&sort=ref")
    keys = shipper.page.keyboard
    keys.press("j")
    keys.press("j")
    keys.press("x")
    keys.press("k")
    expect(shipper.page.locator("#list tbody tr").nth(1).get_by_role("checkbox")).to_be_checked()
    expect(shipper.page.locator("#list tbody tr").nth(0).get_by_role("checkbox")).not_to_be_checked()
    press(shipper, "Follow")
    expect(main(shipper)).to_contain_text("You follow 1 shipment more.")
    assert shipper.page.url.endswith("/shipments?sort=ref&view=all")
    shipper.open("/shipments?followed=1")
    assert refs(shipper) == ["MRN-1"]
    keys.press("j")
    keys.press("Enter")
    expect(shipper.page.locator("h1")).to_contain_text("MRN-1")
    expect(main(shipper)).to_contain_text("You follow it")
    keys.press("/")
    expect(shipper.page.get_by_label("Find by any reference")).to_be_focused()
    keys.type("PO 474")
    keys.press("Enter")
    expect(shipper.page.locator("h1")).to_contain_text("MRN-4")  # straight to it
    keys.press("?")
    expect(shipper.page.locator("#help")).to_contain_text("Tick the row")


def test_lines_pasted_into_the_search_box_stay_apart(desk: Open, morning: Morning) -> None:
    shipper = desk(morning.account.member)
    shipper.open("/shipments")
    box = shipper.page.get_by_label("Find by any reference")
    box.evaluate(PASTE, "PO 471\r\nMRN-5\tNOPE\r\n")
    assert box.input_value() == "PO 471, MRN-5, NOPE"
    box.press("Enter")
    assert sorted(refs(shipper)) == ["MRN-1", "MRN-5"]
    expect(main(shipper)).to_contain_text("Not found: NOPE")


def test_without_scripts_filters_columns_and_following_still_work(desk: Open, morning: Morning) -> None:
    shipper = desk(morning.colleague, java_script_enabled=False)
    shipper.open("/shipments")
    follow_link(shipper, "Filters")
    shipper.page.get_by_label("Carrier").select_option("HLCU")
    press(shipper, "Show")
    assert sorted(refs(shipper)) == ["MRN-0", "MRN-2", "MRN-4"]
    assert shipper.page.url.endswith("/shipments?carrier=HLCU")  # nothing that was not asked
    follow_link(shipper, "Columns")
    follow_link(shipper, "Booking")
    follow_link(shipper, "Show these columns")
    expect(shipper.page.locator("#list thead")).to_contain_text("Booking")
    shipper.page.get_by_role("checkbox", name="MRN-2").check()
    press(shipper, "Follow")
    expect(main(shipper)).to_contain_text("You follow 1 shipment more.")
    shipper.page.locator(".chip-off").first.click()
    assert len(refs(shipper)) == 6


def test_on_a_telephone_rows_are_cards_that_say_what_each_value_is(desk: Open, morning: Morning) -> None:
    shipper = desk(morning.account.member, viewport=NARROW)
    shipper.open("/shipments?view=all&sort=ref")
    first = shipper.page.locator("#list tbody tr").first
    box = first.bounding_box()
    assert box is not None
    assert box["width"] <= 360
    label = first.locator("td[data-label=Promised]").evaluate("el => getComputedStyle(el, '::before').content")
    assert label == '"Promised"'
    for path in ("/shipments?view=all&cols=shipment,po,hbl,vessel,booked,heard,branch", "/shipments/filters"):
        shipper.open(path)
        assert shipper.judge() == []


@pytest.fixture(scope="module")
def post_office(portal: str) -> Iterator[Sink]:
    """Worker and dispatcher, and the server that takes their mail."""
    with Sink() as sink:
        surroundings = {"EMAIL_URL": sink.url, "PUBLIC_URL": portal}
        with running(processes.worker(**surroundings), processes.dispatcher(**surroundings)):
            yield sink


@pytest.mark.req("W9", "X3")
def test_a_long_list_is_made_in_the_background_and_a_mail_leads_to_it(
    desk: Open, post_office: Sink, tmp_path: Path
) -> None:
    account = cast.account("LONG")
    made = shipment(account, ref="FIRST")
    names = ", ".join(f.column for f in Shipment._meta.fields if f.name not in ("id", "public_id", "ref"))
    with as_tenant(account.pk), connection.cursor() as cursor:
        cursor.execute(
            f"insert into tracking_shipment (public_id, ref, {names}) "
            f"select substr(md5(%s || n), 1, 20), 'L' || lpad(n::text, 6, '0'), {names} "
            "from tracking_shipment, generate_series(1, 10500) n where id = %s",
            [str(account.pk), made.pk],
        )
    shipper = desk(account.member)
    shipper.open("/shipments?carrier=MAEU&cols=shipment,carrier")
    follow_link(shipper, "Excel")
    expect(main(shipper)).to_contain_text("This view holds 10501 shipments")
    assert shipper.judge() == []
    press(shipper, "Make the workbook")
    expect(main(shipper).get_by_role("link", name="Fetch the workbook")).to_be_visible(timeout=90_000)
    assert shipper.judge() == []
    (mail,) = wait_for(lambda: post_office.to(account.member.user.email), seconds=90, what="the mail")
    assert mail["Subject"] == "Your list of 10501 shipments is ready"
    text = mail.get_payload()[0].get_payload(decode=True).decode()
    assert shipper.page.url in text
    rows = CalamineWorkbook.from_filelike(io.BytesIO(saved(shipper, "Fetch the workbook", tmp_path)))
    assert len(rows.get_sheet_by_index(0).to_python()) == 10_502
    shipper.look(WIDE, "dark")
    assert shipper.judge() == []
