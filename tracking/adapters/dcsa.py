"""DCSA Track & Trace 2.2.0 events: a JSON array, one event, or an object with a list `events`.

Code values of the later DCSA reference lists are read too. Events of 3.0 have a reader of their own; among events of
2.2 they are named and refused, since one message speaks one dialect. What a time without offset means, whose event it
is and whether it is plausible are decided later (timing, matching).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tracking import codes, identifiers, quickdcsa, statuses, strictjson
from tracking.dialects import Dialect, begins_with, dialect_of
from tracking.fields import (
    LARGEST,
    Fault,
    Fields,
    bounded,
    code_of,
    fits,
    flag_of,
    fragment,
    object_of,
    optional_code,
    part_of,
    remark_of,
    storable,
    text_of,
    type_name,
)
from tracking.instants import Written, written
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
    Subject,
    Unreadable,
)

_CODE_FIELD: Final = {
    Kind.TRANSPORT: "transportEventTypeCode",
    Kind.EQUIPMENT: "equipmentEventTypeCode",
    Kind.SHIPMENT: "shipmentEventTypeCode",
}

_REFERENCES: Final = frozenset({"references", "documentReferences"})  # each shipment keeps its own part of these


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """Each item of the message becomes one event or one refusal, in the order of the message.

    Positions begin with the item's number from zero: `$[3].eventDateTime`. Raises Unreadable for the whole message
    only: not JSON, cut off, not a list of events, or all of it Track & Trace 3.0.
    """
    items = _items(strictjson.loads(raw))
    large = len(raw) > LARGEST
    escaped = b"\\u" in raw  # only an escape can bring in what UTF-8 text and JSON strings cannot hold
    is_usual = not escaped and all(listed != "dcsa" for listed, _agency, _code in partner.status)
    usual = [quickdcsa.event(item, number) if is_usual else None for number, item in enumerate(items)]
    dialects = [Dialect.STABLE if quick else dialect_of(item) for item, quick in zip(items, usual, strict=True)]
    if items and Dialect.STABLE not in dialects:
        raise Unreadable(Reason.UNSUPPORTED_DIALECT, _refuse_dialect(dialects[0]))
    events: list[CanonicalEvent] = []
    refusals: list[Refusal] = []
    for number, (item, dialect, quick) in enumerate(zip(items, dialects, usual, strict=True)):
        at = f"$[{number}]"
        try:
            if dialect != Dialect.STABLE:
                raise Fault(Reason.UNSUPPORTED_DIALECT, at, dialect)
            if escaped:
                storable(item, at)
            if large and isinstance(item, dict):
                bounded(item, at, counted=_without_references)
            events.append(quick or _event(item, at, partner))
        except Fault as fault:
            refusals.append(
                Refusal(
                    code=fault.reason,
                    position=fault.where,
                    detail=fault.detail,
                    fragment=fragment(item),
                    subject=fault.subject,
                )
            )
    return Parsed(events=tuple(events), refusals=tuple(refusals))


def _without_references(item: Fields) -> Fields:
    return {name: value for name, value in item.items() if name not in _REFERENCES}


def recognises(raw: bytes) -> bool:
    """Whether it looks like JSON, and its first event is none of Track & Trace 3.0."""
    return begins_with(raw) == Dialect.STABLE


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if isinstance(value.get("events"), list):
            return list(value["events"])
        if "eventType" in value or "eventClassifierCode" in value or dialect_of(value) != Dialect.STABLE:
            return [value]
        raise Unreadable(Reason.WRONG_TOP_LEVEL, "The object is not an event and holds no list of `events`.")
    raise Unreadable(Reason.WRONG_TOP_LEVEL, f"The message is {type_name(value)}; a list of events is expected.")


def _refuse_dialect(dialect: Dialect) -> str:
    return f"The message is written in {dialect}. {sentence(Reason.UNSUPPORTED_DIALECT)}"


# --- one event ---


def _event(item: Any, at: str, partner: Partner) -> CanonicalEvent:
    data = object_of(item, at)
    kind = Kind(code_of(data, "eventType", at, frozenset(Kind)))
    name = _code_field(data, kind, at)
    own = statuses.own_meaning(partner, "dcsa", text_of(data, name, at) or "", kind) if partner.status else None
    if own is not None and own[0].is_ignored:
        raise Fault(Reason.NOT_TRACKED, f"{at}.{name}")
    code = own[0].code if own else _code(data, name, kind, at)
    when = _time(data, "eventDateTime", at)
    warnings: list[str] = []
    created = _created(data, at)
    call = part_of(data, "transportCall", at)
    if call is None and kind == Kind.TRANSPORT:
        raise Fault(Reason.MISSING_FIELD, f"{at}.transportCall")
    found: dict[str, Any] = {"source_event_id": text_of(data, "eventID", at), **_references(data, at)}
    found.update(_call(call or {}, f"{at}.transportCall", data, at, kind, code, warnings))
    found.update(_place(call or {}, data, at, kind, warnings))
    if kind == Kind.EQUIPMENT:
        found.update(_equipment(data, at, code, found["equipment"], warnings))
    elif kind == Kind.SHIPMENT:
        found.update(_document(data, at, found))
    event = CanonicalEvent(
        position=f"{at}.eventDateTime",
        kind=kind,
        code=code,
        classifier=_classifier(data, at),
        local=when.local,
        time=when.time,
        precision=when.precision,
        offset_minutes=when.offset_minutes,
        source_created_at=created,
        delay_reason=text_of(data, "delayReasonCode", at),
        reason=remark_of(data, ("reason", "changeRemark", "vesselScheduleChangeRemark"), at),
        warnings=tuple(warnings),
        rule=f"DCSA 2.2 {kind} {code}",
        payload=item,
        **found,
    )
    return event if own is None else statuses.as_meant(event, *own)


def _code(data: Fields, name: str, kind: Kind, at: str) -> str:
    try:
        return code_of(data, name, at, codes.BY_KIND[kind])
    except Fault as fault:
        if fault.reason == Reason.UNKNOWN_CODE:  # a line of the partner table could explain it
            fault.subject = Subject(listed="dcsa", agency=kind.value, code=(text_of(data, name, at) or "").upper()[:40])
        raise


def _code_field(data: Fields, kind: Kind, at: str) -> str:
    name = _CODE_FIELD[kind]
    if text_of(data, name, at) is None and text_of(data, "eventTypeCode", at) is not None:
        return "eventTypeCode"  # the older name
    return name


def _classifier(data: Fields, at: str) -> Classifier:
    if text_of(data, "eventClassifierCode", at) is None:
        raise Fault(Reason.NO_CLASSIFIER, f"{at}.eventClassifierCode")
    return Classifier(code_of(data, "eventClassifierCode", at, frozenset(Classifier)))


def _time(data: Fields, name: str, at: str) -> Written:
    text = text_of(data, name, at)
    if text is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.{name}")
    try:
        return written(text)
    except ValueError as fault:
        raise Fault(Reason.BAD_TIME, f"{at}.{name}", str(fault)) from None


def _created(data: Fields, at: str) -> datetime:
    """A computer's clock: without an offset it is read as UTC; it only orders versions (R1.3)."""
    when = _time(data, "eventCreatedDateTime", at)
    if when.time is not None:
        return when.time
    text = when.local if when.precision == Precision.MINUTE else f"{when.local}T00:00"
    return written(f"{text}Z").time or datetime.min.replace(tzinfo=UTC)


