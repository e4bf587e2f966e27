"""Tables of tracking, by what they hold: places, sources, messages, shipments, sightings, what is derived.

What arrived is never changed; what is derived can be rebuilt from it (1.5).
"""

from tracking.models.derived import MilestoneRow, Touched
from tracking.models.messages import InboundMessage, MessageState, Quarantined, QuarantineState, RawBody
from tracking.models.places import Place
from tracking.models.shipments import CommitmentRow, Container, Leg, Reference, ReferenceKind, Shipment
from tracking.models.sightings import SightingRow
from tracking.models.sources import AcknowledgementKind, PartnerCode, Source, SourceSetting, ZoneRule

__all__ = [
    "AcknowledgementKind",
    "CommitmentRow",
    "Container",
    "InboundMessage",
    "Leg",
    "MessageState",
    "MilestoneRow",
    "PartnerCode",
    "Place",
    "QuarantineState",
    "Quarantined",
    "RawBody",
    "Reference",
    "ReferenceKind",
    "Shipment",
    "SightingRow",
    "Source",
    "SourceSetting",
    "Touched",
    "ZoneRule",
]
