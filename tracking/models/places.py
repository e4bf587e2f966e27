"""Operator-wide master data: places, terminals, carriers, vessels. They hold nothing of any customer (R0.8).

A code that is not known is usable at once: its row is made when an event names it, marked for an admin's review.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from portal.tenancy.owned import code_field
from portal.tenancy.walls import AppendOnly


class Place(models.Model):
    """A port, terminal town or inland place: operator-wide, nothing of any customer (R0.8)."""

    code = code_field(16, primary_key=True)  # UN/LOCODE, or a code of the operator's own
    name = models.CharField(max_length=120)
    country = code_field(2, blank=True, default="")
    zone = models.CharField(max_length=64, blank=True, default="")  # IANA; empty: unknown
    lat = models.DecimalField(max_digits=8, decimal_places=5, null=True, blank=True)
    lon = models.DecimalField(max_digits=8, decimal_places=5, null=True, blank=True)
    sends_avpu = models.BooleanField(default=False)  # False: DISCHARGED stands in for CY_AVAILABLE here (1.1)
    alias_of = code_field(16, blank=True, default="")  # another code of the same place: events are read as there
    needs_review = models.BooleanField(default=False)  # seen on an event, unknown to our list
    seen_at = models.DateTimeField(null=True, blank=True)  # when it was first named, for those to review
    seen_from = code_field(40, blank=True, default="")  # by which source

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=~Q(alias_of=models.F("code")), name="place_is_no_alias_of_itself"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["code"], name="place_to_review", condition=Q(needs_review=True)),
        ]

    def __str__(self) -> str:
        return self.name or self.code


class Terminal(models.Model):
    """A terminal or depot at a place, by the code that events name it with (SMDG, BIC, or the operator's own)."""

    id = models.BigAutoField(primary_key=True)
    place = code_field(16)
    code = code_field(32)
    provider = code_field(16, blank=True, default="")
    name = models.CharField(max_length=120, blank=True, default="")
    needs_review = models.BooleanField(default=False)
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_from = code_field(40, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(fields=["place", "code"], name="terminal_once")]

    def __str__(self) -> str:
        return self.name or self.code


class Carrier(models.Model):
    """Who moves boxes, by the code that shipments name it with: SCAC (NMFTA), else one of the operator's own."""

    code = code_field(32, primary_key=True)
    name = models.CharField(max_length=120, blank=True, default="")
    smdg = code_field(8, blank=True, default="")  # the liner code some feeds use instead
    needs_review = models.BooleanField(default=False)
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_from = code_field(40, blank=True, default="")

    def __str__(self) -> str:
        return self.name or self.code


class Vessel(models.Model):
    """A ship by its IMO number, with the name and call sign that feeds give it."""

    imo = code_field(8, primary_key=True)
    name = models.CharField(max_length=80, blank=True, default="")
    call_sign = code_field(16, blank=True, default="")
    needs_review = models.BooleanField(default=False)  # its check digit fails, or two names are told
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_from = code_field(40, blank=True, default="")

    def __str__(self) -> str:
        return self.name or self.imo


class PlaceSetting(models.Model):
    """What is believed of a place, dated: it takes part in derivation, so rows are added and never changed (R4.3)."""

    id = models.BigAutoField(primary_key=True)
    place = code_field(16)
    name = code_field(32)  # sends_avpu
    value = models.JSONField(null=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=200)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["place", "name", "recorded_at"], name="placesetting_history")
        ]
        constraints: ClassVar[list[Any]] = [AppendOnly(name="tracking_placesetting_kept")]