def _references(data: Fields, at: str) -> dict[str, Any]:
    """Booking, bill of lading, containers named beside, and everything else as (type, value)."""
    papers = _pairs(data, "documentReferences", "documentReferenceType", "documentReferenceValue", at)
    others = _pairs(data, "references", "referenceType", "referenceValue", at)
    booking = bill = None
    further: list[tuple[str, str]] = []
    for kind, value in papers:
        if kind in codes.BOOKING_PAPERS and booking is None:
            booking = value
        elif kind == "TRD" and bill is None:
            bill = value
        elif value not in (booking, bill):
            further.append((kind, value))
    boxes = [identifiers.container(value) for kind, value in others if kind == "EQ"]
    for box in boxes:
        fits(box, 16, f"{at}.references")
    for kind, value in others:
        if kind in ("BKG", "TRD"):  # these find a shipment, as its own papers do
            fits(value, 64, f"{at}.references")
    further += [(kind, value) for kind, value in others if kind != "EQ"]
    return {
        "booking": booking or text_of(data, "carrierBookingReference", at),
        "bill_of_lading": bill or text_of(data, "transportDocumentReference", at),
        "equipment": tuple(dict.fromkeys(boxes)),
        "references": tuple(further),
    }


def _pairs(data: Fields, name: str, kind: str, value: str, at: str) -> list[tuple[str, str]]:
    listed = data.get(name)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise Fault(Reason.WRONG_TYPE, f"{at}.{name}", f"It is {type_name(listed)}; a list is expected.")
    found = []
    for number, entry in enumerate(listed):
        where = f"{at}.{name}[{number}]"
        part = object_of(entry, where)
        given, text = text_of(part, kind, where), text_of(part, value, where)
        if given and text:
            found.append((given.partition(" ")[0].upper()[:32], text))  # "BKG (Booking)" occurs for BKG
    return found


