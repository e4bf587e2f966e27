"""CSV out: streamed, text stays text (X1).

A cell that a spreadsheet would take for a formula gets an apostrophe in front; dropping one undoes it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.http import StreamingHttpResponse

from portal.tenancy.context import keep_scope

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


def text_cell(value: Any) -> str:
    """The value as a cell that no spreadsheet runs."""
    text = "" if value is None else str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


class _Line:
    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Header and rows as lines, UTF-8, LF, quotes only where needed."""
    writer = csv.writer(_Line(), lineterminator="\n")
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([text_cell(cell) for cell in row])


def csv_stream(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download that keeps the scope while it runs; rows may come lazily from the database."""
    response = StreamingHttpResponse(keep_scope(csv_lines(columns, rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
