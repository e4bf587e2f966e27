"""Our events in the words of DCSA Track & Trace 2.2.0: one sighting of one shipment becomes one event.

Pure. Everything that 2.2.0 asks for stands in the record, or the event is not written at all (published.py leaves it
out). References are those of the shipment and never the message's; what a source is called here is nobody's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from uuid import UUID

from tracking import identifiers
from tracking.codes import ENDS_A_VOYAGE
from tracking.timing import zone_or_none

Json = dict[str, Any]

API_VERSION: Final = "2.2.0"
MODES: Final = ("VESSEL", "RAIL", "TRUCK", "BARGE")
OTHER_MODES: Final[Mapping[str, str]] = {"SEA": "VESSEL", "MARITIME": "VESSEL", "ROAD": "TRUCK"}
# equipment whose load nobody told, where the code says it: a move of cargo, a seal, the stuffing and the stripping
LADEN_BY_CODE: Final = ("LOAD", "DISC", "DROP", "STUF", "INSP", "RSEA", "RMVD")
EMPTY_BY_CODE: Final = ("STRP",)
PAPERS: Final[Mapping[str, str]] = {"BOOKING": "BKG", "MBL": "TRD", "HBL": "TRD"}  # our references, the standard's
_FACILITY_TYPES: Final = frozenset("BOCR CLOC COFS COYA OFFD DEPO INTE POTE RAMP".split())
_FACILITY_LISTS: Final = frozenset({"BIC", "SMDG"})
_CARRIER_LISTS: Final = frozenset({"SMDG", "NMFTA"})
_SEAL_SOURCES: Final = frozenset("CAR SHI PHY VET CUS".split())
_SEAL_TYPES: Final = frozenset({"KLP", "BLT", "WIR"})
_CALL: Final = "transportCall"
_HEAD: Final = 12  # hex digits of an event id by which it is found again


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One live sighting, as much of it as the standard has words for. Instants are aware."""

    id: int
    shipment_id: int
    source: str
    event_key: str
    kind: str
    code: str
    classifier: str
    event_time: datetime
    source_offset: int | None
    zone: str
    container: str
    place: str
    facility: str
    laden: bool | None
    mode: str
    voyage: str
    vessel: str
    vessel_imo: str
    document_type: str
    reason: str
    recorded_at: datetime
    payload: Json
    transport_call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The shipment that an event is about: how it is called, and its live boxes."""

    public_id: str
    ref: str
    references: tuple[tuple[str, str], ...] = ()  # (our kind, as written)
    boxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place by its code: its name, and the zone its clocks are in."""

    name: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a page of events needs beside them."""

    shipments: Mapping[int, About] = field(default_factory=dict)
    places: Mapping[str, Spot] = field(default_factory=dict)


def event_id(shipment: str, source: str, event_key: str) -> UUID:
    """The id of an event: the same for every version of it, another one for each shipment (R1.3).

    A UUID of version 8. Its first digits are those of the event's key, which find it again in an index.
    """
    tail = hashlib.sha256(f"{shipment}\x1f{source}\x1f{event_key}".encode()).hexdigest()
    variant = f"{8 | (int(tail[3], 16) & 3):x}"
    return UUID(f"{event_key[:_HEAD]}8{tail[:3]}{variant}{tail[4:19]}")


def key_head(event: UUID) -> str:
    """How the key of this event begins."""
    return event.hex[:_HEAD]


def instant(at: datetime) -> str:
    """An instant in UTC, exact enough to be asked for again."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def event_json(told: Told, around: Surroundings) -> Json:
    """The event as 2.2.0 writes it."""
    about = around.shipments[told.shipment_id]
    event: Json = {
        "eventID": str(event_id(about.public_id, told.source, told.event_key)),
        "eventCreatedDateTime": instant(told.recorded_at),
        "eventType": told.kind,
        "eventClassifierCode": told.classifier,
    }
    if told.kind == "SHIPMENT":
        return event | _shipment(told, about, around)
    event["eventDateTime"] = _local(told, around)
    event |= _transport(told, around) if told.kind == "TRANSPORT" else _equipment(told, around)
    papers = [
        {"documentReferenceType": PAPERS[kind], "documentReferenceValue": value}
        for kind, value in about.references
        if kind in PAPERS
    ]
    if papers:
        event["documentReferences"] = papers
    event["references"] = _references(told, about)
    return event


