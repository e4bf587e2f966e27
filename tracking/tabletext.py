"""Tables as text: CSV with whatever parts its columns, and sheets of a workbook, as a header and rows of text.

The encoding and the delimiter are found where the bytes say them, and declared where they do not. One bad row never
spoils the next; blank rows are left out; above the header there may be titles.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracking import workbooks
from tracking.reasons import Reason, sentence
from tracking.types import Unreadable
from tracking.workbooks import MOST_COLUMNS, MOST_ROWS

DELIMITERS: Final = (",", ";", "\t", "|")
ENCODINGS: Final = ("utf-8", "windows-1252")  # UTF-16 says itself by its byte order mark
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LONGEST_LINE: Final = 65_536
_LONGEST_CELL: Final = 4_000
_LINES_OF_A_ROW: Final = 10  # a quoted cell may hold line ends; an unclosed quote must not swallow the file
_TITLES: Final = 20  # the header is among so many rows
_BLANKS: Final = re.compile(r"[\s\u00a0\ufeff\u200b]+")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its number from zero among those with something in them, its line in the file, its cells."""

    number: int
    line: int
    cells: tuple[str, ...]
    fault: str = ""  # it cannot be taken apart: an unclosed quote, more cells than the header


@dataclass(frozen=True, slots=True)
class Table:
    """A header and its rows; every name stands in it once, also of columns that have none."""

    header: tuple[str, ...]
    rows: tuple[TableRow, ...]
    sheet: str = ""
    sheets: tuple[str, ...] = ()  # of the whole workbook
    delimiter: str = ""

    def at(self, name: str) -> int | None:
        """The number of the column with this name, whatever its case and blanks."""
        wanted = plain(name)
        return next((n for n, own in enumerate(self.header) if plain(own) == wanted), None)

    def column(self, name: str) -> Iterator[str]:
        """What stands in a column, row by row."""
        at = self.at(name)
        for row in self.rows:
            yield row.cells[at] if at is not None and at < len(row.cells) else ""


def plain(name: str) -> str:
    """A column's name as it is compared: no byte order mark, single blanks, no case."""
    return _BLANKS.sub(" ", name).strip().casefold()


def shown(name: str) -> str:
    """A column's name as it stands in positions: one line, no brackets, short."""
    return _BLANKS.sub(" ", name).strip().translate({91: "(", 93: ")", 35: None})[:60]


def read(raw: bytes, *, names: Iterable[str] = (), sheet: str = "", delimiter: str = "", encoding: str = "") -> Table:
    """The table in a file, its header being the first row with all of `names`, else the first that looks like one.

    Raises Unreadable: empty, not_utf8, not_csv, too_many_items, too_many_cells, missing_column, and what workbooks say.
    """
    wanted = [plain(name) for name in names]
    if workbooks.is_archive(raw):
        return _of_workbook(raw, wanted, sheet)
    text = decoded(raw, encoding)
    parted = delimiter or _delimiter(text)
    return _table(list(_rows_of_text(text, parted)), wanted, delimiter=parted)


def decoded(raw: bytes, encoding: str = "") -> str:
    """The text of the bytes: by their mark, else UTF-8 where they are that, else as declared.

    Raises Unreadable: empty, not_utf8.
    """
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), "")
    try:
        text = raw.decode(marked or "utf-8")
    except UnicodeDecodeError as fault:
        if marked or not encoding:
            number = raw[: fault.start].count(b"\n") + 1
            wanted = marked or "UTF-8"
            raise Unreadable(Reason.NOT_UTF8, f"The file is not {wanted} text: line {number}.") from None
        text = raw.decode(encoding, "replace")
    if not text.strip():
        raise Unreadable(Reason.EMPTY, str(sentence(Reason.EMPTY)))
    if text.count("\0") * 4 > len(text):
        raise Unreadable(Reason.NOT_UTF8, "The file looks like UTF-16 without the mark that says so.")
    return text


