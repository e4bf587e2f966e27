"""The code lists of events: DCSA Track & Trace 2.2.0 and the later values of DCSA's reference lists.

Values only; what a code means for a milestone is in milestones.py.
"""

from __future__ import annotations

from typing import Final

from tracking.types import Kind, Milestone

EQUIPMENT_2_2: Final = frozenset(
    {"LOAD", "DISC", "GTIN", "GTOT", "STUF", "STRP", "PICK", "DROP", "INSP", "RSEA", "RMVD"}
)
EQUIPMENT: Final = EQUIPMENT_2_2 | {"AVPU", "AVDO", "CUSS", "CUSI", "CUSR", "WAYP", "CROS"}
TRANSPORT: Final = frozenset({"ARRI", "DEPA"})
SHIPMENT: Final = frozenset(
    {
        *("RECE", "DRFT", "PENA", "PENU", "REJE", "APPR", "ISSU", "SURR", "SUBM", "VOID", "CONF", "REQS", "CMPL"),
        *("HOLD", "RELS", "PENC", "CANC"),
    }
)
BY_KIND: Final = {Kind.TRANSPORT: TRANSPORT, Kind.EQUIPMENT: EQUIPMENT, Kind.SHIPMENT: SHIPMENT}
DELIVERY_FAILED: Final = Milestone.DELIVERY_FAILED.value  # no standard code; from reasons of EDI feeds and people

DOCUMENTS: Final = frozenset(
    {
        *("CBR", "BKG", "BOK", "SHI", "SRM", "TRD", "ARN", "VGM", "CAS", "CUS", "DGD", "OOG"),
        *("DEI", "DEO", "TRO", "CRO", "CUC", "CQU", "INV"),
    }
)
BOOKING_PAPERS: Final = frozenset({"BKG", "BOK"})  # BOK is the older code of the same paper
MODES: Final = frozenset({"VESSEL", "RAIL", "TRUCK", "BARGE", "MULTIMODAL"})
NOT_BERTHS: Final = frozenset({"ANCH", "PBPL"})  # facility types: anchorage, pilot boarding place
LADEN: Final = {"LADEN": True, "EMPTY": False}
ENDS_A_VOYAGE: Final = frozenset({"ARRI", "DISC"})  # what follows in the same call belongs to the export voyage


def kind_of(code: str) -> Kind | None:
    """The kind that a code belongs to; every code stands in one list only."""
    if code == DELIVERY_FAILED:
        return Kind.EQUIPMENT
    return next((kind for kind, codes in BY_KIND.items() if code in codes), None)
