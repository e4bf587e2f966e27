"""Spreadsheets with a column mapping: CSV with any delimiter, or XLSX, one event or one refusal a row.

What a column means is said by the partner's mapping, never guessed here. Workbooks are read in another process
(decision 13); apart from that the adapter is as pure as every other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tracking import codes, identifiers, statuses, tablemappings, tabletext, tabletimes, workbooks
from tracking.fields import Fault
from tracking.instants import Written, written
from tracking.reasons import Reason, sentence
from tracking.tablemappings import BadMapping, TableMapping
from tracking.tabletext import Table, TableRow, plain
from tracking.types import (
    PLAIN,
    Adapter,
    CanonicalEvent,
    Classifier,
    Kind,
    Parsed,
    Partner,
    Precision,
    Refusal,
    StatusRule,
    Subject,
    Unreadable,
)

LIST: Final = "csv"  # the list of partner tables that the values of a status column stand in
_MOST: Final = {
    "container": 20, "voyage": 50, "vessel_imo": 12, "facility": 32, "place": 16, "vessel": 80, "source_event_id": 500,
    "retracts": 500,
}  # fmt: skip
_NUMBER: Final = re.compile(r"\d+\.0", re.ASCII)
_MODES: Final = {plain(mode): mode for mode in (*sorted(codes.MODES), "SEA", "AIR", "ROAD")} | {"ship": "VESSEL"}
_YES: Final = {**dict.fromkeys(("yes", "y", "true", "1", "x"), True), **dict.fromkeys(("no", "n", "false", "0"), False)}
_OTHER_BEGINNINGS: Final = (b"[", b"{", b"UNA", b"UNB", b"ISA")


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """Each row becomes one event or one refusal at `$[n].column`, n from zero, the column as the file names it.

    Raises Unreadable: no_mapping, bad_mapping, and whatever is wrong with the file as a whole.
    """
    if not raw:
        raise Unreadable(Reason.EMPTY, str(sentence(Reason.EMPTY)))
    mapping = mapping_of(partner)
    return parse_table(table_of(raw, mapping), mapping, partner)


def mapping_of(partner: Partner) -> TableMapping:
    """The partner's mapping, complete. Raises Unreadable."""
    if not partner.mapping:
        raise Unreadable(Reason.NO_MAPPING, str(sentence(Reason.NO_MAPPING)))
    try:
        mapping = TableMapping.read(partner.mapping)
    except BadMapping as fault:
        raise Unreadable(Reason.BAD_MAPPING, f"{sentence(Reason.BAD_MAPPING)} {fault}") from None
    if lacking := mapping.lacks():
        raise Unreadable(Reason.BAD_MAPPING, f"{sentence(Reason.BAD_MAPPING)} It does not say: {', '.join(lacking)}.")
    return mapping


def table_of(raw: bytes, mapping: TableMapping) -> Table:
    """The table in the file, with the columns that the mapping names. Raises Unreadable."""
    return tabletext.read(
        raw, names=mapping.columns.values(), sheet=mapping.sheet, delimiter=mapping.delimiter, encoding=mapping.encoding
    )


def parse_table(table: Table, mapping: TableMapping, partner: Partner = PLAIN) -> Parsed:
    """The events and refusals of a table that is read already."""
    events, refusals = [], []
    reader = _Reader(table, mapping, partner)
    for row in table.rows:
        try:
            events.append(reader.event(row))
        except Fault as fault:
            refusals.append(
                Refusal(
                    code=fault.reason,
                    position=fault.where,
                    detail=fault.detail,
                    fragment=reader.fragment(row),
                    subject=fault.subject,
                )
            )
    return Parsed(events=tuple(events), refusals=tuple(refusals))


