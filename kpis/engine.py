"""From the facts of a month's units to verdicts and published cells (R2.0 to R2.6, R3.1).

Pure: commitments, facts and parameters come in as frozen records; reading and storing are done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from kpis import otd
from kpis.completeness import Slots, slots, summed, unit_milestones
from kpis.figures import Graded, Trust, bounds, percentile, ratio6, trust_grade
from kpis.types import GROSS_REASONS, Arrival, Counts, Outcome, Reason, UnitVerdict
from portal.lib.ids import digest
from portal.lib.jsontext import canonical_bytes
from tracking.effective import on_time_instant
from tracking.milestones import ShipmentFacts
from tracking.rules import Commitment
from tracking.types import FinalMilestone, Milestone, Mode, SourceKind

INFERRED: Final = "INFERRED"  # the basis of a unit whose final milestone is proven by a later one


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseConfig:
    """The parameters that a close used; stored whole with the snapshot (1.5, R4.2)."""

    grace_days: int = 5
    overdue_hours: int = 48
    empty_return_days: int = 21
    min_n_percent: int = 10
    definitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # kpi -> version, digest

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "grace_days": self.grace_days,
            "overdue_hours": self.overdue_hours,
            "empty_return_days": self.empty_return_days,
            "min_n_percent": self.min_n_percent,
            "definitions": {kpi: dict(parts) for kpi, parts in self.definitions.items()},
        }

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> CloseConfig:
        """The configuration of a stored snapshot."""
        return cls(**data)

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON."""
        return digest(canonical_bytes(self.plain()))


@dataclass(frozen=True, slots=True, kw_only=True)
class DueUnit:
    """A unit of P(m) before it is judged. Instants are aware UTC."""

    unit_id: str
    shipment_id: int
    lane: str
    commitment: Commitment
    covered_from: datetime  # made_at of the first binding commitment
    tier: str
    final: FinalMilestone
    mode: Mode
    dims: Mapping[str, str] = field(default_factory=dict)
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancelled_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A unit with its verdict and what the trust gate counts."""

    unit: DueUnit
    verdict: UnitVerdict
    gross: Outcome
    reason: Reason | None
    basis: str
    slots: Slots
    conflicts: int
    captured: int  # milestone slots with an actual, of every container
    manual: int  # of them, entered by hand
    delays: tuple[int, ...]  # seconds between event and our hearing of it
    last_heard_at: datetime | None

    @property
    def outcome(self) -> Outcome:
        """The contract outcome."""
        return self.verdict.outcome


def judge(unit: DueUnit, facts: ShipmentFacts, *, close_at: datetime, config: CloseConfig) -> Judged:
    """The verdict on one unit as of the close, with its milestone slots."""
    zone = unit.commitment.zone
    arrivals = _arrivals(facts, zone)
    reason = _reason(unit, facts, close_at)
    cancelled = _carrier_cancelled(unit, close_at)

    def verdict(excluded: bool) -> UnitVerdict:
        return otd.verdict(
            unit.commitment,
            arrivals,
            close_at=close_at,
            last_recorded_at=facts.last_recorded_at,
            excluded=excluded,
            carrier_cancelled=cancelled,
        )

    contract = verdict(reason is not None)
    acts = [m.act for c in facts.containers for m in c.milestones if m.act is not None]
    return Judged(
        unit=unit,
        verdict=contract,
        gross=verdict(reason in GROSS_REASONS).outcome,
        reason=reason,
        basis=_basis(contract, facts),
        slots=slots(
            unit_milestones(facts, final=unit.final, mode=unit.mode, empty_return_days=config.empty_return_days),
            close_at=close_at,
            overdue_hours=config.overdue_hours,
        ),
        conflicts=facts.conflicts,
        captured=len(acts),
        manual=sum(a.source_kind == SourceKind.MANUAL for a in acts),
        delays=tuple(int((a.recorded_at - a.time).total_seconds()) for a in acts),
        last_heard_at=facts.last_recorded_at,
    )


def _arrivals(facts: ShipmentFacts, zone: ZoneInfo) -> list[Arrival]:
    later = facts.chain[facts.chain.index(facts.final) + 1 :]
    found = []
    for box in facts.containers:
        final = box.get(facts.final).act
        after = [a for m in later if (a := box.get(m).act) is not None]
        found.append(
            Arrival(
                final=on_time_instant(final.time, final.precision, zone) if final else None,
                later=min((on_time_instant(a.time, a.precision, zone) for a in after), default=None),
            )
        )
    return found


def _reason(unit: DueUnit, facts: ShipmentFacts, close_at: datetime) -> Reason | None:
    """CUSTOMER_CANCELLED when the customer cancelled before departure (R2.0a, X26)."""
    at = unit.cancelled_at
    if at is None or at > close_at or unit.cancelled_by != "CUSTOMER":
        return None
    order = facts.chain
    sailing = order.index(Milestone.VESSEL_DEPARTED) if Milestone.VESSEL_DEPARTED in order else 0
    under_way = any(
        (act := box.get(m).act) is not None and act.time <= at for box in facts.containers for m in order[sailing:]
    )
    return None if under_way else Reason.CUSTOMER_CANCELLED


def _carrier_cancelled(unit: DueUnit, close_at: datetime) -> bool:
    at = unit.cancelled_at
    if at is None or at > close_at or unit.cancelled_by not in ("CARRIER", "OPERATOR"):
        return False
    return unit.confirmed_at is None or at >= unit.confirmed_at


def _basis(verdict: UnitVerdict, facts: ShipmentFacts) -> str:
    if verdict.outcome == Outcome.ON_TIME_INFERRED:
        return INFERRED
    if verdict.final_utc is None:
        return ""
    last = max(
        (m for box in facts.containers if (m := box.get(facts.final)).act is not None),
        key=lambda m: m.act.time if m.act else facts.as_of,
    )
    return last.basis or "ACT"


# --- cells ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One KPI of the whole account (`lane` empty) or of one lane, as it is published (R4.2)."""

    kpi: str
    lane: str
    counts: Counts
    gross: Counts
    excluded_by_reason: Mapping[str, int]
    graded: Graded
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> str | None:
        """The published ratio with six decimals, None without a denominator (R0.3)."""
        return ratio6(self.counts.num, self.counts.den)

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """Low and high (R2.3)."""
        return bounds(self.counts)


