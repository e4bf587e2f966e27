"""DCSA Track & Trace 3.0 events, a beta, in the two dialects of 2026: `{"events": [...]}`, a bare list, or one event.

The dialect of 2023 and any other are named and refused, and so are events of 2.2 among these: one message speaks one
dialect, that of its first event. What becomes of times, places and shipments is decided later (timing, matching).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tracking import codes, dialects, identifiers, strictjson
from tracking.dialects import Dialect, Papers, begins_with, dialect_of
from tracking.fields import (
    LARGEST,
    Fault,
    Fields,
    bounded,
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
    Unreadable,
)


@dataclass(frozen=True, slots=True)
class _Names:
    """What January and May call the same things."""

    kind: str
    classifier: str
    code: Mapping[Kind, str]
    classifiers: Mapping[str, str]
    words: Mapping[Kind, Mapping[str, str]]


_SAME: Final = {code: code for listed in codes.BY_KIND.values() for code in listed}
_NAMES: Final = {
    Dialect.BETA_JANUARY: _Names(
        "eventTypeCode", "eventClassifierCode", {kind: f"{kind.lower()}EventTypeCode" for kind in Kind},
        {c.value: c.value for c in Classifier},
        {kind: {code: _SAME[code] for code in listed} for kind, listed in codes.BY_KIND.items()},
    ),
    Dialect.BETA_MAY: _Names(
        "eventType", "eventClassifier", {kind: f"{kind.lower()}EventType" for kind in Kind},
        dialects.CLASSIFIERS, dialects.WORDS,
    ),
}  # fmt: skip


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """Each item of the message becomes one event or one refusal, in the order of the message, at `$[n]` from zero.

    Raises Unreadable for the whole message only: not JSON, no list of events, or none of it in a dialect of 2026.
    """
    items = _items(strictjson.loads(raw))
    large = len(raw) > LARGEST
    escaped = b"\\u" in raw  # only an escape can bring in what UTF-8 text and JSON strings cannot hold
    spoken = [dialect_of(item) for item in items]
    if items and not {Dialect.STABLE, *dialects.READ_3} & set(spoken):
        raise Unreadable(
            Reason.UNSUPPORTED_DIALECT,
            f"The message is written in {spoken[0]}. {sentence(Reason.UNSUPPORTED_DIALECT)}",
        )
    events: list[CanonicalEvent] = []
    refusals: list[Refusal] = []
    for number, (given, dialect) in enumerate(zip(items, spoken, strict=True)):
        at = f"$[{number}]"
        item = _what_counts(given, dialect)
        try:
            if escaped:
                storable(item, at)
            if large and isinstance(item, dict):
                bounded(item, at, counted=_without_lists)
            events.append(_read(item, dialect, at))
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


def _what_counts(item: Any, dialect: Dialect) -> Any:
    """Of a withdrawal its id and when it was written: whatever else stands there is no news of anything."""
    if dialect in dialects.READ_3 and item.get("isRetracted") is True:
        return {name: item[name] for name in ("eventID", "isRetracted", "eventUpdatedDateTime") if name in item}
    return item


def _without_lists(item: Fields) -> Fields:
    """Without what the event refers to: each shipment keeps its own part of that."""
    details = item.get("shipmentDetails")
    if not isinstance(details, dict):
        return item
    return {**item, "shipmentDetails": {k: v for k, v in details.items() if not isinstance(v, list)}}


def recognises(raw: bytes) -> bool:
    """Whether it looks like JSON whose first event is one of Track & Trace 3.0, in whatever dialect."""
    return begins_with(raw) not in (None, Dialect.STABLE)


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if isinstance(value.get("events"), list):
            return list(value["events"])
        if dialect_of(value) != Dialect.STABLE:
            return [value]
        raise Unreadable(Reason.WRONG_TOP_LEVEL, "The object is not an event and holds no list of `events`.")
    raise Unreadable(Reason.WRONG_TOP_LEVEL, f"The message is {type_name(value)}; a list of events is expected.")


def _read(item: Any, dialect: Dialect, at: str) -> CanonicalEvent:
    data = object_of(item, at)
    if flag_of(data, "isRetracted", at) and dialect in dialects.READ_3:
        return _withdrawal(data, at)  # of any dialect: all write it the same way
    if dialect == Dialect.STABLE and not {"eventType", "eventClassifierCode"} & data.keys():
        raise Fault(Reason.MISSING_FIELD, f"{at}.eventClassification")
    if dialect not in dialects.READ_3:
        raise Fault(Reason.UNSUPPORTED_DIALECT, at, str(dialect))
    return _event(data, _NAMES[dialect], at)


def _withdrawal(data: Fields, at: str) -> CanonicalEvent:
    """The id is dead from now on, whatever was or will be said under it."""
    name = text_of(data, "eventID", at)
    if name is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.eventID")
    try:
        created: datetime | None = _clock(data, "eventUpdatedDateTime", at)
    except Fault:
        created = None
    return CanonicalEvent(
        position=f"{at}.eventID",
        kind=Kind.EQUIPMENT,
        code="",
        classifier=Classifier.ACT,
        local="",
        time=None,
        source_created_at=created,
        retracts=name,
        rule="DCSA 3.0 isRetracted",
        payload=dict(data),
    )


# --- one event ---


def _event(data: Fields, names: _Names, at: str) -> CanonicalEvent:
    named = part_of(data, "eventClassification", at) or {}
    where = f"{at}.eventClassification"
    kind, word, code = _what(named, names, where)
    when = _time(data, "eventDateTime", at)
    created = _clock(data, "eventUpdatedDateTime", at)
    if (name := text_of(data, "eventID", at)) is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.eventID")  # nothing could ever replace or withdraw it
    warnings: list[str] = []
    papers = Papers.of(data, at)
    classifier = _classifier(named, names, where)
    found: dict[str, Any] = papers.named()
    found.update(_transport(data, at, kind, code, warnings))
    found.update(_equipment(data, at, kind, code, papers, warnings))
    found.update(_place(data, at))
    _give_role(data, at, kind, code, found)
    if kind == Kind.SHIPMENT:
        kind, code = _document(papers, at, code, classifier, found)
    found.pop("facility_type")
    return CanonicalEvent(
        position=f"{at}.eventDateTime",
        kind=kind,
        code=code,
        classifier=classifier,
        local=when.local,
        time=when.time,
        precision=when.precision,
        offset_minutes=when.offset_minutes,
        source_event_id=name,
        source_created_at=created,
        reason=remark_of(data, ("reason",), at),
        warnings=tuple(warnings),
        rule=f"DCSA 3.0 {word}",
        payload=dict(data),
        **found,
    )


def _what(named: Fields, names: _Names, where: str) -> tuple[Kind, str, str]:
    """The kind, the code as sent, and the code of 2.2 that it means."""
    given = text_of(named, names.kind, where)
    if given is None:
        raise Fault(Reason.MISSING_FIELD, f"{where}.{names.kind}")
    if given.upper() in dialects.KINDS_NOT_TRACKED:
        raise Fault(Reason.NOT_TRACKED, f"{where}.{names.kind}", f"It is {given.upper()}.")
    kind = Kind(optional_code(named, names.kind, where, frozenset(Kind)) or "")
    name = names.code[kind]
    known = names.words[kind]
    word = optional_code(named, name, where, frozenset(known) | dialects.NOT_TRACKED)
    if word is None:
        raise Fault(Reason.MISSING_FIELD, f"{where}.{name}")
    if word not in known:
        raise Fault(Reason.NOT_TRACKED, f"{where}.{name}", f"It is {word}.")
    return kind, word, known[word]


def _classifier(named: Fields, names: _Names, where: str) -> Classifier:
    word = optional_code(named, names.classifier, where, frozenset(names.classifiers))
    if word is None:
        raise Fault(Reason.NO_CLASSIFIER, f"{where}.{names.classifier}")
    return Classifier(names.classifiers[word])


def _time(data: Fields, name: str, at: str) -> Written:
    text = text_of(data, name, at)
    if text is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.{name}")
    try:
        return written(text)
    except ValueError as fault:
        raise Fault(Reason.BAD_TIME, f"{at}.{name}", str(fault)) from None


def _clock(data: Fields, name: str, at: str) -> datetime:
    """A computer's clock: without an offset it is read as UTC; it only orders versions (R1.3)."""
    when = _time(data, name, at)
    if when.time is not None:
        return when.time
    found = written(f"{when.local}Z" if when.precision == Precision.MINUTE else f"{when.local}T00:00Z").time
    assert found is not None, "an instant with Z has its offset"
    return found


