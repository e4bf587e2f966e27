"""Column mappings: guessed where nothing is in doubt, asked where something is; days in the order that is said."""

from __future__ import annotations

import pytest

from tests.tracking.messages import box
from tests.tracking.xlsx import book
from tracking import tablemappings, tabletext, tabletimes
from tracking.reasons import Reason
from tracking.tablemappings import TableMapping, suggest
from tracking.tabletimes import DateOrder
from tracking.types import Unreadable

BOXES = [box() for _n in range(3)]


def guess(header: list[str], *columns: list[str]) -> TableMapping:
    return suggest(header, list(zip(*columns, strict=True)))


def test_odd_names_are_understood_and_what_is_understood_can_be_saved() -> None:
    found = guess(
        ["Cntr No.", "Gate Out Date", "Port", "Status"], BOXES, ["25/03/2026 10:00", "03/04/2026 9:15", ""],
        ["NLRTM", "NLRTM", "DEHAM"], ["Discharged", "EMPTY RETURN", "released by Bob"],
    )  # fmt: skip
    assert found.columns == {
        "container": "Cntr No.", "status": "Status", "event_time": "Gate Out Date", "place": "Port",
    }  # fmt: skip
    assert found.dates == DateOrder.DMY
    assert {text: (rule.code, rule.laden) for text, rule in found.codes.items()} == {
        "discharged": ("DISC", None), "empty return": ("GTIN", False),
    }  # fmt: skip
    assert found.lacks() == ()
    assert TableMapping.read(found.as_json()) == found


@pytest.mark.req("R1.6")
@pytest.mark.parametrize(
    ("days", "order"),
    [
        (["03/04/2026", "04/03/2026", "12/12/2026"], ""),  # could be either: somebody must say
        (["13/04/2026", "04/03/2026", ""], "DMY"), (["04/13/2026", "04/03/2026", ""], "MDY"),
        (["13/04/2026", "04/13/2026", ""], ""),  # they disagree
        (["03.04.2026", "04.03.2026", ""], "DMY"), (["2026-04-03", "12-Mar-2026 14:05", "20260312"], "ISO"),
        (["46112", "46112.5868", ""], "SERIAL"), (["03/04/2026", "2026-04-03", ""], ""),
        (["soon", "13/04/2026", "n/a"], "DMY"),
    ],
)  # fmt: skip
def test_days_that_mean_two_things_are_never_guessed(days: list[str], order: str) -> None:
    found = guess(["Container", "Date"], BOXES, days)
    assert found.columns["event_time"] == "Date"
    assert found.dates == order
    assert ("dates" in found.lacks()) is (order == "")


def test_of_two_columns_that_could_be_meant_none_is_taken() -> None:
    found = guess(["Container", "Gate In Date", "Gate Out Date"], BOXES, ["2026-03-01"] * 3, ["2026-03-02"] * 3)
    assert "event_time" not in found.columns
    found = guess(["Container", "Cntr No"], BOXES, BOXES)
    assert "container" not in found.columns


@pytest.mark.parametrize("name", ["Last update", "ETA date", "Due date", "Candidate", "Booking date"])
def test_a_day_of_something_else_is_not_when_it_happened(name: str) -> None:
    assert "event_time" not in guess(["Container", name], BOXES, ["2026-03-01"] * 3).columns


def test_a_column_whose_values_do_not_fit_its_name_stays_open() -> None:
    found = guess(["Container", "F/E", "Code", "Classifier"], ["40HC", "20DV", "40HC"], ["full", "half", "empty"],
                  ["DISC", "LOST", "GTIN"], ["ACT", "REQ", "ACT"])  # fmt: skip
    assert found.columns == {}


def test_boxes_are_known_by_their_check_digits_whatever_the_column_is_called() -> None:
    assert guess(["Nummer", "Maat"], BOXES, ["40", "40", "20"]).columns == {"container": "Nummer"}


