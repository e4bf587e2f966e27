"""Tables of kpis: closed months with their cells and units. Nothing here is ever changed (R4.1, M2)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field


def _ratio() -> models.CharField[str | None, str | None]:
    return models.CharField(max_length=12, null=True, db_collation="C")


class Snapshot(TenantOwned):
    """One tenant's figures for one month, closed at `as_of`, in numbered versions (section 4)."""

    append_only = True

    public_id = public_id_field()
    period = code_field(7)
    version = models.PositiveIntegerField()
    as_of = models.DateTimeField()  # the cut: nothing recorded later counts
    closed_at = models.DateTimeField()  # when the job ran
    published_at = models.DateTimeField()  # from then on customers see it (4.1)
    high_water = models.DateTimeField(null=True, blank=True)  # newest recording that could count
    config = models.JSONField()  # the parameters and KPI definitions that were used
    config_digest = code_field(64)
    reason = models.CharField(max_length=400, blank=True, default="")
    units = models.PositiveIntegerField()
    facts_sha256 = code_field(64)
    kpis_sha256 = code_field(64)
    manifest_digest = code_field(64)
    previous = code_field(64, blank=True, default="")  # the account's preceding manifest: a dropped month shows

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "period", "version"], name="snapshot_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-period", "-version"], name="snapshot_newest")]

    def __str__(self) -> str:
        return f"{self.period} v{self.version}"

    def is_published(self, at: datetime) -> bool:
        """Whether customers see it."""
        return self.published_at <= at


class SnapshotRow(TenantOwned):
    """A published cell: one KPI of the whole account (`dims` empty) or of one lane (R4.2).

    `num`, `den` and `excluded` are the contract's; the gross ones stand beside them (R2.0a).
    """

    append_only = True

    snapshot = TenantForeignKey(Snapshot, on_delete=models.PROTECT, related_name="rows")
    kpi = code_field(16)
    kpi_version = code_field(16)
    dims = models.JSONField(default=dict)
    lane = code_field(40, blank=True, default="")  # empty: the whole account
    num = models.PositiveIntegerField()
    den = models.PositiveIntegerField()
    excluded = models.PositiveIntegerField()
    unknown = models.PositiveIntegerField()
    gross_num = models.PositiveIntegerField()
    gross_den = models.PositiveIntegerField()
    excluded_by_reason = models.JSONField(default=dict)
    grade = code_field(1)
    grade_reasons = ArrayField(code_field(24), default=list)
    value = _ratio()  # ratio with six decimals; null is no data, never 0 (R0.3)
    low = _ratio()
    high = _ratio()
    more = models.JSONField(default=dict)  # fill rate and what R2.6 shows beside it

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "snapshot", "kpi", "lane"], name="snapshotrow_once"),
        ]


class SnapshotUnit(TenantOwned):
    """A unit of the month with its verdict: a row of facts.csv and what the cells were counted from (R4.7)."""

    append_only = True

    snapshot = TenantForeignKey(Snapshot, on_delete=models.PROTECT, related_name="unit_rows")
    shipment = TenantForeignKey("tracking.Shipment", on_delete=models.PROTECT, related_name="+")
    unit_id = code_field(80)
    lane = code_field(40)
    due_period = code_field(7)
    due_date = models.DateField()
    zone = models.CharField(max_length=64)
    limit_utc = models.DateTimeField()
    limit_op = code_field(2)
    final_utc = models.DateTimeField(null=True, blank=True)
    basis = code_field(16, blank=True, default="")
    outcome = code_field(20)
    reason = code_field(24, blank=True, default="")  # why it is excluded (R2.0a)
    required = ArrayField(code_field(24), default=list)
    captured = ArrayField(code_field(24), default=list)
    conflicts = models.PositiveIntegerField(default=0)
    slots = models.PositiveIntegerField(default=0)  # captured milestone slots, of every container
    covered_from = models.DateTimeField()  # made_at of the first binding commitment (R1.17)
    tier = code_field(16)  # on that day
    dims = models.JSONField(default=dict)
    last_heard_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "snapshot", "unit_id"], name="snapshotunit_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "snapshot", "lane", "unit_id"], name="snapshotunit_by_lane"),
            models.Index(fields=["tenant", "snapshot", "outcome", "unit_id"], name="snapshotunit_by_outcome"),
        ]