# --- vessel, box, place ---


def _transport(data: Fields, at: str, kind: Kind, code: str, warnings: list[str]) -> dict[str, Any]:
    """Mode, vessel, voyage and delay of the transport call."""
    details, where = part_of(data, "transportDetails", at) or {}, f"{at}.transportDetails"
    call = part_of(details, "transportCall", where)
    if call is None and kind == Kind.TRANSPORT:
        raise Fault(Reason.MISSING_FIELD, f"{where}.transportCall")
    call, inner = call or {}, f"{where}.transportCall"
    vessel = part_of(call, "vesselTransport", inner) or {}
    imo, name = text_of(vessel, "vesselIMONumber", inner), text_of(vessel, "vesselName", inner)
    if imo is not None:
        imo = identifiers.imo(imo)
        fits(imo, 8, f"{inner}.vesselTransport.vesselIMONumber")
        if not (identifiers.imo_ok(imo) or (len(imo) == 8 and imo.isdecimal())):  # eight have no check digit yet
            warnings.append(Reason.IMO_CHECK_DIGIT)
    mode = optional_code(call, "modeOfTransport", inner, codes.MODES)
    if mode is None:
        mode = next((m for m in ("VESSEL", "RAIL", "TRUCK") if call.get(f"{m.lower()}Transport")), None)
        if mode is not None:
            warnings.append(Reason.NO_MODE)
        elif kind == Kind.TRANSPORT:
            raise Fault(Reason.MISSING_FIELD, f"{inner}.modeOfTransport")
    if kind == Kind.TRANSPORT and mode == "VESSEL" and not (imo or name):
        raise Fault(Reason.MISSING_FIELD, f"{inner}.vesselTransport")
    export, arriving = (_voyage(call, f"{side}VoyageNumberOrReference", inner) for side in ("export", "import"))
    return {
        "mode": mode,
        "vessel": name,
        "vessel_imo": imo or None,
        "voyage": (arriving or export) if code in codes.ENDS_A_VOYAGE else (export or arriving),
        "transport_call": text_of(call, "transportCallReference", inner),
        "delay_reason": _delay(details, where),
    }


