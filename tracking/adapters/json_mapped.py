"""Any JSON of events with a mapping that says what its fields mean: aggregators, portals, systems of customers.

Two envelopes: plain (objects in lists in objects) and JSON:API (`data` and `included`, related by type and id). What
needs memory between messages stays out: a hold that simply vanishes from a list, as one aggregator reports releases,
can only be seen beside the list before, so such lists are no events here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext_lazy as _

from portal.lib.periods import zone_named
from tracking import codes, identifiers, mappings, strictjson
from tracking.fields import Fault, fits, fragment, storable, type_name
from tracking.instants import Written, written
from tracking.mappings import BadMapping, JsonMapping, Lack, Path, Spot
from tracking.reasons import Reason, sentence
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

LISTED: Final = "json"  # the list in partner tables
_MOST: Final = {
    "id": 500, "retracts": 500, "reason": 250, "place": 100, "place_name": 100, "facility": 32, "vessel": 80,
    "voyage": 50, "container": 20, "imo": 12, "booking": 64, "bill": 64, "shipment_ref": 64, "time": 64, "created": 64,
}  # fmt: skip
_LADEN: Final = {**codes.LADEN, "FULL": True, "F": True, "L": True, "E": False, "TRUE": True, "FALSE": False}
_MODES: Final = {**{mode: mode for mode in codes.MODES}, "SEA": "VESSEL", "OCEAN": "VESSEL", "ROAD": "TRUCK"}
_CLASSIFIERS: Final = {
    **{c.value: c for c in Classifier},
    "ACTUAL": Classifier.ACT,
    "ESTIMATED": Classifier.EST,
    "PLANNED": Classifier.PLN,
}


@dataclass(slots=True)
class _Reader:
    """Reads the fields of one event by the mapping, and keeps what was read: that is the event's own part (R1.0)."""

    mapping: JsonMapping
    spot: Spot
    at: str
    seen: dict[str, str] = field(default_factory=dict)

    def where(self, name: str) -> str:
        """The position of a field."""
        path = self.mapping.fields.get(name)
        return f"{self.at}.{path.text}" if path else self.at

    def text(self, name: str) -> str | None:
        """The text of a field, trimmed: numbers as they are written, true and false as words; None when absent."""
        constant, path = self.mapping.constants.get(name), self.mapping.fields.get(name)
        value = constant if path is None else self._value(path)
        if value is None:
            return None
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int):
            value = str(value)
        elif not isinstance(value, str):
            raise Fault(Reason.WRONG_TYPE, self.where(name), f"It is {type_name(value)}; text is expected.")
        text: str = value.strip()
        if name == "reason":
            text = text[: _MOST["reason"]]
        if len(text) > _MOST.get(name, 100):
            raise Fault(Reason.TOO_LONG, self.where(name), f"It has {len(text)} characters.")
        if text and constant is None:
            self.seen[name] = text
        return text or None

    def needed(self, name: str) -> str:
        """The text of a field that must be there."""
        text = self.text(name)
        if text is None:
            raise Fault(Reason.MISSING_FIELD, self.where(name))
        return text

    def _value(self, path: Path) -> Any:
        if path.start == "$":
            return mappings.value_at(self.spot.root, path.steps)
        if path.start == "@":
            return mappings.value_at(self._related(path.relation), path.steps)
        if path.start:
            far = len(path.start) - 1
            return mappings.value_at(self.spot.around[far] if far < len(self.spot.around) else None, path.steps)
        return mappings.value_at(self.spot.item, path.steps)

    def _related(self, relation: str) -> Any:
        """The resource that the event is related to by this name; else the only one of that type in the message."""
        relations = self.spot.item.get("relationships")
        if not isinstance(relations, dict) or relation not in relations:
            return self.spot.beside.alone.get(relation)
        named = mappings.value_at(relations, (relation, "data"))
        if not isinstance(named, Mapping):
            return None
        return self.spot.beside.by_key.get((str(named.get("type")), str(named.get("id"))))


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """Each event that the mapping finds becomes an event or a refusal, at `$[n]` and its path from there.

    Raises Unreadable for the message as a whole: no mapping, one that cannot be used, not JSON, or nothing where the
    mapping says that the events stand.
    """
    if not partner.mapping:
        raise Unreadable(Reason.NO_MAPPING, str(sentence(Reason.NO_MAPPING)))
    try:
        mapping = JsonMapping.read(partner.mapping)
    except BadMapping as fault:
        raise Unreadable(Reason.BAD_MAPPING, f"{sentence(Reason.BAD_MAPPING)} {fault}") from None
    root = strictjson.loads(raw)
    escaped = b"\\u" in raw
    spots = mappings.spots(root, mapping)
    events: list[CanonicalEvent] = []
    refusals: list[Refusal] = []
    for number, spot in enumerate(spots):
        at = f"$[{number}]"
        try:
            if isinstance(spot, Lack):
                raise Fault(spot.reason, f"{at}{spot.where}", spot.more)
            events.append(_event(spot, mapping, partner, at, escaped=escaped))
        except Fault as fault:
            refusals.append(
                Refusal(
                    code=fault.reason,
                    position=fault.where,
                    detail=fault.detail,
                    fragment=fragment(spot.item),
                    subject=fault.subject,
                )
            )
    return Parsed(events=tuple(events), refusals=tuple(refusals))


