"""The usual DCSA 2.2 event, read quickly: shape and lengths are checked by msgspec, the rest by the same rules.

Never refuses and never warns of more than a check digit or two places that differ: whatever is unusual about an event
gives None, and the adapter reads it the careful way. Both ways read alike; tests compare them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from tracking import codes, identifiers
from tracking.fields import MOST, MOST_USUAL
from tracking.instants import written
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, Kind

# what is never in an event of 2.2 (another dialect, or an envelope around it), and free text, which few have
_ODD: Final = frozenset({
    "eventClassification", "eventRouting", "eventUpdatedDateTime", "isRetracted", "payload", "metadata", "reason",
    "changeRemark", "vesselScheduleChangeRemark",
})  # fmt: skip
_KINDS: Final = {Kind.TRANSPORT.value: Kind.TRANSPORT, Kind.EQUIPMENT.value: Kind.EQUIPMENT}
_CLASSIFIERS: Final = {c.value: c for c in Classifier}


def _shape(name: str, texts: str, **more: Any) -> type[msgspec.Struct]:
    """A part of an event: texts within the lengths that the careful reader allows, absent and null being one."""
    fields: list[Any] = [
        (text, Annotated[str, msgspec.Meta(max_length=MOST.get(text, MOST_USUAL))] | None, None)
        for text in texts.split()
    ]
    fields += [(field, kind | None, None) for field, kind in more.items()]
    return msgspec.defstruct(name, fields, gc=False)


_Spot: Final = "UNLocationCode facilityCode facilityCodeListProvider facilityTypeCode"
_Paper: Any = _shape("_Paper", "documentReferenceType documentReferenceValue")
_Reference: Any = _shape("_Reference", "referenceType referenceValue")
_Vessel: Any = _shape("_Vessel", "vesselIMONumber vesselName")
_Location: Any = _shape("_Location", _Spot)
_Call: Any = _shape(
    "_Call",
    "transportCallID modeOfTransport exportVoyageNumber importVoyageNumber carrierVoyageNumber vesselIMONumber "
    f"{_Spot}",
    vessel=_Vessel, location=_Location,
)  # fmt: skip
_Event: Any = _shape(
    "_Event",
    "eventID eventType eventClassifierCode eventDateTime eventCreatedDateTime transportEventTypeCode "
    "equipmentEventTypeCode transportCallID carrierBookingReference transportDocumentReference delayReasonCode "
    "equipmentReference emptyIndicatorCode",
    transportCall=_Call, eventLocation=_Location, documentReferences=list[_Paper], references=list[_Reference],
    isTransshipmentMove=bool,
)  # fmt: skip
_NO_CALL: Final = _Call()
_NO_SPOT: Final = _Location()

# numbers come again and again
_box = lru_cache(8_192)(lambda text: ((found := identifiers.container(text)), identifiers.container_ok(found)))
_imo = lru_cache(8_192)(lambda text: ((found := identifiers.imo(text)), identifiers.imo_ok(found)))
_place = lru_cache(4_096)(identifiers.place)
_upper = lru_cache(4_096)(identifiers.upper)


def event(item: Any, number: int) -> CanonicalEvent | None:
    """The event of an item that is as usual as most are; None for any other."""
    try:
        told: Any = msgspec.convert(item, _Event)
    except msgspec.ValidationError:
        return None
    kind, classifier = _KINDS.get(told.eventType), _CLASSIFIERS.get(told.eventClassifierCode)
    if kind is None or classifier is None or not _ODD.isdisjoint(item):
        return None
    code = told.equipmentEventTypeCode if kind is Kind.EQUIPMENT else told.transportEventTypeCode
    if code not in codes.BY_KIND[kind] or not told.eventDateTime or not told.eventCreatedDateTime:
        return None
    try:
        when, created = written(told.eventDateTime), written(told.eventCreatedDateTime).time
    except ValueError:
        return None
    names = _names(told)
    call = told.transportCall
    if created is None or names is None or (call is None and kind is Kind.TRANSPORT):
        return None
    booking, bill, boxes, further = names
    warnings: list[str] = []
    ship = _ship(call or _NO_CALL, kind, code, warnings)
    where = _where(call or _NO_CALL, told.eventLocation or _NO_SPOT, kind, warnings)
    what = _equipment(told, code, boxes, warnings) if kind is Kind.EQUIPMENT else {"equipment": boxes}
    if ship is None or what is None:
        return None
    return CanonicalEvent(
        position=f"$[{number}].eventDateTime", kind=kind, code=code, classifier=classifier, local=when.local,
        time=when.time, precision=when.precision, offset_minutes=when.offset_minutes, source_created_at=created,
        source_event_id=_text(told.eventID), delay_reason=_text(told.delayReasonCode), warnings=tuple(warnings),
        booking=booking or _text(told.carrierBookingReference), bill_of_lading=bill or
        _text(told.transportDocumentReference), references=further,
        transport_call=ship[4] or _text(told.transportCallID), mode=ship[0], vessel=ship[1], vessel_imo=ship[2],
        voyage=ship[3], place=where[0], facility=where[1], facility_provider=where[2], place_role=where[3],
        rule=f"DCSA 2.2 {kind} {code}", payload=item, **what,
    )  # fmt: skip


def _text(value: str | None) -> str | None:
    return (value.strip() or None) if value else None


_Names = tuple[str | None, str | None, tuple[str, ...], tuple[tuple[str, str], ...]]


def _names(told: Any) -> _Names | None:
    """Booking, bill of lading, containers named beside, and everything else as (type, value)."""
    booking = bill = None
    further: list[tuple[str, str]] = []
    for paper in told.documentReferences or ():
        kind, value = _text(paper.documentReferenceType), _text(paper.documentReferenceValue)
        if not kind or not value:
            continue
        kind = kind.partition(" ")[0].upper()[:32]
        if kind in codes.BOOKING_PAPERS and booking is None:
            booking = value
        elif kind == "TRD" and bill is None:
            bill = value
        elif value not in (booking, bill):
            further.append((kind, value))
    if not told.references:
        return booking, bill, (), tuple(further)
    boxes: dict[str, None] = {}
    for other in told.references:
        kind, value = _text(other.referenceType), _text(other.referenceValue)
        if not kind or not value:
            continue
        kind = kind.partition(" ")[0].upper()[:32]
        if kind == "EQ":
            boxes[_box(value)[0]] = None
        else:
            further.append((kind, value))
            if kind in ("BKG", "TRD") and len(value) > 64:
                return None
    if any(len(box) > 16 for box in boxes):
        return None
    return booking, bill, tuple(boxes), tuple(further)


def _ship(call: Any, kind: Kind, code: str, warnings: list[str]) -> tuple[str | None, ...] | None:
    """Mode, vessel, IMO number, voyage and the call's id."""
    vessel = call.vessel
    imo = (_text(vessel.vesselIMONumber) if vessel else None) or _text(call.vesselIMONumber)
    if imo is not None:
        imo, fits = _imo(imo)
        if len(imo) > 8:
            return None
        if not fits:
            warnings.append(Reason.IMO_CHECK_DIGIT)
    mode = call.modeOfTransport
    if mode is None:
        if kind is Kind.TRANSPORT:
            return None
    elif mode not in codes.MODES:
        return None
    export, arriving = _text(call.exportVoyageNumber), _text(call.importVoyageNumber)
    voyage = (arriving or export) if code in codes.ENDS_A_VOYAGE else (export or arriving)
    return (
        mode, _text(vessel.vesselName) if vessel else None, imo or None, voyage or _text(call.carrierVoyageNumber),
        _text(call.transportCallID),
    )  # fmt: skip


