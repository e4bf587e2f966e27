"""Partner tables as CSV: all lines of a file or none, every bad line named; and out again in the same columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import PortalError
from portal.tenancy.services import audit
from tracking import cells, codes, csvtable, identifiers
from tracking.csvtable import Row
from tracking.fields import Fault
from tracking.models import Source
from tracking.partners import codes_of
from tracking.services.partners import CodeLine, code_store, line_faults
from tracking.types import Refusal, Unreadable

COLUMNS: Final = (
    "list", "agency", "code", "kind", "event_code", "classifier", "laden", "mode", "place_role", "document_type",
    "ignored", "note",
)  # fmt: skip
MOST_LINES: Final = 2_000
_MOST_SHOWN: Final = 50
_LADEN: Final = {**codes.LADEN, "FULL": True}


class BadLines(PortalError):
    """Lines of the file cannot be used, so none was: `faults` holds (number of the line, sentence)."""

    code, status = "partner_table_refused", 422
    message = gettext_lazy("Nothing was stored. Lines that cannot be used: %(count)d.")

    def __init__(self, faults: Sequence[tuple[int, str]]) -> None:
        self.faults = tuple(faults[:_MOST_SHOWN])
        super().__init__(count=len(faults))


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file brought."""

    added: int
    changed: int
    same: int


@transaction.atomic
def partner_codes_import(*, key: str, body: bytes, at: datetime, actor: str) -> Imported:
    """Adds and changes the lines of the file; lines that it does not name stay. Raises BadLines, and stores nothing."""
    lines = _read(body)
    source = Source.objects.select_for_update().get(key=key)
    told = []
    for line in lines:
        _row, before = code_store(source, line, at=at, actor=actor)
        told.append({"before": before, "after": asdict(line)})
    news = [t for t in told if t["before"] != t["after"]]
    added = sum(1 for t in news if t["before"] is None)
    if news:
        audit(action="source.codes_imported", actor=actor, at=at, object_type="source", object_id=key,
              details={"lines": news})  # fmt: skip
    return Imported(added=added, changed=len(news) - added, same=len(told) - len(news))


def partner_codes_rows(source: Source) -> Iterator[tuple[str, ...]]:
    """The lines of the table in the columns above."""
    for row in codes_of(source):
        laden = "" if row.laden is None else "LADEN" if row.laden else "EMPTY"
        yield (
            row.listed, row.agency, row.code, "" if row.is_ignored else row.kind, row.event_code,
            "" if row.is_ignored else row.classifier, laden, row.mode, row.place_role, row.document_type,
            "yes" if row.is_ignored else "", row.note,
        )  # fmt: skip


def _read(body: bytes) -> list[CodeLine]:
    lines: dict[tuple[str, str, str], CodeLine] = {}
    faults: list[tuple[int, str]] = []
    try:
        for number, row in enumerate(csvtable.read(body, columns=COLUMNS, needed=("list", "code")), start=2):
            if number > MOST_LINES + 1:
                raise BadLines([(number, _("A file may have %(most)d lines.") % {"most": MOST_LINES})])
            line, said = _line(row)
            if line is not None and line.key in lines:
                said = _("The same list, agency and code stand in the file before.")
            if said:
                faults.append((number, said))
            elif line is not None:
                lines[line.key] = line
    except Unreadable as error:
        raise BadLines([(1, error.detail)]) from None
    if faults:
        raise BadLines(faults)
    return list(lines.values())


def _line(row: Row | Refusal) -> tuple[CodeLine | None, str]:
    if isinstance(row, Refusal):
        return None, row.detail
    try:
        is_ignored = bool(cells.yes_no(row, "ignored"))
        line = CodeLine(
            listed=_text(row, "list").lower(), agency=_upper(row, "agency"), code=_upper(row, "code"),
            kind=_upper(row, "kind") or _usual_kind(_upper(row, "event_code")), event_code=_upper(row, "event_code"),
            classifier=_upper(row, "classifier") or "ACT", laden=cells.yes_no(row, "laden", _LADEN),
            mode=_upper(row, "mode"), place_role=_upper(row, "place_role"),
            document_type=_upper(row, "document_type"), is_ignored=is_ignored, note=_text(row, "note"),
        )  # fmt: skip
    except Fault as fault:
        return None, f"{fault.where.partition('.')[2]}: {fault.detail}"
    said = " ".join(f"{_COLUMN_OF.get(name, name)}: {fault}" for name, fault in line_faults(line).items())
    return line, said


_COLUMN_OF: Final = {"listed": "list", "is_ignored": "ignored"}


def _usual_kind(event_code: str) -> str:
    found = codes.kind_of(event_code)
    return found.value if found else "EQUIPMENT"


def _text(row: Row, column: str) -> str:
    """The cell; the apostrophe that keeps a spreadsheet from running it is none of the code (X1)."""
    text = cells.text(row, column, 400)
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "'") else text


def _upper(row: Row, column: str) -> str:
    return identifiers.upper(_text(row, column))
