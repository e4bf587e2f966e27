"""What arrived: raw bytes, deliveries, and events that wait. Never changed, only decided about (1.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.sources import Source


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
    channel = code_field(16)  # HTTP, CALLBACK, FILE, HISTORY, CORRECTION
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
    corrects = TenantForeignKey(  # the quarantined event that a person sent again, mended (G12)
        "Quarantined", on_delete=models.PROTECT, null=True, blank=True, related_name="corrections"
    )

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
    REPLACED = "REPLACED", _("Corrected")


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
    # what was not known, so that all that waits for one answer is found: a code of a list, or a place without zone
    listed = code_field(16, blank=True, default="")
    agency = code_field(16, blank=True, default="")
    code = code_field(40, blank=True, default="")
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
            models.Index(
                fields=["tenant", "source", "listed", "code"], name="quarantined_by_code",
                condition=Q(state="OPEN"),
            ),
        ]  # fmt: skip


class BatchAction(models.TextChoices):
    """What is decided about many quarantined events at once."""

    REPLAY = "REPLAY", _("Replay")
    DISCARD = "DISCARD", _("Set aside")


class QuarantineBatch(TenantOwned):
    """One decision about many quarantined events of one scope, worked off in steps; parts of one decision over
    several scopes share `batch`.
    """

    batch = code_field(26)  # in addresses: random, the same for every scope's part
    action = code_field(8, choices=BatchAction.choices)
    reason = models.CharField(max_length=400, blank=True, default="")  # of setting aside; else what made the replay
    items = ArrayField(models.BigIntegerField())  # in the order of their work; never changed
    done = models.PositiveIntegerField(default=0)  # of the items, from the first
    settled = models.PositiveIntegerField(default=0)  # applied, or set aside
    waiting = models.PositiveIntegerField(default=0)  # tried, and still not usable
    skipped = models.PositiveIntegerField(default=0)  # somebody else had decided before
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "batch"], name="quarantinebatch_once"),
        ]
