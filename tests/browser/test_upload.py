"""A spreadsheet with odd column names, uploaded by hand in a browser: mapped, two bad rows fixed, imported, seen.

Every step is judged at both widths. With `PLIMSOLL_SHOTS` set to a folder each is photographed there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.models import Role
from tests import cast
from tests.browser.desk import NARROW, WIDE, Desk
from tests.tracking import xlsx
from tests.tracking.messages import box, number_of, shipment, source
from tests.tracking.xlsx import Day
from tracking.models import Source

pytestmark = pytest.mark.slow
Open = Callable[..., Desk]


def judged(desk: Desk, step: str) -> None:
    """Nothing is wrong with the page at either width, by day and by night."""
    found = []
    for name, size, scheme in (("wide", WIDE, "light"), ("narrow", NARROW, "dark")):
        desk.look(size, scheme)  # type: ignore[arg-type]
        found += [f"{step}, {name}: {line}" for line in desk.judge()]
        if folder := os.environ.get("PLIMSOLL_SHOTS"):
            path = str(Path(folder) / f"{step}-{name}.png")
            desk.page.screenshot(path=path, full_page=True, caret="initial")  # hiding it is an inline style
    desk.look(WIDE, "light")
    assert found == []


def workbook(one: str, two: str, three: str) -> bytes:
    """What a depot sends: a title, odd names, a mistyped box, a day that is none, words of its own."""
    day = Day(datetime(2026, 3, 12, 14, 5, tzinfo=UTC))
    return xlsx.workbook([
        ["Depot report, week 11"], [],
        ["Cntr No.", "Gate Out Date", "Port", "Status", "Truck", "Remark"],
        [one, day, "Hamburg", "Discharged", "B-XY 12", ""],
        [one, "13/03/2026 08:30", "Hamburg", "Out to cust.", "B-XY 13", "call first"],
        [two[:-1] + str((int(two[-1]) + 1) % 10), "12/03/2026 15:40", "Hamburg", "Discharged", "", ""],
        [three, "soon", "Hamburg", "Discharged", "", "see mail"],
        [three, "14/03/2026 10:10", "Hamburg", "Out to cust.", "", ""],
        [one, "14/03/2026 11:00", "Hamburg", "Weighed", "", ""],
    ])  # fmt: skip


@pytest.fixture
def depot() -> Source:
    return source(format="table")


@pytest.mark.req("G1", "G5", "G7")
def test_a_spreadsheet_with_odd_names_becomes_events_on_the_shipment(desk: Open, depot: Source, tmp_path: Path) -> None:
    acme = cast.account("ACME")
    made = [shipment(acme, pod="DEHAM", final_place="DEHAM") for _n in range(3)]
    one, two, three = (number_of(s) for s in made)
    file = tmp_path / "depot week 11.xlsx"
    file.write_bytes(workbook(one, two, three))

    ops = desk(cast.person(OPERATOR_ID, Role.OPS))
    main = ops.page.locator("main")
    ops.open("/ops/sources")
    ops.page.get_by_role("row", name=re.compile(depot.key)).get_by_role("link", name="Upload a spreadsheet").click()
    expect(ops.page.locator("h1")).to_have_text("Upload a spreadsheet")
    judged(ops, "1-choose")
    ops.page.get_by_label("Spreadsheet").set_input_files(file)
    ops.page.get_by_role("button", name="Continue").click()

    expect(ops.page.locator("h1")).to_have_text("What do the columns mean?")
    expect(ops.page.get_by_label("Cntr No.")).to_have_value("container")
    expect(ops.page.get_by_label("Gate Out Date")).to_have_value("event_time")
    expect(ops.page.get_by_label("Discharged", exact=True)).to_have_value("DISC")
    expect(ops.page.get_by_label("Hamburg")).to_have_value("DEHAM")
    judged(ops, "2-columns")
    ops.page.get_by_label("Status", exact=True).select_option("")
    expect(ops.page.get_by_role("heading", name="What happened?")).to_be_visible()  # asked at once, no page in between
    ops.page.get_by_label("Status", exact=True).select_option("status")
    expect(ops.page.get_by_label("Out to cust.", exact=True)).to_be_visible()
    ops.page.get_by_label("Out to cust.", exact=True).select_option("GTOT_FULL")
    ops.page.get_by_label("Weighed", exact=True).select_option("IGNORE")
    judged(ops, "3-columns-answered")
    ops.page.get_by_role("button", name="See what each row becomes").click()

    expect(ops.page.locator("h1")).to_have_text("What each row becomes")
    expect(main).to_contain_text("Import 3 of 6 rows")
    expect(main).to_contain_text("perhaps it is mistyped")
    expect(main).to_contain_text(made[0].ref)
    judged(ops, "4-preview")
    ops.page.get_by_label("Row 6 Cntr No.").fill(two)
    ops.page.get_by_label("Row 7 Gate Out Date").fill("14/03/2026 09:00")
    ops.page.get_by_role("button", name="Save and check again").click()
    expect(main).to_contain_text("2 cells corrected.")
    expect(main).to_contain_text("5 rows become events of 3 shipments.")
    expect(main.locator("del")).to_have_count(2)
    judged(ops, "5-preview-fixed")
    ops.page.get_by_role("button", name="Import 5 of 6 rows").dblclick()

    expect(main).to_contain_text("5 of 6 rows became events.")
    judged(ops, "6-result")
    ops.page.get_by_role("link", name=made[1].ref).click()
    expect(ops.page.locator("h1")).to_contain_text(made[1].ref)
    discharged = main.locator("li", has_text="Discharged").first
    expect(discharged).to_contain_text(depot.key)
    expect(discharged).to_contain_text("12 Mar")

    ops.open(f"/ops/sources/{depot.key}/upload")
    file.write_bytes(workbook(box(), two, three))
    ops.page.get_by_label("Spreadsheet").set_input_files(file)
    ops.page.get_by_role("button", name="Continue").click()
    expect(main).to_contain_text("Same columns as last time")
    judged(ops, "7-same-columns")


def test_it_works_without_scripts(desk: Open, depot: Source, tmp_path: Path) -> None:
    acme = cast.account("ACME")
    number = number_of(shipment(acme))
    file = tmp_path / "moves.csv"
    file.write_bytes(f"Box;When;Where\n{number};03/04/2026;NLRTM\n".encode())
    ops = desk(cast.person(OPERATOR_ID, Role.OPS), java_script_enabled=False)
    ops.open(f"/ops/sources/{depot.key}/upload")
    ops.page.get_by_label("Spreadsheet").set_input_files(file)
    ops.page.get_by_role("button", name="Continue").click()
    ops.page.get_by_label("When", exact=True).select_option("event_time")
    ops.page.get_by_label("Where", exact=True).select_option("place")
    ops.page.get_by_role("button", name="Ask me what follows").click()
    ops.page.get_by_label(re.compile("means 4 March 2026")).check()
    ops.page.get_by_label("In all rows").select_option("DISC")
    ops.page.get_by_role("button", name="See what each row becomes").click()
    ops.page.get_by_role("button", name="Import 1 of 1 row").click()
    expect(ops.page.locator("main")).to_contain_text("1 of 1 row became an event.")


@pytest.mark.req("R1.6")
def test_what_is_left_open_is_asked_before_anything_is_shown(desk: Open, depot: Source, tmp_path: Path) -> None:
    file = tmp_path / "moves.csv"
    file.write_bytes(f"Box,Gate Out Date,Port,When printed\n{box()},03/04/2026 10:00,Rotterdam,\n".encode())
    ops = desk(cast.person(OPERATOR_ID, Role.OPS))
    ops.open(f"/ops/sources/{depot.key}/upload")
    ops.page.get_by_label("Spreadsheet").set_input_files(file)
    ops.page.get_by_role("button", name="Continue").click()
    ops.page.get_by_role("button", name="See what each row becomes").click()
    main = ops.page.locator("main")
    expect(main).to_contain_text("Say in which order day and month are written.")
    expect(main).to_contain_text("Say which column tells what happened, or what happened in all rows.")
    expect(main).to_contain_text("several places are called so: NLRTM, USRAJ")
    judged(ops, "8-open")
    ops.page.get_by_label(re.compile("means 3 April 2026")).check()
    ops.page.get_by_label("In all rows").select_option("GTOT_FULL")
    ops.page.get_by_label("Rotterdam").fill("NLRTM")
    ops.page.get_by_role("button", name="See what each row becomes").click()
    expect(main).to_contain_text("3 Apr 2026 10:00 CEST")
    expect(main).to_contain_text("Gate out, full")
    judged(ops, "9-waits")