def recognises(raw: bytes) -> bool:
    """Whether it looks like JSON; found last, so that only a source that is declared so is read so."""
    return raw[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")


# --- one event ---


def _event(spot: Spot, mapping: JsonMapping, partner: Partner, at: str, *, escaped: bool) -> CanonicalEvent:
    if not isinstance(spot.item, dict):
        raise Fault(Reason.WRONG_TYPE, at, f"It is {type_name(spot.item)}; an object is expected.")
    read = _Reader(mapping, spot, at)
    retracts = read.text("retracts")
    if retracts is not None:
        return _withdrawal(read, retracts, escaped=escaped)
    rule, words = _meaning(read, partner)
    warnings: list[str] = []
    when = _when(read)
    found = _about(read, rule, warnings)
    call = rule.kind == Kind.TRANSPORT and found["vessel_imo"] and found["voyage"]
    if not call and not any(found[name] for name in ("container", "booking", "bill_of_lading", "shipment_ref")):
        raise Fault(Reason.NO_REFERENCE, at)
    event = CanonicalEvent(
        position=read.where("time"),
        kind=rule.kind,
        code=rule.code,
        classifier=_classifier(read, rule),
        local=when.written.local,
        time=when.written.time,
        precision=when.written.precision,
        offset_minutes=when.written.offset_minutes,
        zone=when.zone,
        source_event_id=read.text("id"),
        source_created_at=_created(read),
        reason=read.text("reason"),
        warnings=tuple(warnings),
        rule=words,
        payload=read.seen,
        **found,
    )
    if escaped:
        storable(read.seen, at)
    return event


def _withdrawal(read: _Reader, retracts: str, *, escaped: bool) -> CanonicalEvent:
    created = _created(read)
    if escaped:
        storable(read.seen, read.at)
    return CanonicalEvent(
        position=read.where("retracts"), kind=Kind.EQUIPMENT, code="", classifier=Classifier.ACT, local="", time=None,
        source_created_at=created, retracts=retracts, payload=read.seen, rule="mapping: retracts",
    )  # fmt: skip


def _meaning(read: _Reader, partner: Partner) -> tuple[StatusRule, str]:
    """What the event's name means: by the partner table first, then by the mapping, then as a code of our own list."""
    name = read.needed("event")
    own = partner.rule(LISTED, name) or partner.rule(LISTED, name.upper())
    rule = own or read.mapping.codes.get(name.upper())
    words = f"{'partner table' if own else 'mapping'}: {LISTED} {name}"
    if rule is None and not read.mapping.codes and (kind := codes.kind_of(name.upper())) is not None:
        rule, words = StatusRule(kind=kind, code=name.upper()), f"code as sent: {name.upper()}"
    if rule is None:
        raise Fault(Reason.UNKNOWN_CODE, read.where("event"), f"It is {name[:60]!a}.",
                    subject=Subject(listed=LISTED, code=name.upper()[:40]))  # fmt: skip
    if rule.is_ignored:
        raise Fault(Reason.NOT_TRACKED, read.where("event"), f"It is {name[:60]!a}.")
    return rule, words


def _classifier(read: _Reader, rule: StatusRule) -> Classifier:
    """The field where there is one, else what the code means."""
    if "classifier" not in read.mapping.fields and "classifier" not in read.mapping.constants:
        return rule.classifier
    text = read.text("classifier")
    if text is None:
        raise Fault(Reason.NO_CLASSIFIER, read.where("classifier"))
    found: Classifier = _looked_up(read, "classifier", text, {**_CLASSIFIERS, **read.mapping.classifiers})
    return found


def _looked_up(read: _Reader, name: str, text: str, known: Mapping[str, Any]) -> Any:
    if text.upper() not in known:
        raise Fault(Reason.UNKNOWN_CODE, read.where(name), f"It is {text[:40]!a}.")
    return known[text.upper()]


@dataclass(frozen=True, slots=True)
class _When:
    """A time as written, and the zone that the message states."""

    written: Written
    zone: str | None


def _when(read: _Reader) -> _When:
    """By the rule of the mapping: with its offset; in UTC with a zone beside it; or local, whatever it is labelled.

    One aggregator reads local times whose zone it does not know as UTC: without a zone they are local again, and wait
    for a zone that somebody does know (R1.6).
    """
    name = read.text("zone")
    zone = _zone(name)
    if name is not None and zone is None:
        raise Fault(Reason.BAD_VALUE, read.where("zone"), f"{name[:40]!a} is no zone of the IANA list.")
    when = _written(read, "time")
    label = when.offset_minutes
    rule = read.mapping.times
    if rule == mappings.UTC and label is None and when.precision == Precision.MINUTE:
        when, label = _as_utc(when), 0
    unplaced = read.mapping.utc_without_zone_is_local and zone is None and label == 0
    if (rule == mappings.LOCAL or unplaced) and when.time is not None:
        when = Written(_without_offset(when.local), when.precision)
    if when.time is not None and label == 0 and (zone is not None or rule == mappings.UTC):
        offset = when.time.astimezone(zone).utcoffset() if zone else None  # UTC is a label here, no offset of a place
        when = replace(when, offset_minutes=None if offset is None else int(offset.total_seconds()) // 60)
    return _When(when, zone.key if zone else None)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return zone_named(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _written(read: _Reader, name: str) -> Written:
    try:
        return written(read.needed(name))
    except ValueError as fault:
        raise Fault(Reason.BAD_TIME, read.where(name), str(fault)) from None


def _as_utc(when: Written) -> Written:
    return replace(when, time=written(f"{when.local}Z").time, offset_minutes=0)


def _without_offset(local: str) -> str:
    text = local.rstrip("Zz").rstrip()
    at = max(text.rfind("+"), text.rfind("-"))
    return text[:at].rstrip() if at > len("2026-03-01") else text


def _created(read: _Reader) -> datetime | None:
    """A computer's clock: without an offset it is read as UTC; it only orders versions (R1.3)."""
    text = read.text("created")
    if text is None:
        return None
    when = _written(read, "created")
    if when.time is not None:
        return when.time
    return written(f"{when.local}{'T00:00' if when.precision == Precision.DAY else ''}Z").time


def _about(read: _Reader, rule: StatusRule, warnings: list[str]) -> dict[str, Any]:
    """Box, papers, place and vessel."""
    container = _container(read, warnings)
    booking, bill, laden = read.text("booking"), read.text("bill"), read.text("laden")
    mode = read.text("mode")
    is_laden = rule.laden
    if is_laden is None and laden is not None:
        is_laden = _looked_up(read, "laden", laden, {**_LADEN, **read.mapping.laden})
    elif is_laden is None and rule.kind == Kind.EQUIPMENT:
        warnings.append(Reason.NO_LADEN)
    return {
        "container": container,
        "container_ok": identifiers.container_ok(container) if container else None,
        "laden": is_laden,
        "place": _place(read),
        "facility": identifiers.upper(read.text("facility") or "") or None,
        "place_role": rule.place_role,
        "is_transshipment": True if rule.place_role == "TSP" else None,
        "mode": rule.mode or (_looked_up(read, "mode", mode, _MODES) if mode else None),
        "booking": booking,
        "bill_of_lading": bill,
        "shipment_ref": read.text("shipment_ref"),
        "vessel": read.text("vessel"),
        "vessel_imo": _imo(read, warnings),
        "voyage": read.text("voyage"),
        "transport_call": read.text("transport_call"),
        "document_type": rule.document_type,
        "document_id": (booking or bill or container) if rule.document_type else None,
    }


def _container(read: _Reader, warnings: list[str]) -> str | None:
    number = identifiers.container(read.text("container") or "")
    fits(number, 16, read.where("container"))
    if number and not identifiers.container_ok(number):
        warnings.append(Reason.CONTAINER_CHECK_DIGIT)
    return number or None


def _place(read: _Reader) -> str | None:
    """The code; else the name, as a code of the source's own that somebody may make an alias. Genoa is not GE NOA: a
    name that could be taken for another place's code is left out, as is one that is longer than any code.
    """
    if text := read.text("place"):
        code = identifiers.place(text)
        fits(code, 16, read.where("place"))
        return code
    name = identifiers.upper(read.text("place_name") or "")
    return name if name and len(name) <= 16 and not identifiers.locode_ok(name.replace(" ", "")) else None


def _imo(read: _Reader, warnings: list[str]) -> str | None:
    number = identifiers.imo(read.text("imo") or "")
    fits(number, 8, read.where("imo"))
    if number and not identifiers.imo_ok(number):
        warnings.append(Reason.IMO_CHECK_DIGIT)
    return number or None


JSON = Adapter(key="json", label=_("JSON with a mapping"), parse=parse, recognises=recognises)
