"""Partners and systems that report events, and how each is read."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field
from tracking.types import Classifier, Kind, SourceKind


class ZoneRule(models.TextChoices):
    """In which zone a local time without offset is read."""

    PLACE = "PLACE", _("The zone of the place")
    FIXED = "FIXED", _("One zone for all places")


class AcknowledgementKind(models.TextChoices):
    """What a partner wants to hear back about an interchange (G8)."""

    NONE = "", _("None")
    CONTRL = "CONTRL", _("CONTRL (EDIFACT)")
    X12_997 = "997", _("997 (X12)")


class Source(TenantOwned):
    """A partner or system that reports events: the operator's (serving many customers) or one tenant's (R1.0)."""

    key = code_field(40, unique=True)  # in addresses and on event rows; unique in the installation
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in SourceKind])
    format = code_field(16, default="dcsa")
    dcsa_secrets = models.JSONField(default=list)  # sealed, newest first; several are valid during rotation (G10)
    future_act_as_est = models.BooleanField(default=False)  # R1.5
    arrival_is_anchorage = models.BooleanField(default=False)  # what its ARRI means
    zone_rule = code_field(8, choices=ZoneRule.choices, default=ZoneRule.PLACE)
    zone = models.CharField(max_length=64, blank=True, default="")  # IANA, with the rule FIXED
    strict_envelope = models.BooleanField(default=False)  # wrong control counts and references refuse the message
    all_or_nothing = models.BooleanField(default=False)  # one bad event keeps the whole message out (G6)
    books_shipments = models.BooleanField(default=False)  # may register shipments: the forwarder's own booking system
    acknowledges = code_field(8, choices=AcknowledgementKind.choices, blank=True, default="")
    account_ids = ArrayField(models.BigIntegerField(), default=list)  # may report on these accounts only; empty: any
    carriers = ArrayField(code_field(32), default=list)  # may report on shipments of these carriers; empty: any (G11)
    mapping = models.JSONField(default=dict)  # what its columns, or the paths of its JSON, mean
    silent_after_minutes = models.PositiveIntegerField(null=True, blank=True)  # None: learned from its rhythm
    inbox = code_field(40, blank=True, default="")  # folder of its own under the inbox of this installation
    is_active = models.BooleanField(default=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    silent_since = models.DateTimeField(null=True, blank=True)  # the staff were told that it is silent since then
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "key"], name="source_by_key")]

    def __str__(self) -> str:
        return self.name


class PartnerCode(TenantOwned):
    """One line of a partner table: what a code of a list means when this source sends it (event standards 7.8)."""

    source = TenantForeignKey(Source, on_delete=models.CASCADE, related_name="codes")
    listed = code_field(16)  # the list that the code stands in: x12_315, x12_214, iftsta, json, csv
    agency = code_field(16, blank=True, default="")  # who keeps the list, as sent; empty: any
    code = code_field(40)  # as sent
    kind = code_field(12, choices=[(k.value, k.value) for k in Kind], default=Kind.EQUIPMENT.value)
    event_code = code_field(24, blank=True, default="")  # canonical; empty when it is ignored
    classifier = code_field(4, choices=[(c.value, c.value) for c in Classifier], default=Classifier.ACT.value)
    laden = models.BooleanField(null=True, blank=True)
    mode = code_field(16, blank=True, default="")
    place_role = code_field(8, blank=True, default="")
    document_type = code_field(8, blank=True, default="")
    is_ignored = models.BooleanField(default=False)
    note = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source", "listed", "agency", "code"], name="partnercode_once"),
            models.CheckConstraint(
                condition=models.Q(is_ignored=True) | ~models.Q(event_code=""), name="partnercode_means_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.listed} {self.code}"


class SourceSetting(TenantOwned):
    """How far a source is believed, dated: what takes part in derivation is never overwritten (R1.9, R4.3).

    The operator's word holds for all accounts; a row in an account's own scope overrides it for that account.
    """

    append_only = True

    source_key = code_field(40)
    name = code_field(32)  # rank, arrival_is_anchorage
    value = models.JSONField(null=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=200)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "source_key", "name", "recorded_at"], name="sourcesetting_history")
        ]
