"""Reads of kpis: who is due in a month, its figures as of a cut, closed snapshots and their re-computation.

Everything reads the entered scope. Writes are in services.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet

from kpis import bundle
from kpis.engine import Cell, CloseConfig, DueUnit, Judged, cells, judge
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from kpis.registry import CLOSED, KPIS
from kpis.types import Outcome
from portal.lib.ids import digest
from portal.lib.periods import Month, close_at, local_date, zone_named
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import installation, tenant_zone
from tiers.promises.rules import Travel, target_for, tier_on
from tiers.promises.selectors import promises, subscriptions
from tiers.promises.types import TIER_TARGETS, Tier
from tracking.derivation import facts_of
from tracking.models import CommitmentRow, InboundMessage, MessageState, Shipment, SightingRow, Touched
from tracking.rules import Commitment, due_period
from tracking.types import FinalMilestone, Mode

JOB_DELAY: Final = timedelta(minutes=15)  # the close runs that long after the cut, at the earliest (4.1)
PUBLICATION: Final = timedelta(days=1)
BACKLOG: Final = timedelta(days=1)
_BATCH: Final = 2_000


def config_now() -> CloseConfig:
    """The parameters in force: the installation's own values over the defaults of section 12."""
    found = installation()
    own = found.parameters if found else {}
    completeness = KPIS["COMPLETENESS"].parameters
    return CloseConfig(
        grace_days=int(own.get("grace_days", 5)),
        overdue_hours=int(own.get("overdue_hours", completeness["overdue_hours"])),
        empty_return_days=int(own.get("empty_return_days", completeness["empty_return_days"])),
        min_n_percent=int(own.get("min_n_percent", 10)),
        definitions={key: {"version": KPIS[key].version, "digest": KPIS[key].digest} for key in CLOSED},
    )


def cut_of(period: Month, config: CloseConfig | None = None) -> datetime:
    """`close_at` of a month (4.1)."""
    return close_at(period, grace_days=(config or config_now()).grace_days)


