"""Reading the cells of a CSV row: text, instants, days, numbers, lists and codes, each with the place of its fault.

Knows no columns; which a file has is said where it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeVar

from tracking import identifiers
from tracking.csvtable import Row
from tracking.fields import Fault
from tracking.instants import Written, written
from tracking.reasons import Reason
from tracking.types import Precision

_TRUE: Final = frozenset({"TRUE", "YES", "Y", "1"})
_FALSE: Final = frozenset({"FALSE", "NO", "N", "0"})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,6}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?\d{1,14}(?:\.\d{1,8})?", re.ASCII)

_YEARS: Final = (1900, 2999)

V = TypeVar("V")
D = TypeVar("D", date, datetime)


def text(row: Row, column: str, most: int = 64) -> str:
    """The text of a cell; empty when there is none."""
    value = row.cells.get(column, "")
    if len(value) > most:
        raise Fault(Reason.TOO_LONG, row.at(column), f"It has {len(value)} characters; {most} are read.")
    return value


def needed(row: Row, column: str, most: int = 64) -> str:
    """The text of a cell that must not be empty."""
    value = text(row, column, most)
    if not value:
        raise Fault(Reason.MISSING_FIELD, row.at(column))
    return value


def listed(row: Row, column: str, most: int = 64) -> tuple[str, ...]:
    """The parts between `|`, trimmed, empty ones and doubles left out, in their order."""
    parts = [part.strip() for part in row.cells.get(column, "").split("|")]
    for part in parts:
        if len(part) > most:
            raise Fault(Reason.TOO_LONG, row.at(column), f"{part[:20]!a}… has {len(part)} characters; {most} are read.")
    return tuple(dict.fromkeys(part for part in parts if part))


def code(row: Row, column: str, known: Mapping[str, V]) -> V | None:
    """The value that a code of a list stands for, upper or lower case; None when the cell is empty."""
    given = text(row, column).upper()
    if not given:
        return None
    if given not in known:
        raise Fault(
            Reason.UNKNOWN_CODE, row.at(column), f"It is {given[:40]!a}; one of {', '.join(known)} is expected."
        )
    return known[given]


def yes_no(row: Row, column: str, extra: Mapping[str, bool] | None = None) -> bool | None:
    """True or false in its usual spellings; None when the cell is empty."""
    given = text(row, column).upper()
    if not given:
        return None
    known = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False), **(extra or {})}
    if given not in known:
        raise Fault(Reason.BAD_VALUE, row.at(column), f"It is {given[:40]!a}; true or false is expected.")
    return known[given]


def time(row: Row, column: str) -> Written | None:
    """A time in ISO 8601, or a day; None when the cell is empty."""
    given = text(row, column)
    if not given:
        return None
    try:
        return written(given)
    except ValueError as fault:
        raise Fault(Reason.BAD_TIME, row.at(column), str(fault)) from None


def instant(row: Row, column: str) -> datetime | None:
    """An instant as aware UTC; None when the cell is empty.

    A time that states no offset, and a bare day, are read in UTC: such columns hold clocks of systems, not of places.
    """
    when = time(row, column)
    if when is None or when.time is not None:
        return when.time if when else None
    midnight = "T00:00" if when.precision == Precision.DAY else ""
    return written(f"{when.local}{midnight}Z").time


def exact_instant(row: Row, column: str) -> datetime | None:
    """An instant that must state its offset, for promises."""
    when = time(row, column)
    if when is not None and when.time is None:
        raise Fault(Reason.BAD_TIME, row.at(column), "An instant with its offset is expected.")
    return _near(when.time, row, column) if when and when.time else None


def day(row: Row, column: str) -> date | None:
    """A day as YYYY-MM-DD; None when the cell is empty."""
    given = text(row, column)
    if not given:
        return None
    if not _DAY.fullmatch(given):
        raise Fault(Reason.BAD_TIME, row.at(column), f"It is {given[:40]!a}; a day as YYYY-MM-DD is expected.")
    try:
        return _near(date.fromisoformat(given), row, column)
    except ValueError:
        raise Fault(Reason.BAD_TIME, row.at(column), f"There is no day {given}.") from None


def _near(when: D, row: Row, column: str) -> D:
    """Promises are added to: what lies too far off has no limit in any calendar."""
    if not _YEARS[0] <= when.year <= _YEARS[1]:
        raise Fault(Reason.BAD_TIME, row.at(column), f"A year from {_YEARS[0]} to {_YEARS[1]} is expected.")
    return when


def whole(row: Row, column: str) -> int | None:
    """A whole number from 0; None when the cell is empty."""
    given = text(row, column)
    if given and not _WHOLE.fullmatch(given):
        raise Fault(Reason.BAD_VALUE, row.at(column), f"It is {given[:40]!a}; a whole number is expected.")
    return int(given) if given else None


def decimal(row: Row, column: str) -> Decimal | None:
    """An exact decimal with a point; None when the cell is empty."""
    given = text(row, column)
    if given and not _DECIMAL.fullmatch(given):
        raise Fault(Reason.BAD_VALUE, row.at(column), f"It is {given[:40]!a}; a number such as 1234.50 is expected.")
    return Decimal(given) if given else None


def place(row: Row, column: str) -> str:
    """A place code in its normal form; empty when there is none."""
    return identifiers.place(text(row, column, 16))
