"""What readers of X12 transactions share: texts, times and their zones, status codes, boxes, places, references.

Knows no transaction; which segment says what stands in ocean.py, truck.py and rail.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tracking import codes, identifiers, statuses
from tracking.fields import Fault
from tracking.instants import written
from tracking.reasons import Reason
from tracking.types import Kind, Partner, Precision, StatusRule
from tracking.x12 import Segment, Transaction

_DAY: Final = re.compile(r"(\d{4}|\d{2})(\d{2})(\d{2})", re.ASCII)
_TIME: Final = re.compile(r"(\d{2})(\d{2})(?:(\d{2})(?:\d{1,2})?)?", re.ASCII)
_INITIAL: Final = re.compile(r"[A-Z]{3}[UJZR]", re.ASCII)
_SERIAL: Final = re.compile(r"[0-9]{1,7}", re.ASCII)

# Element 623. The first letter names the zone, the second whether clocks are as they stand there (T), in winter (S)
# or in summer (D): the latter two state an offset, whatever the season.
_ZONES: Final[Mapping[str, tuple[str, int]]] = {
    "A": ("America/Anchorage", -540), "C": ("America/Chicago", -360), "E": ("America/New_York", -300),
    "H": ("Pacific/Honolulu", -600), "M": ("America/Denver", -420), "N": ("America/St_Johns", -210),
    "P": ("America/Los_Angeles", -480), "T": ("America/Halifax", -240),
}  # fmt: skip
_UTC: Final = frozenset({"GM", "UT", "Z", "UTC", "GMT"})
_LOCAL: Final = frozenset({"", "LT"})
# Element 40: what rolls under a container, or is none
_NO_BOX: Final = frozenset({"CH", "RR", "FT", "FC", "RC", "TL", "TF", "TN", "TV", "TT"})


_MOST_TOGETHER: Final = 2_500


def bounded(found: Transaction, statuses: int, around: int) -> None:
    """A fault when many statuses stand with much that concerns all of them: each event keeps its copy of that, so a
    small message would become a large one."""
    if statuses > 1 and statuses * around > _MOST_TOGETHER:
        more = f"{statuses} statuses stand with {around} segments; their product may be {_MOST_TOGETHER}."
        raise Fault(Reason.TOO_MANY_ITEMS, found.at(found.head), more)


@dataclass(frozen=True, slots=True)
class When:
    """A time as an event keeps it."""

    local: str
    precision: Precision
    time: datetime | None = None
    offset_minutes: int | None = None
    zone: str | None = None

    def fields(self) -> dict[str, Any]:
        """As the event's own fields."""
        return {
            "local": self.local, "precision": self.precision, "time": self.time,
            "offset_minutes": self.offset_minutes, "zone": self.zone,
        }  # fmt: skip


def text(found: Transaction, segment: Segment, number: int, most: int) -> str | None:
    """An element; None when it is empty, a fault when it is longer than can be kept."""
    value = segment.get(number)
    if len(value) > most:
        more = f"Element {segment.tag}{number:02} has {len(value)} characters; {most} are read."
        raise Fault(Reason.TOO_LONG, found.at(segment), more)
    return value or None


def when(found: Transaction, segment: Segment, day: str, clock: str, zone: str = "") -> When:
    """A day of eight digits (six in older versions) with a time of four, six or more, or of none."""
    at = found.at(segment)
    parts, hours = _DAY.fullmatch(day), _TIME.fullmatch(clock)
    if not day:
        raise Fault(Reason.MISSING_FIELD, at, "The day of the event is missing.")
    if parts is None or (clock and hours is None):
        raise Fault(Reason.BAD_TIME, at, f"It is {day[:12]!a} {clock[:12]!a}; CCYYMMDD and HHMM or HHMMSS are read.")
    local = f"{parts[1] if len(parts[1]) == 4 else '20' + parts[1]}-{parts[2]}-{parts[3]}"
    if hours is not None:
        local += f"T{hours[1]}:{hours[2]}" + (f":{hours[3]}" if hours[3] else "")
    name, minutes = _zone(zone.upper(), at)
    try:
        said = written(local + (_offset(minutes) if minutes is not None and hours is not None else ""))
    except ValueError as fault:
        raise Fault(Reason.BAD_TIME, at, str(fault)) from None
    return When(local, said.precision, said.time, minutes if said.time else None, name)