# --- the population and its figures ---


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A month as known at a cut: every unit of P(m) judged, and the published cells."""

    period: Month
    as_of: datetime
    units: list[Judged]
    cells: list[Cell]

    @property
    def pending(self) -> list[Judged]:
        """Units that keep the month from closing (R2.2)."""
        return [u for u in self.units if u.outcome == Outcome.PENDING]


def _commitment(row: CommitmentRow) -> Commitment:
    return Commitment(
        zone=zone_named(row.zone),
        due_date=row.due_date,
        due_at=row.due_at,
        tol_days=row.tol_days,
        tol_hours=row.tol_hours,
        early_hours=row.early_hours,
    )


def _around(period: Month) -> Q:
    """Commitments that could fall into the month in some zone."""
    first, last = period.first_day - timedelta(days=2), period.next().first_day + timedelta(days=2)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC)
    return Q(due_date__gte=first, due_date__lt=last) | Q(due_at__gte=start, due_at__lt=end)


def has_units_due(period: Month) -> bool:
    """Whether some binding commitment falls into the month; cheap, and exact for what is binding now."""
    return Shipment.objects.filter(due_period=str(period)).exists()


def population(period: Month, *, as_of: datetime, known_at: datetime) -> list[DueUnit]:
    """P(m) as of a cut (R2.0): units whose commitment then binding falls into the month.

    `known_at`: when the question was first asked; what was registered later is left out, however early it is dated,
    so that the answer stays the same for ever.
    """
    rows = CommitmentRow.objects.filter(is_binding=True)
    ids = set(rows.filter(_around(period)).values_list("shipment_id", flat=True))
    binding: dict[int, tuple[CommitmentRow, CommitmentRow]] = {}
    for row in rows.filter(shipment_id__in=ids).order_by("shipment_id", "id"):
        if row.shipment_id not in binding:
            if row.made_at <= as_of and row.recorded_at <= known_at:
                binding[row.shipment_id] = (row, row)
        elif row.recorded_at <= as_of:
            binding[row.shipment_id] = (binding[row.shipment_id][0], row)
    due = {i: pair for i, pair in binding.items() if due_period(_commitment(pair[1])) == period}
    zone, held = tenant_zone(), subscriptions()
    units = []
    for shipment in Shipment.objects.filter(pk__in=due).order_by("ref"):
        first, row = due[shipment.pk]
        lane = str(first.dims.get("lane") or shipment.lane)
        units.append(
            DueUnit(
                unit_id=shipment.ref,
                shipment_id=shipment.pk,
                lane=lane,
                commitment=_commitment(row),
                covered_from=first.made_at,
                tier=tier_on(held, local_date(first.made_at, zone)).value,
                final=FinalMilestone(shipment.final_milestone),
                mode=Mode(shipment.mode),
                dims=_dims(first.dims, lane, shipment),
                confirmed_at=shipment.confirmed_at,
                cancelled_at=shipment.cancelled_at,
                cancelled_by=shipment.cancelled_by,
            )
        )
    return units


def _dims(frozen: dict[str, Any], lane: str, shipment: Shipment) -> dict[str, str]:
    origin = str(frozen.get("pol") or shipment.pol or "?")
    destination = lane[len(origin) + 1 :] if lane.startswith(f"{origin}-") else shipment.pod or shipment.final_place
    return {
        **{str(k): str(v) for k, v in frozen.items()},
        "origin": origin,
        "destination": destination or "?",
        "final": shipment.final_milestone,
        "mode": str(frozen.get("mode") or shipment.mode),
    }


def month_figures(
    period: Month, *, as_of: datetime, known_at: datetime, config: CloseConfig | None = None
) -> MonthFigures:
    """Every unit of the month judged as of a cut; a constant number of queries for each 2,000 units."""
    config = config or config_now()
    due = population(period, as_of=as_of, known_at=known_at)
    judged: list[Judged] = []
    for start in range(0, len(due), _BATCH):
        part = due[start : start + _BATCH]
        shipments = Shipment.objects.filter(pk__in=[u.shipment_id for u in part])
        facts = facts_of(shipments, as_of=as_of)
        judged += [judge(u, facts[u.shipment_id], close_at=as_of, config=config) for u in part]
    judged.sort(key=lambda j: j.unit.unit_id.encode())
    return MonthFigures(period, as_of, judged, cells(judged))


def high_water(as_of: datetime) -> datetime | None:
    """The newest recording that could count (R4.2)."""
    newest: datetime | None = SightingRow.objects.filter(recorded_at__lte=as_of).aggregate(m=Max("recorded_at"))["m"]
    return newest


def ingest_is_behind(as_of: datetime) -> bool:
    """Whether a message received in the day before the cut still waits, in the account's scope or the operator's (4.1),
    or shipments that such a message touched wait to be derived.

    One that waits for longer is stuck, shown to the staff, and keeps no month open.
    """
    since = as_of - BACKLOG

    def waiting() -> bool:
        late = InboundMessage.objects.filter(received_at__gt=since, received_at__lte=as_of)
        return late.filter(state=MessageState.RECEIVED).exists()

    if waiting() or Touched.objects.filter(noted_at__gt=since, noted_at__lte=as_of).exists():
        return True
    with as_tenant(OPERATOR_ID):
        return waiting()


# --- files ---


def fact_lines_of(units: Iterable[Judged]) -> list[bundle.FactLine]:
    """Rows of facts.csv from judged units."""
    return [
        bundle.FactLine(
            unit_id=j.unit.unit_id,
            lane=j.unit.lane,
            due_period=str(j.verdict.period),
            limit_utc=j.verdict.limit.utc,
            limit_op=j.verdict.limit.op.value,
            final_utc=j.verdict.final_utc,
            basis=j.basis,
            outcome=j.outcome.value,
        )
        for j in units
    ]


def kpi_lines_of(found: Iterable[Cell], period: Month, config: CloseConfig) -> list[bundle.KpiLine]:
    """Entries of kpis.json from cells."""
    return [
        bundle.KpiLine(
            kpi=c.kpi,
            kpi_version=config.definitions[c.kpi]["version"],
            dims={"lane": c.lane} if c.lane else {},
            period=str(period),
            num=c.counts.num,
            den=c.counts.den,
            excluded=c.counts.excluded,
            unknown=c.counts.unknown,
            value=c.value,
        )
        for c in found
    ]


def snapshot_facts_csv(snapshot: Snapshot) -> bytes:
    """facts.csv of a closed month, from its stored units: always the same bytes."""
    return bundle.facts_csv(
        bundle.FactLine(
            unit_id=u.unit_id,
            lane=u.lane,
            due_period=u.due_period,
            limit_utc=u.limit_utc,
            limit_op=u.limit_op,
            final_utc=u.final_utc,
            basis=u.basis,
            outcome=u.outcome,
        )
        for u in SnapshotUnit.objects.filter(snapshot=snapshot).iterator(chunk_size=2_000)
    )


def snapshot_kpis_json(snapshot: Snapshot) -> bytes:
    """kpis.json of a closed month, from its stored cells."""
    return bundle.kpis_json(
        bundle.KpiLine(
            kpi=r.kpi,
            kpi_version=r.kpi_version,
            dims=r.dims,
            period=snapshot.period,
            num=r.num,
            den=r.den,
            excluded=r.excluded,
            unknown=r.unknown,
            value=r.value,
        )
        for r in SnapshotRow.objects.filter(snapshot=snapshot)
    )


# --- snapshots ---


def snapshot_list(*, at: datetime | None = None, newest_only: bool = True) -> list[Snapshot]:
    """Closed months, newest first; with `at`, only those published by then."""
    rows = Snapshot.objects.order_by("-period", "-version")
    if at is not None:
        rows = rows.filter(published_at__lte=at)
    listed = list(rows)
    if not newest_only:
        return listed
    seen: set[str] = set()
    return [s for s in listed if not (s.period in seen or seen.add(s.period))]  # type: ignore[func-returns-value]


def snapshot_get(public_id: str) -> Snapshot | None:
    """One closed month of the entered tenant."""
    return Snapshot.objects.filter(public_id=public_id).first()


def snapshot_newest(period: str) -> Snapshot | None:
    """The newest version of a month."""
    return Snapshot.objects.filter(period=period).order_by("-version").first()


def snapshot_versions(period: str) -> list[Snapshot]:
    """All versions of a month, newest first."""
    return list(Snapshot.objects.filter(period=period).order_by("-version"))


def rows_of(snapshots: Sequence[Snapshot]) -> dict[int, list[SnapshotRow]]:
    """Cells by snapshot id: the account first, then the lanes; on-time delivery before completeness."""
    found: dict[int, list[SnapshotRow]] = {s.pk: [] for s in snapshots}
    for row in SnapshotRow.objects.filter(snapshot_id__in=list(found)).order_by("lane", "-kpi"):
        found[row.snapshot_id].append(row)
    return found


def cells_of(snapshot_ids: Sequence[int], *, kpi: str | None, lane: str | None) -> QuerySet[SnapshotRow]:
    """Cells of these months, narrowed; an empty lane is the whole account. Unordered."""
    rows = SnapshotRow.objects.filter(snapshot_id__in=snapshot_ids)
    if kpi is not None:
        rows = rows.filter(kpi=kpi)
    return rows if lane is None else rows.filter(lane=lane)


def unit_page(
    snapshot: Snapshot, *, lane: str = "", outcome: str = "", after: str = "", before: str = "", size: int
) -> tuple[list[SnapshotUnit], str | None, str | None]:
    """Units of a closed month by unit_id, narrowed; and the cursors of the pages after and before, or None."""
    rows = SnapshotUnit.objects.filter(snapshot=snapshot).select_related("shipment")
    if lane:
        rows = rows.filter(lane=lane)
    if outcome:
        rows = rows.filter(outcome=outcome)
    if before and not after:
        page = list(rows.filter(unit_id__lt=before).order_by("-unit_id")[: size + 1])
        more, page = len(page) > size, page[:size][::-1]
        return page, (page[-1].unit_id if page else None), (page[0].unit_id if more else None)
    page = list(rows.filter(unit_id__gt=after).order_by("unit_id")[: size + 1])
    more, page = len(page) > size, page[:size]
    return page, (page[-1].unit_id if more else None), (page[0].unit_id if after and page else None)


def outcome_counts(snapshot: Snapshot, *, lane: str = "") -> dict[str, int]:
    """How many units of each verdict."""
    rows = SnapshotUnit.objects.filter(snapshot=snapshot)
    if lane:
        rows = rows.filter(lane=lane)
    return dict(rows.values_list("outcome").annotate(n=Count("id")).order_by("outcome"))


def lane_targets(snapshot: Snapshot) -> dict[str, Decimal]:
    """The on-time target that was promised on each lane of a month, for showing beside its figure (R5.4)."""
    promised = [p for p in promises() if p.kpi == "OTD"]
    zone = tenant_zone()
    found: dict[str, Decimal] = {}
    for unit in SnapshotUnit.objects.filter(snapshot=snapshot).order_by("lane", "unit_id").distinct("lane"):
        travel = Travel(
            origin=unit.dims["origin"],
            destination=unit.dims["destination"],
            mode=unit.dims["mode"],
            final=unit.dims["final"],
            trade=unit.dims.get("trade"),
            day=local_date(unit.covered_from, zone),
        )
        target = target_for("OTD", travel, promises=promised, tier=Tier(unit.tier), defaults=TIER_TARGETS)
        if target is not None:
            found[unit.lane] = target.value
    return found


def months_open(*, at: datetime, config: CloseConfig) -> list[Month]:
    """Ended months with a unit due and no snapshot whose close may run now, oldest first (O6)."""
    closed = set(Snapshot.objects.values_list("period", flat=True))
    due = Shipment.objects.exclude(due_period="").values_list("due_period", flat=True).distinct()
    months = sorted(Month.parse(p) for p in due if p not in closed)
    return [m for m in months if cut_of(m, config) + JOB_DELAY <= at]


# --- proof (I5, M3) ---


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What came out when a closed month was counted again from the events."""

    snapshot: Snapshot
    facts_sha256: str
    kpis_sha256: str
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Every byte is as it was closed."""
        return not self.differences


def snapshot_recompute(snapshot: Snapshot) -> Recomputation:
    """Counts a closed month again as of its cut, with its own parameters, and compares every byte."""
    config, period = CloseConfig.read(snapshot.config), Month.parse(snapshot.period)
    figures = month_figures(period, as_of=snapshot.as_of, known_at=snapshot.closed_at, config=config)
    facts = digest(bundle.facts_csv(fact_lines_of(figures.units)))
    kpis = digest(bundle.kpis_json(kpi_lines_of(figures.cells, period, config)))
    stored_facts, stored_kpis = digest(snapshot_facts_csv(snapshot)), digest(snapshot_kpis_json(snapshot))
    checks = {
        "stored units differ from the closed digest": stored_facts == snapshot.facts_sha256,
        "stored cells differ from the closed digest": stored_kpis == snapshot.kpis_sha256,
        "units counted again from the events differ": facts == snapshot.facts_sha256,
        "cells counted again from the events differ": kpis == snapshot.kpis_sha256,
        "the configuration differs from its digest": config.digest == snapshot.config_digest,
    }
    return Recomputation(snapshot, facts, kpis, tuple(name for name, holds in checks.items() if not holds))


def invariant_breaches() -> Iterator[dict[str, Any]]:
    """I5 for the entered tenant: closed snapshots equal their digests and a re-computation from events."""
    for snapshot in Snapshot.objects.order_by("pk"):
        for difference in snapshot_recompute(snapshot).differences:
            yield {"invariant": "I5", "snapshot": snapshot.public_id, "period": snapshot.period, "what": difference}
