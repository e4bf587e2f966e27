"""Frozen records and vocabularies of tracking: codes, milestones, chains, canonical events, sightings.

No models, no clock, no rules; those stand in milestones.py. Codes are the DCSA ones (domain specification 1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec
from django.utils.functional import Promise


class Kind(StrEnum):
    """What an event speaks of."""

    EQUIPMENT = "EQUIPMENT"
    TRANSPORT = "TRANSPORT"
    SHIPMENT = "SHIPMENT"


class Classifier(StrEnum):
    """Planned, estimated or actual."""

    PLN = "PLN"
    EST = "EST"
    ACT = "ACT"


class Precision(StrEnum):
    """How exact an event time is."""

    MINUTE = "minute"
    DAY = "day"


class Milestone(StrEnum):
    """A named step of a chain (1.1)."""

    GATE_IN_FULL = "GATE_IN_FULL"
    CFS_RECEIVED = "CFS_RECEIVED"
    LOADED = "LOADED"
    VESSEL_DEPARTED = "VESSEL_DEPARTED"
    TS_DISCHARGED = "TS_DISCHARGED"
    TS_LOADED = "TS_LOADED"
    VESSEL_ARRIVED = "VESSEL_ARRIVED"
    AT_ANCHOR = "AT_ANCHOR"
    DISCHARGED = "DISCHARGED"
    CY_AVAILABLE = "CY_AVAILABLE"
    GATE_OUT_FULL = "GATE_OUT_FULL"
    CFS_AVAILABLE = "CFS_AVAILABLE"
    DELIVERED = "DELIVERED"
    EMPTY_RETURN = "EMPTY_RETURN"
    CUSTOMS_HOLD = "CUSTOMS_HOLD"
    CUSTOMS_RELEASED = "CUSTOMS_RELEASED"
    DELIVERY_FAILED = "DELIVERY_FAILED"


class FinalMilestone(StrEnum):
    """Terms of delivery, as the history files write them (design 4.4)."""

    CY = "CY"
    CFS = "CFS"
    DOOR = "DOOR"


class Mode(StrEnum):
    """Mode of transport of a shipment."""

    SEA = "SEA"
    AIR = "AIR"
    ROAD = "ROAD"
    RAIL = "RAIL"


class Load(StrEnum):
    """Whether a shipment fills its containers, or shares them with others (1.1)."""

    FCL = "FCL"
    LCL = "LCL"


UNKNOWN_MODES: Final = frozenset({"N/A", "NA", "?", "UNKNOWN"})  # as written: the mode is not known (R1.18)


class SourceKind(StrEnum):
    """What a source is; the order is the default `source_priority`, best first (section 12)."""

    TERMINAL = "terminal"
    CARRIER = "carrier"
    RAIL = "rail"
    AIS = "ais"
    AGGREGATOR = "aggregator"
    MANUAL = "manual"


SOURCE_PRIORITY: Final[tuple[str, ...]] = tuple(k.value for k in SourceKind)


class CanonicalEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reported event as an adapter reads it: before any tenant, shipment or plausibility check.

    `time` is the UTC instant, or None when `local` has neither offset nor a zone the message states (the
    facility's zone is looked up later, R1.6). `position` begins with the zero-based number of the event.
    """

    position: str
    kind: Kind
    code: str
    classifier: Classifier
    local: str  # the time as written
    time: datetime | None
    precision: Precision = Precision.MINUTE
    offset_minutes: int | None = None  # as stated by the source, east positive
    zone: str | None = None  # IANA name, when the message states one
    container: str | None = None  # normal form, no spaces
    container_ok: bool | None = None  # check digit (ISO 6346); None without a container
    laden: bool | None = None
    place: str | None = None  # UN/LOCODE or the operator's own place code
    facility: str | None = None
    facility_provider: str | None = None
    place_role: str | None = None  # POL, POD, PRE, PDE, TSP, ANCH (an anchorage) when the message says so
    mode: str | None = None
    booking: str | None = None
    bill_of_lading: str | None = None
    shipment_ref: str | None = None
    account: str | None = None  # history files only
    source: str | None = None  # history files only: the key of the source that the row came from
    references: tuple[tuple[str, str], ...] = ()  # further (type, value), for example ("PO", "4711")
    equipment: tuple[str, ...] = ()  # containers named in references of a TRANSPORT or SHIPMENT event
    transport_call: str | None = None
    voyage: str | None = None
    vessel: str | None = None
    vessel_imo: str | None = None
    pol: str | None = None
    pod: str | None = None
    is_transshipment: bool | None = None
    document_type: str | None = None
    document_id: str | None = None
    reason: str | None = None
    delay_reason: str | None = None
    source_event_id: str | None = None
    source_created_at: datetime | None = None
    recorded_at: datetime | None = None  # history files only (R1.1)
    retracts: str | None = None  # the source_event_id that this one withdraws (R1.4)
    warnings: tuple[str, ...] = ()
    evidence_ref: str = ""  # manual entries: what proves it (R1.12)
    entered_by: str = ""  # manual entries: the person who entered it
    message: str = ""  # the format of its own message, where one file holds several: iftsta, codeco
    rule: str = ""  # what made it: the table and code it was read by, for people ("x12_315 VD", "partner: 7")
    payload: dict[str, Any] = msgspec.field(default_factory=dict)  # this event's own part of the message


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A code that nobody has explained: the list that it stands in, who keeps that, and the code as sent."""

    listed: str
    code: str
    agency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An event or row that cannot be read: a code of a closed list, where, and a sentence."""

    code: str
    position: str
    detail: str
    fragment: str = ""  # the offending part as received, shortened
    subject: Subject | None = None  # of an unknown code: what a line of the partner table would explain


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRule:
    """What one code of one list means: a line of a partner table, or of the standard one beside it."""

    kind: Kind
    code: str  # canonical; empty when `is_ignored`
    classifier: Classifier = Classifier.ACT
    laden: bool | None = None  # None: as the message says
    mode: str | None = None  # VESSEL, RAIL, TRUCK, BARGE; None: as the message says
    place_role: str | None = None
    document_type: str | None = None
    is_ignored: bool = False  # says nothing that is tracked: kept, set aside at once
    says: str = ""  # for people, such as "vessel departure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """How one source is read: what its codes mean and how strictly, from its partner table (event standards 7.8)."""

    status: Mapping[tuple[str, str, str], StatusRule] = field(default_factory=dict)  # (list, agency or "", code)
    zone: str | None = None  # IANA: local times that state none are in this zone, whatever their place
    strict_envelope: bool = False  # control counts and references that do not fit refuse the message
    mapping: Mapping[str, Any] = field(default_factory=dict)  # columns of its tables, or paths of its JSON

    def rule(self, listed: str, code: str, agency: str = "") -> StatusRule | None:
        """The partner's own meaning of a code: that of the agency first, then that of any."""
        return self.status.get((listed, agency, code)) or self.status.get((listed, "", code))


