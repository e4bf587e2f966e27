"""The other process that reads a workbook: bytes on its standard input, rows of text as JSON lines on its output.

Started bare by sandbox.py; imports nothing of ours, and the one foreign library only once its own limits hold and the
parts of the archive are as small as they claim. Exit codes: 0 read, 3 refused (reason, line end, sentence), 4 memory.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NoReturn

_CHUNK = 1 << 16
_OVERLAP = 64
_ROWS_AHEAD = 50  # title lines and blank rows beside the rows that count
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FAR_CELL = re.compile(rb'\sr="([A-Z]*)([0-9]{1,10})"')


def main() -> None:
    """Limits first, then the bytes."""
    memory, cpu, output, most_rows, most_columns, most_cells, most_unpacked = (int(n) for n in sys.argv[1:8])
    for what, most in (
        (resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))
    try:
        raw = sys.stdin.buffer.read()
        _inspect(raw, most_rows + _ROWS_AHEAD, most_columns, most_unpacked)
        _print(raw, sys.argv[8], most_rows + _ROWS_AHEAD, most_columns, most_cells)
    except MemoryError:
        sys.exit(4)


def _refuse(reason: str, detail: str) -> NoReturn:
    sys.stdout.seek(0)
    sys.stdout.write(f"{reason}\n{detail}")
    sys.stdout.flush()
    sys.exit(3)


def _inspect(raw: bytes, most_rows: int, most_columns: int, most_unpacked: int) -> None:
    """Unpacks every part once, by our own hand and to nowhere: what it claims must be true, what it holds harmless."""
    left = most_unpacked
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as part:
                    left -= _inspect_part(entry.filename, part.read, left, most_rows, most_columns)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as fault:
        _refuse("not_xlsx", f"{type(fault).__name__}: its archive is damaged.")
    except Exception as fault:  # zlib.error and its like: the bytes are no deflated text
        _refuse("not_xlsx", f"{type(fault).__name__}: its archive is damaged.")


def _inspect_part(name: str, read: Callable[[int], bytes], left: int, most_rows: int, most_columns: int) -> int:
    is_sheet, is_xml = name.startswith("xl/worksheets/"), name.endswith((".xml", ".rels", ".vml"))
    size, before, rows = 0, b"", 0
    while chunk := read(_CHUNK):
        if size == 0:
            _first_bytes(name, chunk, is_xml)
        size += len(chunk)
        if size > left:
            _refuse("bad_archive", "Unpacked it is larger than any ordinary workbook.")
        text = before + chunk
        if is_xml and _DECLARATION.search(text):
            _refuse("bad_archive", f"{name[:80]} declares entities.")
        if is_sheet:
            rows += chunk.count(b"<row")
            if rows > most_rows or _reaches_too_far(text, most_rows, most_columns):
                _refuse("too_many_cells", "")
        before = text[-_OVERLAP:]
    return size


def _first_bytes(name: str, chunk: bytes, is_xml: bool) -> None:
    if chunk[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0") or chunk[:3] == b"\x1f\x8b\x08":
        _refuse("bad_archive", f"{name[:80]} is an archive inside it.")
    if is_xml and b"\0" in chunk[:200]:
        _refuse("bad_archive", f"{name[:80]} is not written in UTF-8.")


def _reaches_too_far(text: bytes, most_rows: int, most_columns: int) -> bool:
    """Two cells far apart make a sheet of millions between them."""
    return any(int(row) > most_rows or _column(letters) > most_columns for letters, row in _FAR_CELL.findall(text))


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters[:6]:
        number = number * 26 + letter - 64
    return number


def _print(raw: bytes, library: str, most_rows: int, most_columns: int, most_cells: int) -> None:
    sys.path.append(library)
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_object(io.BytesIO(raw))
        visible, plain = python_calamine.SheetVisibleEnum.Visible, python_calamine.SheetTypeEnum.WorkSheet
        names = [s.name for s in book.sheets_metadata if s.visible == visible and s.typ == plain]
        for name in names[:50]:
            sheet = book.get_sheet_by_name(name)
            if sheet.height > most_rows or sheet.width > most_columns:
                _refuse("too_many_cells", "")
            rows = list(_rows(sheet))
            most_cells -= sum(len(cells) for _line, cells in rows)
            if most_cells < 0:
                _refuse("too_many_cells", "")
            sys.stdout.write(json.dumps({"sheet": name, "rows": rows}) + "\n")
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.XmlError) as fault:
        _refuse("not_xlsx", f"{type(fault).__name__}: a part of it cannot be read.")


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """(its number in the sheet from one, the texts of its cells up to the last one that holds something)."""
    first = sheet.start[0] if sheet.start else 0
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.to_python(skip_empty_area=True)):
        cells = before + [_text(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield first + number + 1, cells


def _text(value: Any) -> str:
    """A cell as text: whole numbers without a point, days and times in ISO 8601, never an exponent."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(Decimal(repr(value)), "f")
    if isinstance(value, datetime):
        whole = (value + timedelta(microseconds=500_000)).replace(microsecond=0)  # serials of days are never exact
        return whole.isoformat(timespec="seconds" if whole.second else "minutes")
    if isinstance(value, timedelta):
        value = (datetime(1900, 1, 1) + value).time()  # noqa: DTZ001
    if isinstance(value, time):
        return value.isoformat(timespec="seconds" if value.second else "minutes")
    return value.isoformat() if isinstance(value, date) else str(value)


if __name__ == "__main__":
    main()
