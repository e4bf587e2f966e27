"""Times as spreadsheets write them: in which order day and month stand is said by whoever knows, never guessed.

What can mean one thing only (year first, a month's name) is read in any case. Result: ISO 8601 text, as instants.py
reads it; no zones here but the offset that a zone cell states.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tracking.instants import written


class DateOrder(StrEnum):
    """How the days of a table are written, where they could mean two things."""

    ISO = "ISO"  # year first, or with the month's name: nothing to say
    DMY = "DMY"  # 31/03/2026, 31.03.2026
    MDY = "MDY"  # 03/31/2026
    SERIAL = "SERIAL"  # 46112.5: days since 1899-12-30, as Excel counts


_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"), start=1,
    )
    for name in names.split()
}  # fmt: skip
_CLOCK: Final = r"(?:[\sT,]+(?P<clock>\d.*))?"
_YEAR_FIRST: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _CLOCK, re.ASCII)
_PACKED: Final = re.compile(r"(\d{4})(\d{2})(\d{2})" + _CLOCK, re.ASCII)
_NAMED: Final = re.compile(r"(\d{1,2})[-/. ]+([A-Za-z]{3,9})\.?[-/., ]+(\d{4}|\d{2})" + _CLOCK, re.ASCII)
_NAMED_FIRST: Final = re.compile(r"([A-Za-z]{3,9})\.? +(\d{1,2}),? +(\d{4})" + _CLOCK, re.ASCII)
_NUMBERED: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})" + _CLOCK, re.ASCII)
_SERIAL: Final = re.compile(r"\d{4,5}(?:\.\d{1,12})?", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?(?:\s*([AaPp])\.?[Mm]\.?)?", re.ASCII)
_TIME_PACKED: Final = re.compile(r"(\d{2})(\d{2})(\d{2})?(?:\s*[Hh](?:rs)?)?", re.ASCII)
_TIME_OF_HOUR: Final = re.compile(r"(\d{1,2})\s*([AaPp])\.?[Mm]\.?", re.ASCII)
_FRACTION: Final = re.compile(r"0?\.\d{1,15}", re.ASCII)
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII | re.IGNORECASE)
_EXCEL_DAY_0: Final = datetime(1899, 12, 30, tzinfo=UTC)
_SERIALS: Final = (20_000, 80_000)  # 1954 to 2119


def iso(text: str, order: DateOrder | str) -> str:
    """A day, or a day with its time, as ISO 8601 (`2026-03-12`, `2026-03-12T14:05`). Raises ValueError."""
    given = " ".join(text.split())
    try:
        found = _certain(given) or _in_order(given, order)
    except ValueError:  # it is written so, and there is no such day or hour
        raise ValueError(f"{given[:40]!a} does not exist, read as {_example(order)}.") from None
    if found is None:
        raise ValueError(f"{given[:40]!a} is not a day or a time as {_example(order)}.")
    return found


def clock(text: str) -> str:
    """A time of day as HH:MM or HH:MM:SS: 14:05, 2:05 PM, 1405, or Excel's fraction of a day. Raises ValueError."""
    given = text.strip()
    try:
        found = _clock(given)
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"{given[:40]!a} is no time of day.")
    return found.isoformat(timespec="seconds" if found.second else "minutes")


def _clock(given: str) -> time | None:
    if _FRACTION.fullmatch(given):
        return (_EXCEL_DAY_0 + timedelta(seconds=round(86_400 * _fraction(given)))).time()
    if hour := _TIME_OF_HOUR.fullmatch(given):
        return time(_hour(int(hour[1]), hour[2]))
    if found := _TIME.fullmatch(given):
        return time(_hour(int(found[1]), found[4]), int(found[2]), int(found[3] or 0))
    packed = _TIME_PACKED.fullmatch(given)
    return time(int(packed[1]), int(packed[2]), int(packed[3] or 0)) if packed else None


