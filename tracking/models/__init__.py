"""Tables of tracking, by what they hold: places, sources, messages, shipments, sightings, what is derived.

What arrived is never changed; what is derived can be rebuilt from it (1.5).
"""

from tracking.models.acknowledgements import Acknowledgement, Interchange
from tracking.models.derived import MilestoneRow
from tracking.models.messages import InboundMessage, MessageState, Quarantined, QuarantineState, RawBody
from tracking.models.places import Place
from tracking.models.polling import InboxFault, InboxRefusal, Poll, SecretIn
from tracking.models.shipments import CommitmentRow, Container, Leg, Reference, ReferenceKind, Shipment
from tracking.models.sightings import SightingRow
from tracking.models.sources import AcknowledgementKind, PartnerCode, Source, SourceSetting, ZoneRule

__all__ = [
    "Acknowledgement",
    "AcknowledgementKind",
    "CommitmentRow",
    "Container",
    "InboundMessage",
    "InboxFault",
    "InboxRefusal",
    "Interchange",
    "Leg",
    "MessageState",
    "MilestoneRow",
    "PartnerCode",
    "Place",
    "Poll",
    "QuarantineState",
    "Quarantined",
    "RawBody",
    "Reference",
    "ReferenceKind",
    "SecretIn",
    "Shipment",
    "SightingRow",
    "Source",
    "SourceSetting",
    "ZoneRule",
]
