"""DCSA Track & Trace 2.2: events as JSON, pushed, polled or in files.

Source: DCSA OpenAPI 2.2.0 (Apache-2.0). Later code values of the reference lists are read too; 3.0 is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from tracking import identifiers, strictjson
from tracking.reasons import Reason, sentence
from tracking.types import Adapter, CanonicalEvent, Classifier, Kind, Parsed, Refusal, Unreadable

MAX_EVENTS: Final = 5_000
_CODES: Final[Mapping[Kind, tuple[str, frozenset[str]]]] = {
    Kind.TRANSPORT: ("transportEventTypeCode", frozenset("ARRI DEPA".split())),
    Kind.EQUIPMENT: (
        "equipmentEventTypeCode",
        frozenset("LOAD DISC GTIN GTOT STUF STRP PICK DROP INSP RSEA RMVD AVPU AVDO CUSS CUSI CUSR WAYP CROS".split()),
    ),
    Kind.SHIPMENT: (
        "shipmentEventTypeCode",
        frozenset("RECE DRFT PENA PENU PENC REJE APPR ISSU SURR SUBM VOID CONF REQS CMPL HOLD RELS CANC".split()),
    ),
}
_TIME: Final = re.compile(
    r"\A(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\s*([Zz]|[+-]\d\d:?\d\d)?\Z", re.ASCII
)
_THREE: Final = ("metadata", "isRetracted", "eventUpdatedDateTime", "equipmentDetails", "shipmentDetails")


class _Fault(Exception):
    def __init__(self, reason: Reason, path: str, more: str = "") -> None:
        self.reason, self.path = reason, path
        self.detail = f"{sentence(reason)}{' ' + more if more else ''}"
        super().__init__(self.detail)


class _Part:
    """An object of the message with typed look-ups that say where a fault is."""

    def __init__(self, data: Any, path: str) -> None:
        if not isinstance(data, dict):
            raise _Fault(Reason.WRONG_TYPE, path, "An object is expected.")
        self.data, self.path = data, path

    def text(self, name: str, *, needed: bool = False, most: int = 500) -> str | None:
        """The text under a name, trimmed; None when absent or null."""
        value = self.data.get(name)
        at = f"{self.path}.{name}"
        if value is None or value == "":
            if needed:
                raise _Fault(Reason.MISSING_FIELD, at)
            return None
        if not isinstance(value, str):
            raise _Fault(Reason.WRONG_TYPE, at, f"Text is expected, not {_kind_of(value)}.")
        if len(value) > most:
            raise _Fault(Reason.WRONG_TYPE, at, f"At most {most} characters are read.")
        return value.strip() or None

    def part(self, name: str) -> _Part | None:
        """The object under a name, or None."""
        value = self.data.get(name)
        return None if value is None else _Part(value, f"{self.path}.{name}")

    def pairs(self, name: str, kind: str, value: str) -> list[tuple[str, str]]:
        """(type, value) of a list of references."""
        listed = self.data.get(name)
        if listed is None:
            return []
        if not isinstance(listed, list):
            raise _Fault(Reason.WRONG_TYPE, f"{self.path}.{name}", "A list is expected.")
        found = []
        for n, entry in enumerate(listed):
            part = _Part(entry, f"{self.path}.{name}[{n}]")
            type_, text = part.text(kind), part.text(value)
            if type_ and text:
                found.append((type_, text))
        return found


def _kind_of(value: Any) -> str:
    names = {bool: "true or false", int: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "something else")


def parse(raw: bytes, *, content_type: str | None = None) -> Parsed:
    """Events and refusals in the order of the message; raises Unreadable for the message as a whole."""
    value = strictjson.loads(raw)
    if isinstance(value, dict) and isinstance(value.get("events"), list):
        value = value["events"]
    elif isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable(Reason.WRONG_TOP_LEVEL, str(sentence(Reason.WRONG_TOP_LEVEL)))
    if len(value) > MAX_EVENTS:
        raise Unreadable(Reason.TOO_MANY_ITEMS, f"{sentence(Reason.TOO_MANY_ITEMS)} At most {MAX_EVENTS}.")
    if any(_is_three(item) for item in value):
        raise Unreadable(Reason.UNSUPPORTED_DIALECT, str(sentence(Reason.UNSUPPORTED_DIALECT)))
    events: list[CanonicalEvent] = []
    refusals: list[Refusal] = []
    for n, item in enumerate(value):
        try:
            events.append(_event(_Part(item, f"$[{n}]")))
        except _Fault as fault:
            refusals.append(
                Refusal(code=fault.reason, position=fault.path[:120], detail=fault.detail, fragment=_fragment(item))
            )
    return Parsed(events=tuple(events), refusals=tuple(refusals))


def _is_three(item: Any) -> bool:
    if not isinstance(item, dict) or "eventClassifierCode" in item:
        return False
    return any(name in item for name in _THREE) or isinstance(item.get("payload"), dict)


def _fragment(item: Any) -> str:
    import json

    return json.dumps(item, ensure_ascii=False, indent=2)[:2_000]


def _event(part: _Part) -> CanonicalEvent:
    kind = _kind(part)
    field, known = _CODES[kind]
    code = part.text(field) or part.text("eventTypeCode")
    if code is None:
        raise _Fault(Reason.MISSING_FIELD, f"{part.path}.{field}")
    if code.upper() not in known:
        raise _Fault(Reason.UNKNOWN_CODE, f"{part.path}.{field}", f"It is {code[:20]!r}.")
    event = CanonicalEvent(
        position=f"{part.path}.eventDateTime",
        kind=kind,
        code=code.upper(),
        classifier=_classifier(part),
        source_event_id=part.text("eventID"),
        source_created_at=_created(part),
        payload=dict(part.data),
        **_time(part),
    )
    event = _with_references(event, part)
    event = _with_call(event, part)
    if kind == Kind.EQUIPMENT:
        event = _with_equipment(event, part)
    if kind == Kind.SHIPMENT:
        event = _with_document(event, part)
    return replace(
        event, delay_reason=part.text("delayReasonCode"), reason=part.text("reason") or part.text("changeRemark")
    )


def _kind(part: _Part) -> Kind:
    value = part.text("eventType", needed=True) or ""
    if value.upper() not in set(Kind):
        raise _Fault(Reason.UNKNOWN_CODE, f"{part.path}.eventType", f"It is {value[:20]!r}.")
    return Kind(value.upper())


def _classifier(part: _Part) -> Classifier:
    value = part.text("eventClassifierCode")
    if value is None:
        raise _Fault(Reason.NO_CLASSIFIER, f"{part.path}.eventClassifierCode")
    if value.upper() not in set(Classifier):
        raise _Fault(Reason.UNKNOWN_CODE, f"{part.path}.eventClassifierCode", f"It is {value[:20]!r}.")
    return Classifier(value.upper())


def _time(part: _Part) -> dict[str, Any]:
    text = part.text("eventDateTime")
    path = f"{part.path}.eventDateTime"
    if text is None:
        raise _Fault(Reason.BAD_TIME, path, "It is missing.")
    instant, offset = _instant(text, path)
    # without an offset the local time stays as text: its zone is the facility's, looked up later (R1.6)
    return {"local": text, "time": instant.astimezone(UTC) if offset is not None else None, "offset_minutes": offset}


def _instant(text: str, path: str) -> tuple[datetime, int | None]:
    found = _TIME.match(text)
    if not found:
        raise _Fault(Reason.BAD_TIME, path, f"It reads {text[:40]!r}.")
    day, clock, fraction, offset = found.groups()
    try:
        naive = datetime.fromisoformat(f"{day}T{clock}" + (f".{fraction[:6]:0<6}" if fraction else ""))
        if offset is None:
            return naive, None
        digits = "+0000" if offset in "Zz" else offset.replace(":", "")
        aware = datetime.strptime(f"{naive:%Y-%m-%dT%H:%M:%S.%f}{digits}", "%Y-%m-%dT%H:%M:%S.%f%z")
        aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Fault(Reason.BAD_TIME, path, f"It reads {text[:40]!r}.") from None
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return aware, -minutes if digits[0] == "-" else minutes


def _created(part: _Part) -> datetime | None:
    text = part.text("eventCreatedDateTime")
    if text is None:
        return None
    instant, offset = _instant(text, f"{part.path}.eventCreatedDateTime")
    return instant.astimezone(UTC) if offset is not None else instant.replace(tzinfo=UTC)


def _with_references(event: CanonicalEvent, part: _Part) -> CanonicalEvent:
    papers = part.pairs("documentReferences", "documentReferenceType", "documentReferenceValue")
    others = part.pairs("references", "referenceType", "referenceValue")
    by_kind: dict[str, str] = {}
    for kind, value in papers:
        by_kind.setdefault(kind.split(" ")[0].upper(), value)
    return replace(
        event,
        booking=by_kind.get("BKG") or part.text("carrierBookingReference"),
        bill_of_lading=by_kind.get("TRD") or part.text("transportDocumentReference"),
        equipment=tuple(identifiers.container(v) for k, v in others if k.upper() == "EQ"),
        references=tuple((k.upper(), v) for k, v in others if k.upper() != "EQ"),
    )


def _with_call(event: CanonicalEvent, part: _Part) -> CanonicalEvent:
    call = part.part("transportCall")
    if call is None:
        if event.kind == Kind.TRANSPORT:
            raise _Fault(Reason.MISSING_FIELD, f"{part.path}.transportCall")
        return event
    location, vessel = call.part("location"), call.part("vessel")
    imo = (vessel.text("vesselIMONumber") if vessel else None) or call.text("vesselIMONumber")
    place = call.text("UNLocationCode") or (location.text("UNLocationCode") if location else None)
    leaving = event.code in ("DEPA", "LOAD")
    export, import_ = call.text("exportVoyageNumber"), call.text("importVoyageNumber")
    voyage = (export or import_) if leaving else (import_ or export)
    warnings = event.warnings
    if imo and not identifiers.imo_ok(imo):
        warnings = (*warnings, Reason.IMO_CHECK_DIGIT)
    return replace(
        event,
        place=identifiers.place(place) if place else None,
        facility=call.text("facilityCode"),
        facility_provider=call.text("facilityCodeListProvider"),
        mode=(call.text("modeOfTransport") or "").upper() or None,
        transport_call=call.text("transportCallID"),
        voyage=voyage or call.text("carrierVoyageNumber"),
        vessel=vessel.text("vesselName") if vessel else None,
        vessel_imo=imo[:8] if imo else None,
        warnings=warnings,
    )


def _with_equipment(event: CanonicalEvent, part: _Part) -> CanonicalEvent:
    number = part.text("equipmentReference", most=15)
    if number is None and event.equipment:
        number = event.equipment[0]
    container = identifiers.container(number) if number else None
    ok = identifiers.container_ok(container) if container else None
    laden = _laden(part)
    location = part.part("eventLocation")
    place = (location.text("UNLocationCode") if location else None) or event.place
    facility = (location.text("facilityCode") if location else None) or event.facility
    return replace(
        event,
        container=container,
        container_ok=ok,
        laden=laden,
        place=identifiers.place(place) if place else None,
        facility=facility,
        is_transshipment=_flag(part, "isTransshipmentMove"),
        warnings=event.warnings if ok is not False else (*event.warnings, Reason.CONTAINER_CHECK_DIGIT),
    )


def _laden(part: _Part) -> bool | None:
    value = part.text("emptyIndicatorCode")
    if value is None:
        return None
    if value.upper() not in ("EMPTY", "LADEN"):
        raise _Fault(Reason.UNKNOWN_CODE, f"{part.path}.emptyIndicatorCode", f"It is {value[:20]!r}.")
    return value.upper() == "LADEN"


def _flag(part: _Part, name: str) -> bool | None:
    value = part.data.get(name)
    if value is not None and not isinstance(value, bool):
        raise _Fault(Reason.WRONG_TYPE, f"{part.path}.{name}", "True or false is expected.")
    return value


def _with_document(event: CanonicalEvent, part: _Part) -> CanonicalEvent:
    kind, number = (part.text("documentTypeCode") or "").upper() or None, part.text("documentID")
    booking = event.booking or (number if kind == "BKG" else None)
    bill = event.bill_of_lading or (number if kind == "TRD" else None)
    return replace(event, document_type=kind, document_id=number, booking=booking, bill_of_lading=bill)


def recognises(raw: bytes) -> bool:
    """Whether it looks like JSON."""
    return raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")


DCSA = Adapter(
    key="dcsa", label="DCSA Track & Trace 2.2", parse=parse, recognises=recognises,
    content_types=("application/json", "text/json"),
)  # fmt: skip