def bundle(events: Sequence[Json]) -> str:
    """The body of a callback: its bytes are what is signed."""
    return json.dumps(events, ensure_ascii=False, separators=(",", ":"))


def _local(told: Told, around: Surroundings) -> str:
    """The time at the place: in its zone, else with the offset that the source stated, else in UTC."""
    zone: tzinfo | None = zone_or_none(told.zone)
    if zone is None and told.source_offset is not None:
        zone = timezone(timedelta(minutes=told.source_offset))
    if zone is None:
        zone = zone_or_none(around.places[told.place].zone) if told.place in around.places else None
    return told.event_time.astimezone(zone or UTC).isoformat()


# --- what each kind says ---


def _transport(told: Told, around: Surroundings) -> Json:
    said: Json = {"transportEventTypeCode": told.code}
    said |= _texts(told.payload, {"delayReasonCode": 3})
    if told.reason:
        said["changeRemark"] = told.reason[:250]
    said["transportCall"] = _call(told, around, with_place=True)
    return said


def _equipment(told: Told, around: Surroundings) -> Json:
    said: Json = {"equipmentEventTypeCode": told.code}
    if told.container and len(told.container) <= 15:
        said["equipmentReference"] = told.container
    said |= _texts(told.payload, {"ISOEquipmentCode": 4})
    laden = told.laden if told.laden is not None else told.code not in EMPTY_BY_CODE
    said["emptyIndicatorCode"] = "LADEN" if laden else "EMPTY"
    where = _location(told, around, _part(told.payload, "eventLocation"))
    if where:
        said["eventLocation"] = where
    if mode_of(told) and (told.vessel_imo or told.voyage or _part(told.payload, _CALL)):
        said["transportCall"] = _call(told, around, with_place=False)
    seals = [seal for seal in map(_seal, _list(told.payload, "seals")) if seal]
    if seals:
        said["seals"] = seals
    return said


def _shipment(told: Told, about: About, around: Surroundings) -> Json:
    """Of a document. The standard wants the event's time to be that of its creation; its own is kept in the reason."""
    document = {"CUC": "CUS", "BOK": "BKG"}.get(told.document_type, told.document_type)  # as 2.2.0 calls them
    happened = "" if abs(told.event_time - told.recorded_at) < timedelta(minutes=1) else _local(told, around)
    reason = "; ".join(part for part in (told.reason, happened and f"happened {happened}") if part)
    said: Json = {
        "eventDateTime": instant(told.recorded_at),
        "shipmentEventTypeCode": told.code,
        "documentID": _document_id(told, about, document),
        "documentTypeCode": document,
    }
    if reason:
        said["reason"] = reason
    return said | {"references": _references(told, about)}


def _document_id(told: Told, about: About, document: str) -> str:
    """As the source wrote it, else the shipment's own paper of that kind, else the shipment."""
    own = _texts(told.payload, {"documentID": 100}).get("documentID")
    kinds = {"BKG": ("BOOKING",), "CBR": ("BOOKING",), "TRD": ("MBL", "HBL")}.get(document, ())
    known = [value for wanted in kinds for kind, value in about.references if kind == wanted]
    return str(own or (known[0] if known else about.ref))


def _references(told: Told, about: About) -> list[Json]:
    """How the shipment is called by us and by its owner, and the boxes that the event is about."""
    boxes = (told.container,) if told.container else about.boxes
    found = [("FF", about.ref)]
    found += [("PO", value) for kind, value in about.references if kind == "PO"]
    found += [("EQ", box) for box in boxes]
    return [{"referenceType": kind, "referenceValue": value[:100]} for kind, value in found]


def mode_of(told: Told) -> str:
    """The mode in the standard's words; what sails when nothing else is said. Empty: 2.2.0 has no word for it."""
    upper = told.mode.upper()
    if not upper:
        return "VESSEL" if told.kind == "TRANSPORT" or told.vessel_imo else ""
    word = OTHER_MODES.get(upper, upper)
    return word if word in MODES else ""


