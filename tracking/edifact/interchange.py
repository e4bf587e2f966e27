"""Interchanges, groups and messages of an EDIFACT file, and whether their counts and references fit (G8).

Knows no message type. A message that was cut off or holds a segment that cannot be read is marked as broken; what its
envelope does not fit stands in its faults, and the caller decides what that means for this partner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tracking.edifact.syntax import LIMITS, Limits, Segment, segments
from tracking.reasons import Reason, sentence
from tracking.types import Unreadable

Told = tuple[Reason, Segment]  # what does not fit, and the segment that shows it


@dataclass(slots=True)
class Group:
    """UNG to UNE."""

    opening: Segment
    messages: int = 0


@dataclass(slots=True)
class Interchange:
    """UNB to UNZ; `opening` is None for messages that came without an envelope."""

    opening: Segment | None = None
    messages: int = 0
    groups: int = 0
    faults: list[Told] = field(default_factory=list)
    is_closed: bool = False

    def get(self, element: int, component: int = 0) -> str:
        """A value of UNB."""
        return self.opening.get(element, component) if self.opening else ""

    @property
    def prepared_at(self) -> datetime | None:
        """When its sender made it, by a computer's clock that is read in UTC; None when that cannot be read."""
        day, time = self.get(4, 0), self.get(4, 1)[:4]
        pattern = "%Y%m%d%H%M" if len(day) == 8 else "%y%m%d%H%M"
        try:
            return datetime.strptime(day + time, pattern).replace(tzinfo=UTC) if (day + time).isdecimal() else None
        except ValueError:
            return None


@dataclass(slots=True)
class Message:
    """UNH to UNT: its own segments, and what does not fit around them."""

    number: int  # in the file, from zero
    opening: Segment
    interchange: Interchange
    group: Group | None = None
    segments: list[Segment] = field(default_factory=list)  # what stands between UNH and UNT
    own_faults: list[Told] = field(default_factory=list)
    group_faults: list[Told] = field(default_factory=list)
    broken: Told | None = None

    @property
    def type(self) -> str:
        """IFTSTA, CODECO and so on, as UNH says."""
        return self.opening.code(2)

    @property
    def faults(self) -> list[Told]:
        """Its own, those of its group and those of its interchange."""
        return [*self.own_faults, *self.group_faults, *self.interchange.faults]

    def at(self, *segments: Segment) -> str:
        """A position in it: `$[0].STS[13].DTM[17]`."""
        return ".".join((f"$[{self.number}]", *(s.step for s in segments)))


@dataclass(slots=True)
class Stray:
    """Segments outside every message."""

    reason: Reason
    before: int  # the number of the message that would come next
    segment: Segment  # the first of them
    end: int  # the number of the last


@dataclass(slots=True)
class File:
    """Everything that was sent at once."""

    messages: list[Message] = field(default_factory=list)
    interchanges: list[Interchange] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)


def read(raw: bytes, limits: Limits = LIMITS) -> File:
    """The messages of a file with their envelopes. Raises Unreadable for the whole: empty, too large, no EDIFACT."""
    if len(raw) > limits.bytes:
        raise Unreadable(Reason.TOO_LARGE, f"The file has {len(raw)} bytes; {limits.bytes} are allowed.")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip(b" \t\r\n\0\x1a"):
        raise Unreadable(Reason.EMPTY, str(sentence(Reason.EMPTY)))
    if raw.lstrip()[:3] not in (b"UNA", b"UNB", b"UNG", b"UNH"):
        raise Unreadable(Reason.BAD_ENVELOPE, "The file begins with neither UNA, UNB nor UNH.")
    reader = _Reader(limits)
    for segment in segments(raw, limits):
        if segment.number >= limits.segments or len(reader.file.messages) > limits.messages:
            raise Unreadable(
                Reason.TOO_MANY_ITEMS,
                f"The file holds more than {limits.segments} segments or {limits.messages} messages.",
            )
        reader.take(segment)
    reader.end()
    return reader.file


