"""Closed months in the form that systems read: the declared shapes of answers, and stored rows put into them.

Decides nothing. What customers may read of a figure is decided as on the pages: few units are counted, not rated
(R0.6), and a figure of grade C is not published (R3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.urls import reverse

from kpis.figures import Grade, stands
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from kpis.registry import CLOSED
from kpis.types import Outcome, Reason
from portal.web.apishapes import Shape, day, exact, flag, instant, many, number, text, texts, word

FILES: Final = ("facts.csv", "kpis.json")


class Figure(StrEnum):
    """What may be read of a figure."""

    PUBLISHED = "PUBLISHED"
    FEW_UNITS = "FEW_UNITS"  # counts, no ratio (R0.6)
    NOT_PUBLISHED = "NOT_PUBLISHED"  # the data are not good enough (R3.1)
    NO_DATA = "NO_DATA"  # never 0 (R0.3)


class FigureShape(Shape):
    """A figure of a closed month, of the whole account or of one lane."""

    kpi = word("Which.", CLOSED)
    kpi_version = text("The version of its definition.")
    lane = text("First and last place; null: the whole account.", null=True)
    state = word("What may be read of it.", Figure)
    value = exact("`numerator` by `denominator` with six decimals; null unless published.")
    low = exact("The same: what is proven.")
    high = exact("With all unproven units as hits.")
    numerator = number("Units that hit; null where the figure is not published.", null=True)
    denominator = number("Units that were judged.")
    unknown = number("Units of which nothing proves the outcome; null where the figure is not published.", null=True)
    excluded = number("Units that were left out.")
    grade = word("How far the data can be trusted; null without data.", Grade, null=True)
    grade_reasons = texts("Codes of what kept the grade from being better.")
    target = exact("The promised percentage of the lane, where there is one.")


class KpiRow(FigureShape):
    """A figure with its month."""

    month = text("The local month, as YYYY-MM.")
    snapshot = text("The id of the closed month.")


class MonthRow(Shape):
    """A closed month as the list shows it."""

    id = text("Names the closed month in addresses.")
    month = text("The local month, as YYYY-MM.")
    version = number("1 for the first close; a restated month has the next number.")
    as_of = instant("The cut: nothing recorded later counts.")
    published_at = instant("From when on customers see it.")
    units = number("How many units were due, those left out too.")
    figures = many(FigureShape, "The figures of the whole account.")


class FileShape(Shape):
    """A file of a closed month, always the same bytes."""

    name = word("Its name.", FILES)
    sha256 = text("Its SHA-256, as hexadecimal digits.")
    href = text("Its address; a key opens it.")


class VersionShape(Shape):
    """A version of a closed month."""

    id = text("Names it in addresses.")
    version = number("Its number.")
    reason = text("Why it was closed: SCHEDULED for the first time, else what made it necessary.")


class MonthShape(MonthRow):
    """A closed month with its lanes, its files and what proves it."""

    closed_at = instant("When it was counted.")
    high_water = instant("The newest recording that was counted.")
    lanes = many(FigureShape, "The figures of each lane.")
    files = many(FileShape, "What it was counted from, to count it again.")
    manifest_sha256 = text("SHA-256 of the manifest, as hexadecimal digits.")
    previous_manifest_sha256 = text("That of the month closed before; empty for the first.")
    config_sha256 = text("That of the definitions and parameters that were used.")
    versions = many(VersionShape, "All versions of the month that may be seen, the newest first.")


class UnitShape(Shape):
    """A unit of a closed month with its verdict."""

    unit_id = text("The shipment's number.")
    shipment = text("The id of the shipment.")
    lane = text("First and last place.")
    due_date = day("The promised day, local to the final place.")
    zone = text("The zone of the final place.")
    limit_at = instant("The limit with its tolerance.")
    limit_is_inclusive = flag("Whether the instant of the limit itself is still in time.")
    final_at = instant("When the final milestone was reached, as known at the cut.")
    basis = text("What proves it, where it is not the milestone itself.")
    outcome = word("The verdict.", Outcome)
    reason = word("Why it was left out; null where it counts.", Reason, null=True)
    required = texts("The milestones that had to be captured.")
    captured = texts("Those that were.")


def figure(row: SnapshotRow, *, min_n: int, target: Decimal | None = None) -> dict[str, Any]:
    """A stored cell as customers may read it."""
    state = _state(row, min_n)
    rated, counted = state == Figure.PUBLISHED, state != Figure.NOT_PUBLISHED
    return {
        "kpi": row.kpi, "kpi_version": row.kpi_version, "lane": row.lane or None, "state": state,
        "value": row.value if rated else None, "low": row.low if rated else None, "high": row.high if rated else None,
        "numerator": row.num if counted else None, "denominator": row.den,
        "unknown": row.unknown if counted else None, "excluded": row.excluded,
        "grade": row.grade if row.den else None, "grade_reasons": row.grade_reasons,
        "target": None if target is None else f"{target.normalize():f}",
    }  # fmt: skip


def _state(row: SnapshotRow, min_n: int) -> Figure:
    if not row.den:
        return Figure.NO_DATA
    if row.grade == Grade.C:
        return Figure.NOT_PUBLISHED
    return Figure.PUBLISHED if stands(row.den, min_n=min_n) else Figure.FEW_UNITS


def _min_n(snapshot: Snapshot) -> int:
    return int(snapshot.config["min_n_percent"])


def kpi_row(row: SnapshotRow, snapshot: Snapshot) -> dict[str, Any]:
    """A figure with its month."""
    return {**figure(row, min_n=_min_n(snapshot)), "month": snapshot.period, "snapshot": snapshot.public_id}


def snapshot_row(snapshot: Snapshot, rows: Iterable[SnapshotRow]) -> dict[str, Any]:
    """A closed month with the figures of the whole account."""
    return {
        "id": snapshot.public_id, "month": snapshot.period, "version": snapshot.version, "as_of": snapshot.as_of,
        "published_at": snapshot.published_at, "units": snapshot.units,
        "figures": [figure(row, min_n=_min_n(snapshot)) for row in rows if not row.lane],
    }  # fmt: skip


def snapshot_more(
    snapshot: Snapshot, rows: Iterable[SnapshotRow], *, targets: Mapping[str, Decimal], versions: Sequence[Snapshot]
) -> dict[str, Any]:
    """What MonthShape has beyond its row."""
    sums = {"facts.csv": snapshot.facts_sha256, "kpis.json": snapshot.kpis_sha256}
    return {
        "closed_at": snapshot.closed_at, "high_water": snapshot.high_water,
        "lanes": [
            figure(row, min_n=_min_n(snapshot), target=targets.get(row.lane) if row.kpi == "OTD" else None)
            for row in rows
            if row.lane
        ],
        "files": [
            {"name": name, "sha256": sums[name],
             "href": reverse("kpis:api_snapshot_file", args=[snapshot.public_id, name])}
            for name in FILES
        ],
        "manifest_sha256": snapshot.manifest_digest, "previous_manifest_sha256": snapshot.previous,
        "config_sha256": snapshot.config_digest,
        "versions": [{"id": s.public_id, "version": s.version, "reason": s.reason} for s in versions],
    }  # fmt: skip


def unit_row(unit: SnapshotUnit) -> dict[str, Any]:
    """A unit with its verdict."""
    limit: datetime = unit.limit_utc
    return {
        "unit_id": unit.unit_id, "shipment": unit.shipment.public_id, "lane": unit.lane, "due_date": unit.due_date,
        "zone": unit.zone, "limit_at": limit, "limit_is_inclusive": unit.limit_op == "LE",
        "final_at": unit.final_utc, "basis": unit.basis, "outcome": unit.outcome, "reason": unit.reason or None,
        "required": unit.required, "captured": unit.captured,
    }  # fmt: skip
