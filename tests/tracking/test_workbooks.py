"""Workbooks: rows of text in their order, and every hostile or broken file refused with its reason, soon and small."""

from __future__ import annotations

import io
import resource
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.tracking import xlsx
from tests.tracking.xlsx import Day, workbook
from tracking import sandbox, workbooks
from tracking.reasons import Reason
from tracking.sandbox import Limits
from tracking.types import Unreadable

PLAIN = xlsx.parts({"Sheet1": xlsx.sheet_xml([["Container", "Date"], ["MSKU0000006", "2026-03-12"]])})
SHEET = "xl/worksheets/sheet1.xml"


def rows(raw: bytes) -> list[tuple[str, ...]]:
    (sheet,) = workbooks.read(raw)
    return [cells for _line, cells in sheet.rows]


def refused(raw: bytes, file_name: str = "file.xlsx") -> Reason:
    with pytest.raises(Unreadable) as caught:
        workbooks.agrees(raw, file_name)
        workbooks.read(raw)
    assert caught.value.detail
    return Reason(caught.value.code)


def with_part(name: str, text: str | bytes) -> bytes:
    return xlsx.packed({**PLAIN, name: text})


def sheet_of(inner: str, before: str = "") -> bytes:
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    return with_part(SHEET, f"{before}<worksheet {space}><sheetData>{inner}</sheetData></worksheet>")


# --- what is read ---


@pytest.mark.req("X1")
def test_codes_are_text_and_numbers_never_gain_a_point() -> None:
    assert rows(workbook([["0471", "4711", 4711, 4711.5, 123456789012345.0, 1e20, True, "  x "]])) == [
        ("0471", "4711", "4711", "4711.5", "123456789012345", "100000000000000000000", "TRUE", "x")
    ]


def test_days_and_times_are_iso_however_the_sheet_shows_them() -> None:
    at = datetime(2026, 3, 12, 14, 5, tzinfo=UTC)
    assert rows(workbook([[Day(at), Day(at.replace(hour=0, minute=0), 2), Day(at, 3), 46093.5]])) == [
        ("2026-03-12T14:05", "2026-03-12", "14:05", "46093.5")
    ]


def test_rows_keep_the_number_that_people_see_and_empty_ones_are_left_out() -> None:
    (sheet,) = workbooks.read(workbook([["Report"], [], ["", "a"], [], ["b"]]))
    assert sheet.rows == ((1, ("Report",)), (3, ("", "a")), (5, ("b",)))


def test_hidden_and_empty_sheets_are_not_there() -> None:
    raw = xlsx.book({"Notes": [], "Moves": [["a"]], "Old": [["b"]]}, hidden=["Old"])
    assert [s.name for s in workbooks.read(raw)] == ["Moves"]


# --- bombs ---


def docx() -> bytes:
    return xlsx.packed({"[Content_Types].xml": "<Types/>", "word/document.xml": "<w:document/>"})


def link() -> bytes:
    buffer = io.BytesIO(xlsx.packed(PLAIN))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("xl/media/a")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def twice() -> bytes:
    buffer = io.BytesIO(xlsx.packed(PLAIN))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(SHEET, "<worksheet/>")
    return buffer.getvalue()


def lying() -> bytes:
    """Claims to be small in both headers, unpacks to 200 MB."""
    raw = bytearray(with_part(SHEET, b"<worksheet>" + b" " * 200_000_000))
    size = (200_000_011).to_bytes(4, "little")
    while (at := raw.find(size)) >= 0:
        raw[at : at + 4] = (5_000).to_bytes(4, "little")
    return bytes(raw)


def bit_flipped() -> bytes:
    raw = bytearray(workbook([["a", "b"]] * 200))
    at = raw.index(SHEET.encode()) + len(SHEET) + 40
    for n in range(at, at + 60):
        raw[n] ^= 0x5A
    return bytes(raw)


