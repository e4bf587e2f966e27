"""The dialects of DCSA Track & Trace: how they are told apart, and the words of 3.0 as the codes of 2.2.

3.0 is a beta that has changed its names twice; what it is read into stays the same. Its shipment details are read here
too; the rest of an event is the business of the readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tracking import codes, identifiers, strictjson
from tracking.fields import Fault, Fields, fits, object_of, part_of, text_of, type_name
from tracking.reasons import Reason
from tracking.types import Classifier, Kind


class Dialect(StrEnum):
    """A way in which Track & Trace events are written, in the words that a sender is told."""

    STABLE = "Track & Trace 2.2"
    BETA_2023 = "Track & Trace 3.0 as of 2023 (metadata and payload)"
    BETA_JANUARY = "Track & Trace 3.0 as of January 2026 (eventTypeCode)"
    BETA_MAY = "Track & Trace 3.0 as of May 2026 (eventType)"
    BETA_UNKNOWN = "Track & Trace 3.0 in names that are not known"


READ_3: Final = frozenset({Dialect.BETA_JANUARY, Dialect.BETA_MAY})
_NEVER: Final = frozenset({"eventClassification", "eventRouting", "eventUpdatedDateTime", "isRetracted"})  # in 2.2


def dialect_of(item: Any) -> Dialect:
    """What an item of a message is written in; what is no event at all counts as 2.2, whose reader says what it lacks.

    A withdrawal is written the same way in both dialects of 2026, often as an id and nothing else.
    """
    if not isinstance(item, dict) or ("eventClassifierCode" in item and not isinstance(item.get("payload"), dict)):
        return Dialect.STABLE
    if isinstance(item.get("metadata"), dict) and isinstance(item.get("payload"), dict):
        return Dialect.BETA_2023
    grouped = item.get("eventClassification")
    names = {"eventType", "eventTypeCode"} & grouped.keys() if isinstance(grouped, dict) else set()
    if names == {"eventTypeCode"}:
        return Dialect.BETA_JANUARY
    if names == {"eventType"} or (item.get("isRetracted") is True and "eventID" in item):
        return Dialect.BETA_MAY
    return Dialect.STABLE if _NEVER.isdisjoint(item) else Dialect.BETA_UNKNOWN


def begins_with(raw: bytes) -> Dialect | None:
    """The dialect of the first event of a message; None when the bytes do not look like JSON. Never raises."""
    if raw[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"[", b"{"):
        return None
    return dialect_of(strictjson.first(raw))


# --- the words of May 2026; January still had the codes ---

CLASSIFIERS: Final[Mapping[str, str]] = {
    "ACTUAL": Classifier.ACT, "ESTIMATED": Classifier.EST, "PLANNED": Classifier.PLN,
}  # fmt: skip
_EQUIPMENT: Final[Mapping[str, str]] = {
    "AVAILABLE_FOR_DROP_OFF": "AVDO", "AVAILABLE_FOR_PICKUP": "AVPU", "CROSSED": "CROS", "CUSTOMS_RELEASED": "CUSR",
    "CUSTOMS_SELECTED_FOR_INSPECTION": "CUSI", "CUSTOMS_SELECTED_FOR_SCAN": "CUSS", "DISCHARGED": "DISC",
    "DROPPED_OFF": "DROP", "GATED_IN": "GTIN", "GATED_OUT": "GTOT", "INSPECTED": "INSP", "LOADED": "LOAD",
    "PICKED_UP": "PICK", "REMOVED": "RMVD", "RESEALED": "RSEA", "STRIPPED": "STRP", "STUFFED": "STUF",
}  # fmt: skip
_SHIPMENT: Final[Mapping[str, str]] = {
    "APPROVED": "APPR", "CANCELLATION_CONFIRMED": "CANC", "CANCELLED": "CANC", "COMPLETED": "CMPL",
    "CONFIRMED": "CONF", "DECLINED": "REJE", "DRAFTED": "DRFT", "ISSUED": "ISSU", "ON_HOLD": "HOLD",
    "PENDING_APPROVAL": "PENA", "PENDING_UPDATE": "PENU", "RECEIVED": "RECE", "REJECTED": "REJE", "RELEASED": "RELS",
    "REQUESTED": "REQS", "SUBMITTED": "SUBM", "SURRENDERED": "SURR", "SURRENDERED_FOR_AMENDMENT": "SURR",
    "SURRENDERED_FOR_DELIVERY": "SURR", "VOIDED": "VOID",
}  # fmt: skip
_TRANSPORT: Final[Mapping[str, str]] = {"ARRIVED": "ARRI", "DEPARTED": "DEPA"}
WORDS: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.EQUIPMENT: _EQUIPMENT, Kind.SHIPMENT: _SHIPMENT, Kind.TRANSPORT: _TRANSPORT,
}  # fmt: skip
# Known, and nothing that is tracked: a vessel that comes near has not arrived, and a change that is asked for, looked
# at or declined has changed nothing.
NOT_TRACKED: Final = frozenset(
    {
        *("APPROACHING", "CANCELLATION_DECLINED", "CANCELLATION_RECEIVED", "PENDING_AMENDMENT"),
        *("PENDING_SURRENDER_FOR_AMENDMENT", "PENDING_SURRENDER_FOR_DELIVERY"),
        *(f"AMENDMENT_{end}" for end in ("CANCELLED", "CONFIRMED", "DECLINED", "IN_PROGRESS", "RECEIVED")),
        *(f"UPDATE_{end}" for end in ("CANCELLED", "CONFIRMED", "DECLINED", "IN_PROGRESS", "RECEIVED")),
    }
)
KINDS_NOT_TRACKED: Final = frozenset({"IOT", "REEFER"})

PROOF_OF_DELIVERY: Final = "PFD"
DOCUMENTS: Final[Mapping[str, str]] = {
    "ARRIVAL_NOTICE": "ARN", "BOOKING": "BKG", "CARGO_SURVEY": "CAS", "CARRIER_BOOKING_REQUEST": "CBR",
    "CONTAINER_RELEASE_ORDER": "CRO", "CONTRACT_QUOTATION": "CQU", "CUSTOMS_CLEARANCE": "CUC",
    "DANGEROUS_GOODS_DECLARATION": "DGD", "DELIVERY_INSTRUCTIONS": "DEI", "DELIVERY_ORDER": "DEO", "INVOICE": "INV",
    "OUT_OF_GAUGE_DECLARATION": "OOG", "PROOF_OF_DELIVERY": PROOF_OF_DELIVERY, "SHIPPING_INSTRUCTIONS": "SHI",
    "TRANSPORT_DOCUMENT": "TRD", "TRANSPORT_ORDER": "TRO", "VERIFIED_GROSS_MASS": "VGM",
    **{code: code for code in codes.DOCUMENTS}, PROOF_OF_DELIVERY: PROOF_OF_DELIVERY, "BOK": "BKG",
}  # fmt: skip
REFERENCES: Final[Mapping[str, str]] = {
    "BOOKING_PARTY_REFERENCE_NUMBER": "BPR", "BOOKING_REQUEST_ID": "BID", "CONSIGNEES_REFERENCE": "AAO",
    "CUSTOMERS_REFERENCE": "CR", "CUSTOMER_SHIPMENT_ID": "CSI", "EMPTY_CONTAINER_RELEASE_REFERENCE": "ECR",
    "EQUIPMENT_REFERENCE": "EQ", "FREIGHT_FORWARDERS_REFERENCE": "FF", "PURCHASE_ORDER_REFERENCE": "PO",
    "SHIPPERS_REFERENCE": "SI",
}  # fmt: skip
PLACE_ROLES: Final[Mapping[str, str]] = {
    "PLACE_OF_DELIVERY": "PDE", "PLACE_OF_RECEIPT": "PRE", "PORT_OF_DISCHARGE": "POD", "PORT_OF_LOADING": "POL",
    "REQUESTED_TRANSSHIPMENT_PORT": "TSP", "RTP": "TSP", "PDE": "PDE", "PRE": "PRE", "POD": "POD", "POL": "POL",
}  # fmt: skip
FACILITIES: Final[Mapping[str, str]] = {
    "BORDER": "BOCR", "CONTAINER_FREIGHT_STATION": "COFS", "CUSTOMER_LOCATION": "CLOC", "DEPOT": "DEPO",
    "INLAND_TERMINAL": "INTE", "OFF_DOCK_STORAGE": "OFFD", "PORT_TERMINAL": "POTE",
}  # fmt: skip
PHASES: Final = frozenset({"EXPORT", "IMPORT", "TRANSSHIPMENT"})


# --- the papers that an event of 3.0 names ---


@dataclass(frozen=True, slots=True)
class Papers:
    """What the event's shipment details name: its own document, further ones, references, and what was replaced."""

    own: tuple[str, str] | None
    all: tuple[tuple[str, str], ...]
    boxes: tuple[str, ...]
    further: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, data: Fields, at: str) -> Papers:
        """From the shipment details of an event."""
        details, where = part_of(data, "shipmentDetails", at) or {}, f"{at}.shipmentDetails"
        own = _pair(part_of(details, "documentReference", where), f"{where}.documentReference", DOCUMENTS)
        papers = _pairs(details, "additionalDocumentReferences", where, DOCUMENTS)
        others = _pairs(details, "shipmentReferences", where, REFERENCES)
        boxes = tuple(dict.fromkeys(identifiers.container(value) for kind, value in others if kind == "EQ"))
        for box in boxes:
            fits(box, 16, f"{where}.shipmentReferences")
        papers = ([own] if own else []) + papers
        for kind, value in (*papers, *others):
            if kind in ("BKG", "TRD"):  # these find a shipment
                fits(value, 64, where)
        return cls(own, tuple(papers), boxes, (*(o for o in others if o[0] != "EQ"), *_replaced(details, where)))

    def named(self) -> dict[str, Any]:
        """Booking and bill of lading, the first of each; everything else as (type, value)."""
        booking = next((value for kind, value in self.all if kind == "BKG"), None)
        bill = next((value for kind, value in self.all if kind == "TRD"), None)
        rest = tuple(pair for pair in self.all if pair not in (("BKG", booking), ("TRD", bill)) and pair != self.own)
        return {"booking": booking, "bill_of_lading": bill, "references": (*rest, *self.further)}