def _zone(code: str, at: str) -> tuple[str | None, int | None]:
    """The IANA zone and the offset that a code states; neither for local time. Never guessed."""
    if code in _LOCAL:
        return None, None
    if code in _UTC:
        return "UTC", 0
    if code.isascii() and code.isdigit() and 1 <= int(code) <= 24:
        hours = int(code) if int(code) <= 12 else int(code) - 25  # 13 is twelve hours behind, 24 one hour
        return None, 60 * hours
    zone = _ZONES.get(code[:1])
    if zone is None or len(code) != 2 or code[1] not in "TSD":
        raise Fault(Reason.UNKNOWN_CODE, at, f"The code of its time zone is {code[:8]!a}.")
    name, winter = zone
    return name, {"T": None, "S": winter, "D": winter + 60}[code[1]]


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def created(found: Transaction) -> datetime | None:
    """When the group, else the interchange, says it was made. A computer's clock, read as UTC: it only orders versions
    and estimates (R1.3, R1.9), also when files arrive in another order than they were sent in."""
    group, isa = found.group, found.interchange
    stamps = [(s.head.get(d), s.head.get(t)) for s, d, t in ((group, 4, 5), (isa, 9, 10)) if s is not None]
    for day, clock in stamps:
        try:
            said = when(found, found.head, day, clock or "0000", "UT")
        except Fault:
            continue
        if said.time is not None and said.time.year >= 2000:
            return said.time.astimezone(UTC)
    return None


def status(found: Transaction, segment: Segment, partner: Partner, listed: str, code: str) -> tuple[StatusRule, str]:
    """What a status code means for this partner, and by which rule. Faults: none, unknown, or nothing tracked."""
    at = found.at(segment)
    if not code:
        raise Fault(Reason.MISSING_FIELD, at, "The status code is missing.")
    known = statuses.meaning(partner, listed, code.upper())
    if known is None:
        raise Fault(Reason.UNKNOWN_CODE, at, f"It is {code[:8]!a} in the list {listed}.")
    if known[0].is_ignored or not known[0].code:
        raise Fault(Reason.NOT_TRACKED, at, f"It is {code[:8]!a}: {known[0].says or 'set aside by the partner table'}.")
    return known


# --- boxes ---


def is_box(describes: str) -> bool:
    """Whether equipment is a container by its description (element 40); without one it may be."""
    return describes.upper() not in _NO_BOX


def box(initial: str, serial: str, digit: str, whole: Sequence[str] = ()) -> str | None:
    """A container number from its parts, None when they are not written like one.

    Its check digit is the one that is sent: beside the number, as its seventh digit, or in a reference that gives the
    number whole. Only one that is sent nowhere is worked out.
    """
    initial, serial = identifiers.upper(initial), serial.strip()
    if not (_INITIAL.fullmatch(initial) and _SERIAL.fullmatch(serial)):
        return None
    if len(serial) == 7:
        return initial + serial
    first = initial + serial.zfill(6)
    if len(digit) == 1 and digit.isascii() and digit.isdigit():
        return first + digit
    return next((w for w in whole if w[:10] == first and len(w) == 11), first + str(identifiers.container_digit(first)))


def box_or_as_sent(initial: str, serial: str, digit: str, whole: Sequence[str]) -> str | None:
    """The same for equipment that must be a container: when its number is not written like one, the one that a
    reference gives, else what was sent. Without it a status of one box would be taken for all boxes of the booking.
    """
    found = box(initial, serial, digit, whole)
    if found is not None:
        return found
    sent = identifiers.container(initial + serial + digit)[:16] if serial else ""
    alone = whole[0] if len(whole) == 1 else ""
    return alone if alone and (not sent or identifiers.container_ok(alone)) else sent or None


def box_warnings(number: str | None, code: str, laden: bool | None) -> tuple[bool | None, list[str]]:
    """Whether the check digit fits, and what to warn of."""
    ok = identifiers.container_ok(number) if number else None
    found: list[str] = [Reason.CONTAINER_CHECK_DIGIT] if ok is False else []
    if laden is None and code in codes.EQUIPMENT_2_2:
        found.append(Reason.NO_LADEN)
    return ok, found


def laden_of(code: str) -> bool | None:
    """L and E; other codes speak of bundles, of waste and the like."""
    return {"L": True, "E": False}.get(code.upper())


# --- places ---


def place_of(partner: Partner, qualifier: str, code: str, *, coded: Iterable[str] = ()) -> str | None:
    """A place code from an identifier and what it is: UN (UN/LOCODE), K, D (census schedules), CI (a city's name).

    Schedules and names become a place only by the partner's own table `places`, never by their looks: MIAMI is written
    like a UN/LOCODE. One without a qualifier counts when the message itself has it among its UN/LOCODEs (`coded`).
    """
    code, qualifier = identifiers.upper(code.strip()), qualifier.strip().upper()
    if not code:
        return None
    own = named_place(partner, f"{qualifier}:{code}", code)
    if own is not None:
        return own
    place = identifiers.place(code)
    if qualifier == "UN" and identifiers.locode_ok(place):
        return place
    return place if not qualifier and place in coded else None


