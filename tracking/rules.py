"""Pure arithmetic of tracking: the limit of a commitment, visits at a node, hold time, free time, major exceptions.

No models, no clock. Which events hold is decided in effective.py and milestones.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from portal.lib.periods import Month, local_date, local_midnight

MAJOR: Final = frozenset({"ROLLOVER", "MISSED_CONNECTION", "CUSTOMS_HOLD_LONG", "DELIVERY_FAILED"})  # section 8


# --- commitments (R1.16, R2.0, R2.1) ---


class LimitOp(StrEnum):
    """How a time is compared with the limit: a date's is exclusive, an instant's inclusive."""

    LT = "LT"
    LE = "LE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What was promised: exactly one of a local date and an instant, at a place whose zone is `zone`."""

    zone: ZoneInfo
    due_date: date | None = None
    due_at: datetime | None = None  # aware
    tol_days: int = 0  # with due_date
    tol_hours: int = 0  # with due_at
    early_hours: int | None = None  # None: early is never a miss

    def __post_init__(self) -> None:
        if (self.due_date is None) == (self.due_at is None):
            raise ValueError("A commitment is either a date or an instant.")

    @property
    def due_day(self) -> date:
        """The local day that it falls on; it decides the month (R2.0)."""
        if self.due_date is not None:
            return self.due_date
        assert self.due_at is not None
        return local_date(self.due_at, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The last moment that is on time. `utc` and `early` are aware UTC."""

    utc: datetime
    op: LimitOp
    early: datetime | None = None  # before it is EARLY; exactly at it is fine

    def holds(self, instant: datetime) -> bool:
        """Whether the instant is not beyond the limit."""
        return instant < self.utc if self.op == LimitOp.LT else instant <= self.utc

    def is_early(self, instant: datetime) -> bool:
        """Whether the instant lies before the early edge; False where early is never a miss."""
        return self.early is not None and instant < self.early


def limit_of(commitment: Commitment) -> Limit:
    """R2.1. A date's limit is the local midnight that starts day D + 1 + `tol_days`; 23-hour days come out right."""
    c = commitment
    if c.due_date is not None:
        end = local_midnight(c.due_date + timedelta(days=1 + c.tol_days), c.zone)
        start, op = local_midnight(c.due_date, c.zone), LimitOp.LT
    else:
        assert c.due_at is not None
        start, op = c.due_at, LimitOp.LE
        end = c.due_at + timedelta(hours=c.tol_hours)
    early = None if c.early_hours is None else start - timedelta(hours=c.early_hours)
    return Limit(utc=end, op=op, early=early)


def due_period(commitment: Commitment) -> Month:
    """The month whose population the unit belongs to (R2.0)."""
    return Month.of(commitment.due_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentChange:
    """A commitment as written down: the original, or a change of it. Append-only rows (1.5)."""

    commitment: Commitment
    recorded_at: datetime
    asked_by_customer: bool = False
    recorded_by: str = ""
    reason: str = ""


def binding(original: CommitmentChange, changes: Iterable[CommitmentChange]) -> CommitmentChange:
    """The binding commitment (R1.16): the original, or the latest change that the customer asked for, that says who
    and why, and that was recorded before the limit then binding had passed. The order of `changes` does not matter."""
    held = original
    for change in sorted(changes, key=lambda c: c.recorded_at):
        sound = change.asked_by_customer and bool(change.recorded_by) and bool(change.reason)
        if sound and limit_of(held.commitment).holds(change.recorded_at):
            held = change
    return held


# --- visits (R2.10) ---


class Role(StrEnum):
    """What a visit was for; roles are never mixed in one figure."""

    EXPORT = "EXPORT"
    IMPORT = "IMPORT"
    TRANSHIP = "TRANSHIP"
    PASS = "PASS"  # noqa: S105 - a visit's role, not a secret


_ENTRIES: Final = frozenset({"GTIN", "DISC"})
_EXITS: Final = frozenset({"GTOT", "LOAD"})
_ROLES: Final = {
    ("GTIN", "LOAD"): Role.EXPORT,
    ("DISC", "GTOT"): Role.IMPORT,
    ("DISC", "LOAD"): Role.TRANSHIP,
    ("GTIN", "GTOT"): Role.PASS,
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay of one container at one facility, [entry, exit]."""

    entry: datetime
    exit: datetime
    role: Role

    @property
    def seconds(self) -> int:
        """Dwell in whole seconds (R2.11)."""
        return int((self.exit - self.entry).total_seconds())


@dataclass(frozen=True, slots=True)
class Visits:
    """What the moves of one container at one facility amount to."""

    closed: tuple[Visit, ...]
    anomalies: int
    open_entry: tuple[datetime, str] | None


def pair_visits(moves: Iterable[tuple[datetime, str]]) -> Visits:
    """Pairs entries (GTIN, DISC) with exits (GTOT, LOAD) of one container at one facility, in any order (R2.10).

    `moves` are live actuals, for each kind from the best source that reported it there.
    """
    ordered = sorted(moves, key=lambda m: (m[0], m[1] in _ENTRIES, m[1]))
    closed: list[Visit] = []
    anomalies = 0
    entry: tuple[datetime, str] | None = None
    for time, code in ordered:
        if code not in _ENTRIES | _EXITS:
            raise ValueError(f"{code!r} is no move in or out")
        if code in _ENTRIES and entry is None:
            entry = (time, code)
        elif code in _EXITS and entry is not None:
            closed.append(Visit(entry[0], time, _ROLES[entry[1], code]))
            entry = None
        else:
            anomalies += 1
    return Visits(tuple(closed), anomalies, entry)


# --- holds and free time ---


def hold_seconds(intervals: Iterable[tuple[datetime, datetime | None]], *, now: datetime) -> int:
    """Seconds covered by at least one hold; an open one runs to `now` (8.1, X39)."""
    spans = sorted((start, end or now) for start, end in intervals)
    total = timedelta()
    reached: datetime | None = None
    for start, end in spans:
        begin = start if reached is None else max(start, reached)
        if end > begin:
            total += end - begin
            reached = end
    return int(total.total_seconds())


def hold_is_long(seconds: int, *, limit_hours: int) -> bool:
    """CUSTOMS_HOLD_LONG: strictly above the limit."""
    return seconds > limit_hours * 3600


class FreeTimeStart(StrEnum):
    """Whether the event's own day is the first counted one."""

    NEXT_DAY = "NEXT_DAY"
    EVENT_DAY = "EVENT_DAY"


def last_free_day(
    event_day: date, *, free_days: int, start: FreeTimeStart, working_days: bool, holidays: Set[date] = frozenset()
) -> date:
    """R8.9: the last day without charge. Local days; with `working_days`, weekends and holidays are not counted."""
    if free_days < 1:
        raise ValueError("Free time is at least one day.")
    day = event_day if start == FreeTimeStart.EVENT_DAY else event_day + timedelta(days=1)
    counted = 0
    while True:
        if not working_days or (day.weekday() < 5 and day not in holidays):
            counted += 1
            if counted == free_days:
                return day
        day += timedelta(days=1)


def chargeable_days(exit_day: date, last_free: date) -> int:
    """Days beyond free time, never below 0 (R8.9)."""
    return max(0, (exit_day - last_free).days)


# --- committed estimates (R2.17) ---


@dataclass(frozen=True, slots=True)
class PublishedEta:
    """An estimate and the instant from which the customer could see it."""

    at: datetime
    eta: datetime


ETA_LOCK_HOURS: Final = 72  # `eta_lock_hours` of section 12


def committed_estimate(
    told: Sequence[PublishedEta], arrived_at: datetime, *, confirmed_at: datetime | None, lock_hours: int
) -> PublishedEta | None:
    """The last estimate published by the lock; where the booking was confirmed after it, the first one by arrival
    (R2.17).
    """
    lock = arrived_at - timedelta(hours=lock_hours)
    if confirmed_at is not None and confirmed_at > lock:
        return min((c for c in told if c.at <= arrived_at), key=lambda c: (c.at, c.eta), default=None)
    return max((c for c in told if c.at <= lock), key=lambda c: (c.at, c.eta), default=None)


def published(history: Sequence[PublishedEta]) -> tuple[PublishedEta, ...]:
    """The estimates in the order of their publication, each kept only where it differs from the one before."""
    kept: list[PublishedEta] = []
    for one in sorted(history, key=lambda p: (p.at, p.eta)):
        if not kept or kept[-1].eta != one.eta:
            kept.append(one)
    return tuple(kept)