PLAIN: Final = Partner()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopePart:
    """One message (UNH to UNT) or transaction (ST to SE) of an interchange, for its acknowledgement."""

    reference: str
    type: str  # IFTSTA, 315
    group: str = ""  # reference of its functional group (GS06), if it stands in one
    group_type: str = ""  # GS01
    version: str = ""
    group_count: int | None = None  # transactions of its group, as the group's trailer states them (GE01)
    group_faults: tuple[str, ...] = ()  # codes of reasons: what does not fit around its group
    faults: tuple[str, ...] = ()  # codes of reasons
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An interchange (UNB to UNZ, ISA to IEA): who, which, and whether its controls fit (G8)."""

    syntax: str  # EDIFACT or X12
    sender: str
    receiver: str
    reference: str
    sender_qualifier: str = ""
    receiver_qualifier: str = ""
    character_set: str = ""  # UNOC:3
    wants_acknowledgement: bool = False
    is_test: bool = False
    parts: tuple[EnvelopePart, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What an adapter makes of one message."""

    events: tuple[CanonicalEvent, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    envelopes: tuple[Envelope, ...] = ()

    @property
    def received(self) -> int:
        """How many events or rows the message held."""
        return len(self.events) + len(self.refusals)


class Parse(Protocol):
    """Reads one message; pure. Faults of one event become refusals, only the whole raises Unreadable."""

    def __call__(self, raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
        """Everything the message says, in its order, as this partner means it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A format in which events arrive, declared in one file of tracking/adapters."""

    key: str  # as in `Source.format` and `canonical --format`
    label: str | Promise
    parse: Parse
    recognises: Callable[[bytes], bool]  # whether the bytes look like this format; never raises
    content_types: tuple[str, ...] = ()
    is_own: bool = False  # reads only what our own pages write: never chosen by the look of the bytes, closed to doors
    is_declared_only: bool = False  # its bytes say too little: read so only where the source or a label says so


class Unreadable(ValueError):
    """The message as a whole cannot be read (truncated JSON, not text, wrong top level); says where and why."""

    def __init__(self, code: str, detail: str, *, position: str = "$") -> None:
        self.code, self.detail, self.position = code, detail, position
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A stored event version of one tenant's shipment, as the pure rules see it. Instants are aware UTC."""

    id: int
    source: str
    source_kind: str
    event_key: str  # source_event_id, else the digest of the natural key (R1.2)
    natural_key: str
    code: str
    kind: str
    classifier: str
    event_time: datetime | None  # None only for retractions
    precision: str = Precision.MINUTE
    recorded_at: datetime
    source_created_at: datetime | None = None
    container: str | None = None  # None: concerns all live containers of the shipment
    place: str | None = None
    facility: str | None = None
    place_role: str | None = None
    laden: bool | None = None
    is_transshipment: bool | None = None
    mode: str | None = None
    voyage: str | None = None
    vessel_imo: str | None = None
    document_type: str | None = None
    retracts: str | None = None
    payload_hash: str = ""
    is_empty: bool = False  # the message was corrected and no longer concerns this shipment (R1.3)
    has_evidence: bool = True  # False: a manual entry without evidence_ref (R1.12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What binding needs to know of a shipment (R1.13 to R1.15)."""

    final: FinalMilestone
    mode: Mode = Mode.SEA
    load: Load = Load.FCL
    pol: str | None = None
    pod: str | None = None
    final_place: str | None = None
    transhipments: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()  # live ones; empty: the shipment is one unit
    voyage: str | None = None
    vessel_imo: str | None = None
    arrival_is_anchorage: frozenset[str] = frozenset()  # sources whose ARRI means anchorage
    sends_avpu: bool = True  # False: the CY terminal never sends AVPU, DISCHARGED stands in (1.1)
    customs_by_us: bool = False
    priority: tuple[str, ...] = SOURCE_PRIORITY  # source keys and kinds, best first (R1.9)
