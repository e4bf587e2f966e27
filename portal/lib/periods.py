"""Months and half-open periods of local time (R0.7).

No clock and no database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$", re.ASCII)


@lru_cache(1_024)
def zone_named(name: str) -> ZoneInfo:
    """The IANA zone. Kept: ZoneInfo itself forgets all but eight, and reads the file of the next one again.

    Raises ZoneInfoNotFoundError, ValueError or OSError for what is no zone.
    """
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; which local days it holds is decided by the zone a rule names."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Reads `YYYY-MM`; raises ValueError with a sentence for people."""
        found = _MONTH.match(text)
        if not found:
            raise ValueError(f"{text!r} is not a month; write it as YYYY-MM, for example 2026-03.")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, day: date) -> Month:
        """The month that holds this local day."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        """Its first local day."""
        return date(self.year, self.month, 1)

    def shift(self, months: int) -> Month:
        """The month that many months later (or earlier)."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    def next(self) -> Month:
        """The following month."""
        return self.shift(1)

    def ended_everywhere_at(self) -> datetime:
        """Day 1 of the next month 12:00Z, when the month has ended in every zone (4.1)."""
        day = self.next().first_day
        return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end), both aware, UTC."""

    start: datetime
    end: datetime

    @classmethod
    def month(cls, month: Month, *, tz: ZoneInfo) -> Period:
        """The month's local days in one zone as UTC instants."""
        return cls(local_midnight(month.first_day, tz), local_midnight(month.next().first_day, tz))

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


def local_midnight(day: date, tz: ZoneInfo) -> datetime:
    """The UTC instant at which the local day starts (fold 0; a skipped midnight maps forward)."""
    return datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC)


def local_date(instant: datetime, tz: ZoneInfo) -> date:
    """The local day of an instant in a zone."""
    return instant.astimezone(tz).date()


def close_at(month: Month, *, grace_days: int) -> datetime:
    """The as-of cut of a month: day 1 of the next month 12:00Z + `grace_days` (4.1)."""
    return month.ended_everywhere_at() + timedelta(days=grace_days)


def utc_text(instant: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, the one form instants have in files."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