class _Reader:
    """Takes segments in their order and keeps what is open."""

    def __init__(self, limits: Limits) -> None:
        self.file, self.limits = File(), limits
        self.interchange: Interchange | None = None
        self.group: Group | None = None
        self.grouped: list[Message] = []
        self.message: Message | None = None
        self.last: Segment | None = None

    def take(self, segment: Segment) -> None:
        step = {
            "UNB": self._unb, "UNG": self._ung, "UNH": self._unh, "UNT": self._unt, "UNE": self._une, "UNZ": self._unz,
        }.get(segment.tag)  # fmt: skip
        if step is None or segment.fault is not None:
            self._content(segment)
        elif not segment.is_closed:
            self._cut(segment)
        else:
            step(segment)
        self.last = segment

    def _content(self, segment: Segment) -> None:
        if self.message is None:
            self._stray(segment.fault or Reason.BAD_SEGMENT, segment)
        elif not segment.is_closed:
            self._cut(segment)
        else:
            if segment.fault is not None and self.message.broken is None:
                self.message.broken = (segment.fault, segment)
            self.message.segments.append(segment)

    def _cut(self, segment: Segment) -> None:
        """The file ends inside a segment: the message it belongs to was cut off; a trailer alone is only missed."""
        if self.message is None and segment.tag == "UNH":
            self._unh(segment)
        if self.message is not None:
            self.message.broken = (Reason.TRUNCATED_MESSAGE, segment)
            self.message = None
        elif segment.tag not in ("UNE", "UNZ") or self.interchange is None:
            self._stray(Reason.TRUNCATED_MESSAGE, segment)

    def _stray(self, reason: Reason, segment: Segment) -> None:
        """One after the other counts once."""
        last = self.file.strays[-1] if self.file.strays else None
        if last is None or last.end + 1 != segment.number:
            self.file.strays.append(Stray(reason, len(self.file.messages), segment, segment.number))
        else:
            last.end = segment.number

    def _unb(self, segment: Segment) -> None:
        self._leave_interchange(segment)
        self.interchange = Interchange(opening=segment)
        self.file.interchanges.append(self.interchange)

    def _ung(self, segment: Segment) -> None:
        self._leave_group(segment)
        self.group, self.grouped = Group(segment), []
        if self.interchange is not None:
            self.interchange.groups += 1

    def _unh(self, segment: Segment) -> None:
        self._leave_message(segment)
        interchange = self.interchange or Interchange()
        self.message = Message(len(self.file.messages), segment, interchange, self.group)
        self.file.messages.append(self.message)
        interchange.messages += 1
        if self.group is not None:
            self.group.messages += 1
            self.grouped.append(self.message)

    def _unt(self, segment: Segment) -> None:
        if self.message is None:
            self._stray(Reason.BAD_SEGMENT, segment)
            return
        count = len(self.message.segments) + 2
        self.message.own_faults += _compared(segment, count, self.message.opening.get(1))
        self.message = None

    def _une(self, segment: Segment) -> None:
        self._leave_message(segment)
        if self.group is None:
            self._stray(Reason.BAD_SEGMENT, segment)
            return
        for told in _compared(segment, self.group.messages, self.group.opening.get(5)):
            self._tell_group(told)
        self.group = None

    def _unz(self, segment: Segment) -> None:
        self._leave_group(segment)
        if self.interchange is None:
            self._stray(Reason.BAD_SEGMENT, segment)
            return
        held = self.interchange.groups or self.interchange.messages
        self.interchange.faults += _compared(segment, held, self.interchange.get(5))
        self.interchange.is_closed, self.interchange = True, None

    def _leave_message(self, by: Segment) -> None:
        if self.message is not None:
            self.message.own_faults.append((Reason.NO_CONTROL_TRAILER, by))
            self.message = None

    def _leave_group(self, by: Segment) -> None:
        self._leave_message(by)
        if self.group is not None:
            self._tell_group((Reason.NO_CONTROL_TRAILER, by))
            self.group = None

    def _leave_interchange(self, by: Segment) -> None:
        self._leave_group(by)
        if self.interchange is not None:
            self.interchange.faults.append((Reason.NO_CONTROL_TRAILER, by))
            self.interchange = None

    def _tell_group(self, told: Told) -> None:
        for message in self.grouped:
            message.group_faults.append(told)

    def end(self) -> None:
        """The file ends: an open message was cut off, open envelopes lack their trailers."""
        if self.last is None:
            return
        if self.message is not None:
            self.message.broken = (Reason.TRUNCATED_MESSAGE, self.last)
            self.message = None
        self._leave_interchange(self.last)


def _compared(trailer: Segment, count: int, reference: str) -> list[Told]:
    """What a trailer says against what there is: its count (first element), its reference (second)."""
    found: list[Told] = []
    said = trailer.get(1)
    if not (said.isascii() and said.isdecimal() and len(said) < 12 and int(said) == count):
        found.append((Reason.CONTROL_COUNT, trailer))
    if trailer.get(2) != reference:
        found.append((Reason.CONTROL_REFERENCE, trailer))
    return found
