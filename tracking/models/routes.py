"""Ways by sea between ports: public geography, worked out once for everybody. They hold nothing of any customer."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from portal.tenancy.owned import code_field


class SeaRoute(models.Model):
    """The usual way of a ship between two ports, the same in both directions; none where one lies inland."""

    id = models.BigAutoField(primary_key=True)
    one = code_field(16)  # the two places in the order of their codes
    other = code_field(16)
    ends = (
        models.JSONField()
    )  # where the two lay when it was worked out: [[longitude, latitude], [longitude, latitude]]
    points = models.JSONField(default=list)  # from `one` to `other`, longitudes running on beyond 180; empty: no way
    km = models.PositiveIntegerField(null=True, blank=True)
    found_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["one", "other"], name="searoute_once"),
            models.CheckConstraint(condition=Q(one__lt=F("other")), name="searoute_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.one}-{self.other}"
