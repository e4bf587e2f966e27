"""Writes workbooks for tests, good ones and hostile ones: a ZIP of small XML parts, no library.

Dates are `Serial` cells with a date format, text is inline text, numbers are numbers.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

_NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACK = "http://schemas.openxmlformats.org/package/2006"
_STYLES = (
    f'<styleSheet xmlns="{_NS}"><numFmts count="1"><numFmt numFmtId="164" formatCode="dd/mm/yyyy\\ hh:mm"/></numFmts>'
    '<fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="164"/>'
    '<xf numFmtId="14"/><xf numFmtId="20"/></cellXfs></styleSheet>'
)


@dataclass(frozen=True)
class Day:
    """A cell with a date format (style 1: with time, 2: day alone, 3: time alone)."""

    at: datetime
    style: int = 1


def cell(ref: str, value: Any) -> str:
    """The XML of one cell."""
    if value is None or value == "":
        return ""
    if isinstance(value, Day):
        gone = value.at - datetime(1899, 12, 30, tzinfo=UTC)
        serial = gone.seconds / 86400 if value.style == 3 else gone.days + gone.seconds / 86400
        return f'<c r="{ref}" s="{value.style}"><v>{serial!r}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{ref}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{ref}"><v>{value!r}</v></c>'
    return f'<c r="{ref}" t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def letters(column: int) -> str:
    """A for 0, AA for 26."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def sheet_xml(rows: Sequence[Sequence[Any]], *, first: int = 1, merged: Sequence[str] = ()) -> str:
    """One sheet; `merged` are ranges such as A1:D1."""
    lines = [
        f'<row r="{n}">' + "".join(cell(f"{letters(c)}{n}", v) for c, v in enumerate(row)) + "</row>"
        for n, row in enumerate(rows, start=first)
    ]
    ranges = "".join(f'<mergeCell ref="{r}"/>' for r in merged)
    spans = f'<mergeCells count="{len(merged)}">{ranges}</mergeCells>' if merged else ""
    return f'<worksheet xmlns="{_NS}"><sheetData>{"".join(lines)}</sheetData>{spans}</worksheet>'


def parts(sheets: Mapping[str, str], hidden: Sequence[str] = ()) -> dict[str, str]:
    """The parts of a workbook by name."""
    names = list(sheets)
    listed = "".join(
        f'<sheet name="{escape(n)}" sheetId="{i}"{" state=" + chr(34) + "hidden" + chr(34) if n in hidden else ""} '
        f'r:id="rId{i}"/>'
        for i, n in enumerate(names, start=1)
    )
    links = "".join(
        f'<Relationship Id="rId{i}" Type="{_REL}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(names) + 1)
    )
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for i in range(1, len(names) + 1)
    )
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACK}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument'
        f'.spreadsheetml.sheet.main+xml"/>{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACK}/relationships"><Relationship Id="rId1" '
        f'Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_NS}" xmlns:r="{_REL}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACK}/relationships">{links}<Relationship '
        f'Id="rId99" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/sheet{i}.xml": xml for i, xml in enumerate(sheets.values(), start=1)},
    }


def packed(contents: Mapping[str, str | bytes]) -> bytes:
    """A ZIP of these parts, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in contents.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return buffer.getvalue()


def workbook(rows: Sequence[Sequence[Any]], **more: Any) -> bytes:
    """A workbook with one sheet."""
    return packed(parts({"Sheet1": sheet_xml(rows, **more)}))


def book(sheets: Mapping[str, Sequence[Sequence[Any]]], hidden: Sequence[str] = ()) -> bytes:
    """A workbook with several sheets."""
    return packed(parts({name: sheet_xml(rows) for name, rows in sheets.items()}, hidden))