ENTITIES = "<!DOCTYPE x [" + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(12)
) + "]>"  # fmt: skip
R = Reason
BOMBS: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "zip bomb in the sheet": (lambda: with_part(SHEET, b"<worksheet>" + b" " * 50_000_000), R.BAD_ARCHIVE),
    "zip bomb beside it": (lambda: with_part("xl/media/zeros.bin", b"\0" * 60_000_000), R.BAD_ARCHIVE),
    "zip bomb that lies about its size": (lying, R.NOT_XLSX),
    "many parts": (lambda: xlsx.packed({**PLAIN, **{f"xl/x{n}.xml": "" for n in range(600)}}), R.BAD_ARCHIVE),
    "nested archive by name": (lambda: with_part("xl/embeddings/inner.xlsx", workbook([["a"]])), R.BAD_ARCHIVE),
    "nested archive in disguise": (lambda: with_part("xl/media/image1.png", workbook([["a"]])), R.BAD_ARCHIVE),
    "absolute path": (lambda: with_part("/etc/cron.d/x", "x"), R.BAD_ARCHIVE),
    "path upwards": (lambda: with_part("xl/../../x", "x"), R.BAD_ARCHIVE),
    "path with backslashes": (lambda: with_part("xl\\..\\x", "x"), R.BAD_ARCHIVE),
    "link": (link, R.BAD_ARCHIVE),
    "part named twice": (twice, R.BAD_ARCHIVE),
    "a million rows alike": (lambda: sheet_of('<row><c t="n"><v>1</v></c></row>' * 1_000_000), R.BAD_ARCHIVE),
    "half a million rows": (
        lambda: sheet_of("".join(f"<row><c><v>{n}</v></c></row>" for n in range(500_000))), R.TOO_MANY_CELLS,
    ),
    "a million rows with one cell": (
        lambda: sheet_of('<row r="1048576"><c r="A1048576"><v>1</v></c></row>'), R.TOO_MANY_CELLS,
    ),
    "16,000 columns": (lambda: workbook([["x"] * 16_000]), R.TOO_MANY_CELLS),
    "a cell in the last column": (
        lambda: sheet_of('<row r="1"><c r="A1"/><c r="XFD1"><v>1</v></c></row>'), R.TOO_MANY_CELLS,
    ),
    "201 columns that say not where": (
        lambda: sheet_of("<row>" + "<c><v>1</v></c>" * 201 + "</row>"), R.TOO_MANY_CELLS,
    ),
    "too many cells in all": (lambda: workbook([["x"] * 190] * 3_000), R.TOO_MANY_CELLS),
    "entity bomb": (lambda: sheet_of("<row><c><v>&e11;</v></c></row>", ENTITIES), R.BAD_ARCHIVE),
    "entity bomb in UTF-16": (
        lambda: with_part(SHEET, (ENTITIES + "<worksheet/>").encode("utf-16")), R.BAD_ARCHIVE,
    ),
    "entity across a block": (lambda: with_part(SHEET, " " * 65_531 + "<!DOCTYPE x []><worksheet/>"), R.BAD_ARCHIVE),
    "text document by another name": (docx, R.NOT_XLSX),
    "text by another name": (lambda: b"Container,Date\nMSKU0000006,2026-03-12\n", R.NOT_XLSX),
    "another archive": (lambda: xlsx.packed({"a.txt": "a"}), R.NOT_XLSX),
    "password": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4_000, R.NOT_XLSX),
    "cut off": (lambda: workbook([["a", "b"]] * 100)[:-200], R.NOT_XLSX),
    "garbled": (bit_flipped, R.NOT_XLSX),
    "nothing": (lambda: b"", R.NOT_XLSX),
    "sheet that is no XML": (lambda: with_part(SHEET, "{}"), R.NOT_XLSX),
    "sheet that stops": (lambda: sheet_of("<row><c><v>1</v>")[:], R.NOT_XLSX),
    "no sheet": (lambda: xlsx.packed({k: v for k, v in PLAIN.items() if k != SHEET}), R.NOT_XLSX),
}  # fmt: skip


@pytest.mark.req("G7", "G9")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_its_reason_in_bounded_time_and_memory(name: str) -> None:
    make, reason = BOMBS[name]
    raw = make()
    assert len(raw) < 5 * 1024 * 1024, "it would not come through the door"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    assert refused(raw) == reason
    assert time.monotonic() - began < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "kB in this process"


@pytest.mark.req("G9")
@pytest.mark.parametrize(
    ("raw", "name", "reason"),
    [
        (b"a,b\n1,2\n", "moves.xlsx", R.NOT_XLSX), (workbook([["a"]]), "moves.csv", R.NOT_CSV),
        (workbook([["a"]]), "MOVES.TXT", R.NOT_CSV), (workbook([["a"]]), "moves.xlsm", R.NOT_XLSX),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "moves.xls", R.NOT_XLSX),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "moves.csv", R.NOT_XLSX),
    ],
)  # fmt: skip
def test_a_name_that_says_another_type_than_the_bytes_is_refused(raw: bytes, name: str, reason: Reason) -> None:
    with pytest.raises(Unreadable) as caught:
        workbooks.agrees(raw, name)
    assert caught.value.code == reason


# --- the other process ---


def script(folder: Path, text: str) -> Path:
    limits = (
        "import resource, sys\n"
        "for w, n in zip((resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE), sys.argv[1:4]):\n"
        "    resource.setrlimit(w, (int(n), int(n)))\n"
    )
    path = folder / "reader.py"
    path.write_text(limits + text)
    return path


SMALL = Limits(memory_bytes=256 << 20, cpu_seconds=1, wall_seconds=3, output_bytes=1 << 20)


@pytest.mark.req("G7")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("while True: pass", R.TOO_SLOW),
        ("import time; time.sleep(60)", R.TOO_SLOW),
        ("x = bytearray(1 << 30)", R.PARSER_FAILED),
        ("try: x = bytearray(1 << 30)\nexcept MemoryError: sys.exit(4)", R.TOO_SLOW),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", R.TOO_SLOW),
        ("import os; os.abort()", R.TOO_SLOW),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", R.PARSER_FAILED),
        ("raise ValueError", R.PARSER_FAILED),
        ("print('not_xlsx'); print('Why.'); sys.exit(3)", R.NOT_XLSX),
        ("print('made up'); sys.exit(3)", R.PARSER_FAILED),
    ],
)  # fmt: skip
def test_whatever_a_reader_dies_of_is_a_refusal(tmp_path: Path, text: str, reason: Reason) -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable) as caught:
        sandbox.read(script(tmp_path, text), b"x", limits=SMALL)
    assert caught.value.code == reason
    assert time.monotonic() - began < 8


def test_a_reader_knows_nothing_of_the_house(tmp_path: Path) -> None:
    told = sandbox.read(script(tmp_path, "import os; print(sorted(os.environ), os.getcwd())"), b"", limits=SMALL)
    assert b"PLIMSOLL" not in told and b"DATABASE" not in told
    assert told.decode().rstrip().endswith("/")


@pytest.mark.req("G7")
def test_the_reader_of_workbooks_keeps_to_its_memory() -> None:
    """A workbook that is allowed, and a reader that has too little for it."""
    raw = workbook([[f"{n}-{c}" for c in range(40)] for n in range(9_000)])
    limits = Limits(memory_bytes=60 << 20)
    with pytest.raises(Unreadable) as caught:
        workbooks.read(raw, limits=limits)
    assert caught.value.code == R.TOO_SLOW
    (sheet,) = workbooks.read(raw)
    assert len(sheet.rows) == 9_000
