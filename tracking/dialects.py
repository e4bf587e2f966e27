"""The dialects of DCSA Track & Trace: how they are told apart, and the words of 3.0 as the codes of 2.2.

Values only. 3.0 is a beta that has changed its names twice; what it is read into stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from tracking import codes, strictjson
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
