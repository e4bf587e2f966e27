"""The documents of a shipment as data: what kinds there are, which ones a journey needs, and by which milestone.

Pure. Files, versions and who reads them are kept in models/papers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tracking.types import FinalMilestone, Journey, Milestone, Mode


class PaperKind(StrEnum):
    """What a document is; stored, so never renamed."""

    BILL_OF_LADING = "BILL_OF_LADING"
    SEA_WAYBILL = "SEA_WAYBILL"
    AIR_WAYBILL = "AIR_WAYBILL"
    CONSIGNMENT_NOTE = "CONSIGNMENT_NOTE"
    COMMERCIAL_INVOICE = "COMMERCIAL_INVOICE"
    PACKING_LIST = "PACKING_LIST"
    CERTIFICATE_OF_ORIGIN = "CERTIFICATE_OF_ORIGIN"
    DANGEROUS_GOODS = "DANGEROUS_GOODS"
    CUSTOMS_DECLARATION = "CUSTOMS_DECLARATION"
    ARRIVAL_NOTICE = "ARRIVAL_NOTICE"
    DELIVERY_ORDER = "DELIVERY_ORDER"
    PROOF_OF_DELIVERY = "PROOF_OF_DELIVERY"
    OTHER = "OTHER"


_K = PaperKind
_M = Milestone
LABELS: Final[dict[PaperKind, Promise]] = {
    _K.BILL_OF_LADING: _("Bill of lading"),
    _K.SEA_WAYBILL: _("Sea waybill"),
    _K.AIR_WAYBILL: _("Air waybill"),
    _K.CONSIGNMENT_NOTE: _("Consignment note (CMR, CIM)"),
    _K.COMMERCIAL_INVOICE: _("Commercial invoice"),
    _K.PACKING_LIST: _("Packing list"),
    _K.CERTIFICATE_OF_ORIGIN: _("Certificate of origin"),
    _K.DANGEROUS_GOODS: _("Dangerous goods declaration"),
    _K.CUSTOMS_DECLARATION: _("Customs declaration"),
    _K.ARRIVAL_NOTICE: _("Arrival notice"),
    _K.DELIVERY_ORDER: _("Delivery order"),
    _K.PROOF_OF_DELIVERY: _("Proof of delivery"),
    _K.OTHER: _("Another document"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """One of these kinds is needed by a milestone. `by` None: by the agreed final one. Empty `finals`: for each."""

    one_of: tuple[PaperKind, ...]
    modes: tuple[Mode, ...]
    by: Milestone | None = None
    finals: tuple[FinalMilestone, ...] = ()

    def concerns(self, journey: Journey) -> bool:
        """Whether such a journey needs it."""
        return journey.mode in self.modes and (not self.finals or journey.final in self.finals)


_OVERLAND: Final = (Mode.ROAD, Mode.RAIL)
# In the order in which they are needed. For other modes than sea only the final milestone is followed (R1.13).
NEEDED: Final = (
    Needed(one_of=(_K.COMMERCIAL_INVOICE,), modes=(Mode.SEA,), by=_M.VESSEL_ARRIVED),
    Needed(one_of=(_K.PACKING_LIST,), modes=(Mode.SEA,), by=_M.VESSEL_ARRIVED),
    Needed(one_of=(_K.BILL_OF_LADING, _K.SEA_WAYBILL), modes=(Mode.SEA,), by=_M.VESSEL_ARRIVED),
    Needed(one_of=(_K.AIR_WAYBILL,), modes=(Mode.AIR,)),
    Needed(one_of=(_K.CONSIGNMENT_NOTE,), modes=_OVERLAND),
    Needed(one_of=(_K.COMMERCIAL_INVOICE,), modes=(Mode.AIR, *_OVERLAND)),
    Needed(one_of=(_K.PACKING_LIST,), modes=(Mode.AIR, *_OVERLAND)),
    Needed(one_of=(_K.PROOF_OF_DELIVERY,), modes=tuple(Mode), finals=(FinalMilestone.DOOR,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A needed document that is not there. `at`: when it is needed, as far as known; `is_late`: that has passed."""

    one_of: tuple[PaperKind, ...]
    by: Milestone
    at: datetime | None
    is_late: bool


def needed_for(journey: Journey) -> list[Needed]:
    """What such a journey needs, in order."""
    return [n for n in NEEDED if n.concerns(journey)]


def missing(
    journey: Journey, here: Collection[str], *, final: Milestone,
    when: Callable[[Milestone], tuple[datetime | None, bool]], now: datetime,
) -> list[Missing]:  # fmt: skip
    """What is needed and not among the kinds that are `here`.

    `when` tells of a milestone its best known time and whether it was reached; one without a time is not late.
    """
    found = []
    for need in needed_for(journey):
        if any(kind in here for kind in need.one_of):
            continue
        by = need.by or final
        at, reached = when(by)
        late = reached or (at is not None and at <= now)
        found.append(Missing(one_of=need.one_of, by=by, at=at, is_late=late))
    return found
