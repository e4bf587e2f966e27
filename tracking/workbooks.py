"""Workbooks (XLSX) from bytes to rows of text: the archive is judged here, its parts are read in another process.

Pure but for that process (decision 13). Knows no columns; what a row means is said by the mapping of its source.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tracking import sandbox
from tracking.reasons import Reason, sentence
from tracking.sandbox import ORDINARY, Limits
from tracking.types import Unreadable

MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 200
MOST_CELLS: Final = 500_000
MOST_UNPACKED: Final = 64 * 1024 * 1024
MOST_ENTRIES: Final = 500
MOST_RATIO: Final = 400  # of what is unpacked to what came, for a part of more than a megabyte; sheets reach 100

CONTENT_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CHILD: Final = Path(__file__).resolve().parent / "workbook_child.py"
_INSIDE: Final = (".zip", ".xlsx", ".xlsm", ".xls", ".docx", ".jar", ".gz", ".7z", ".rar")
_OTHERS: Final = {"word/": "a text document (Word)", "ppt/": "a presentation (PowerPoint)"}
_TEXT_NAMES: Final = (".csv", ".txt", ".tsv", ".tab")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A visible sheet with something in it: each row with its number in the sheet, from one."""

    name: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def is_archive(raw: bytes) -> bool:
    """Whether the bytes begin like a ZIP archive, which every XLSX is."""
    return raw.startswith(_ZIP)


def is_old_office(raw: bytes) -> bool:
    """Whether the bytes begin like what Excel wrote before 2007; a workbook with a password is wrapped in it too."""
    return raw.startswith(_OLD_OFFICE)


def agrees(raw: bytes, file_name: str) -> None:
    """Refuses a file whose name says another type than its bytes (G9): not_xlsx, not_csv. No name says nothing."""
    name = file_name.lower()
    if is_old_office(raw):
        raise _not_xlsx("It has a password, or is an old Excel file (.xls): save it as XLSX without a password.")
    if name.endswith((".xlsm", ".xlsb", ".xls", ".ods")):
        raise _not_xlsx(f"Files {name[name.rindex('.') :]} are not taken; save it as XLSX.")
    if name.endswith(".xlsx") and not is_archive(raw):
        raise _not_xlsx("Its name ends in .xlsx, but it is no workbook inside.")
    if name.endswith(_TEXT_NAMES) and is_archive(raw):
        raise Unreadable(Reason.NOT_CSV, "Its name says that it is text, but it is an archive inside.")


def read(raw: bytes, *, limits: Limits = ORDINARY) -> tuple[Sheet, ...]:
    """The visible sheets that hold something. Raises Unreadable: not_xlsx, bad_archive, too_many_cells, too_slow,
    parser_failed, empty.
    """
    if not raw:
        raise Unreadable(Reason.EMPTY, str(sentence(Reason.EMPTY)))
    if not is_archive(raw):
        raise _not_xlsx("")
    _judge(raw)
    bounds = (MOST_ROWS, MOST_COLUMNS, MOST_CELLS, MOST_UNPACKED)
    told = sandbox.read(_CHILD, raw, arguments=[*map(str, bounds), _library()], limits=limits)
    found = []
    for line in told.splitlines():
        sheet = json.loads(line)
        if sheet["rows"]:
            found.append(Sheet(sheet["sheet"], tuple((n, tuple(cells)) for n, cells in sheet["rows"])))
    if not found:
        raise Unreadable(Reason.EMPTY, "The workbook has no visible sheet with anything in it.")
    return tuple(found)


@cache
def _library() -> str:
    """The folder that the child may import the one library from."""
    spec = find_spec("python_calamine")
    assert spec is not None and spec.origin is not None  # it is among our requirements
    return str(Path(spec.origin).resolve().parents[1])


def _judge(raw: bytes) -> None:
    """What the archive says of itself, before anything of it is unpacked (G7, G9)."""
    entries = _entries(raw)
    names = {entry.filename for entry in entries}
    for beginning, what in _OTHERS.items():
        if any(name.startswith(beginning) for name in names):
            raise _not_xlsx(f"It is {what}.")
    if not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        raise _not_xlsx("It is an archive of something else.")
    if len(names) != len(entries):
        raise _bad_archive("It names a part twice.")
    if sum(entry.file_size for entry in entries) > MOST_UNPACKED:
        raise _bad_archive("Unpacked it is larger than any ordinary workbook.")
    for entry in entries:
        _judge_entry(entry)


def _entries(raw: bytes) -> list[zipfile.ZipInfo]:
    end = raw.rfind(b"PK\x05\x06")
    if end < 0 or int.from_bytes(raw[end + 10 : end + 12], "little") > MOST_ENTRIES:
        raise _bad_archive("It has too many parts.") if end >= 0 else _not_xlsx("It was cut off on its way.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, UnicodeDecodeError):
        raise _not_xlsx("Its archive is damaged.") from None
    if len(entries) > MOST_ENTRIES:
        raise _bad_archive("It has too many parts.")
    return entries


def _judge_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if name.startswith(("/", "\\")) or "\\" in name or ":" in name or ".." in name.split("/"):
        raise _bad_archive("A part of it has a path that leads out of it.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _bad_archive("A part of it is a link.")
    if entry.flag_bits & 0x1:
        raise _not_xlsx("It has a password: save it without one.")
    if name.lower().endswith(_INSIDE):
        raise _bad_archive("An archive stands inside it.")
    if entry.file_size > 1_000_000 and entry.file_size > MOST_RATIO * max(1, entry.compress_size):
        raise _bad_archive("A part of it is packed tighter than any table is.")


def _not_xlsx(detail: str) -> Unreadable:
    return Unreadable(Reason.NOT_XLSX, f"{sentence(Reason.NOT_XLSX)} {detail}".strip())


def _bad_archive(detail: str) -> Unreadable:
    return Unreadable(Reason.BAD_ARCHIVE, f"{sentence(Reason.BAD_ARCHIVE)} {detail}".strip())
