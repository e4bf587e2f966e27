"""What the container messages have in common: times, places, references, boxes, means of transport, who and which.

Values from segments; which event they make is decided in status.py and moves.py. Faults say where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tracking import identifiers
from tracking.edifact.interchange import Message
from tracking.edifact.syntax import Segment
from tracking.fields import Fault, fits
from tracking.instants import Written, written
from tracking.reasons import Reason
from tracking.types import Kind, Precision

# --- times: DTM ---

_LAYOUTS: Final = {
    "101": "YYMMDD", "102": "CCYYMMDD", "201": "YYMMDDHHMM", "202": "YYMMDDHHMMSS", "203": "CCYYMMDDHHMM",
    "204": "CCYYMMDDHHMMSS", "205": "CCYYMMDDHHMMZ", "301": "YYMMDDHHMMZ", "302": "YYMMDDHHMMSSZ",
    "303": "CCYYMMDDHHMMZ", "304": "CCYYMMDDHHMMSSZ",
}  # fmt: skip
_BY_LENGTH: Final = {8: "102", 12: "203", 14: "204"}  # where the format is left out and the digits leave no doubt
_ZONES: Final = {"": "", "LT": "", "LOC": "", "Z": "Z", "UTC": "Z", "GMT": "Z", "UT": "Z"}
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", re.ASCII)


def time_of(segment: Segment, at: str) -> Written:
    """The time of a DTM: in ISO 8601, without an offset unless its format has one; Fault when it is none.

    24:00 is the first minute of the next day. A zone by a name that is no certain offset is never guessed.
    """
    text = segment.get(1, 1)
    layout = _LAYOUTS.get(segment.get(1, 2) or _BY_LENGTH.get(len(text), ""))
    if not text:
        raise Fault(Reason.MISSING_FIELD, at)
    if layout is None:
        raise Fault(Reason.BAD_TIME, at, f"The format {segment.get(1, 2)[:10]!a} is not read.")
    digits = layout.rstrip("Z")
    stamp, zone = text[: len(digits)], text[len(digits) :]
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) == len(digits)) or (zone and layout == digits):
        raise Fault(Reason.BAD_TIME, at, f"It is {text[:40]!a}; {layout} is expected.")
    stamp = stamp if digits.startswith("CC") else f"20{stamp}"
    try:
        return written(_iso(stamp) + _offset(zone.strip().upper(), at))
    except (ValueError, OverflowError) as fault:
        raise Fault(Reason.BAD_TIME, at, str(fault)) from None


def _iso(stamp: str) -> str:
    """`20221119`, `202211190710` or `20221119071000` in ISO 8601."""
    day, time = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}", stamp[8:]
    if not time:
        return day
    if time in ("2400", "240000"):
        day = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
        time = "0000"
    return f"{day}T{time[:2]}:{time[2:4]}" + (f":{time[4:]}" if time[4:] else "")


def _offset(zone: str, at: str) -> str:
    if zone in _ZONES:
        return _ZONES[zone]
    found = _OFFSET.fullmatch(zone)
    if found is None:
        raise Fault(Reason.NO_ZONE, at, f"{zone[:10]!a} is not one certain offset.")
    return f"{found[1]}{found[2]:0>2}:{found[3] or '00'}"


def clock_of(segments: Iterable[Segment]) -> datetime | None:
    """When the message was issued (DTM+137), a computer's clock: without an offset in UTC. It only orders versions."""
    for segment in dated(segments, "137"):
        try:
            when = time_of(segment, "")
        except Fault:
            continue
        if when.time is None:
            when = written(f"{when.local}{'T00:00' if when.precision == Precision.DAY else ''}Z")
        return when.time
    return None


def dated(segments: Iterable[Segment], *qualifiers: str) -> list[Segment]:
    """The DTM with these qualifiers, the first qualifier first."""
    listed = [s for s in segments if s.tag == "DTM"]
    return [s for q in qualifiers for s in listed if s.code(1) == q]


# --- places: LOC ---

