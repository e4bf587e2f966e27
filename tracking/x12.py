"""X12 interchanges: ISA to IEA, GS to GE, ST to SE, read tolerantly into transactions with whatever does not fit.

Syntax and envelope only; what a transaction says stands in x12_messages. Nothing here knows a partner or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tracking.fields import Fault
from tracking.reasons import Reason
from tracking.types import Refusal, Unreadable

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_SEGMENTS: Final = 300_000  # of a file
MOST_IN_TRANSACTION: Final = 2_000
MOST_ELEMENTS: Final = 200
MOST_CHARACTERS: Final = 10_000  # of a segment

_FRAGMENT: Final = 2_000
_WIDTHS: Final = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)  # ISA01 to ISA16
_LONGEST_ISA: Final = 400  # characters in which an ISA must have ended, padded or not
_BLANK: Final = " \t\r\n\x1a"
_BREAKS: Final = str.maketrans("", "", "\r\n")  # some mailers break lines in the middle of a segment
_TAG: Final = re.compile(r"[A-Z][A-Z0-9]{1,2}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_START: Final = re.compile(r"(ISA|GS|ST)([^A-Za-z0-9\s])", re.ASCII)
_LOOKS: Final = re.compile(r"ISA|GS([^\w\s])[A-Z]{2}\1|ST([^\w\s])\d{3}\2", re.ASCII)  # a table may begin with GS or ST
_BARE_ST: Final = re.compile(r"ST([^\w\s])\w{1,6}\1\w{1,30}(?:\1\w*)?(\r?\n|[^\w\s])", re.ASCII)
_OUTSIDE: Final = frozenset({"ISA", "GS", "ST", "SE", "GE", "IEA", "TA1"})
CONTROL: Final = (Reason.CONTROL_COUNT, Reason.CONTROL_REFERENCE, Reason.NO_CONTROL_TRAILER)


@dataclass(frozen=True, slots=True)
class Separators:
    """What parts elements, components and segments in one interchange."""

    element: str
    component: str
    terminator: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its elements are numbered from 1, as the standard does; absent ones are empty."""

    number: int  # in the file; the first segment, ISA, is 0
    tag: str
    elements: tuple[str, ...]
    start: int  # characters [start, end) of the text
    end: int
    fault: Reason | None = None  # why it cannot be read

    def get(self, number: int) -> str:
        """An element, trimmed."""
        return self.elements[number - 1].strip() if 0 < number <= len(self.elements) else ""

    @property
    def step(self) -> str:
        """Its part of a position: `B4[3]`."""
        return f"{self.tag if _TAG.fullmatch(self.tag) else 'SEG'}[{self.number}]"

    def as_list(self) -> list[str]:
        """Tag and elements, for payloads."""
        return [self.tag, *self.elements]


@dataclass(slots=True)
class Interchange:
    """An ISA with what does not fit it."""

    head: Segment
    faults: list[Reason] = field(default_factory=list)
    groups: int = 0


@dataclass(slots=True)
class Group:
    """A GS with what does not fit it."""

    head: Segment
    faults: list[Reason] = field(default_factory=list)
    transactions: int = 0
    stated: int | None = None  # GE01