def otd_trust(units: Sequence[Judged]) -> Trust:
    """What the gate looks at for on-time delivery of these units (R3.1)."""
    staying = [u for u in units if u.reason is None]
    complete = summed(u.slots for u in staying).units
    counts = otd.counts(u.outcome for u in units)
    return Trust(
        complete=complete.num,
        units=complete.den,
        unknown=counts.unknown,
        den=counts.den,
        conflicts=sum(u.conflicts for u in staying),
        captured=sum(u.captured for u in staying),
    )


def cells(units: Sequence[Judged]) -> list[Cell]:
    """On-time delivery and completeness, of the account and of each lane, in a fixed order."""
    lanes: dict[str, list[Judged]] = {"": list(units)}
    for unit in units:
        lanes.setdefault(unit.unit.lane, []).append(unit)
    ordered = sorted(lanes.items())
    return [_otd(lane, own) for lane, own in ordered] + [_completeness(lane, own) for lane, own in ordered]


def _by_reason(units: Iterable[Judged]) -> dict[str, int]:
    found: dict[str, int] = {}
    for unit in units:
        if unit.reason is not None:
            found[unit.reason.value] = found.get(unit.reason.value, 0) + 1
    return dict(sorted(found.items()))


def _otd(lane: str, units: Sequence[Judged]) -> Cell:
    return Cell(
        kpi="OTD",
        lane=lane,
        counts=otd.counts(u.outcome for u in units),
        gross=otd.counts(u.gross for u in units),
        excluded_by_reason=_by_reason(units),
        graded=trust_grade(otd_trust(units)),
    )


def _completeness(lane: str, units: Sequence[Judged]) -> Cell:
    staying = [u for u in units if u.reason is None]
    found, gross = summed(u.slots for u in staying), summed(u.slots for u in units if u.reason not in GROSS_REASONS)
    out = len(units) - len(staying)
    trust = Trust(
        complete=found.units.num,
        units=found.units.den,
        den=found.units.den,
        conflicts=sum(u.conflicts for u in staying),
        captured=sum(u.captured for u in staying),
    )
    return Cell(
        kpi="COMPLETENESS",
        lane=lane,
        counts=Counts(num=found.units.num, den=found.units.den, excluded=out),
        gross=gross.units,
        excluded_by_reason=_by_reason(units),
        graded=trust_grade(trust),
        more=_beside(staying, found.fill),
    )


def _beside(units: Sequence[Judged], fill: Counts) -> dict[str, Any]:
    """What R2.6 publishes beside completeness; delays in whole seconds, half a second rounded up."""
    each: dict[str, list[int]] = {}
    for unit in units:
        for milestone in unit.slots.required:
            slot = each.setdefault(milestone, [0, 0])
            slot[0] += milestone in unit.slots.captured
            slot[1] += 1
    delays = [d for u in units for d in u.delays]
    half = Fraction(1, 2)
    return {
        "fill_num": fill.num,
        "fill_den": fill.den,
        "fill": ratio6(fill.num, fill.den),
        "milestones": {m: {"captured": c, "required": r} for m, (c, r) in sorted(each.items())},
        "delay_median": int((percentile(delays, tenths=5) + half) // 1) if delays else None,
        "delay_p90": int((percentile(delays) + half) // 1) if delays else None,
        "actuals": sum(u.captured for u in units),
        "manual": sum(u.manual for u in units),
        "conflicts": sum(u.conflicts for u in units),
    }
