"""Operator-wide tables of tracking: places. They hold nothing of any customer (R0.8)."""

from __future__ import annotations

from django.db import models

from portal.tenancy.owned import code_field


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