@dataclass(slots=True)
class Transaction:
    """An ST to its SE. `number` counts transactions from zero through the whole file."""

    number: int
    head: Segment
    interchange: Interchange | None
    group: Group | None
    body: list[Segment] = field(default_factory=list)  # without ST and SE
    faults: list[Reason] = field(default_factory=list)
    refused: Fault | None = None  # it cannot be read as a whole

    @property
    def type(self) -> str:
        """ST01, such as 315."""
        return self.head.get(1) if self.head.tag == "ST" else ""

    def at(self, segment: Segment) -> str:
        """The position of one of its segments."""
        return f"$[{self.number}].{segment.step}"

    @property
    def warnings(self) -> tuple[Reason, ...]:
        """What does not fit in its envelope, its own trailer first."""
        group = self.group.faults if self.group else ()
        return tuple(dict.fromkeys((*self.faults, *group, *(self.interchange.faults if self.interchange else ()))))

    def refusal(self, fault: Fault) -> Refusal:
        """The refusal of it, or of one of its events, with its segments one a line for people."""
        lines = ("*".join(s.as_list()) for s in (self.head, *self.body[:200]))
        fragment = "\n".join(lines).replace("\0", "?")[:_FRAGMENT]
        return Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=fragment)


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds, in its order."""

    transactions: tuple[Transaction, ...]
    interchanges: tuple[Interchange, ...]


# --- segments ---


def decoded(raw: bytes) -> str:
    """The text: UTF-8, else Latin-1, which is what X12 senders use for the letters that ASCII lacks."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def spans(text: str) -> list[tuple[int, int]]:
    """Characters [start, end) of every segment, by its number; empty when the text is no X12."""
    try:
        return [(s.start, s.end) for s in _segments(text)]
    except Unreadable:
        return []


def first_type(raw: bytes) -> str | None:
    """ST01 of the first transaction; empty when X12 begins without one, None when it is no X12. Never raises."""
    text = raw[:4_096].decode("latin-1").removeprefix("\xef\xbb\xbf").lstrip(_BLANK)
    start = _START.match(text)
    if start is None or not _LOOKS.match(text):
        return None
    sign = re.escape(start[2])
    found = re.search(rf"(?:\A|[^A-Za-z0-9])ST{sign}(\w{{1,6}}){sign}", text, re.ASCII)
    return found[1] if found else ""


def _segments(text: str) -> Iterator[Segment]:
    """Every segment; an ISA may change the separators. Raises Unreadable when there is no beginning."""
    at, number, separators = _skip(text, 0), 0, None
    while at < len(text):
        if separators is None or (text.startswith("ISA", at) and not text[at + 3 : at + 4].isalnum()):
            separators = _separators(text, at) or separators
            if separators is None:
                raise Unreadable(*_no_beginning(text, at), position="$")
            if number == 0 and text.count(separators.terminator) > 2 * MOST_SEGMENTS:
                raise Unreadable(Reason.TOO_MANY_ITEMS, f"The file has more than {MOST_SEGMENTS} segments.")
        end = text.find(separators.terminator, at)
        end = len(text) if end < 0 else end
        piece = text[at:end].rstrip(_BLANK)
        if piece:
            if number >= MOST_SEGMENTS:
                raise Unreadable(Reason.TOO_MANY_ITEMS, f"The file has more than {MOST_SEGMENTS} segments.")
            yield _segment(piece, number, at, separators)
            number += 1
        at = _skip(text, end + 1)


def _segment(piece: str, number: int, start: int, separators: Separators) -> Segment:
    end = start + len(piece)
    tag = piece[:3].partition(separators.element)[0]
    if len(piece) > MOST_CHARACTERS:
        return Segment(number, tag, (), start, end, Reason.TOO_LONG)
    tag, *elements = piece.translate(_BREAKS).split(separators.element)
    fault = None
    if not _TAG.fullmatch(tag):
        tag, fault = tag[:3], Reason.BAD_SEGMENT
    elif len(elements) > MOST_ELEMENTS:
        elements, fault = [], Reason.TOO_LONG
    elif _CONTROL.search(piece):
        fault = Reason.BAD_TEXT
    return Segment(number, tag, tuple(elements), start, end, fault)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _no_beginning(text: str, at: int) -> tuple[Reason, str]:
    if at >= len(text):
        return Reason.EMPTY, "The message is empty."
    if text.startswith(("ISA", "GS", "ST"), at):
        return Reason.TRUNCATED_MESSAGE, f"The message ends at character {len(text)}, before its first segment does."
    return Reason.BAD_ENVELOPE, f"An X12 message begins with ISA, GS or ST; this one with {text[at : at + 24]!a}."