def _voyage(call: Fields, name: str, at: str) -> str | None:
    part = part_of(call, name, at) or {}
    return text_of(part, "carrierVoyageNumber", f"{at}.{name}") or text_of(
        part, "universalVoyageReference", f"{at}.{name}"
    )


def _delay(details: Fields, at: str) -> str | None:
    """All reasons, as `STR,WEA`; their order is the sender's."""
    listed = details.get("delayReasonCodes")
    if listed is None:
        return text_of(details, "delayReasonCode", at)
    if not isinstance(listed, list):
        raise Fault(
            Reason.WRONG_TYPE, f"{at}.delayReasonCodes", f"It is {type_name(listed)}; a list of codes is expected."
        )
    parts = [text_of({"delayReasonCode": part}, "delayReasonCode", f"{at}.delayReasonCodes") for part in listed[:20]]
    return ",".join(dict.fromkeys(part.upper() for part in parts if part)) or None


def _equipment(data: Fields, at: str, kind: Kind, code: str, papers: Papers, warnings: list[str]) -> dict[str, Any]:
    """The container, whether it is laden, and whether the move is one between two vessels."""
    details, where = part_of(data, "equipmentDetails", at) or {}, f"{at}.equipmentDetails"
    number = text_of(details, "equipmentReference", where)
    alone = kind == Kind.EQUIPMENT and len(papers.boxes) == 1
    container = identifiers.container(number) if number else papers.boxes[0] if alone else None
    ok = identifiers.container_ok(container) if container else None
    if ok is False:
        warnings.append(Reason.CONTAINER_CHECK_DIGIT)
    empty = optional_code(details, "emptyIndicator", where, frozenset(codes.LADEN)) or optional_code(
        details, "emptyIndicatorCode", where, frozenset(codes.LADEN)
    )
    if empty is None and kind == Kind.EQUIPMENT:
        warnings.append(Reason.NO_LADEN)
    phase = _phase(details, where)
    return {
        "container": container or None,
        "container_ok": ok,
        "equipment": tuple(box for box in papers.boxes if box != container),
        "laden": codes.LADEN.get(empty or ""),
        "is_transshipment": None if phase is None else phase == "TRANSSHIPMENT",
    }


