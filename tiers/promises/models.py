"""Tables of promises: subscriptions, overrides of entitlements, lane agreements in dated versions.

What is owed for a broken promise stands in tiers.credits.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantOwned, code_field, public_id_field
from tiers.promises.types import CreditBlock, Tier

TIER_LABELS = {Tier.STANDARD: _("Standard"), Tier.PRIORITY: _("Priority"), Tier.PREMIUM: _("Premium")}


def _days() -> Func:
    """[valid_from, valid_to) as a range; an open end has no bound, an empty one meets nothing."""
    return Func(F("valid_from"), F("valid_to"), function="daterange", output_field=DateRangeField())


class Subscription(TenantOwned):
    """An account's tier for a term of local dates, half-open (R5.2).

    Only the end of a term is ever written again; a term that never began is closed on its first day.
    """

    tier = models.CharField(max_length=16, choices=[(t.value, label) for t, label in TIER_LABELS.items()])
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    reason = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="subscription_runs_forward"
            ),
            ExclusionConstraint(
                name="subscription_without_overlap",
                expressions=[("tenant", RangeOperators.EQUAL), (_days(), RangeOperators.OVERLAPS)],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tier} {self.valid_from}"


class EntitlementOverride(TenantOwned):
    """One tenant's own value of an entitlement for a term of local dates (5.1)."""

    key = code_field(40)
    value = models.BooleanField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    reason = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="override_runs_forward"
            ),
            ExclusionConstraint(
                name="override_without_overlap",
                expressions=[
                    ("tenant", RangeOperators.EQUAL),
                    ("key", RangeOperators.EQUAL),
                    (_days(), RangeOperators.OVERLAPS),
                ],
            ),
        ]


class Agreement(TenantOwned):
    """A version of a lane agreement: what is promised, from when to when, and what a miss costs (R5.4, 6.2).

    In force once a second person has approved it; from then on the database lets nothing but its end change.
    """

    public_id = public_id_field()
    code = code_field(40)
    version = models.PositiveIntegerField(default=1)
    origins = ArrayField(code_field(16))
    destinations = ArrayField(code_field(16))
    mode = code_field(8, default="SEA")
    final_milestone = code_field(8, blank=True, default="")  # CY, CFS, DOOR; empty: any
    kpi = code_field(16, default="OTD")
    unit = code_field(12, default="SHIPMENT")
    target = models.DecimalField(max_digits=9, decimal_places=4)
    tol_days = models.PositiveSmallIntegerField(default=0)
    tol_hours = models.PositiveSmallIntegerField(default=0)
    early_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    credit = models.JSONField(null=True, blank=True)  # a CreditBlock in plain form; null: a target without credit
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField()
    prepared_by = code_field(26)  # public id of the person
    prepared_label = models.CharField(max_length=200)
    approved_by = code_field(26, blank=True, default="")
    approved_label = models.CharField(max_length=200, blank=True, default="")
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "code", "version"], name="agreement_version_once"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="agreement_runs_forward"
            ),
            models.CheckConstraint(condition=~Q(prepared_by=F("approved_by")), name="agreement_second_person"),
            models.CheckConstraint(
                condition=Q(approved_by="", approved_at__isnull=True)
                | (~Q(approved_by="") & Q(approved_at__isnull=False)),
                name="agreement_approval_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} v{self.version}"

    @property
    def lane(self) -> str:
        """`CNSHA-NLRTM`; several places of one end are joined by `+`, sorted."""
        return f"{'+'.join(sorted(self.origins))}-{'+'.join(sorted(self.destinations))}"

    @property
    def block(self) -> CreditBlock | None:
        """The credit terms, None where the target carries none."""
        return None if self.credit is None else CreditBlock.read(self.credit)
