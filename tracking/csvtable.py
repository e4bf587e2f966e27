"""CSV files with a header, row by row: columns by name in any order, one bad row never spoils the next (G6).

Knows no columns of its own. UTF-8 with or without byte order mark, any line end, commas.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

from tracking.fields import Fault
from tracking.reasons import Reason, sentence
from tracking.types import Refusal, Unreadable

_LONGEST_LINE: Final = 65_536  # characters of one row
_LINES_OF_A_ROW: Final = 10  # a quoted cell may hold line ends; an unclosed quote must not swallow the file
_FRAGMENT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from zero, its cells by column (trimmed, empty ones left out), and as written."""

    number: int
    cells: dict[str, str]
    text: str

    def at(self, column: str = "") -> str:
        """The position of a cell, or of the row."""
        return f"$[{self.number}].{column}" if column else f"$[{self.number}]"

    def refusal(self, fault: Fault) -> Refusal:
        """The refusal of this row for a fault."""
        return Refusal(
            code=fault.reason, position=fault.where, detail=fault.detail, fragment=_shown(self.text),
            subject=fault.subject,
        )  # fmt: skip


def rows(file: BinaryIO, *, columns: Collection[str], needed: Collection[str] = ()) -> Iterator[Row | Refusal]:
    """Each row of the file, or the refusal of a row that does not fit its header.

    Raises Unreadable: empty, not_utf8, not_csv, unknown_column (names them), missing_column, duplicate_column; the
    header is checked before the first row is given.
    """
    lines = deque[str]()
    source = _lines(file)
    header = _header(next(source, None), columns, needed)
    return _rows(source, lines, header)


def read(raw: bytes, *, columns: Collection[str], needed: Collection[str] = ()) -> Iterator[Row | Refusal]:
    """The same for a file that is in memory."""
    return rows(io.BytesIO(raw), columns=columns, needed=needed)


def _lines(file: BinaryIO) -> Iterator[str]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline=None)
    number = 0
    try:
        while line := text.readline(_LONGEST_LINE):
            number += 1
            if line.strip():
                yield line
    except UnicodeDecodeError as fault:
        raise Unreadable(
            Reason.NOT_UTF8, f"The file is not UTF-8 text: byte 0x{fault.object[fault.start]:02x} after line {number}."
        ) from None
    finally:
        with suppress(ValueError):  # the caller has closed the file already
            text.detach()


def _header(line: str | None, columns: Collection[str], needed: Collection[str]) -> list[str]:
    if line is None:
        raise Unreadable(Reason.EMPTY, str(sentence(Reason.EMPTY)))
    if "," not in line and (";" in line or "\t" in line):
        raise Unreadable(Reason.NOT_CSV, "The columns are parted by semicolons or tabs; commas are expected.")
    names = [name.strip().lower() for name in _cells(line) or [line]]
    while len(names) > 1 and not names[-1]:
        names.pop()
    doubled = sorted({name for name in names if names.count(name) > 1})
    unknown = [name for name in names if name not in columns]
    missing = sorted(set(needed) - set(names))
    if unknown:
        listed = ", ".join(f"{name[:60]!a}" for name in unknown[:10])
        raise Unreadable(Reason.UNKNOWN_COLUMN, f"The file has columns that are not known: {listed}.")
    if doubled:
        raise Unreadable(Reason.DUPLICATE_COLUMN, f"The file names columns twice: {', '.join(doubled)}.")
    if missing:
        raise Unreadable(Reason.MISSING_COLUMN, f"The file lacks columns that it needs: {', '.join(missing)}.")
    return names


def _rows(source: Iterator[str], ahead: deque[str], header: list[str]) -> Iterator[Row | Refusal]:
    number = 0
    while True:
        line = ahead.popleft() if ahead else next(source, None)
        if line is None:
            return
        cells = _cells(line)
        if cells is None:
            line, cells = _joined(line, source, ahead, len(header))
        yield _row(number, line, cells, header)
        number += 1


def _cells(line: str) -> list[str] | None:
    """The cells of one line; None when its quotes are not balanced."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _joined(line: str, source: Iterator[str], ahead: deque[str], width: int) -> tuple[str, list[str] | None]:
    """A row whose quoted cell holds line ends; lines that do not complete it are given back."""
    taken: list[str] = []
    for _more in range(_LINES_OF_A_ROW - 1):
        following = ahead.popleft() if ahead else next(source, None)
        if following is None:
            break
        taken.append(following)
        whole = line + "".join(taken)
        cells = _cells(whole)
        if cells is not None and len(cells) == width:
            return whole, cells
    ahead.extendleft(reversed(taken))
    return line, None


def _row(number: int, line: str, cells: list[str] | None, header: list[str]) -> Row | Refusal:
    row = Row(number, {}, line)
    if cells is None:
        return row.refusal(Fault(Reason.BAD_ROW, row.at(), "A quotation mark is not closed."))
    extra = cells[len(header) :]
    if any(cell.strip() for cell in extra) or len(cells) < len(header):
        return row.refusal(Fault(Reason.BAD_ROW, row.at(), f"It has {len(cells)} cells, the header {len(header)}."))
    if "\0" in line:
        return row.refusal(Fault(Reason.BAD_TEXT, row.at()))
    for name, cell in zip(header, cells, strict=False):
        if text := cell.strip():
            row.cells[name] = text
    return row


def _shown(text: str) -> str:
    return text.replace("\0", "\\u0000").rstrip("\n")[:_FRAGMENT]