def _phase(details: Fields, where: str) -> str | None:
    """May says transportPhase, January movementType; a word that is not known says nothing."""
    text = text_of(details, "transportPhase", where) or text_of(details, "movementType", where)
    return text.upper() if text and text.upper() in dialects.PHASES else None


def _place(data: Fields, at: str) -> dict[str, Any]:
    where = f"{at}.eventLocation"
    spot = part_of(data, "eventLocation", at) or {}
    code = text_of(spot, "UNLocationCode", where)
    facility = part_of(spot, "facility", where) or spot
    own, provider = text_of(facility, "facilityCode", where), text_of(facility, "facilityCodeListProvider", where)
    sort = text_of(spot, "facilityType", where) or text_of(spot, "facilityTypeCode", where) or ""
    return {
        "place": identifiers.place(code) if code else None,
        "facility": identifiers.upper(own) if own else None,
        "facility_provider": identifiers.upper(provider) if provider else None,
        "facility_type": dialects.FACILITIES.get(sort.upper(), sort.upper()),
    }


def _give_role(data: Fields, at: str, kind: Kind, code: str, found: dict[str, Any]) -> None:
    """Which place of the journey it is: as the message says, else what its phase of transport means for this code.

    The phase alone is not enough: a box can stand on an inland ramp in every phase.
    """
    details, where = part_of(data, "shipmentDetails", at) or {}, f"{at}.shipmentDetails"
    said = text_of(details, "shipmentLocationType", where) or text_of(details, "shipmentLocationTypeCode", where)
    equipment = part_of(data, "equipmentDetails", at) or {}
    phase = _phase(equipment, f"{at}.equipmentDetails")
    role = dialects.PLACE_ROLES.get((said or "").upper())
    found["place_role"] = role or _role_by_phase(phase, code, found)
    if found["facility_type"] in codes.NOT_BERTHS:
        found["place_role"] = "ANCH"


def _role_by_phase(phase: str | None, code: str, found: Mapping[str, Any]) -> str | None:
    at_port = found["facility_type"] == "POTE"
    if phase == "TRANSSHIPMENT":
        return "TSP"
    if phase == "EXPORT":
        if code in ("GTIN", "GTOT") and found["laden"] is False:
            return "PRE"  # an empty box on its way to be filled; no empty return
        by_sea = code in ("LOAD", "DEPA") and found["mode"] == "VESSEL"
        return "POL" if by_sea or (code in ("GTIN", "LOAD") and found["laden"] and at_port) else None
    if phase == "IMPORT":
        if code == "DROP" and found["facility_type"] == "CLOC":
            return "PDE"
        by_sea = code in ("ARRI", "DISC") and found["mode"] == "VESSEL"
        return "POD" if by_sea or (code in ("DISC", "AVPU", "GTOT") and at_port) else None
    return None


def _document(papers: Papers, at: str, code: str, classifier: Classifier, found: dict[str, Any]) -> tuple[Kind, str]:
    """A SHIPMENT event speaks of a document.

    A proof of delivery that was issued stands for the delivery itself (table 1.1), but only for a box that it names:
    a paper about a booking does not say which of its boxes were delivered. Where the paper was written is no place of
    delivery, unless the event says that it is.
    """
    if papers.own is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.shipmentDetails.documentReference")
    kind, number = papers.own
    if kind not in dialects.DOCUMENTS.values():
        raise Fault(Reason.NOT_TRACKED, f"{at}.shipmentDetails.documentReference", f"The document is {kind}.")
    found |= {"document_type": kind, "document_id": number}
    proves = kind == dialects.PROOF_OF_DELIVERY and code == "ISSU" and classifier == Classifier.ACT
    if not proves or found["container"] is None or found["laden"] is False:
        return Kind.SHIPMENT, code
    if found["place_role"] != "PDE":
        found |= {"place": None, "facility": None, "facility_provider": None, "place_role": "PDE"}
    found |= {"laden": True, "is_transshipment": None}
    return Kind.EQUIPMENT, "DROP"


DCSA_3 = Adapter(
    key="dcsa_3",
    label=_("DCSA Track & Trace 3.0 (beta)"),
    parse=parse,
    recognises=recognises,
    content_types=("application/json",),
)
