"""Times as others write them: ISO 8601 with or without offset, or a bare date; never guessed, never zoned here.

What zone a time without offset has is decided where the place is known (timing.py, R1.6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from tracking.types import Precision

_ISO: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?\s?(?:([Zz])|([+-])(\d{2}):?(\d{2})?)?)?",
    re.ASCII,
)
_WIDEST: Final = 14 * 60  # minutes; no place is further from UTC
_FURTHEST: Final = timedelta(minutes=_WIDEST)


@dataclass(frozen=True, slots=True)
class Written:
    """A time as written: the UTC instant when an offset says it, else None."""

    local: str
    precision: Precision
    time: datetime | None = None
    offset_minutes: int | None = None


def written(text: str) -> Written:
    """Reads ISO 8601 (`2026-03-29T14:05:00.25+08:30`, seconds and offset optional) or a bare date (day precision).

    Raises ValueError when it is neither, or no time that exists. More than six digits of a second are cut.
    """
    local = text.strip()
    return _usual(local) or _carefully(local)


def _carefully(local: str) -> Written:
    found = _ISO.fullmatch(local)
    if found is None:
        raise ValueError(f"{local[:40]!a} is not a time in ISO 8601.")
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if not 1 < year < 9999:  # at the edges of the calendar other zones have no time to show
        raise ValueError(f"{local[:40]!a} lies outside the calendar.")
    if found[4] is None:
        datetime(year, month, day, tzinfo=UTC)  # refuses a day that does not exist
        return Written(local, Precision.DAY)
    micros = int((found[7] or "0")[:6].ljust(6, "0"))
    naive = datetime(year, month, day, int(found[4]), int(found[5]), int(found[6] or 0), micros)  # noqa: DTZ001
    minutes = _offset(found)
    if minutes is None:
        return Written(local, Precision.MINUTE)
    try:
        instant = naive.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{local[:40]!a} lies outside the calendar.") from None
    return Written(local, Precision.MINUTE, instant, minutes)


def _usual(local: str) -> Written | None:
    """A whole time to the second with `Z` or an offset, read the quick way; None: to be read the careful way."""
    if (len(local) != 25 and (len(local) != 20 or local[19] != "Z")) or not local.isascii():
        return None
    if local[4:17:3] != "--T::":
        return None
    try:
        instant = datetime.fromisoformat(local)
    except ValueError:
        return None
    offset = instant.utcoffset()
    if len(local) == 25 and local[23] > "5":
        return None
    if offset is None or not 2 < instant.year < 9998 or abs(offset) > _FURTHEST or instant.microsecond:
        return None
    return Written(local, Precision.MINUTE, instant.astimezone(UTC), int(offset.total_seconds()) // 60)


def _offset(found: re.Match[str]) -> int | None:
    if found[8]:
        return 0
    if not found[9]:
        return None
    minutes = int(found[10]) * 60 + int(found[11] or 0)
    if minutes > _WIDEST or int(found[11] or 0) > 59:
        raise ValueError(f"No place has the offset {found[9]}{found[10]}:{found[11] or '00'}.")
    return -minutes if found[9] == "-" else minutes
