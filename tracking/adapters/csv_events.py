"""Events as CSV: the columns of the history file `events.csv`, also sent through the doors.

Reads rows only; which source and account they belong to is the caller's business, as is making accounts and sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final

from django.utils.translation import gettext_lazy as _

from tracking import cells, codes, csvtable, identifiers, statuses
from tracking.csvtable import Row
from tracking.fields import Fault
from tracking.instants import Written
from tracking.reasons import Reason
from tracking.types import PLAIN, Adapter, CanonicalEvent, Classifier, Kind, Parsed, Partner, Precision, Refusal

COLUMNS: Final = (
    "source", "source_event_id", "shipment_ref", "container", "booking", "account", "kind", "code", "classifier",
    "event_time", "source_created_at", "recorded_at", "place", "facility", "laden", "transhipment", "mode",
    "vessel_imo", "voyage", "retracts",
)  # fmt: skip
NEEDED: Final = frozenset({"code", "classifier", "event_time"})
_REFERENCES: Final = ("shipment_ref", "container", "booking")
_KINDS: Final = {kind.value: kind for kind in Kind}
_CLASSIFIERS: Final = {classifier.value: classifier for classifier in Classifier}
_MODES: Final = {mode: mode for mode in (*sorted(codes.MODES), "SEA", "AIR", "ROAD")}
_LADEN: Final = {**codes.LADEN, "FULL": True}


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """Each row becomes one event or one refusal, at `$[n].event_time` with n from zero.

    Raises Unreadable for the file as a whole: no header, unknown columns (by name), not UTF-8.
    """
    found = list(_events(csvtable.read(raw, columns=COLUMNS, needed=NEEDED), partner))
    return Parsed(
        events=tuple(e for e in found if isinstance(e, CanonicalEvent)),
        refusals=tuple(r for r in found if isinstance(r, Refusal)),
    )


def events(file: BinaryIO) -> Iterator[CanonicalEvent | Refusal]:
    """The same row by row, for files that do not fit in memory."""
    return _events(csvtable.rows(file, columns=COLUMNS, needed=NEEDED), PLAIN)


def recognises(raw: bytes) -> bool:
    """Whether the first line names columns of events."""
    first = raw[:4_096].removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0].decode("ascii", "replace")
    names = {name.strip().strip('"').lower() for name in first.split(",")}
    return {"event_time", "code"} <= names


def _events(rows: Iterator[Row | Refusal], partner: Partner) -> Iterator[CanonicalEvent | Refusal]:
    for row in rows:
        if isinstance(row, Refusal):
            yield row
            continue
        try:
            yield _event(row, partner)
        except Fault as fault:
            yield row.refusal(fault)


def _event(row: Row, partner: Partner) -> CanonicalEvent:
    retracts = cells.text(row, "retracts", 500) or None
    if retracts is None and not any(row.cells.get(name) for name in _REFERENCES):
        raise Fault(Reason.NO_REFERENCE, row.at())
    own = statuses.own_meaning(partner, "csv", cells.text(row, "code"))
    if own is not None and own[0].is_ignored:
        raise Fault(Reason.NOT_TRACKED, row.at("code"))
    kind, code = (own[0].kind, own[0].code) if own else _kind_and_code(row, retracts)
    when = _when(row, retracts)
    created = cells.instant(row, "source_created_at")
    warnings: list[str] = []
    container, imo = _container(row, warnings), _imo(row, warnings)
    booking, ref = cells.text(row, "booking") or None, cells.text(row, "shipment_ref") or None
    paper = _paper(kind, code)
    event = CanonicalEvent(
        position=row.at("event_time"),
        kind=kind,
        code=code,
        classifier=_classifier(row, retracts),
        local=when.local if when else "",
        time=when.time if when else None,
        precision=when.precision if when else Precision.MINUTE,
        offset_minutes=when.offset_minutes if when else None,
        container=container,
        container_ok=identifiers.container_ok(container) if container else None,
        laden=cells.yes_no(row, "laden", _LADEN),
        place=cells.place(row, "place") or None,
        facility=identifiers.upper(cells.text(row, "facility", 32)) or None,
        mode=cells.code(row, "mode", _MODES),
        booking=booking,
        shipment_ref=ref,
        account=cells.text(row, "account") or None,
        source=cells.text(row, "source", 40) or None,
        voyage=cells.text(row, "voyage", 50) or None,
        vessel_imo=imo,
        is_transshipment=cells.yes_no(row, "transhipment"),
        document_type=paper,
        document_id=(booking or ref or container) if paper else None,
        source_event_id=cells.text(row, "source_event_id", 500) or None,
        source_created_at=created,
        recorded_at=_recorded(row, created, when),
        retracts=retracts,
        warnings=tuple(warnings),
        rule=f"CSV {kind} {code}" if code else "CSV",
        payload=_payload(row),
    )
    return event if own is None else statuses.as_meant(event, *own)


def _kind_and_code(row: Row, retracts: str | None) -> tuple[Kind, str]:
    """The kind may be left out, since the code says it; a withdrawal needs neither."""
    kind, code = cells.code(row, "kind", _KINDS), cells.text(row, "code").upper()
    if not code:
        if retracts is None:
            raise Fault(Reason.MISSING_FIELD, row.at("code"))
        return kind or Kind.EQUIPMENT, ""
    usual = codes.kind_of(code)
    if usual is None or (code != codes.DELIVERY_FAILED and kind not in (None, usual)):
        raise Fault(Reason.UNKNOWN_CODE, row.at("code"), f"It is {code[:40]!a}{f' of {kind}' if kind else ''}.")
    return kind or usual, code


def _classifier(row: Row, retracts: str | None) -> Classifier:
    found = cells.code(row, "classifier", _CLASSIFIERS)
    if found is None and retracts is None:
        raise Fault(Reason.NO_CLASSIFIER, row.at("classifier"))
    return found or Classifier.ACT


def _when(row: Row, retracts: str | None) -> Written | None:
    when = cells.time(row, "event_time")
    if when is None and retracts is None:
        raise Fault(Reason.MISSING_FIELD, row.at("event_time"))
    return when


def _recorded(row: Row, created: datetime | None, when: Written | None) -> datetime | None:
    """When it was learned; absent: when the source wrote it, else when it happened (None while no zone is known)."""
    return cells.instant(row, "recorded_at") or created or (when.time if when else None)


def _container(row: Row, warnings: list[str]) -> str | None:
    number = identifiers.container(cells.text(row, "container", 20))
    if len(number) > 16:
        raise Fault(Reason.TOO_LONG, row.at("container"))
    if number and not identifiers.container_ok(number):
        warnings.append(Reason.CONTAINER_CHECK_DIGIT)
    return number or None


def _imo(row: Row, warnings: list[str]) -> str | None:
    number = identifiers.imo(cells.text(row, "vessel_imo", 12))
    if len(number) > 8:
        raise Fault(Reason.TOO_LONG, row.at("vessel_imo"))
    if number and not identifiers.imo_ok(number):
        warnings.append(Reason.IMO_CHECK_DIGIT)
    return number or None


def _paper(kind: Kind, code: str) -> str | None:
    """The file has no column for the document: a hold or release is one of customs (1.1), the rest a booking's."""
    if kind != Kind.SHIPMENT or not code:
        return None
    return "CUS" if code in ("HOLD", "RELS") else "BKG"


def _payload(row: Row) -> dict[str, Any]:
    """The row as its source wrote it; when we learned it is no part of that, so told twice it is a duplicate (R1.2)."""
    return {name: row.cells[name] for name in COLUMNS if name in row.cells and name != "recorded_at"}


CSV = Adapter(
    key="csv",
    label=_("Events as CSV"),
    parse=parse,
    recognises=recognises,
    content_types=("text/csv", "application/csv"),
)