def _where(call: Any, own: Any, kind: Kind, warnings: list[str]) -> tuple[str | None, ...]:
    """Place, facility, its code list and role: the event's own location first for equipment, the call for a vessel."""
    spots = (own, call, call.location) if kind is Kind.EQUIPMENT else (call, call.location, own)
    spots = tuple(spot for spot in spots if spot is not None and spot is not _NO_SPOT)
    named = [_place(code) for spot in spots if (code := _text(spot.UNLocationCode))]
    place = named[0] if named else None
    if any(code != place for code in named):
        warnings.append(Reason.PLACE_CONFLICT)
    facility = provider = role = None
    for spot in spots:
        if facility is None and (found := _text(spot.facilityCode)):
            code = _text(spot.UNLocationCode)
            if code is None or _place(code) == place:
                facility, provider = found, _text(spot.facilityCodeListProvider)
        if (of := _text(spot.facilityTypeCode)) and of.upper() in codes.NOT_BERTHS:
            role = "ANCH"
    return place, _upper(facility) if facility else None, _upper(provider) if provider else None, role


def _equipment(told: Any, code: str, beside: tuple[str, ...], warnings: list[str]) -> dict[str, Any] | None:
    """The container, and whether it is laden: required for the codes of 2.2.0."""
    number, empty = _text(told.equipmentReference), told.emptyIndicatorCode
    if empty not in codes.LADEN or (number is None and len(beside) != 1):
        return None
    container, fits = _box(number if number is not None else beside[0])
    if not container:
        return None
    if not fits:
        warnings.append(Reason.CONTAINER_CHECK_DIGIT)
    return {
        "container": container, "container_ok": fits, "laden": codes.LADEN[empty],
        "equipment": tuple(box for box in beside if box != container) if beside else (),
        "is_transshipment": told.isTransshipmentMove,
    }  # fmt: skip
