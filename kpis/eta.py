"""ETA accuracy: which estimate scores, whether it hits, and in which month (R2.16 to R2.20).

Pure. How estimates came to be published is tracking's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kpis.types import Counts
from portal.lib.periods import Month, local_date
from tracking.rules import PublishedEta, committed_estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class EtaUnit:
    """What is known of one unit's arrival; instants are aware, `zone` is the arrival place's."""

    zone: ZoneInfo
    confirmed_at: datetime
    arrived_at: datetime | None = None  # effective arrival ACT
    later_at: datetime | None = None  # ACT of a later milestone
    commits: Sequence[PublishedEta] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EtaWindow:
    """The lock and the window, whole hours, edges inclusive."""

    lock_hours: int
    early_hours: int
    late_hours: int


@dataclass(frozen=True, slots=True)
class EtaScore:
    """The month a unit counts in and whether it hits; both None while arrival is awaited."""

    month: Month | None = None
    hit: bool | None = None
    scored: PublishedEta | None = None
    unproven: bool = False  # arrival known only from a later milestone


def scored_estimate(unit: EtaUnit, arrived_at: datetime, *, lock_hours: int) -> PublishedEta | None:
    """The last estimate published by the lock; where the booking was confirmed after it, the first one by arrival."""
    return committed_estimate(unit.commits, arrived_at, confirmed_at=unit.confirmed_at, lock_hours=lock_hours)


def eta_score(unit: EtaUnit, window: EtaWindow) -> EtaScore:
    """R2.17, R2.18, R2.20 for one unit. No estimate in time is a miss; so is an arrival only inferred."""
    if unit.arrived_at is None:
        if unit.later_at is None:
            return EtaScore()
        return EtaScore(Month.of(local_date(unit.later_at, unit.zone)), False, unproven=True)
    scored = scored_estimate(unit, unit.arrived_at, lock_hours=window.lock_hours)
    late = unit.arrived_at - scored.eta if scored else None
    hit = late is not None and -timedelta(hours=window.early_hours) <= late <= timedelta(hours=window.late_hours)
    return EtaScore(Month.of(local_date(unit.arrived_at, unit.zone)), hit, scored)


def counts(scores: Iterable[EtaScore], *, month: Month) -> Counts:
    """Hits and arrivals of one month; unproven arrivals are its unknown (R3.1)."""
    own = [s for s in scores if s.month == month]
    return Counts(num=sum(s.hit is True for s in own), den=len(own), unknown=sum(s.unproven for s in own))