def zone(text: str) -> tuple[str | None, str]:
    """(IANA zone, ISO offset) that a zone cell states, one of them. Raises ValueError for what names no zone safely.

    Abbreviations are refused: CST is in Chicago and in Shanghai.
    """
    given = text.strip()
    if given.upper() in ("Z", "UTC", "GMT"):
        return None, "Z"
    if found := _OFFSET.fullmatch(given):
        return None, f"{found[1]}{int(found[2]):02d}:{found[3] or '00'}"
    if "/" not in given or not is_zone(given):
        raise ValueError(f"{given[:40]!a} is neither an offset such as +08:00 nor a zone such as Asia/Shanghai.")
    return given, ""


def is_zone(name: str) -> bool:
    """Whether the name is one of IANA's."""
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def orders(values: Iterable[str]) -> tuple[DateOrder, ...]:
    """Every order in which all the values can be read, leaving out those that none can read; none: they disagree.

    Two answers mean that the values do not say, and somebody must. Days with points are written day first everywhere.
    """
    left: set[DateOrder] | None = None
    for value in values:
        given = " ".join(value.split())
        if not given:
            continue
        fits = {order for order in DateOrder if _reads(given, order)}
        if DateOrder.DMY in fits and (numbered := _NUMBERED.fullmatch(given)) and numbered[2] == ".":
            fits -= {DateOrder.MDY}
        if fits:
            left = fits if left is None else left & fits
    if left is None:
        return ()
    return (DateOrder.ISO,) if left == set(DateOrder) else tuple(order for order in DateOrder if order in left)


def _reads(given: str, order: DateOrder) -> bool:
    try:
        return bool(_certain(given) or _in_order(given, order))
    except ValueError:
        return False


def _certain(given: str) -> str | None:
    """What can mean one thing only."""
    try:
        local = written(given).local
        return f"{local[:10]}T{local[11:].replace(' ', '')}" if len(local) > 10 else local  # offset and all
    except ValueError:
        pass
    if (found := _YEAR_FIRST.fullmatch(given)) is not None:
        return _joined(int(found[1]), int(found[3]), int(found[4]), found["clock"])
    if (found := _PACKED.fullmatch(given)) is not None:
        return _joined(int(found[1]), int(found[2]), int(found[3]), found["clock"])
    if (found := _NAMED.fullmatch(given)) is not None and found[2].lower() in _MONTHS:
        return _joined(_year(found[3]), _MONTHS[found[2].lower()], int(found[1]), found["clock"])
    if (found := _NAMED_FIRST.fullmatch(given)) is not None and found[1].lower() in _MONTHS:
        return _joined(int(found[3]), _MONTHS[found[1].lower()], int(found[2]), found["clock"])
    return None


def _in_order(given: str, order: DateOrder | str) -> str | None:
    if order == DateOrder.SERIAL:
        return _serial(given)
    found = _NUMBERED.fullmatch(given)
    if found is None or order not in (DateOrder.DMY, DateOrder.MDY):
        return None
    day, month = (int(found[1]), int(found[3])) if order == DateOrder.DMY else (int(found[3]), int(found[1]))
    return _joined(_year(found[4]), month, day, found["clock"])


def _joined(year: int, month: int, day: int, at: str | None) -> str:
    """Raises ValueError for a day or a time that does not exist."""
    told = date(year, month, day).isoformat()
    return f"{told}T{clock(at)}" if at else told


def _serial(given: str) -> str | None:
    if not _SERIAL.fullmatch(given):
        return None
    days, _point, part = given.partition(".")
    if not _SERIALS[0] <= int(days) <= _SERIALS[1]:
        return None
    at = _EXCEL_DAY_0 + timedelta(days=int(days), seconds=round(86_400 * _fraction(f".{part or 0}")))
    return f"{at:%Y-%m-%d}T{at:%H:%M:%S}".removesuffix(":00") if part.strip("0") else f"{at:%Y-%m-%d}"


def _fraction(text: str) -> float:
    return float(f"0{text.removeprefix('0')}")


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("No clock shows such an hour.")
    return hour % 12 + (12 if half in "Pp" else 0)


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _example(order: DateOrder | str) -> str:
    examples = {DateOrder.DMY: "31/03/2026 14:05", DateOrder.MDY: "03/31/2026 14:05", DateOrder.SERIAL: "46112.5868"}
    return examples.get(DateOrder(order), "2026-03-31 14:05") if order in list(DateOrder) else "2026-03-31 14:05"
