"""What a file is by its first bytes, whatever it is called; and a name for it that no system trips over (X3, X4).

Pure. Knows the kinds that are kept as documents of a shipment; nothing here opens what a file contains any further than
is needed to tell the kinds apart.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MOST_NAME: Final = 120  # characters of a name with its ending
_MOST_PARTS: Final = 10_000  # of an Office file; real ones have some hundred
_MOST_TYPES: Final = 1024 * 1024  # bytes of its list of content types
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that is kept: its content type, its ending, its name for people."""

    content_type: str
    ending: str
    label: str
    is_picture: bool = False


PDF: Final = FileKind("application/pdf", "pdf", "PDF")
PNG: Final = FileKind("image/png", "png", "PNG", is_picture=True)
JPEG: Final = FileKind("image/jpeg", "jpg", "JPEG", is_picture=True)
DOCX: Final = FileKind(f"{_OFFICE}wordprocessingml.document", "docx", "Word")
XLSX: Final = FileKind(f"{_OFFICE}spreadsheetml.sheet", "xlsx", "Excel")
KINDS: Final = (PDF, PNG, JPEG, DOCX, XLSX)
BY_CONTENT_TYPE: Final = {kind.content_type: kind for kind in KINDS}
ACCEPT: Final = ",".join(f"{kind.content_type},.{kind.ending}" for kind in KINDS)
_MAIN_PARTS: Final = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX}

EMPTY: Final = _("it is empty")
UNKNOWN: Final = _("it is none of PDF, PNG, JPEG, Word (.docx) and Excel (.xlsx), whatever its name says")
OLD_OFFICE: Final = _("it is an old or protected Office file: save it as .docx or .xlsx without a password, or as PDF")
MACROS: Final = _("it holds macros: save it without them, or as PDF")
DAMAGED: Final = _("it is damaged and cannot be opened")


def kind_of(body: bytes) -> FileKind | Promise:
    """The kind of a file, or why it is not kept, in words that go on after the file's name."""
    if not body:
        return EMPTY
    # a PDF's mark may stand a little behind the beginning, and readers accept it there
    if b"%PDF-" in body[:1024]:
        return PDF
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if body.startswith(b"\xff\xd8\xff"):
        return JPEG
    if body.startswith(b"PK\x03\x04"):
        return _office(body)
    return OLD_OFFICE if body.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") else UNKNOWN


def _office(body: bytes) -> FileKind | Promise:
    """An archive of Office parts: which one, and nothing in it that runs."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            if len(parts) > _MOST_PARTS or "[Content_Types].xml" not in names:
                return UNKNOWN
            with archive.open("[Content_Types].xml") as listed:
                types = listed.read(_MOST_TYPES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        return DAMAGED
    if b"macroEnabled" in types or any(name.lower().endswith("vbaproject.bin") for name in names):
        return MACROS
    return next((kind for part, kind in _MAIN_PARTS.items() if part in names), UNKNOWN)


def safe_name(name: str, kind: FileKind, *, otherwise: str) -> str:
    """The file's own name without paths, marks that nobody sees, and a foreign ending; `otherwise` where none is left.

    The ending is that of the kind: `invoice.exe` that is a PDF becomes `invoice.exe.pdf`.
    """
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    # beyond what no file system takes: marks of direction, and all else that nobody sees
    seen = "".join(c for c in _UNSAFE.sub(" ", last) if unicodedata.category(c)[0] != "C")
    plain = " ".join(seen.split()).strip(". ")
    endings = (kind.ending, "jpeg") if kind is JPEG else (kind.ending,)
    for ending in endings:
        if plain.lower().endswith(f".{ending}"):
            plain = plain[: -len(ending) - 1].rstrip(". ")
    return f"{(plain or otherwise)[: MOST_NAME - len(kind.ending) - 1].rstrip('. ')}.{kind.ending}"
