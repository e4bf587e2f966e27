"""The record: events as sources reported them; append-only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field
from tracking.models.shipments import Shipment


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
            # for whoever reads what came since: pages in the order in which it was recorded
            models.Index(fields=["tenant", "recorded_at", "id"], name="sighting_as_recorded"),
        ]
