"""What is worked out from sightings and can be rebuilt (1.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field
from tracking.models.shipments import Shipment


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


class Touched(TenantOwned):
    """Shipments that heard something new and are not derived since: a note that the outbox's work clears away."""

    shipments = ArrayField(models.BigIntegerField())
    is_quiet = models.BooleanField(default=False)  # history: what changed is not told (R1.1)
    is_portion = models.BooleanField(default=False)  # gathered from several notes, no more than is derived at once
    noted_at = models.DateTimeField()