def _call(
    call: Fields, where: str, data: Fields, at: str, kind: Kind, code: str, warnings: list[str]
) -> dict[str, Any]:
    """Mode, vessel and voyage of the transport call."""
    vessel = part_of(call, "vessel", where) or {}
    imo = text_of(vessel, "vesselIMONumber", f"{where}.vessel") or text_of(call, "vesselIMONumber", where)
    name = text_of(vessel, "vesselName", f"{where}.vessel")
    if imo is not None:
        imo = identifiers.imo(imo)
        fits(imo, 8, f"{where}.vessel.vesselIMONumber")
        if not identifiers.imo_ok(imo):
            warnings.append(Reason.IMO_CHECK_DIGIT)
    mode = optional_code(call, "modeOfTransport", where, codes.MODES)
    if mode is None and kind == Kind.TRANSPORT:
        if not (imo or name):
            raise Fault(Reason.MISSING_FIELD, f"{where}.modeOfTransport")
        mode = "VESSEL"
        warnings.append(Reason.NO_MODE)
    export, arriving = text_of(call, "exportVoyageNumber", where), text_of(call, "importVoyageNumber", where)
    voyage = (arriving or export) if code in codes.ENDS_A_VOYAGE else (export or arriving)
    return {
        "mode": mode,
        "vessel": name,
        "vessel_imo": imo or None,
        "voyage": voyage or text_of(call, "carrierVoyageNumber", where),
        "transport_call": text_of(call, "transportCallID", where) or text_of(data, "transportCallID", at),
    }


def _place(call: Fields, data: Fields, at: str, kind: Kind, warnings: list[str]) -> dict[str, Any]:
    """Where: the event's own location says it best for equipment, the transport call for a vessel."""
    where = f"{at}.transportCall"
    spots = [(call, where), (part_of(call, "location", where) or {}, f"{where}.location")]
    own = (part_of(data, "eventLocation", at) or {}, f"{at}.eventLocation")
    spots = [own, *spots] if kind == Kind.EQUIPMENT else [*spots, own]
    named = [identifiers.place(code) for part, path in spots if (code := text_of(part, "UNLocationCode", path))]
    place = named[0] if named else None
    if any(code != place for code in named):
        warnings.append(Reason.PLACE_CONFLICT)
    facility = provider = None
    for part, path in spots:
        code = text_of(part, "UNLocationCode", path)
        if (facility := text_of(part, "facilityCode", path)) and (code is None or identifiers.place(code) == place):
            provider = text_of(part, "facilityCodeListProvider", path)
            break
        facility = None
    types = [text_of(part, "facilityTypeCode", path) for part, path in spots]
    return {
        "place": place,
        "facility": identifiers.upper(facility) if facility else None,
        "facility_provider": identifiers.upper(provider) if provider else None,
        "place_role": "ANCH" if any(t and t.upper() in codes.NOT_BERTHS for t in types) else None,
    }


def _equipment(data: Fields, at: str, code: str, beside: tuple[str, ...], warnings: list[str]) -> dict[str, Any]:
    """The container, and whether it is laden: required for the codes of 2.2.0, often absent with the later ones."""
    number = text_of(data, "equipmentReference", at)
    container = identifiers.container(number) if number else beside[0] if len(beside) == 1 else None
    ok = identifiers.container_ok(container) if container else None
    if ok is False:
        warnings.append(Reason.CONTAINER_CHECK_DIGIT)
    empty = optional_code(data, "emptyIndicatorCode", at, frozenset(codes.LADEN))
    if empty is None:
        if code in codes.EQUIPMENT_2_2:
            raise Fault(Reason.MISSING_FIELD, f"{at}.emptyIndicatorCode")
        warnings.append(Reason.NO_LADEN)
    return {
        "container": container or None,
        "container_ok": ok,
        "equipment": tuple(box for box in beside if box != container),
        "laden": codes.LADEN.get(empty or ""),
        "is_transshipment": flag_of(data, "isTransshipmentMove", at),
    }


def _document(data: Fields, at: str, found: Fields) -> dict[str, Any]:
    """A SHIPMENT event speaks of a document; a booking or a transport document is a reference too."""
    older = (
        text_of(data, "documentTypeCode", at) is None and text_of(data, "shipmentInformationTypeCode", at) is not None
    )
    kind = code_of(data, "shipmentInformationTypeCode" if older else "documentTypeCode", at, codes.DOCUMENTS)
    number = text_of(data, "documentID", at) or text_of(data, "shipmentID", at)
    if number is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.documentID")
    if kind in codes.BOOKING_PAPERS | {"TRD"}:
        fits(number, 64, f"{at}.documentID")
    return {
        "document_type": "BKG" if kind == "BOK" else kind,
        "document_id": number,
        "booking": number if kind in codes.BOOKING_PAPERS else found["booking"],
        "bill_of_lading": number if kind == "TRD" else found["bill_of_lading"],
    }


DCSA = Adapter(
    key="dcsa",
    label=_("DCSA Track & Trace 2.2"),
    parse=parse,
    recognises=recognises,
    content_types=("application/json", "text/json"),
)