def _separators(text: str, at: int) -> Separators | None:
    """From the ISA by counting its separators, padded or not; without an ISA from where GS or ST must end."""
    start = _START.match(text, at)
    if start is None:
        return None
    element = start[2]
    if start[1] == "ST":
        found = _BARE_ST.match(text, at)
        return Separators(element, ">", found[2][-1]) if found else None
    if start[1] == "ISA":
        sixteenth = _sixteenth(text, at, element)
        if sixteenth is not None:
            return sixteenth
    # what stands before the next ST or GS ends a segment
    later = re.compile(rf"([^\w\s]|\n)\s{{0,9}}(?:GS|ST|TA1){re.escape(element)}", re.ASCII)
    found = later.search(text, at + 4, at + 4 + 2 * _LONGEST_ISA)
    return Separators(element, ">", found[1]) if found and found[1] != element else None


def _sixteenth(text: str, at: int, element: str) -> Separators | None:
    """ISA16 is the component separator, and the character after it ends the segment."""
    end = at + 3
    for _n in range(15):
        end = text.find(element, end + 1, at + _LONGEST_ISA)
        if end < 0:
            return None
    component, terminator = text[end + 1 : end + 2], text[end + 2 : end + 3]
    if "\n" in text[at:end] or f"GS{element}" in text[at:end] or not component:
        return None
    if text.startswith((f"GS{element}", f"ST{element}", f"TA1{element}"), end + 2):
        return Separators(element, "", component)  # ISA16 was left out
    if terminator in ("\r", "\n"):
        line = text[end + 3 : end + 3 + _LONGEST_ISA].lstrip(_BLANK).partition("\n")[0].rstrip(_BLANK)
        return Separators(element, "", component) if line.endswith(component) else Separators(element, component, "\n")
    if not terminator or terminator.isalnum() or terminator in (" ", element):
        return None
    return Separators(element, component, terminator)


# --- transactions ---


def read(raw: bytes) -> Read:
    """Every transaction of the file with what does not fit around it.

    One that is cut off, or that holds a segment that cannot be read, has `refused`. So has what stands outside of any
    transaction. Raises Unreadable when there is none and the file is no whole interchange.
    """
    if len(raw) > MOST_BYTES:
        raise Unreadable(Reason.TOO_LARGE, f"The message has {len(raw)} bytes; {MOST_BYTES} are read.")
    text = decoded(raw)
    if not text.strip(_BLANK + "\0"):
        raise Unreadable(Reason.EMPTY, "The message is empty.")
    reader = _Reader()
    for segment in _segments(text):
        reader.take(segment)
    reader.finish(len(text))
    return Read(tuple(reader.transactions), tuple(reader.interchanges))