_PROVIDERS: Final = {"306": "SMDG", "SMD": "SMDG", "SMDG": "SMDG", "20": "BIC", "BIC": "BIC"}
_NOT_TERMINALS: Final = frozenset({"162", "163"})  # code lists of countries and their regions


@dataclass(frozen=True, slots=True)
class Spot:
    """Where: a place, and the terminal or depot in it."""

    place: str | None = None
    facility: str | None = None
    provider: str | None = None


def located(segments: Iterable[Segment], *qualifiers: str) -> list[Segment]:
    """The LOC with these qualifiers, the first qualifier first."""
    listed = [s for s in segments if s.tag == "LOC"]
    return [s for q in qualifiers for s in listed if s.code(1) == q]


def spot_of(segment: Segment | None, at: str) -> Spot:
    """Place (C517) and terminal (C519) of a LOC."""
    if segment is None:
        return Spot()
    place, facility = identifiers.place(segment.get(2)) or None, identifiers.upper(segment.get(3)) or None
    fits(place or "", 16, at)
    fits(facility or "", 32, at)
    if facility is None or segment.code(3, 1) in _NOT_TERMINALS:
        return Spot(place)
    return Spot(place, facility, _PROVIDERS.get(segment.code(3, 2)) or _PROVIDERS.get(segment.code(3, 1)))


# --- references: RFF ---

_BOOKINGS: Final = ("BN",)
_BILLS: Final = ("BM", "MB", "BH", "HWB")  # bill of lading; master, house
_FURTHER: Final = {"FF": "FF", "ON": "PO", "PO": "PO", "SI": "SI", "CR": "CR"}


@dataclass(frozen=True, slots=True)
class Named:
    """What a group of segments names: booking, bill, boxes, and further references by their DCSA types."""

    booking: str | None = None
    bill: str | None = None
    boxes: tuple[tuple[str, Segment], ...] = ()
    further: tuple[tuple[str, str], ...] = ()
    listed: tuple[tuple[str, str], ...] = ()  # every reference as written, for the payload

    def beside(self, outer: Named) -> Named:
        """This, and what it does not say itself from the group around it."""
        return Named(
            booking=self.booking or outer.booking,
            bill=self.bill or outer.bill,
            boxes=self.boxes or outer.boxes,
            further=tuple(dict.fromkeys((*self.further, *outer.further))),
            listed=tuple(dict.fromkeys((*self.listed, *outer.listed))),
        )


def named_in(message: Message, segments: Iterable[Segment]) -> Named:
    """The references of a group: RFF, and the boxes that RFF+EQ names."""
    listed: list[tuple[str, str]] = []
    boxes: dict[str, Segment] = {}
    for segment in segments:
        kind, value = segment.code(1), segment.get(1, 1)
        if segment.tag != "RFF" or not kind or not value:
            continue
        if kind == "EQ":
            number = box_of(value, message.at(segment))
            boxes.setdefault(number, segment)
        elif kind in _BOOKINGS or kind in _BILLS or kind in _FURTHER:
            fits(value, 64, message.at(segment))
            listed.append((kind, value))
    bookings = list(dict.fromkeys(v for k, v in listed if k in _BOOKINGS))
    bills = list(dict.fromkeys(v for wanted in _BILLS for k, v in listed if k == wanted))
    further = [("BKG", v) for v in bookings[1:]] + [("TRD", v) for v in bills[1:]]
    further += [(_FURTHER[k], v) for k, v in listed if k in _FURTHER]
    return Named(
        booking=bookings[0] if bookings else None,
        bill=bills[0] if bills else None,
        boxes=tuple(boxes.items()),
        further=tuple(dict.fromkeys(further)),
        listed=tuple(dict.fromkeys(listed)),
    )


# --- boxes: EQD ---

_LADEN: Final = {"4": False, "5": True, "7": True, "8": True}
EXPORT, IMPORT, ON_BOARD, SHIFTED, TRANSHIPPED = "2", "3", "4", "5", "6"  # 8249


