"""Shipments: references, journey, commitments, and the state derived from their sightings."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.types import FinalMilestone, Load, Mode


class Shipment(TenantOwned):
    """One shipment of an account: its references, journey, and the state derived from its sightings."""

    public_id = public_id_field()
    ref = code_field(64)
    final_milestone = models.CharField(max_length=8, choices=[(f.value, f.value) for f in FinalMilestone])
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.SEA.value)
    load = models.CharField(max_length=4, choices=[(c.value, c.value) for c in Load], default=Load.FCL.value)
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
    cutoff_at = models.DateTimeField(null=True, blank=True)  # boxes must be at the terminal by then (8.1)

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
    look_at = models.DateTimeField(null=True, blank=True)  # the clock alone may change its exceptions from then on

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "ref"], name="shipment_ref_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "due_at", "id"], name="shipment_by_due"),
            models.Index(fields=["tenant", "lane", "due_at", "id"], name="shipment_by_lane"),
            models.Index(fields=["tenant", "status", "due_at", "id"], name="shipment_by_status"),
            models.Index(fields=["tenant", "punctuality", "due_at", "id"], name="shipment_by_punctuality"),
            models.Index(fields=["tenant", "look_at"], condition=Q(look_at__isnull=False), name="shipment_by_look"),
            models.Index(fields=["tenant", "due_period", "due_at", "id"], name="shipment_by_month"),
            # each filter of the list ends in its order, so that a page costs the same in a small and a large account
            models.Index(fields=["tenant", "milestone", "due_at", "id"], name="shipment_by_milestone"),
            models.Index(fields=["tenant", "pol", "due_at", "id"], name="shipment_by_pol"),
            models.Index(fields=["tenant", "pod", "due_at", "id"], name="shipment_by_pod"),
            models.Index(fields=["tenant", "carrier", "due_at", "id"], name="shipment_by_carrier"),
            models.Index(fields=["tenant", "branch", "due_at", "id"], name="shipment_by_branch"),
            models.Index(fields=["tenant", "vertical", "due_at", "id"], name="shipment_by_vertical"),
            # and each order has its own
            models.Index(fields=["tenant", "eta_at", "id"], name="shipment_by_eta"),
            models.Index(fields=["tenant", "last_heard_at", "id"], name="shipment_by_heard"),
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
