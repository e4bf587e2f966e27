"""Tables of tracking, by what they hold: places, sources, messages, shipments, sightings, what is derived.

What arrived is never changed; what is derived can be rebuilt from it (1.5).
"""

from tracking.models.acknowledgements import (
    Acknowledgement,
    Interchange,
)
from tracking.models.derived import (
    EtaRow,
    HeardFrom,
    LegRow,
    MilestoneRow,
    SourceDay,
    Touched,
    VisitRow,
)
from tracking.models.evidence import (
    Evidence,
)
from tracking.models.lists import (
    DefaultFor,
    Export,
    ExportState,
    Follow,
    SavedView,
)
from tracking.models.messages import (
    BatchAction,
    InboundMessage,
    MessageState,
    QuarantineBatch,
    Quarantined,
    QuarantineState,
    RawBody,
)
from tracking.models.places import (
    Carrier,
    Place,
    PlaceSetting,
    Terminal,
    Vessel,
)
from tracking.models.polling import (
    InboxFault,
    InboxRefusal,
    Poll,
    SecretIn,
)
from tracking.models.shipments import (
    CommitmentRow,
    Container,
    Leg,
    Reference,
    ReferenceKind,
    Shipment,
)
from tracking.models.sightings import (
    SightingRow,
)
from tracking.models.sources import (
    AcknowledgementKind,
    PartnerCode,
    Source,
    SourceSetting,
    ZoneRule,
)
from tracking.models.uploads import (
    UploadDraft,
)

__all__ = [
    "Acknowledgement",
    "AcknowledgementKind",
    "BatchAction",
    "Carrier",
    "CommitmentRow",
    "Container",
    "DefaultFor",
    "EtaRow",
    "Evidence",
    "Export",
    "ExportState",
    "Follow",
    "HeardFrom",
    "InboundMessage",
    "InboxFault",
    "InboxRefusal",
    "Interchange",
    "Leg",
    "LegRow",
    "MessageState",
    "MilestoneRow",
    "PartnerCode",
    "Place",
    "PlaceSetting",
    "Poll",
    "QuarantineBatch",
    "QuarantineState",
    "Quarantined",
    "RawBody",
    "Reference",
    "ReferenceKind",
    "SavedView",
    "SecretIn",
    "Shipment",
    "SightingRow",
    "Source",
    "SourceDay",
    "SourceSetting",
    "Terminal",
    "Touched",
    "UploadDraft",
    "Vessel",
    "VisitRow",
    "ZoneRule",
]