@dataclass(slots=True)
class _Reader:
    transactions: list[Transaction] = field(default_factory=list)
    interchanges: list[Interchange] = field(default_factory=list)
    interchange: Interchange | None = None
    group: Group | None = None
    open: Transaction | None = None

    def take(self, segment: Segment) -> None:
        {
            "ISA": self._isa, "GS": self._gs, "ST": self._st, "SE": self._se, "GE": self._ge, "IEA": self._iea,
        }.get(segment.tag, self._other)(segment)  # fmt: skip

    def _isa(self, segment: Segment) -> None:
        self._close_interchange(closed=False)
        self.interchange = Interchange(segment)
        self.interchanges.append(self.interchange)
        if tuple(len(e) for e in segment.elements) != _WIDTHS:
            self.interchange.faults.append(Reason.ENVELOPE_PADDING)

    def _gs(self, segment: Segment) -> None:
        self._close_group(closed=False)
        self.group = Group(segment)
        if self.interchange:
            self.interchange.groups += 1

    def _st(self, segment: Segment) -> None:
        self._close_transaction(closed=False)
        if self.group:
            self.group.transactions += 1
        self._begin(segment)

    def _begin(self, segment: Segment) -> Transaction:
        self.open = Transaction(len(self.transactions), segment, self.interchange, self.group)
        self.transactions.append(self.open)
        self._refuse_fault(self.open, segment)
        return self.open

    def _se(self, segment: Segment) -> None:
        found = self.open
        if found is None:
            return
        if _whole(segment.get(1)) != len(found.body) + 2:
            found.faults.append(Reason.CONTROL_COUNT)
        if segment.get(2) != found.head.get(2):
            found.faults.append(Reason.CONTROL_REFERENCE)
        self._close_transaction(closed=True)

    def _ge(self, segment: Segment) -> None:
        self._close_transaction(closed=False)
        if self.group is None:
            return
        self.group.stated = _whole(segment.get(1))
        if self.group.stated != self.group.transactions:
            self.group.faults.append(Reason.CONTROL_COUNT)
        if not _same_number(segment.get(2), self.group.head.get(6)):
            self.group.faults.append(Reason.CONTROL_REFERENCE)
        self._close_group(closed=True)

    def _iea(self, segment: Segment) -> None:
        self._close_group(closed=False)
        if self.interchange is None:
            return
        if _whole(segment.get(1)) != self.interchange.groups:
            self.interchange.faults.append(Reason.CONTROL_COUNT)
        if not _same_number(segment.get(2), self.interchange.head.get(13)):
            self.interchange.faults.append(Reason.CONTROL_REFERENCE)
        self._close_interchange(closed=True)

    def _other(self, segment: Segment) -> None:
        if self.open is None:
            if segment.tag in _OUTSIDE:
                return
            stray = self._begin(segment)
            stray.refused = stray.refused or Fault(
                Reason.BAD_ENVELOPE, stray.at(segment), "It stands outside of any transaction (ST to SE)."
            )
            return
        if len(self.open.body) >= MOST_IN_TRANSACTION:
            self.open.refused = self.open.refused or Fault(Reason.TOO_MANY_ITEMS, self.open.at(segment))
            return
        self.open.body.append(segment)
        self._refuse_fault(self.open, segment)

    def _refuse_fault(self, transaction: Transaction, segment: Segment) -> None:
        if segment.fault and transaction.refused is None:
            transaction.refused = Fault(segment.fault, transaction.at(segment))

    def _close_transaction(self, *, closed: bool) -> None:
        if self.open and not closed:
            self.open.faults.append(Reason.NO_CONTROL_TRAILER)
        self.open = None

    def _close_group(self, *, closed: bool) -> None:
        self._close_transaction(closed=self.open is None)
        if self.group and not closed:
            self.group.faults.append(Reason.NO_CONTROL_TRAILER)
        self.group = None

    def _close_interchange(self, *, closed: bool) -> None:
        self._close_group(closed=self.group is None)
        if self.interchange and not closed:
            self.interchange.faults.append(Reason.NO_CONTROL_TRAILER)
        self.interchange = None

    def finish(self, length: int) -> None:
        """The text ends here: a transaction without its SE may have been cut off anywhere, so it is not believed."""
        cut = self.open
        if cut and cut.refused is None:
            last = cut.body[-1] if cut.body else cut.head
            more = f"It ends at character {length} without a segment SE."
            cut.refused = Fault(Reason.TRUNCATED_MESSAGE, cut.at(last), more)
        if not self.transactions and self.interchange:
            more = f"The interchange ends at character {length} before its first transaction."
            raise Unreadable(Reason.TRUNCATED_MESSAGE, more)
        if not self.transactions and not self.interchanges:
            raise Unreadable(Reason.BAD_ENVELOPE, "The message holds no transaction (ST to SE).")
        self._close_interchange(closed=False)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _same_number(one: str, other: str) -> bool:
    """Control numbers of groups and interchanges are numbers: leading zeros say nothing."""
    return one == other or (_whole(one) is not None and _whole(one) == _whole(other))
