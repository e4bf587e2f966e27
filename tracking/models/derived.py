"""What is worked out from sightings and can be rebuilt (1.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

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
