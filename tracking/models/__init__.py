"""Tables of tracking, by what they hold: places, sources, messages, shipments, sightings, what is derived.

What arrived is never changed; what is derived can be rebuilt from it (1.5).
"""

from tracking.models.acknowledgements import (
    Acknowledgement,
    Interchange,
)
from tracking.models.comments import (
    LONGEST_COMMENT,
    Comment,
    CommentWithdrawal,
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
from tracking.models.exceptions import (
    CaseState,
    DwellNorm,
    ExceptionCase,
    ExceptionNotice,
    ExceptionStep,
    OwnerKind,
    OwnerRule,
    Resolution,
    StepKind,
    Told,
)
from tracking.models.freetime import (
    FreeTerm,
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
from tracking.models.news import (
    NewsSeen,
)
from tracking.models.papers import (
    Document,
    DocumentFile,
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
from tracking.models.routes import SeaRoute
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
from tracking.models.subscriptions import (
    EventPush,
    EventSubscription,
    PushState,
)
from tracking.models.uploads import (
    UploadDraft,
)

__all__ = [
    "LONGEST_COMMENT",
    "Acknowledgement",
    "AcknowledgementKind",
    "BatchAction",
    "Carrier",
    "CaseState",
    "Comment",
    "CommentWithdrawal",
    "CommitmentRow",
    "Container",
    "DefaultFor",
    "Document",
    "DocumentFile",
    "DwellNorm",
    "EtaRow",
    "EventPush",
    "EventSubscription",
    "Evidence",
    "ExceptionCase",
    "ExceptionNotice",
    "ExceptionStep",
    "Export",
    "ExportState",
    "Follow",
    "FreeTerm",
    "HeardFrom",
    "InboundMessage",
    "InboxFault",
    "InboxRefusal",
    "Interchange",
    "Leg",
    "LegRow",
    "MessageState",
    "MilestoneRow",
    "NewsSeen",
    "OwnerKind",
    "OwnerRule",
    "PartnerCode",
    "Place",
    "PlaceSetting",
    "Poll",
    "PushState",
    "QuarantineBatch",
    "QuarantineState",
    "Quarantined",
    "RawBody",
    "Reference",
    "ReferenceKind",
    "Resolution",
    "SavedView",
    "SeaRoute",
    "SecretIn",
    "Shipment",
    "SightingRow",
    "Source",
    "SourceDay",
    "SourceSetting",
    "StepKind",
    "Terminal",
    "Told",
    "Touched",
    "UploadDraft",
    "Vessel",
    "VisitRow",
    "ZoneRule",
]
