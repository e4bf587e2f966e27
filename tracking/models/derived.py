"""What is worked out from sightings and can be rebuilt (1.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Coalesce

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field
from tracking.models.shipments import Shipment
from tracking.models.sources import Source


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
        indexes: ClassVar[list[Any]] = [
            # what is new since somebody was here
            models.Index(
                fields=["tenant", "-act_recorded_at"],
                condition=models.Q(container="", act_at__isnull=False),
                name="milestone_news",
            ),
            # what should have been heard of by now, the last expected first
            models.Index(
                models.F("tenant"),
                Coalesce("est_at", "pln_at").desc(),
                condition=models.Q(container="", act_at__isnull=True),
                name="milestone_unheard",
            ),
        ]


class Touched(TenantOwned):
    """Shipments that heard something new and are not derived since: a note that the outbox's work clears away."""

    shipments = ArrayField(models.BigIntegerField())
    is_quiet = models.BooleanField(default=False)  # history: what changed is not told (R1.1)
    is_portion = models.BooleanField(default=False)  # gathered from several notes, no more than is derived at once
    noted_at = models.DateTimeField()


class VisitRow(TenantOwned):
    """A stay of a container at a node, derived (R2.10); open while `exit_at` is absent, and then without a role."""

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="visits")
    container = code_field(16)
    place = code_field(16)
    facility = code_field(32, blank=True, default="")
    role = code_field(8, blank=True, default="")  # EXPORT, IMPORT, TRANSHIP, PASS
    entry_at = models.DateTimeField()
    entry_code = code_field(8)
    entry_sighting = models.BigIntegerField()  # id of the sighting behind it
    exit_at = models.DateTimeField(null=True, blank=True)
    exit_code = code_field(8, blank=True, default="")
    exit_sighting = models.BigIntegerField(null=True, blank=True)
    seconds = models.BigIntegerField(null=True, blank=True)  # dwell (R2.11)
    anomalies = models.PositiveIntegerField(default=0)  # moves at this node that fit no visit

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "shipment", "container", "place", "facility", "entry_at", "entry_code"],
                name="visit_once",
            ),
            models.CheckConstraint(
                condition=models.Q(exit_at__isnull=True) | models.Q(exit_at__gte=models.F("entry_at")),
                name="visit_runs_forward",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "place", "role", "exit_at"], name="visit_by_exit"),
        ]


class LegRow(TenantOwned):
    """A leg of the newest plan as it went, derived: planned, expected and done, and the vessel it is made with."""

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="legs_as_they_went")
    sequence = models.PositiveIntegerField()
    origin = code_field(16)
    destination = code_field(16)
    mode = code_field(16, blank=True, default="")
    voyage = code_field(50, blank=True, default="")
    vessel_imo = code_field(8, blank=True, default="")
    departed_at = models.DateTimeField(null=True, blank=True)
    departure_expected_at = models.DateTimeField(null=True, blank=True)  # estimate, else plan
    arrived_at = models.DateTimeField(null=True, blank=True)
    arrival_expected_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "shipment", "sequence"], name="leg_as_it_went_once"),
        ]


class EtaRow(TenantOwned):
    """From `published_at` on a milestone was expected at `eta_at`: how the estimate moved, derived (R2.17)."""

    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="etas")
    milestone = code_field(24)
    published_at = models.DateTimeField()
    eta_at = models.DateTimeField()
    source = code_field(40)
    sighting = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "shipment", "milestone", "published_at"], name="eta_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-published_at"], name="eta_news")]


class SourceDay(TenantOwned):
    """What came from a source on one UTC day, counted as it came; corrections and history files are no part of it."""

    source = TenantForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    messages = models.PositiveIntegerField(default=0)
    received = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0)
    duplicate = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    warned = models.PositiveIntegerField(default=0)  # accepted or known events with a warning
    latency = ArrayField(models.PositiveIntegerField(), default=list)  # actuals by how late we heard: rhythm.BOUNDS
    quarters = ArrayField(models.SmallIntegerField(), default=list)  # quarter-hours of the day with a message, 0 to 95

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source", "day"], name="sourceday_once"),
        ]


class HeardFrom(TenantOwned):
    """When an account last heard from a source about its own shipments: all that it sees of an operator's source."""

    source_key = code_field(40)
    name = models.CharField(max_length=120)  # as people call it
    kind = code_field(16)
    heard_at = models.DateTimeField()
    slots = ArrayField(models.IntegerField(), default=list)  # newest quarter-hours with news, counted from 1970

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source_key"], name="heardfrom_once"),
        ]