def recognises(raw: bytes) -> bool:
    """Whether it could be a table: a workbook, or text whose first line has columns and is no other format's."""
    if workbooks.is_archive(raw) or workbooks.is_old_office(raw):
        return True
    first = raw[:4_096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return not first.startswith(_OTHER_BEGINNINGS) and any(mark in first for mark in (b",", b";", b"\t", b"|"))


class _Reader:
    """Reads rows by a mapping: what is asked for by field is found by column, or is the same for all rows."""

    def __init__(self, table: Table, mapping: TableMapping, partner: Partner) -> None:
        self.table, self.mapping, self.partner = table, mapping, partner
        self.at = {name: table.at(column) for name, column in mapping.columns.items()}
        self.names = {name: tabletext.shown(column) for name, column in mapping.columns.items()}
        for name, n in self.at.items():
            if n is not None:
                self.names[name] = tabletext.shown(table.header[n])

    def event(self, row: TableRow) -> CanonicalEvent:
        """The event of one row; raises Fault with the position of the cell."""
        if row.fault:
            raise Fault(Reason.BAD_ROW, f"$[{row.number}]", row.fault)
        return _Cells(self, row).event()

    def fragment(self, row: TableRow) -> str:
        """The row for people: each column's name and what stands in it."""
        pairs = zip(self.table.header, row.cells, strict=False)
        return "\n".join(f"{name}: {cell}" for name, cell in pairs if cell)[:2_000]


@dataclass(slots=True)
class _Cells:
    """The cells of one row by field."""

    reader: _Reader
    row: TableRow

    def where(self, name: str) -> str:
        """The position of the cell of a field, or of the row where the field is no column."""
        column = self.reader.names.get(name)
        return f"$[{self.row.number}].{column}" if column else f"$[{self.row.number}]"

    def cell(self, name: str) -> str:
        """What stands in the field's column, as written."""
        at = self.reader.at.get(name)
        return self.row.cells[at] if at is not None and at < len(self.row.cells) else ""

    def text(self, name: str) -> str:
        """The cell, or the value that stands for all rows; empty when there is neither."""
        value = self.cell(name) or self.reader.mapping.constants.get(name, "")
        if _NUMBER.fullmatch(value):
            value = value.partition(".")[0]  # a code that some program took for a number (4711.0)
        most = _MOST.get(name, 64)
        if len(value) > most:
            raise Fault(Reason.TOO_LONG, self.where(name), f"It has {len(value)} characters; {most} are read.")
        return value

    def fault(self, reason: Reason, name: str, more: str = "") -> Fault:
        """What is wrong with the cell of a field."""
        return Fault(reason, self.where(name), more)

    def event(self) -> CanonicalEvent:
        """The event of the row."""
        retracts = self.text("retracts") or None
        refs = {name: self.text(name) for name in tablemappings.REFERENCES}
        if retracts is None and not any(refs.values()):
            raise self.fault(Reason.NO_REFERENCE, next((n for n in refs if n in self.reader.names), ""))
        rule, told = self._meaning(retracts)
        when = self._when(retracts)
        warnings: list[str] = []
        container, imo = self._container(refs["container"], warnings), self._imo(warnings)
        paper = rule.document_type or _paper(rule)
        zone = None if when is None or when.time is not None else self._zone()
        return CanonicalEvent(
            position=self.where("event_time"), kind=rule.kind, code=rule.code,
            classifier=self._classifier(rule, retracts),
            local=when.local if when else "", time=when.time if when else None,
            precision=when.precision if when else Precision.MINUTE,
            offset_minutes=when.offset_minutes if when else None, zone=zone,
            container=container, container_ok=identifiers.container_ok(container) if container else None,
            laden=self._laden(rule), place=self._place() or None,
            facility=identifiers.upper(self.text("facility")) or None,
            place_role=rule.place_role, mode=self._mode(rule), booking=refs["booking"] or None,
            bill_of_lading=refs["bill_of_lading"] or None, shipment_ref=refs["shipment_ref"] or None,
            voyage=self.text("voyage") or None, vessel=self.text("vessel") or None, vessel_imo=imo,
            is_transshipment=self._yes_no("transhipment"), document_type=paper,
            document_id=next((v for v in refs.values() if v), None) if paper else None,
            source_event_id=self.text("source_event_id") or None, source_created_at=self._created(),
            retracts=retracts, warnings=tuple(warnings), rule=told, payload=self._payload(),
        )  # fmt: skip

    def _meaning(self, retracts: str | None) -> tuple[StatusRule, str]:
        """What happened, and by which line it was read."""
        status = self.text("status")
        if status:
            own = self.reader.mapping.codes.get(plain(status))
            found = (own, f"mapping: {status}") if own else self._partners(status)
            if found is None and codes.kind_of(status.upper()) is not None:
                found = StatusRule(kind=Kind(str(codes.kind_of(status.upper()))), code=status.upper()), "DCSA code"
            if found is None:
                fault = self.fault(Reason.UNKNOWN_CODE, "status", f"Nobody has said what {status[:40]!r} means.")
                fault.subject = Subject(listed="csv", code=status.upper()[:40])
                raise fault
            if found[0].is_ignored:
                raise self.fault(Reason.NOT_TRACKED, "status")
            return found
        code = self.text("code").upper()
        usual = codes.kind_of(code)
        if usual is not None:
            return StatusRule(kind=usual, code=code), "DCSA code"
        if code:
            raise self.fault(Reason.UNKNOWN_CODE, "code", f"It is {code[:40]!a}.")
        if retracts is not None:
            return StatusRule(kind=Kind.EQUIPMENT, code=""), "withdrawal"
        raise self.fault(Reason.MISSING_FIELD, "status" if "status" in self.reader.names else "code")

    def _partners(self, status: str) -> tuple[StatusRule, str] | None:
        partner = self.reader.partner
        own = partner.rule(LIST, status)
        return (own, f"partner table: {LIST} {status}") if own else statuses.meaning(partner, LIST, status.upper())

    def _classifier(self, rule: StatusRule, retracts: str | None) -> Classifier:
        given = self.text("classifier")
        if given:
            found = tablemappings.classifier(given)
            if found is None:
                raise self.fault(Reason.UNKNOWN_CODE, "classifier", f"It is {given[:40]!r}.")
            return found
        if retracts is None and not self.text("status"):
            raise self.fault(Reason.NO_CLASSIFIER, "classifier")
        return rule.classifier

    def _when(self, retracts: str | None) -> Written | None:
        day, clock = self.cell("event_time"), self.cell("time_of_day")
        if not day:
            if retracts is not None:
                return None
            raise self.fault(Reason.MISSING_FIELD, "event_time")
        local = self._iso("event_time", day)
        if clock:
            try:
                local = f"{local[:10]}T{tabletimes.clock(clock)}"
            except ValueError as fault:
                raise self.fault(Reason.BAD_TIME, "time_of_day", str(fault)) from None
        offset = self._offset() if len(local) > 10 else ""
        if offset and not _states_offset(local):
            local += offset
        try:
            return written(local)
        except ValueError as fault:
            raise self.fault(Reason.BAD_TIME, "event_time", str(fault)) from None

    def _iso(self, name: str, text: str) -> str:
        try:
            return tabletimes.iso(text, self.reader.mapping.dates)
        except ValueError as fault:
            raise self.fault(Reason.BAD_TIME, name, str(fault)) from None

    def _zone_cell(self) -> tuple[str | None, str]:
        given = self.cell("zone")
        if not given:
            return None, ""
        try:
            return tabletimes.zone(given)
        except ValueError as fault:
            raise self.fault(Reason.BAD_VALUE, "zone", str(fault)) from None

    def _offset(self) -> str:
        return self._zone_cell()[1]

    def _zone(self) -> str | None:
        return self._zone_cell()[0] or self.reader.mapping.zone or None

    def _created(self) -> Any:
        """When the source wrote it: clocks of systems, so without an offset in UTC."""
        given = self.cell("source_created_at")
        if not given:
            return None
        local = self._iso("source_created_at", given)
        if len(local) == 10:
            local += "T00:00"
        return written(local if _states_offset(local) else f"{local}Z").time

    def _container(self, text: str, warnings: list[str]) -> str | None:
        number = identifiers.container(text)
        if len(number) > 16:
            raise self.fault(Reason.TOO_LONG, "container")
        if number and not identifiers.container_ok(number):
            warnings.append(Reason.CONTAINER_CHECK_DIGIT)
        return number or None

    def _imo(self, warnings: list[str]) -> str | None:
        number = identifiers.imo(self.text("vessel_imo"))
        if len(number) > 8:
            raise self.fault(Reason.TOO_LONG, "vessel_imo")
        if number and not identifiers.imo_ok(number):
            warnings.append(Reason.IMO_CHECK_DIGIT)
        return number or None

    def _place(self) -> str:
        given = self.cell("place")
        known = self.reader.mapping.places.get(plain(given)) if given else None
        return known or identifiers.place(self.text("place"))

    def _laden(self, rule: StatusRule) -> bool | None:
        given = self.text("laden")
        if not given:
            return rule.laden
        found = tablemappings.laden(given)
        if found is None:
            raise self.fault(Reason.BAD_VALUE, "laden", f"It is {given[:40]!r}; full or empty is expected.")
        return found

    def _yes_no(self, name: str) -> bool | None:
        given = self.text(name)
        if given and plain(given) not in _YES:
            raise self.fault(Reason.BAD_VALUE, name, f"It is {given[:40]!r}; yes or no is expected.")
        return _YES[plain(given)] if given else None

    def _mode(self, rule: StatusRule) -> str | None:
        given = self.text("mode")
        if given and plain(given) not in _MODES:
            raise self.fault(Reason.UNKNOWN_CODE, "mode", f"It is {given[:40]!r}.")
        return _MODES[plain(given)] if given else rule.mode

    def _payload(self) -> dict[str, Any]:
        """What the file says in the columns that mean something; a remark that is added later is no other event."""
        names = self.reader.names
        return {names[name]: cell for name in self.reader.at if (cell := self.cell(name))}


def _paper(rule: StatusRule) -> str | None:
    """A status without a document: a hold or release is one of customs (1.1), the rest a booking's."""
    if rule.kind != Kind.SHIPMENT or not rule.code:
        return None
    return "CUS" if rule.code in ("HOLD", "RELS") else "BKG"


def _states_offset(local: str) -> bool:
    return local.endswith("Z") or any(sign in local[10:] for sign in "+-")


TABLE: Final = Adapter(
    key="table",
    label=_("Spreadsheet (CSV or XLSX) with a column mapping"),
    parse=parse,
    recognises=recognises,
    content_types=(workbooks.CONTENT_TYPE,),
    is_declared_only=True,
)
