"""When a mail may reach a person: quiet hours and the hour of a digest, by the clock of the person's own zone.

Instants in and out are aware; local clocks that jump are resolved here and nowhere else. No tables, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAILY: Final = "DAILY"
WEEKLY: Final = "WEEKLY"
_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Habits:
    """A person's hours. `quiet_from` and `quiet_to` are given together and differ; a span may pass midnight."""

    digest: str = ""  # DAILY, WEEKLY, or anything else for none
    digest_hour: int = 7
    digest_weekday: int = 0  # Monday is 0
    quiet_from: time | None = None
    quiet_to: time | None = None
    quiet_weekend: bool = False


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A local time as an instant in UTC: the first of two; where the clock jumps over it, as long after that."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def is_quiet(habits: Habits, *, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the person's clock shows a quiet time: an hour that it shows twice is quiet twice."""
    local = at.astimezone(zone)
    if habits.quiet_weekend and local.weekday() >= _SATURDAY:
        return True
    begin, end, shown = habits.quiet_from, habits.quiet_to, local.time()
    if begin is None or end is None:
        return False
    return begin <= shown < end if begin < end else shown >= begin or shown < end


def quiet_until(habits: Habits, *, at: datetime, zone: ZoneInfo) -> datetime | None:
    """The end of the quiet that `at` lies in; None when nothing is quiet then. Spans that meet count as one."""
    end = at
    while is_quiet(habits, at=end, zone=zone):
        end = min(edge for edge in _edges(habits, end, zone) if edge > end)
    return end if end > at else None


def _edges(habits: Habits, at: datetime, zone: ZoneInfo) -> list[datetime]:
    """Where quiet may end within the next days: at the end of its hours, and at midnight."""
    today = at.astimezone(zone).date()
    clock = {time(), habits.quiet_to or time()}
    return [
        instant(today + ahead * _DAY, shown.replace(fold=fold), zone)
        for ahead in range(3) for shown in clock for fold in (0, 1)
    ]  # fmt: skip


def digest_due(habits: Habits, *, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When the next digest after `at` goes out; None for people who have none.

    Days on which its hour is quiet are passed over; when it always is, it comes at the end of that quiet.
    """
    if habits.digest not in (DAILY, WEEKLY):
        return None
    today = at.astimezone(zone).date()
    first: datetime | None = None
    for ahead in range(-1, 16):  # two weeks hold every weekday twice
        day = today + ahead * _DAY
        if habits.digest == WEEKLY and day.weekday() != habits.digest_weekday:
            continue
        due = instant(day, time(habits.digest_hour), zone)
        if due <= at:
            continue
        first = first or due
        if quiet_until(habits, at=due, zone=zone) is None:
            return due
    assert first is not None
    return quiet_until(habits, at=first, zone=zone)