def is_box(segment: Segment) -> bool:
    """Whether an EQD speaks of a container, not of a chassis, a trailer or a rail car."""
    return segment.tag == "EQD" and segment.code(1) in ("CN", "")


def laden_of(segment: Segment | None) -> bool | None:
    """Full or empty (8169); None when it does not say."""
    return _LADEN.get(segment.get(6)) if segment is not None else None


def box_of(text: str, at: str) -> str:
    """A container number in normal form."""
    number = identifiers.container(text)
    fits(number, 16, at)
    return number


def boxed(container: str | None, warnings: list[str]) -> dict[str, Any]:
    """The fields of a container; a check digit that does not fit is a warning."""
    ok = identifiers.container_ok(container) if container else None
    if ok is False:
        warnings.append(Reason.CONTAINER_CHECK_DIGIT)
    return {"container": container, "container_ok": ok}


# --- means of transport: TDT ---

_MODES: Final = {"1": "VESSEL", "2": "RAIL", "3": "TRUCK", "8": "BARGE"}
AFLOAT: Final = frozenset({"VESSEL", "BARGE"})


@dataclass(frozen=True, slots=True)
class Means:
    """A TDT: how something travels, on what, which voyage."""

    segment: Segment | None = None
    mode: str | None = None
    voyage: str | None = None
    vessel: str | None = None  # its name, else its call sign
    imo: str | None = None
    call_sign: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether it names a vessel."""
        return bool(self.vessel or self.imo)

    def fields(self, warnings: list[str]) -> dict[str, Any]:
        """Vessel and voyage as an event has them."""
        if self.imo and not identifiers.imo_ok(self.imo):
            warnings.append(Reason.IMO_CHECK_DIGIT)
        return {"voyage": self.voyage, "vessel": self.vessel, "vessel_imo": self.imo}


def means_of(segment: Segment | None, at: str) -> Means:
    """What a TDT says; the name of a railway or a haulier is no vessel."""
    if segment is None:
        return Means()
    mode, voyage = _MODES.get(segment.get(3)), segment.get(2) or None
    fits(voyage or "", 50, at)
    if mode not in (None, *AFLOAT):
        return Means(segment, mode, voyage)
    number, listed, name = segment.get(8), segment.get(8, 1), segment.get(8, 3)
    imo = sign = None
    if listed in ("146", "11") or identifiers.imo_ok(identifiers.imo(number)):
        imo = identifiers.imo(number) or None
        fits(imo or "", 8, at)
    else:
        sign = identifiers.upper(number)[:17] or None
    return Means(segment, mode, voyage, name[:80] or sign, imo, sign)


# --- who reports, and which report: BGM ---

_RETRACTS: Final = frozenset({"1", "3"})  # cancellation, deletion
_CORRECTS: Final = frozenset({"4", "5"})  # change, replacement
_ORIGINALS: Final = frozenset({"", "2", "6", "7", "9", "31", "43", "47"})
_HEADER_KEPT: Final = frozenset({"BGM", "DTM", "LOC", "TDT"})  # neither references nor parties (R1.0)
_NOT_KEPT: Final = frozenset({"NAD", "RFF", "CTA", "COM"})
_MOST_HEAD: Final = 2_000  # characters of a head, and of an event's own segments, that its payload keeps: a head is
_MOST_OWN: Final = 6_000  # repeated for every box, so that a long one would make much of little
_MOST_REFERENCES: Final = 40
_MOST_NUMBER: Final = 70


@dataclass(slots=True)
class Head:
    """What the head of a message says for all of its events."""

    message: Message
    code: str  # BGM 1001
    code_at: str
    number: str  # of the document that it is, replaces or withdraws; empty when there is none
    is_retraction: bool
    created_at: datetime | None
    kept: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def identity(self, *parts: str | None) -> str | None:
        """The source's own id of an event (R1.3, R1.4): the document, and what tells its events apart.

        The time is no part of it, so that a replacement and a cancellation of the document find the event; the place
        is, since some partners give all messages about one shipment the same number.
        """
        if not self.number:
            return None
        name = "/".join((self.number, *(part or "" for part in parts)))
        self.seen[name] = self.seen.get(name, 0) + 1
        return name if self.seen[name] == 1 else f"{name}/{self.seen[name]}"

    def told(self, identity: str | None, when: Written, payload: dict[str, Any]) -> dict[str, Any]:
        """The fields in which an event and its withdrawal differ; a withdrawal has no time and no payload (R1.4)."""
        common = {"message": self.message.type.lower(), "source_created_at": self.created_at}
        if self.is_retraction:
            return {**common, "local": "", "time": None, "retracts": identity}
        return {
            **common, "local": when.local, "time": when.time, "precision": when.precision,
            "offset_minutes": when.offset_minutes, "source_event_id": identity, "payload": payload,
        }  # fmt: skip

    def payload(self, own: Iterable[str], named: Named) -> dict[str, Any]:
        """An event's own part of the message: the head without references and parties, and its own segments.

        References stand apart, by type and value, so that each account is shown its own alone (R1.0).
        """
        listed = named.listed[:_MOST_REFERENCES]
        return {
            "message": self.message.type,
            "segments": [*self.kept, *own],
            "references": [{"referenceType": kind, "referenceValue": value} for kind, value in listed],
        }


def head_of(message: Message, header: Sequence[Segment]) -> Head:
    """The head of a message; Fault when it has no BGM or a function that is not read."""
    bgm = next((s for s in header if s.tag == "BGM"), None)
    if bgm is None:
        raise Fault(Reason.MISSING_SEGMENT, message.at(message.opening), "It is BGM.")
    function, number = bgm.code(3), bgm.get(2)
    if function not in _RETRACTS | _CORRECTS | _ORIGINALS:
        raise Fault(Reason.UNKNOWN_CODE, message.at(bgm), f"The message function is {function[:10]!a}.")
    if function in _RETRACTS | _CORRECTS:
        number = next((s.get(1, 1) for s in header if s.tag == "RFF" and s.code(1) == "ACW"), "") or number
        if not number:
            raise Fault(Reason.MISSING_FIELD, message.at(bgm), "It does not say which document it replaces.")
    fits(number, _MOST_NUMBER, message.at(bgm))
    sender = message.interchange.get(2)[:_MOST_NUMBER]
    return Head(
        message=message,
        code=bgm.code(1),
        code_at=message.at(bgm),
        number=f"{sender}:{number}" if sender and number else number,
        is_retraction=function in _RETRACTS,
        created_at=clock_of(header) or message.interchange.prepared_at,
        kept=_within((s.text for s in header if s.tag in _HEADER_KEPT), _MOST_HEAD),
    )


def kept_of(segments: Iterable[Segment]) -> list[str]:
    """The texts of an event's own segments that its payload keeps: neither references nor parties (R1.0)."""
    return _within((s.text for s in segments if s.tag not in _NOT_KEPT), _MOST_OWN)


def _within(texts: Iterable[str], most: int) -> list[str]:
    found: list[str] = []
    for text in texts:
        most -= len(text)
        if most < 0:
            break
        found.append(text)
    return found


_TRAILING: Final = frozenset({"CNT", "UNS", "AUT"})  # they close the message, whichever group they follow


def grouped(segments: Sequence[Segment], *openers: str) -> Iterator[list[Segment]]:
    """The segments cut into groups: what comes before the first opener (maybe nothing), then each with its own."""
    group: list[Segment] = []
    for segment in segments:
        if segment.tag in _TRAILING:
            continue
        if segment.tag in openers:
            yield group
            group = []
        group.append(segment)
    yield group


def findable(kind: Kind, named: Named, means: Means, container: str | None) -> bool:
    """Whether anything could match the event to a shipment."""
    by_call = kind == Kind.TRANSPORT and means.imo and means.voyage
    return bool(container or named.booking or named.bill or named.boxes or by_call)