def written(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A table as CSV in UTF-8 that `read` reads back as it is: its mark says the encoding, its quotes the delimiter."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def corrected(table: Table, cells: Mapping[tuple[int, str], str]) -> Table:
    """The table with other texts in some cells, by row and column; a row that could not be taken apart stays so."""
    wanted: dict[int, dict[int, str]] = {}
    for (row, column), text in cells.items():
        if (n := table.at(column)) is not None:
            wanted.setdefault(row, {})[n] = text
    return replace(table, rows=tuple(_with(row, wanted.get(row.number)) for row in table.rows))


def _with(row: TableRow, texts: Mapping[int, str] | None) -> TableRow:
    if not texts:
        return row
    width = max(len(row.cells), max(texts) + 1)
    own = (*row.cells, *[""] * (width - len(row.cells)))
    return replace(row, cells=tuple(texts.get(n, cell) for n, cell in enumerate(own)))


# --- text ---


def _delimiter(text: str) -> str:
    """What parts the columns: of the first lines, the mark that they have most often and alike."""
    lines = [line for line in text.splitlines()[: _TITLES * 2] if line.strip()]
    counts = {mark: [_count(line, mark) for line in lines] for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: (_usual(counts[mark]), sum(counts[mark])))


def _usual(counts: Sequence[int]) -> int:
    """How many lines have the count that most of those with any have."""
    some = [n for n in counts if n]
    return max((some.count(n) for n in set(some)), default=0)


def _count(line: str, mark: str) -> int:
    """How often the mark stands outside quotes."""
    return sum(part.count(mark) for part in line.split('"')[::2])


def _rows_of_text(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """(line from one, cells, fault) of each row with something in it."""
    lines = list(io.StringIO(text, newline=None))  # LF, CRLF and CR alone end a line, nothing else
    at = 0
    while at < len(lines):
        taken, cells, fault = 1, _cells(lines[at], delimiter), ""
        while cells is None and taken < _LINES_OF_A_ROW and at + taken < len(lines):
            taken += 1
            cells = _cells("".join(lines[at : at + taken]), delimiter)
        if cells is None:
            taken, cells = 1, [lines[at].strip()]
            fault = "A quotation mark is not closed, or the line is too long."
        if any(cells):
            yield at + 1, cells, fault
        at += taken


def _cells(line: str, delimiter: str) -> list[str] | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        found = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None
    return [cell.strip() for cell in found]


# --- workbooks ---


def _of_workbook(raw: bytes, wanted: Sequence[str], sheet: str) -> Table:
    sheets = workbooks.read(raw)
    names = tuple(s.name for s in sheets)
    fitting = [s for s in sheets if wanted and _header_with(wanted, [c for _n, c in s.rows]) is not None]
    named = [s for s in sheets if sheet and plain(s.name) == plain(sheet)]
    if sheet and not named and len(fitting) != 1:  # a sheet that is called after its week is still the only one
        told = f"The workbook has no sheet {sheet[:40]!a}; it has {', '.join(names)[:200]}."
        raise Unreadable(Reason.MISSING_COLUMN, told)
    tables = [s for s in sheets if max(sum(map(bool, cells)) for _n, cells in s.rows[:_TITLES]) > 1]
    picked = (named or fitting or tables or list(sheets))[0]
    return _table([(n, list(cells), "") for n, cells in picked.rows], wanted, sheet=picked.name, sheets=names)


# --- both ---


def _table(
    rows: list[tuple[int, list[str], str]], wanted: Sequence[str], *, sheet: str = "", sheets: tuple[str, ...] = (),
    delimiter: str = "",
) -> Table:  # fmt: skip
    listed = [cells for _line, cells, fault in rows if not fault]
    at = _header_with(wanted, listed) if wanted else None
    head = listed[at] if at is not None else _likely_header(listed)
    start = next(n for n, (_line, cells, _fault) in enumerate(rows) if cells is head) + 1
    widest = max((len(cells) for _l, cells, fault in rows[start:] if not fault), default=0)
    header = _names(head, widest if sheets else min(widest, len(head)))
    if len(rows) - start > MOST_ROWS:
        raise Unreadable(Reason.TOO_MANY_ITEMS, f"The file has more than {MOST_ROWS} rows; send it in parts.")
    if len(header) > MOST_COLUMNS:
        raise Unreadable(Reason.TOO_MANY_CELLS, f"The file has more than {MOST_COLUMNS} columns.")
    missing = [name for name in wanted if name not in {plain(own) for own in header}]
    if missing:
        told = ", ".join(f"{name[:40]!a}" for name in missing[:10])
        raise Unreadable(Reason.MISSING_COLUMN, f"The file lacks columns that its mapping names: {told}.")
    made = tuple(_row(n, *row, len(header)) for n, row in enumerate(rows[start:]))
    return Table(header, made, sheet, sheets, delimiter)


def _row(number: int, line: int, cells: list[str], fault: str, width: int) -> TableRow:
    if any("\0" in cell for cell in cells):
        fault = fault or "It holds characters that cannot be stored."
        cells = [cell.replace("\0", "") for cell in cells]
    if any(len(cell) > _LONGEST_CELL for cell in cells):
        fault = fault or f"A cell has more than {_LONGEST_CELL} characters."
        cells = [cell[:_LONGEST_CELL] for cell in cells]
    if any(cells[width:]):
        fault = fault or f"It has {len(cells)} cells, the header {width}."
    return TableRow(number, line, tuple(cells[:width]), fault)


def _header_with(wanted: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """The first of the first rows that has all these names."""
    for n, cells in enumerate(rows[:_TITLES]):
        if set(wanted) <= {plain(cell) for cell in cells}:
            return n
    return None


def _likely_header(rows: Sequence[list[str]]) -> list[str]:
    """The first row that is nearly as full as the fullest of the first ones: titles above it are shorter."""
    first = rows[:_TITLES]
    fullest = max((sum(map(bool, cells)) for cells in first), default=0)
    if fullest < 2:
        raise Unreadable(Reason.NOT_CSV, "The file has no header line with several columns.")
    return next(cells for cells in first if sum(map(bool, cells)) * 3 >= fullest * 2)


def _names(head: Sequence[str], width: int) -> tuple[str, ...]:
    """Every column has a name, and no two the same."""
    names: list[str] = []
    for n in range(max(len(head), width)):
        own = _BLANKS.sub(" ", head[n].replace("\0", "")).strip() if n < len(head) else ""
        name = own or f"Column {n + 1}"
        count = sum(1 for other in names if plain(other) == plain(name))
        names.append(f"{name} ({count + 1})" if count else name)
    while len(names) > max(width, 1) and not head[len(names) - 1]:
        names.pop()
    return tuple(names)