@pytest.mark.parametrize(
    ("text", "order", "iso"),
    [
        ("2026-03-12 14:05", "", "2026-03-12T14:05"), ("2026-03-12T14:05:30 +08:00", "", "2026-03-12T14:05:30+08:00"),
        ("12-Mar-2026 14:05", "", "2026-03-12T14:05"), ("March 12, 2026 2:05 PM", "", "2026-03-12T14:05"),
        ("12 sept 26", "", "2026-09-12"), ("2026/3/1 0805", "", "2026-03-01T08:05"), ("20260312", "", "2026-03-12"),
        ("31/03/2026 14:05", "DMY", "2026-03-31T14:05"), ("1.3.26 7:05", "DMY", "2026-03-01T07:05"),
        ("03/31/2026 12:00 AM", "MDY", "2026-03-31T00:00"), ("46093.58680555", "SERIAL", "2026-03-12T14:05"),
        ("46093", "SERIAL", "2026-03-12"), ("2026-03-12", "DMY", "2026-03-12"),
    ],
)  # fmt: skip
def test_a_time_is_read_as_it_is_written(text: str, order: str, iso: str) -> None:
    assert tabletimes.iso(text, order) == iso


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("03/04/2026", ""), ("03/04/2026", "ISO"), ("31/03/2026", "MDY"), ("31/02/2026", "DMY"), ("2026-02-30", ""),
        ("12/03/2026 25:00", "DMY"), ("12/03/2026 13:05 PM", "DMY"), ("tomorrow", "DMY"), ("3", "SERIAL"),
        ("12-Mär-2026", ""), ("12-03/2026", "DMY"), ("１２/03/2026", "DMY"),
    ],
)  # fmt: skip
def test_what_is_no_such_time_is_refused_in_words(text: str, order: str) -> None:
    with pytest.raises(ValueError, match=r"^'.+' (is not a day|does not exist)"):
        tabletimes.iso(text, order)


@pytest.mark.parametrize("zone", ["CST", "EST", "Rotterdam", "../etc/passwd", "Mars/Olympus"])
def test_a_zone_that_could_be_two_is_refused(zone: str) -> None:
    with pytest.raises(ValueError):
        tabletimes.zone(zone)


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        (b"a;b\n1,5;2\n", ("a", "b")), (b"a\tb\n1;2\t3\n", ("a", "b")), (b"a|b\r1|2\r", ("a", "b")),
        ('a,"b;c;d"\n1,2\n'.encode("utf-16"), ("a", "b;c;d")), (b"\xef\xbb\xbfa,b\n1,2\n", ("a", "b")),
        (b"Report of today;;\n;;\na;b;c\n1;2;3\n", ("a", "b", "c")), (b"a,,b\n1,2,3\n", ("a", "Column 2", "b")),
    ],
)  # fmt: skip
def test_the_header_and_what_parts_the_columns_are_found(raw: bytes, header: tuple[str, ...]) -> None:
    found = tabletext.read(raw)
    assert found.header == header
    assert len(found.rows) == 1


@pytest.mark.req("G7")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.EMPTY), (b"\n \n", Reason.EMPTY), (b"Beh\xe4lter;Ort\n", Reason.NOT_UTF8),
        (b"just a word\n", Reason.NOT_CSV),
        ("Container,Date\n".encode("utf-16-le"), Reason.NOT_UTF8), (b"\xff\xfea", Reason.NOT_UTF8),
        (b"a,b\n" + b"1,2\n" * 10_001, Reason.TOO_MANY_ITEMS), (b"x," * 300 + b"\n", Reason.TOO_MANY_CELLS),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_says_why(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Unreadable) as caught:
        tabletext.read(raw)
    assert caught.value.code == reason


def test_a_sheet_that_is_called_after_its_week_is_still_the_only_one() -> None:
    raw = book({"Notes": [["to", "whom"]], "Week 12": [["A", "B"], ["1", "2"]]})
    assert tabletext.read(raw, names=["a", "b"], sheet="Week 11").sheet == "Week 12"
    two = book({"Week 11": [["A", "B"], ["1", "2"]], "Week 12": [["A", "B"], ["1", "2"]]})
    with pytest.raises(Unreadable):
        tabletext.read(two, names=["a", "b"], sheet="Week 10")


def test_windows_letters_are_read_when_somebody_says_so_and_utf_8_is_still_utf_8() -> None:
    assert tabletext.read("Behälter;Ort\n1;2\n".encode(), encoding="windows-1252").header == ("Behälter", "Ort")
    assert tabletext.read(b"Beh\xe4lter;Ort\n1;2\n", encoding="windows-1252").header == ("Behälter", "Ort")


def test_a_table_that_is_written_is_read_back_as_it_was() -> None:
    rows = [["0471", 'say "x"', ""], ["a;b,c", "two\nlines", "é"]]
    found = tabletext.read(tabletext.written(["A", "B", "C"], rows))
    assert [list(r.cells) for r in found.rows] == rows
    assert tablemappings.TableMapping().fits(found.header)