def _pair(part: Fields | None, where: str, known: Mapping[str, str]) -> tuple[str, str] | None:
    """One (type, value): January says typeCode, May says type."""
    if part is None:
        return None
    kind, value = text_of(part, "type", where) or text_of(part, "typeCode", where), text_of(part, "reference", where)
    if kind is None or value is None:
        return None
    return known.get(kind.upper(), kind.upper()[:32]), value


def _pairs(data: Fields, name: str, at: str, known: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [_pair(part, where, known) for part, where in _entries(data, name, at)]
    return [pair for pair in found if pair is not None]


def _entries(data: Fields, name: str, at: str) -> list[tuple[Fields, str]]:
    listed = data.get(name)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise Fault(Reason.WRONG_TYPE, f"{at}.{name}", f"It is {type_name(listed)}; a list is expected.")
    return [(object_of(entry, f"{at}.{name}[{n}]"), f"{at}.{name}[{n}]") for n, entry in enumerate(listed)]


def _replaced(details: Fields, at: str) -> list[tuple[str, str]]:
    """Split and merged bookings, reissued bills: kept and shown, but the event is about what it names itself."""
    found = []
    lists = (
        ("documentReferenceReplacements", DOCUMENTS),
        ("shipmentReferenceReplacements", REFERENCES),
    )
    for name, known in lists:
        for entry, where in _entries(details, name, at):
            for side, mark in (("oldReferences", "OLD"), ("newReferences", "NEW")):
                found += [(f"{mark} {kind}"[:32], value) for kind, value in _pairs(entry, side, where, known)]
    return found
