"""Milestone completeness: which milestones had to be known at the close, and which were (R2.4, R2.5).

Pure. In a CY chain EMPTY_RETURN stands for the slot "EMPTY_RETURN or DELIVERED".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from kpis.types import Counts
from tracking.milestones import ShipmentFacts, critical_five
from tracking.types import FinalMilestone, Load, Milestone, Mode

EMPTY_RETURN_DAYS: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitMilestones:
    """What is known of one unit's milestones as of the close."""

    chain: Sequence[str]  # in order
    final: str
    critical: Collection[str]
    containers: int = 1  # live ones
    act: Mapping[str, int] = field(default_factory=dict)  # milestone -> containers with an effective actual
    expected: Mapping[str, datetime] = field(default_factory=dict)  # best expected time where not captured


@dataclass(frozen=True, slots=True)
class Slots:
    """Required and captured critical milestones of one unit, in chain order."""

    required: tuple[str, ...]
    captured: tuple[str, ...]  # of the required ones

    @property
    def complete(self) -> bool:
        """All required ones captured; a unit of which nothing is required is not counted at all."""
        return bool(self.required) and len(self.captured) == len(self.required)


def slots(unit: UnitMilestones, *, close_at: datetime, overdue_hours: int) -> Slots:
    """R2.4 and R2.5 for one unit at `close_at`."""

    def is_captured(milestone: str) -> bool:
        return unit.act.get(milestone, 0) >= max(1, unit.containers)

    order = {milestone: i for i, milestone in enumerate(unit.chain)}
    furthest = max((order[m] for m, n in unit.act.items() if n > 0 and m in order), default=-1)
    up_to = order.get(unit.final, -1) if is_captured(unit.final) else -1
    overdue = timedelta(hours=overdue_hours)
    required = []
    for milestone in unit.chain:
        if milestone not in unit.critical:
            continue
        place, expected = order[milestone], unit.expected.get(milestone)
        expired = expected is not None and expected + overdue <= close_at
        if is_captured(milestone) or furthest > place or place <= up_to or expired:
            required.append(milestone)
    return Slots(tuple(required), tuple(m for m in required if is_captured(m)))


@dataclass(frozen=True, slots=True)
class Completeness:
    """Complete units of those with at least one required milestone, and the fill of their slots."""

    units: Counts
    fill: Counts


def summed(every: Iterable[Slots]) -> Completeness:
    """Completeness and fill rate of many units (R2.5, R2.6)."""
    counted = [s for s in every if s.required]
    return Completeness(
        units=Counts(num=sum(s.complete for s in counted), den=len(counted)),
        fill=Counts(num=sum(len(s.captured) for s in counted), den=sum(len(s.required) for s in counted)),
    )


def unit_milestones(
    facts: ShipmentFacts,
    *,
    final: FinalMilestone,
    mode: Mode = Mode.SEA,
    container: str | None = None,
    empty_return_days: int = EMPTY_RETURN_DAYS,
) -> UnitMilestones:
    """What `slots` needs, from the facts of a shipment; `container` narrows it to one box (unit = container).

    EMPTY_RETURN without an estimate is expected `empty_return_days` after gate-out (R2.4).
    """
    boxes = [c for c in facts.containers if container in (None, c.container)]
    act: dict[str, int] = {}
    expected: dict[str, datetime] = {}
    for milestone in facts.chain:
        group = _slot(milestone, final)
        act[milestone] = sum(c.acted(*group) for c in boxes)
        times = [c.get(m).expected for c in boxes if not c.acted(*group) for m in group]
        known = [h.time for h in times if h is not None]
        if known:
            expected[milestone] = max(known)
    gone = [c.get(Milestone.GATE_OUT_FULL).act for c in boxes]
    if Milestone.EMPTY_RETURN not in expected and boxes and all(gone):
        expected[Milestone.EMPTY_RETURN] = max(h.time for h in gone if h) + timedelta(days=empty_return_days)
    return UnitMilestones(
        chain=facts.chain,
        final=facts.final,
        critical=critical_five(final, mode, Load.LCL if Milestone.CFS_RECEIVED in facts.chain else Load.FCL),
        containers=len(boxes),
        act=act,
        expected=expected,
    )


def _slot(milestone: Milestone, final: FinalMilestone) -> tuple[Milestone, ...]:
    if final == FinalMilestone.CY and milestone == Milestone.EMPTY_RETURN:
        return (Milestone.EMPTY_RETURN, Milestone.DELIVERED)
    return (milestone,)