def named_place(partner: Partner, *names: str) -> str | None:
    """What the partner's table `places` has for the first of these names that it knows."""
    table = partner.mapping.get("places")
    if not isinstance(table, Mapping):
        return None
    known = (table.get(name) for name in names if name)
    return next((identifiers.place(p)[:16] for p in known if isinstance(p, str) and p.strip()), None)


def city(partner: Partner, name: str, state: str = "", country: str = "") -> str | None:
    """The place of a city, by the partner's table alone: as `CHICAGO, IL, US`, `CHICAGO, IL`, or by its name."""
    parts = [identifiers.upper(part.strip()) for part in (name, state, country)]
    full, short = ", ".join(filter(None, parts)), ", ".join(filter(None, parts[:2]))
    return named_place(partner, full, short, parts[0]) if parts[0] else None


# --- references ---


@dataclass(frozen=True, slots=True)
class Papers:
    """References of a transaction: what finds the shipment by itself, and all others as (type, value)."""

    booking: str | None
    bill: str | None
    boxes: tuple[str, ...]
    further: tuple[tuple[str, str], ...]

    def fields(self) -> dict[str, Any]:
        """As the event's own fields."""
        return {"booking": self.booking, "bill_of_lading": self.bill, "references": self.further}


_BOXES: Final = frozenset({"EQ", "OC"})
_BILLS: Final = frozenset({"BM", "MB", "OB"})


def papers(found: Transaction, segments: Iterable[Segment], tag: str) -> Papers:
    """From N9 (qualifier first) or L11 (qualifier second)."""
    kind, value = (1, 2) if tag == "N9" else (2, 1)
    bookings: list[str] = []
    bills: list[str] = []
    boxes: list[str] = []
    further: list[tuple[str, str]] = []
    for segment in segments:
        if segment.tag != tag:
            continue
        name, said = segment.get(kind).upper()[:32], text(found, segment, value, 64)
        if not name or said is None:
            continue
        if name in _BOXES:
            boxes.append(identifiers.container(said)[:16])
        elif name == "BN":
            bookings.append(said)
        elif name in _BILLS:
            bills.append(said)
        else:
            further.append((name, said))
    further += [("BKG", more) for more in bookings[1:]] + [("TRD", more) for more in bills[1:]]
    return Papers(
        booking=bookings[0] if bookings else None, bill=bills[0] if bills else None,
        boxes=tuple(dict.fromkeys(boxes)), further=tuple(dict.fromkeys(further)),
    )  # fmt: skip


def payload(found: Transaction, segments: Iterable[Segment], *, is_estimate: bool) -> dict[str, Any]:
    """The event's own part of the transaction: its segments as lists, and its references apart, so that a shipment's
    part can leave out those of others (R1.0).

    ST and SE are left out: they number the message, not the happening, and a message that is sent again must say the
    same (R1.2). An estimate keeps when it was sent, for the same estimate may return after another one.
    """
    kept, refs = [], []
    for segment in segments:
        if segment.tag in ("N9", "L11"):
            kind, value = (1, 2) if segment.tag == "N9" else (2, 1)
            refs.append({"referenceType": segment.get(kind), "referenceValue": segment.get(value)})
        else:
            kept.append(segment.as_list())
    said: dict[str, Any] = {"transaction": found.type, "segments": kept, "references": refs}
    made = created(found) if is_estimate else None
    return {**said, "sent": made.isoformat()} if made else said


def document(rule: StatusRule, read: Papers, container: str | None, shipment: str | None = None) -> dict[str, Any]:
    """Of which paper a SHIPMENT event speaks. No X12 status names an invoice: the bill stands for it, with the box
    that is held or released, or two boxes of one bill would count as one happening."""
    if rule.kind != Kind.SHIPMENT:
        return {}
    paper = read.booking or read.bill or shipment
    if rule.document_type not in codes.BOOKING_PAPERS:
        paper = " ".join(filter(None, (read.bill or read.booking or shipment, container)))
    return {"document_type": rule.document_type, "document_id": (paper or container or None)}


def needs_reference(found: Transaction, segment: Segment, *said: Any) -> None:
    """A fault when nothing is named that could find a shipment."""
    if not any(said):
        raise Fault(Reason.NO_REFERENCE, found.at(segment))
