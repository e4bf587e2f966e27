"""Tables of tracking: places, sources, raw messages, quarantine, shipments, sightings, derived milestones.

What arrived is never changed; what is derived can be rebuilt from it (1.5).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.types import FinalMilestone, Mode, SourceKind


class Place(models.Model):
    """A port, terminal town or inland place: operator-wide, nothing of any customer (R0.8)."""

    code = code_field(16, primary_key=True)  # UN/LOCODE, or a code of the operator's own
    name = models.CharField(max_length=120)
    country = code_field(2, blank=True, default="")
    zone = models.CharField(max_length=64, blank=True, default="")  # IANA; empty: unknown
    lat = models.DecimalField(max_digits=8, decimal_places=5, null=True, blank=True)
    lon = models.DecimalField(max_digits=8, decimal_places=5, null=True, blank=True)
    sends_avpu = models.BooleanField(default=False)  # False: DISCHARGED stands in for CY_AVAILABLE here (1.1)
    needs_review = models.BooleanField(default=False)  # seen on an event, unknown to our list

    def __str__(self) -> str:
        return self.name or self.code


class Source(TenantOwned):
    """A partner or system that reports events: the operator's (serving many customers) or one tenant's (R1.0)."""

    key = code_field(40, unique=True)  # in addresses and on event rows; unique in the installation
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in SourceKind])
    format = code_field(16, default="dcsa")
    dcsa_secrets = models.JSONField(default=list)  # sealed, newest first; several are valid during rotation (G10)
    future_act_as_est = models.BooleanField(default=False)  # R1.5
    arrival_is_anchorage = models.BooleanField(default=False)  # what its ARRI means
    is_active = models.BooleanField(default=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "key"], name="source_by_key")]

    def __str__(self) -> str:
        return self.name


class RawBody(TenantOwned):
    """The bytes of a message, kept once however often they are sent (G1)."""

    append_only = True

    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    sha256 = code_field(64)
    body = models.BinaryField()
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source", "sha256"], name="rawbody_once"),
        ]


class MessageState(models.TextChoices):
    """Where an inbound message stands."""

    RECEIVED = "RECEIVED", _("Received")
    APPLIED = "APPLIED", _("Applied")
    REFUSED = "REFUSED", _("Unreadable")


class InboundMessage(TenantOwned):
    """One delivery of a message, in the scope of its source; its bytes stand in RawBody (G1, I1, I2)."""

    public_id = public_id_field()
    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    raw = TenantForeignKey(RawBody, on_delete=models.PROTECT, related_name="+")
    channel = code_field(16)  # HTTP, CALLBACK, FILE, HISTORY
    content_type = models.CharField(max_length=120, blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    idempotency_key = code_field(120, blank=True, default="")
    received_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=MessageState.choices, default=MessageState.RECEIVED)
    applied_at = models.DateTimeField(null=True, blank=True)
    events_received = models.PositiveIntegerField(default=0)
    events_accepted = models.PositiveIntegerField(default=0)
    events_duplicate = models.PositiveIntegerField(default=0)
    events_quarantined = models.PositiveIntegerField(default=0)
    warnings = models.JSONField(default=dict)  # warning code -> how many events
    detail = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(
                    events_received=models.F("events_accepted")
                    + models.F("events_duplicate")
                    + models.F("events_quarantined")
                ),
                name="message_counts_add_up",
            ),
            models.UniqueConstraint(
                fields=["tenant", "source", "idempotency_key"], condition=~Q(idempotency_key=""),
                name="message_once_per_idempotency_key",
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-received_at", "-id"], name="message_newest"),
            models.Index(fields=["tenant", "received_at"], name="message_waiting", condition=Q(state="RECEIVED")),
        ]


class QuarantineState(models.TextChoices):
    """What became of a quarantined event."""

    OPEN = "OPEN", _("Waiting")
    REPLAYED = "REPLAYED", _("Replayed")
    DISCARDED = "DISCARDED", _("Discarded")


class Quarantined(TenantOwned):
    """One event or row that could not be applied, kept in the scope of its source with its reason (G5, R1.0).

    Events that match no shipment wait here too and are replayed when it arrives.
    """

    public_id = public_id_field()
    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    message = TenantForeignKey(InboundMessage, on_delete=models.PROTECT, related_name="quarantined")
    position = code_field(120)
    reason = code_field(40)
    detail = models.CharField(max_length=400)
    fragment = models.TextField(blank=True, default="")
    event = models.JSONField(null=True, blank=True)  # the canonical event, when it could be read
    event_key = code_field(64, blank=True, default="")
    payload_hash = code_field(64, blank=True, default="")
    refs = ArrayField(code_field(80), default=list)  # KIND:VALUE, what would match it
    recorded_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=QuarantineState.choices, default=QuarantineState.OPEN)
    attempts = models.PositiveIntegerField(default=0)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=200, blank=True, default="")
    decision = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "message", "position"], name="quarantined_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-recorded_at", "-id"], name="quarantined_newest"),
            models.Index(fields=["tenant", "source", "event_key"], name="quarantined_by_event"),
            GinIndex(fields=["refs"], name="quarantined_by_ref", condition=Q(state="OPEN")),
        ]


class Shipment(TenantOwned):
    """One shipment of an account: its references, journey, and the state derived from its sightings."""

    public_id = public_id_field()
    ref = code_field(64)
    final_milestone = models.CharField(max_length=8, choices=[(f.value, f.value) for f in FinalMilestone])
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.SEA.value)
    mode_as_written = models.CharField(max_length=40, blank=True, default="")
    pol = code_field(16, blank=True, default="")
    pod = code_field(16, blank=True, default="")
    final_place = code_field(16, blank=True, default="")
    transhipments = ArrayField(code_field(16), default=list)
    carrier = code_field(32, blank=True, default="")
    voyage = code_field(50, blank=True, default="")
    vessel_imo = code_field(8, blank=True, default="")
    branch = code_field(32, blank=True, default="")
    vertical = code_field(64, blank=True, default="")
    trade = code_field(64, blank=True, default="")
    booked_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=16, blank=True, default="")
    lane = code_field(40)  # `CNSHA-NLRTM`; `?` for what is unknown (R1.18)
    created_at = models.DateTimeField()

    # The binding commitment, repeated here for lists (R1.16); Commitment rows are the record.
    due_at = models.DateTimeField(null=True, blank=True)  # the limit, UTC
    due_is_exclusive = models.BooleanField(default=True)  # True for dates (LT), False for instants (LE)
    due_date = models.DateField(null=True, blank=True)  # local day at the final place
    due_period = code_field(7, blank=True, default="")  # local month, YYYY-MM
    covered_from = models.DateTimeField(null=True, blank=True)  # made_at of the first binding commitment (R1.17)

    # Derived, rebuilt from sightings.
    milestone = code_field(24, blank=True, default="")  # the latest reached
    milestone_at = models.DateTimeField(null=True, blank=True)
    status = code_field(16, default="BOOKED")  # BOOKED, UNDER_WAY, ARRIVED, DONE, CANCELLED
    eta_at = models.DateTimeField(null=True, blank=True)  # best time of the final milestone
    final_at = models.DateTimeField(null=True, blank=True)  # when the final milestone was reached
    punctuality = code_field(16, default="OPEN")  # OPEN, AT_RISK, LATE, ON_TIME (provisional)
    last_event_at = models.DateTimeField(null=True, blank=True)  # newest actual
    last_heard_at = models.DateTimeField(null=True, blank=True)  # newest recorded_at (R2.2)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "ref"], name="shipment_ref_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "due_at", "id"], name="shipment_by_due"),
            models.Index(fields=["tenant", "lane", "due_at", "id"], name="shipment_by_lane"),
            models.Index(fields=["tenant", "status", "due_at", "id"], name="shipment_by_status"),
            models.Index(fields=["tenant", "punctuality", "due_at", "id"], name="shipment_by_punctuality"),
            models.Index(fields=["tenant", "due_period", "id"], name="shipment_by_period"),
        ]

    def __str__(self) -> str:
        return self.ref


class Container(TenantOwned):
    """A container of a shipment; a replaced one leaves scope at the swap (R1.13)."""

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="containers")
    number = code_field(16)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "shipment", "number"], name="container_once_per_shipment"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "number"], name="container_by_number")]


class ReferenceKind(models.TextChoices):
    """What a reference names."""

    SHIPMENT = "SHIPMENT", _("Shipment")
    CONTAINER = "CONTAINER", _("Container")
    BOOKING = "BOOKING", _("Booking")
    HBL = "HBL", _("House bill")
    MBL = "MBL", _("Master bill")
    PO = "PO", _("Purchase order")
    VOYAGE = "VOYAGE", _("Vessel and voyage")  # IMO number and voyage joined; for matching vessel calls


class Reference(TenantOwned):
    """Any reference of a shipment in its normal form: what search and matching compare."""

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="references")
    kind = models.CharField(max_length=12, choices=ReferenceKind.choices)
    value = code_field(64)  # normal form: upper case, letters and digits
    written = models.CharField(max_length=64)  # as given

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "value", "kind", "shipment"], name="reference_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "shipment"], name="reference_by_shipment"),
            # for the one function that finds the tenants of a reference without a scope
            models.Index(fields=["value"], name="reference_for_matching"),
        ]


class Leg(TenantOwned):
    """A leg of the plan, versioned: the newest version counts (R1.14)."""

    append_only = True

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="legs")
    version = models.PositiveIntegerField()
    sequence = models.PositiveIntegerField()
    origin = code_field(16)
    destination = code_field(16)
    mode = code_field(16, blank=True, default="")
    voyage = code_field(50, blank=True, default="")
    vessel_imo = code_field(8, blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "shipment", "version", "sequence"], name="leg_once"),
        ]


class CommitmentRow(TenantOwned):
    """A promised final milestone with its place and date or instant; append-only (R1.16, R1.18)."""

    append_only = True

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="commitments")
    made_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    milestone = code_field(24)
    place = code_field(16)
    zone = models.CharField(max_length=64)
    due_date = models.DateField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    tol_days = models.PositiveIntegerField(default=0)
    tol_hours = models.PositiveIntegerField(default=0)
    early_hours = models.PositiveIntegerField(null=True, blank=True)
    asked_by = code_field(16, default="ORIGINAL")  # ORIGINAL, CUSTOMER, OPERATOR
    recorded_by = models.CharField(max_length=200)
    reason = models.CharField(max_length=400, blank=True, default="")
    is_binding = models.BooleanField()  # judged when it was recorded (R1.16)
    dims = models.JSONField(default=dict)  # frozen at the first binding one (R1.18)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(due_date__isnull=False, due_at__isnull=True)
                | Q(due_date__isnull=True, due_at__isnull=False),
                name="commitment_is_date_or_instant",
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "shipment", "id"], name="commitment_history")]


class SightingRow(TenantOwned):
    """An event as a source reported it, one row a version and shipment it concerns; append-only (1.1, R1.2, R1.3)."""

    append_only = True

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="sightings")
    source = code_field(40)
    source_kind = code_field(16)
    source_event_id = code_field(512, blank=True, default="")
    event_key = code_field(64)  # digest of source_event_id, else of the natural key
    natural_key = code_field(64)
    payload_hash = code_field(64)
    kind = code_field(12)
    code = code_field(24)
    classifier = code_field(4)
    event_time = models.DateTimeField(null=True, blank=True)  # null: a retraction or an emptied version
    precision = code_field(8, default="minute")
    source_offset = models.SmallIntegerField(null=True, blank=True)  # minutes east, as stated
    local_text = models.CharField(max_length=64, blank=True, default="")
    zone = models.CharField(max_length=64, blank=True, default="")
    container = code_field(16, blank=True, default="")  # empty: all live containers
    place = code_field(16, blank=True, default="")
    facility = code_field(32, blank=True, default="")
    place_role = code_field(8, blank=True, default="")
    laden = models.BooleanField(null=True, blank=True)
    is_transshipment = models.BooleanField(null=True, blank=True)
    mode = code_field(16, blank=True, default="")
    voyage = code_field(50, blank=True, default="")
    vessel = models.CharField(max_length=80, blank=True, default="")
    vessel_imo = code_field(8, blank=True, default="")
    document_type = code_field(8, blank=True, default="")
    reason = models.CharField(max_length=250, blank=True, default="")
    source_created_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    is_backfilled = models.BooleanField(default=False)
    retracts = code_field(512, blank=True, default="")
    retracts_key = code_field(64, blank=True, default="")
    is_repeat = models.BooleanField(default=False)
    is_empty = models.BooleanField(default=False)
    message = code_field(26)  # public id of the message it came in, kept in its source's scope
    position = code_field(120)
    payload = models.JSONField()  # this shipment's part only (R1.0)
    warnings = ArrayField(code_field(40), default=list)
    evidence_ref = models.CharField(max_length=200, blank=True, default="")
    entered_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            # led by the shipment: its pages are hot, and the index serves the time line
            models.UniqueConstraint(
                fields=["tenant", "shipment", "source", "event_key", "payload_hash"], name="sighting_once_per_version"
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "source", "event_key"], name="sighting_by_event"),
            # for the one function that finds the tenants of an event that is corrected or withdrawn
            models.Index(fields=["source", "event_key"], name="sighting_for_matching"),
        ]


class MilestoneRow(TenantOwned):
    """A milestone of a container (or of the whole shipment: container empty), derived and rebuildable."""

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="milestones")
    container = code_field(16, blank=True, default="")
    milestone = code_field(24)
    node = code_field(32, blank=True, default="")
    act_at = models.DateTimeField(null=True, blank=True)
    act_source = code_field(40, blank=True, default="")
    act_recorded_at = models.DateTimeField(null=True, blank=True)
    est_at = models.DateTimeField(null=True, blank=True)
    est_source = code_field(40, blank=True, default="")
    est_recorded_at = models.DateTimeField(null=True, blank=True)
    pln_at = models.DateTimeField(null=True, blank=True)
    precision = code_field(8, default="minute")
    basis = code_field(16, blank=True, default="")  # what stood in, for example DISCHARGED (1.1)
    is_conflict = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "shipment", "container", "milestone", "node"], name="milestone_once"
            ),
        ]