def _call(told: Told, around: Surroundings, *, with_place: bool) -> Json:
    """The transport call; `with_place`: it says where the event happened."""
    own = _part(told.payload, _CALL)
    call: Json = {"transportCallID": told.transport_call}
    call |= _texts(own, {"carrierServiceCode": 5})
    call |= _voyages(told, own)
    number = own.get("transportCallSequenceNumber")
    if isinstance(number, int) and not isinstance(number, bool):
        call["transportCallSequenceNumber"] = number
    if with_place:
        where = _location(told, around, _part(own, "location"), own)
        name = where.pop("locationName", "")
        call |= {k: where[k] for k in ("UNLocationCode", "facilityCode", "facilityCodeListProvider") if k in where}
        if name and "UNLocationCode" not in where:
            call["location"] = {"locationName": name}
    call |= _word(own, "facilityTypeCode", _FACILITY_TYPES)
    call |= _texts(own, {"otherFacility": 50})
    call["modeOfTransport"] = mode_of(told)
    vessel = _vessel(told, _part(own, "vessel"))
    return call | ({"vessel": vessel} if vessel else {})


def _voyages(told: Told, own: Json) -> Json:
    """The voyage that the event belongs to: for an arrival the one that ends, which may also be the one that begins."""
    said = _texts(own, {"exportVoyageNumber": 50, "importVoyageNumber": 50})
    if told.voyage:
        said.setdefault("exportVoyageNumber", told.voyage)
        if told.code in ENDS_A_VOYAGE and said["exportVoyageNumber"] != told.voyage:
            said["importVoyageNumber"] = told.voyage
    return said


def _vessel(told: Told, own: Json) -> Json:
    if len(told.vessel_imo) != 7:
        return {}
    said: Json = {"vesselIMONumber": told.vessel_imo}
    if told.vessel:
        said["vesselName"] = told.vessel[:35].strip()
    said |= _texts(own, {"vesselFlag": 2, "vesselCallSignNumber": 10})
    listed = _word(own, "vesselOperatorCarrierCodeListProvider", _CARRIER_LISTS)
    return said | ({**_texts(own, {"vesselOperatorCarrierCode": 10}), **listed} if listed else {})


def _location(told: Told, around: Surroundings, *own: Json) -> Json:
    """Where: a UN location code, or the name of a place that has none; its facility."""
    said: Json = {}
    name = around.places[told.place].name if told.place in around.places else ""
    if name:
        said["locationName"] = name[:100]
    if identifiers.locode_ok(told.place):
        said["UNLocationCode"] = told.place
    elif told.place and not name:
        said["locationName"] = told.place
    if told.facility and len(told.facility) <= 6:
        said["facilityCode"] = told.facility
        lists = [_word(p, "facilityCodeListProvider", _FACILITY_LISTS) for p in (*own, _part(told.payload, _CALL))]
        said |= next((found for found in lists if found), {})
    for part in own[:1]:
        said |= _texts(part, {"latitude": 10, "longitude": 11})
    return said


def _seal(told: Any) -> Json:
    if not isinstance(told, dict):
        return {}
    number, kind = _texts(told, {"sealNumber": 15}), _word(told, "sealType", _SEAL_TYPES)
    return {**number, **_word(told, "sealSource", _SEAL_SOURCES), **kind} if number and kind else {}


# --- reading the message's part, which may be of any format ---


def _part(told: Mapping[str, Any], name: str) -> Json:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _list(told: Mapping[str, Any], name: str) -> Iterable[Any]:
    listed = told.get(name)
    return listed if isinstance(listed, list) else ()


def _texts(told: Mapping[str, Any], longest: Mapping[str, int]) -> Json:
    """The texts of these names that are there and fit the standard."""
    found = {name: told[name].strip() for name in longest if isinstance(told.get(name), str)}
    return {name: text for name, text in found.items() if text and len(text) <= longest[name]}


def _word(told: Mapping[str, Any], name: str, known: Set[str]) -> Json:
    """The code of this name, when it is one of the standard's."""
    word = told.get(name)
    return {name: word.upper()} if isinstance(word, str) and word.upper() in known else {}
