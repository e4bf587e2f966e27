"""Frozen records of worked examples, and the strict reader of their inputs.

Knows no rule of the domain and no kind of case; those stand one family a file in kinds/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from portal.lib.periods import Month

_ABSENT: Final = object()


class CaseFault(Exception):
    """A case that cannot be run: a missing, unknown or malformed input field. `field` says which."""

    def __init__(self, field: str, fault: str) -> None:
        self.field, self.fault = field, fault
        super().__init__(f"{field}: {fault}")


def read_instant(text: object, field: str) -> datetime:
    """`YYYY-MM-DDTHH:MM:SSZ` as aware UTC."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise CaseFault(field, f"{text!r} is not an instant") from None


def read_date(text: object, field: str) -> date:
    """`YYYY-MM-DD`."""
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise CaseFault(field, f"{text!r} is not a date") from None


def read_decimal(text: object, field: str) -> Decimal:
    """An exact decimal number as text; never a binary float."""
    try:
        if not isinstance(text, str):
            raise InvalidOperation
        return Decimal(text)
    except InvalidOperation:
        raise CaseFault(field, f"{text!r} is not a decimal as text") from None


def read_int(value: object, field: str) -> int:
    """A whole number, not a yes or no."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise CaseFault(field, f"{value!r} is not a whole number")
    return value


def read_list(value: object, field: str, columns: int | None = None) -> Sequence[Any]:
    """A list, of exactly `columns` entries when given."""
    if not isinstance(value, list) or (columns is not None and len(value) != columns):
        raise CaseFault(field, f"{value!r} is not a list" + (f" of {columns}" if columns is not None else ""))
    return value


class Fields:
    """An input object that remembers what was read, so that a field nobody knows is a fault and never skipped."""

    def __init__(self, value: object, path: str = "input") -> None:
        if not isinstance(value, dict):
            raise CaseFault(path, "is not an object")
        self._value: Mapping[str, Any] = value
        self._path = path
        self._read: set[str] = set()
        self._inner: list[Fields] = []

    def _get(self, name: str, default: object = _ABSENT) -> Any:
        self._read.add(name)
        value = self._value.get(name, _ABSENT)
        if value is _ABSENT or (value is None and default is not _ABSENT):
            if default is _ABSENT:
                raise CaseFault(self.at(name), "is missing")
            return default
        return value

    def all(self) -> Mapping[str, Any]:
        """The whole object as it is."""
        return self._value

    def at(self, name: str) -> str:
        """The full name of a field, for messages."""
        return f"{self._path}.{name}"

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._get(name)
        if not isinstance(value, str):
            raise CaseFault(self.at(name), f"{value!r} is not text")
        return value

    def text_or(self, name: str, default: str | None = None) -> str | None:
        """A text that may be absent or null."""
        return default if self._get(name, None) is None else self.text(name)

    def whole(self, name: str, default: Any = _ABSENT) -> int:
        """A whole number, optional when a default is given."""
        value = self._get(name, default)
        return value if value is default and value is not _ABSENT else read_int(value, self.at(name))

    def whole_or(self, name: str) -> int | None:
        """A whole number that may be absent or null."""
        value = self._get(name, None)
        return None if value is None else read_int(value, self.at(name))

    def number(self, name: str) -> Any:
        """A number, whole or not, as it is written."""
        return self._get(name)

    def flag(self, name: str, default: Any = _ABSENT) -> bool:
        """Yes or no."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise CaseFault(self.at(name), f"{value!r} is neither true nor false")
        return value

    def decimal(self, name: str) -> Decimal:
        """An exact decimal."""
        return read_decimal(self._get(name), self.at(name))

    def decimal_or(self, name: str, default: str | None = None) -> Decimal | None:
        """An exact decimal that may be absent or null."""
        value = self._get(name, None)
        if value is None:
            return None if default is None else Decimal(default)
        return read_decimal(value, self.at(name))

    def instant(self, name: str) -> datetime:
        """An instant."""
        return read_instant(self._get(name), self.at(name))

    def instant_or(self, name: str) -> datetime | None:
        """An instant that may be absent or null."""
        value = self._get(name, None)
        return None if value is None else read_instant(value, self.at(name))

    def day(self, name: str) -> date:
        """A date."""
        return read_date(self._get(name), self.at(name))

    def day_or(self, name: str) -> date | None:
        """A date that may be absent or null."""
        value = self._get(name, None)
        return None if value is None else read_date(value, self.at(name))

    def month(self, name: str) -> Month:
        """A month."""
        try:
            return Month.parse(self.text(name))
        except ValueError as error:
            raise CaseFault(self.at(name), str(error)) from None

    def zone(self, name: str) -> ZoneInfo:
        """An IANA time zone."""
        try:
            return ZoneInfo(self.text(name))
        except (ValueError, OSError):
            raise CaseFault(self.at(name), f"{self.text(name)!r} is not a time zone") from None

    def rows(self, name: str, default: Any = _ABSENT) -> Sequence[Any]:
        """A list of plain values or rows."""
        return read_list(self._get(name, default), self.at(name))

    def mapping(self, name: str, default: Any = _ABSENT) -> Mapping[str, Any]:
        """An object whose keys are data."""
        value = self._get(name, default)
        if not isinstance(value, dict):
            raise CaseFault(self.at(name), "is not an object")
        return value

    def inner(self, name: str) -> Fields:
        """An object with named fields."""
        fields = Fields(self._get(name), self.at(name))
        self._inner.append(fields)
        return fields

    def each(self, name: str) -> Iterator[Fields]:
        """A list of objects with named fields."""
        for i, value in enumerate(self.rows(name)):
            fields = Fields(value, f"{self.at(name)}[{i}]")
            self._inner.append(fields)
            yield fields

    def done(self) -> None:
        """Raises CaseFault when the object, or one inside it, held a field that nobody read."""
        for name in self._value:
            if name not in self._read:
                raise CaseFault(self.at(name), "is not known")
        for fields in self._inner:
            fields.done()


@dataclass(frozen=True, slots=True)
class CaseKind:
    """How cases of one kind are put to the product: `answer` reads the input and gives the found values.

    Decimals in answers are compared by value, texts letter by letter.
    """

    key: str
    answer: Callable[[Fields], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a case failed: the field, what was expected and what was found."""

    case: str
    kind: str
    field: str
    expected: str
    found: str

    def line(self) -> str:
        """One line, beginning with the case's id."""
        return f"{self.case} {self.kind} {self.field}: expected {self.expected}, found {self.found}"
