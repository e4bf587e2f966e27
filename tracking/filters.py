"""What a list of shipments was asked for: read from the address, written back into links.

No models and no clock. What an address asks and we do not understand is named in a sentence, never guessed at: a page
shows it above the list without it, a file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from portal.lib import ids
from tracking.standing import Standing
from tracking.wording import MILESTONES, STATUSES

MOST_REFERENCES: Final = 200
LONGEST_TEXT: Final = 6_000  # of the search box in an address: servers and proxies take lines of 8 KiB
LONGEST_QUERY: Final = 4_000  # of a kept view
ALL: Final = "all"  # the value of `view`: everything, not the view that opens by default

# The orders of the list, each with an index; the first is the default.
SORTS: Final = ("-promised", "promised", "-expected", "expected", "-heard", "heard", "ref", "-ref")
# The columns that can be shown, in the order in which they are offered; the first is the row's head and always shown.
COLUMNS: Final = (
    "shipment", "promise", "status", "route", "promised", "expected", "last", "boxes", "carrier", "mode", "pol", "pod",
    "final", "booking", "hbl", "mbl", "po", "vessel", "branch", "vertical", "booked", "heard",
)  # fmt: skip
DEFAULT_COLUMNS: Final = COLUMNS[:8]
ARRIVING: Final = ("7", "14", "30")

_CODE = re.compile(r"^[A-Za-z0-9?._ /-]{1,40}$")
_MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$", re.ASCII)
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
_STRONG = re.compile(r"[\n\r\t,;]+")
_CURSORS: Final = ("older", "newer")
_FLAGS: Final = ("unheard", "followed")  # asked as 1
_CODES: Final = ("lane", "pol", "pod", "carrier", "branch", "vertical")
_DAYS: Final = ("due_from", "due_to", "eta_from", "eta_to")
PARAMETERS: Final = (
    "q", "standing", "status", "milestone", *_CODES, "month", "due_from", "due_to", "arriving", "eta_from", "eta_to",
    "due", *_FLAGS, "exceptions", "sort", "cols", "view",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFilter:
    """Which shipments, in which order, in which columns. Empty text: not asked. Days are local to the final place
    where a promise names a day, else UTC.
    """

    q: str = ""
    standing: str = ""
    status: str = ""
    milestone: str = ""  # the last one reached
    lane: str = ""
    pol: str = ""
    pod: str = ""
    carrier: str = ""
    branch: str = ""
    vertical: str = ""
    month: str = ""  # of the promise, YYYY-MM
    due_from: str = ""  # days, YYYY-MM-DD, both included
    due_to: str = ""
    arriving: str = ""  # days ahead
    eta_from: str = ""
    eta_to: str = ""
    due: str = ""  # past: whose promise has come due
    unheard: bool = False  # an expected milestone has passed without a word
    exceptions: str = ""  # open: with an open exception; not for accounts without alerts
    followed: bool = False  # by the reader
    sort: str = ""
    cols: tuple[str, ...] = ()  # empty: the default ones
    view: str = ""
    problems: tuple[str, ...] = ()  # what the address asked and was left out, in sentences

    @classmethod
    def read(cls, params: Mapping[str, str]) -> ShipmentFilter:
        """From the query part of an address."""
        found: dict[str, object] = {}
        problems: list[str] = []
        for name in params:
            if name not in PARAMETERS:
                if name not in _CURSORS:
                    problems.append(_("“%(name)s” is no filter of this list; it was left out.") % {"name": name[:40]})
                continue
            given = params.getlist(name) if hasattr(params, "getlist") else [params[name]]
            value = given[-1].replace("\x00", "").strip()
            if len(given) > 1:
                problems.append(_("“%(name)s” is given %(count)d times and was left out: one value each.")
                                % {"name": name, "count": len(given)})  # fmt: skip
            elif value and (problem := _read_one(name, value, found)):
                problems.append(problem)
        for low, high in (("due_from", "due_to"), ("eta_from", "eta_to")):
            if found.get(low) and found.get(high) and str(found[low]) > str(found[high]):
                problems.append(_("The window from %(low)s to %(high)s ends before it begins; it was left out.")
                                % {"low": found.pop(low), "high": found.pop(high)})  # fmt: skip
        return cls(**found, problems=tuple(problems))  # type: ignore[arg-type]

    def params(self) -> dict[str, str]:
        """What stands in the address, always in the same order; nothing for what was not asked."""
        values: dict[str, str] = {}
        for name in PARAMETERS:
            value = getattr(self, name)
            values[name] = "1" if value is True else ",".join(value) if isinstance(value, tuple) else value or ""
        return {name: value for name, value in values.items() if value}

    def query(self, **changes: object) -> str:
        """The query part of an address with some of it changed; always of the first page."""
        return urlencode(replace(self, **changes).params(), safe=",:/")  # type: ignore[arg-type]

    def url(self, base: str, **changes: object) -> str:
        """The address of the list with some of it changed."""
        asked = self.query(**changes)
        return f"{base}?{asked}" if asked else base

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but order and columns was asked."""
        return bool(self.params().keys() - {"sort", "cols", "view"})

    @property
    def order(self) -> str:
        """The order in force."""
        return self.sort or SORTS[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in force."""
        return self.cols or DEFAULT_COLUMNS


def _read_one(name: str, value: str, found: dict[str, object]) -> str:
    """Puts the value of one parameter into `found`, or says why not."""
    if name == "q":
        if len(value) > LONGEST_TEXT:
            return _("The search text has %(count)d characters; %(most)d at once are read. Search in parts.") % {
                "count": len(value), "most": LONGEST_TEXT}  # fmt: skip
        found[name] = value
    elif name in _FLAGS:
        if value != "1":
            return _unknown(name, value, "1")
        found[name] = True
    elif name == "cols":
        wanted = tuple(dict.fromkeys(value.split(",")))
        if strange := [column for column in wanted if column not in COLUMNS]:
            return _("There is no column “%(column)s”; the usual columns are shown.") % {"column": strange[0][:40]}
        cols = ("shipment", *(column for column in wanted if column != "shipment"))
        found[name] = () if cols == DEFAULT_COLUMNS else cols
    elif name == "sort":
        if value not in SORTS:
            return _unknown(name, value, ", ".join(SORTS))
        found[name] = "" if value == SORTS[0] else value
    elif not _fits(name, value):
        return _unknown(name, value, _HOW.get(name, ""))
    else:
        found[name] = value
    return ""


_CHOICES: Final[dict[str, frozenset[str]]] = {
    "standing": frozenset(s.value for s in Standing), "status": frozenset(STATUSES),
    "milestone": frozenset(str(m) for m in MILESTONES), "arriving": frozenset(ARRIVING), "view": frozenset([ALL]),
    "exceptions": frozenset(["open"]), "due": frozenset(["past"]),
}  # fmt: skip
_HOW: Final[dict[str, str]] = {
    **{name: ", ".join(sorted(values)) for name, values in _CHOICES.items()},
    "month": "2026-03",
    **dict.fromkeys(_DAYS, "2026-03-31"),
}


def _fits(name: str, value: str) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name == "month":
        return bool(_MONTH.match(value))
    if name in _DAYS:
        return _is_day(value)
    if name in ("branch", "vertical"):  # words of the operator's own
        return len(value) <= 64 and value.isprintable()
    return bool(_CODE.match(value))


def _is_day(text: str) -> bool:
    if not _DAY.match(text):
        return False
    try:
        return 1970 <= date.fromisoformat(text).year < 9000
    except ValueError:
        return False


def _unknown(name: str, value: str, how: str) -> str:
    said = _("“%(value)s” is no value of “%(name)s”; it was left out.") % {"value": value[:40], "name": name}
    return f"{said} {_('Possible: %(values)s.') % {'values': how}}" if how else said


@dataclass(frozen=True, slots=True)
class Term:
    """One entry of the search box: as written, in normal form, and its words where blanks may separate references."""

    written: str
    normal: str
    words: tuple[tuple[str, str], ...] = ()  # (normal form, as written)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was typed into the search box: one reference, or a pasted list of them."""

    whole: str  # everything as one reference
    listed: tuple[Term, ...]  # without repeats
    dropped: int = 0  # how many were beyond the most

    @classmethod
    def read(cls, text: str) -> Terms:
        """Lines, commas, semicolons and tabs separate references; blanks may, or may stand inside one."""
        entries: dict[str, Term] = {}
        for written in _STRONG.split(text):
            normal = ids.reference(written)
            if normal:
                words = tuple((n, word) for word in written.split() if (n := ids.reference(word)))
                entry = Term(" ".join(written.split()), normal, words if len(words) > 1 else ())
                entries.setdefault(normal, entry)
        kept, count = [], 0
        for entry in entries.values():
            count += len(entry.words) or 1
            if count <= MOST_REFERENCES:
                kept.append(entry)
            elif len(entries) == 1:  # one long line: its first words
                kept.append(Term(entry.written, entry.normal[:64], entry.words[:MOST_REFERENCES]))
        return cls(ids.reference(text)[:64], tuple(kept), max(0, count - MOST_REFERENCES))

    @property
    def is_list(self) -> bool:
        """Whether several references were given for sure."""
        return len(self.listed) > 1

    def leads_to_one(self, how: str, ids: Sequence[int], unknown: Sequence[str]) -> bool:
        """Whether one reference was typed and is exactly that of one shipment: nobody wants a list of it."""
        return how == "exact" and len(ids) == 1 and not unknown and not self.is_list
