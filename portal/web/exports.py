"""CSV and XLSX out: text stays text, numbers stay numbers, days stay days (X1).

In CSV, a cell that a spreadsheet would take for a formula gets an apostrophe in front; dropping one undoes it. In XLSX
a cell says by itself what it is, so nothing is changed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import IO, Any, Final

import xlsxwriter
from django.http import HttpResponse, StreamingHttpResponse

from portal.tenancy.context import keep_scope

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
_SIGNS: Final = frozenset(_FORMULA)
UNIT: Final = "\x1f"  # parts cells where a row is one text
# Where none of these occurs, nothing needs quotes and nothing begins like a formula.
_TELLING: Final = ('"', ",", "\r", *(f"{before}{sign}" for before in (UNIT, "\n") for sign in _FORMULA))
_BLOCK: Final = 500  # rows that are written together: each block enters the scope anew


def text_cell(value: Any) -> str:
    """The value as a cell that no spreadsheet runs."""
    text = "" if value is None else str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


def _row(row: Sequence[Any]) -> Sequence[Any]:
    """The row as it may be written: only what begins with a sign that starts a formula is touched."""
    for cell in row:
        if isinstance(cell, str) and cell[:1] in _SIGNS:
            return [text_cell(each) for each in row]
    return row


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Header and rows as blocks of lines, UTF-8, LF, quotes only where needed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    yield out.getvalue()  # at once: whoever waits sees that it begins
    source = iter(rows)
    while part := list(islice(source, _BLOCK)):
        out.seek(0)
        out.truncate()
        writer.writerows(map(_row, part))
        yield out.getvalue()


def csv_joined(columns: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    """The same for rows that are one text each, their cells parted by UNIT, as a database can write them.

    Only blocks with a sign that means something in CSV or to a spreadsheet are taken apart.
    """
    yield from csv_lines(columns, ())
    source = iter(rows)
    while part := list(islice(source, _BLOCK)):
        block = "\n".join(["", *part, ""])
        if any(sign in block for sign in _TELLING) or block.count("\n") != len(part) + 1:
            yield "".join(map(_careful, part))
        else:
            yield block[1:].replace(UNIT, ",")


def _careful(line: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(_row(line.split(UNIT)))
    return out.getvalue()


def csv_stream(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download that keeps the scope while it runs; rows may come lazily from the database."""
    return _stream(name, csv_lines(columns, rows))


def csv_stream_joined(name: str, columns: Sequence[str], rows: Iterable[str]) -> StreamingHttpResponse:
    """The same for rows as `csv_joined` takes them."""
    return _stream(name, csv_joined(columns, rows))


def _stream(name: str, blocks: Iterator[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(keep_scope(blocks), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LONGEST: Final = 32_767  # characters of a cell
_PLAIN: Final = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_BEFORE_SPREADSHEETS: Final = 1900  # they know no earlier year


def xlsx_write(file: IO[bytes], *, sheet: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Writes one sheet and says how many rows it has; memory stays flat, rows may come lazily.

    Text cells hold text alone, never a formula or a link; days and instants (in UTC) are dates of the spreadsheet.
    """
    book = xlsxwriter.Workbook(file, {**_PLAIN, "constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm"})
    page = book.add_worksheet(sheet[:31])
    head = book.add_format({"bold": True})
    formats = {"day": book.add_format({"num_format": "yyyy-mm-dd"})}
    page.freeze_panes(1, 0)
    for number, name in enumerate(columns):
        page.set_column(number, number, max(12, min(len(name) + 4, 40)))
        page.write_string(0, number, name, head)
    count = 0
    for count, row in enumerate(rows, start=1):
        for number, value in enumerate(row):
            if value is not None and value != "":
                _cell(page, count, number, value, formats)
    book.close()
    return count


def _cell(page: Any, row: int, column: int, value: Any, formats: dict[str, Any]) -> None:
    if isinstance(value, str):
        page.write_string(row, column, value[:_LONGEST])
    elif isinstance(value, date) and value.year < _BEFORE_SPREADSHEETS:
        page.write_string(row, column, value.isoformat())
    elif isinstance(value, datetime):
        page.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None))
    elif isinstance(value, date):
        page.write_datetime(row, column, value, formats["day"])
    elif isinstance(value, bool):
        page.write_boolean(row, column, value)
    else:
        page.write_number(row, column, value)


def attachment(name: str, body: bytes, content_type: str) -> HttpResponse:
    """A download under a name of our own making (X3)."""
    response = HttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
