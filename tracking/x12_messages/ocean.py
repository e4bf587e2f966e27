"""X12 315, the ocean carrier's status: ST B4 N9 Q2 R4 DTM SE, one container and one status a transaction.

Read as 004010 numbers B4: 07 and 08 the container, 09 laden or empty, 11 the place with its qualifier in 12, 13 the
check digit. 06, which some guides call the place, is a code of the carrier's own terminal: carriers leave it empty, and
it is read only when it is one of the transaction's own UN/LOCODEs or stands in the partner's table.

Besides its own status a transaction may estimate: DTM*139 at R4*D is the arrival at the port of discharge, at R4*L the
departure from the port of loading. Each becomes an estimate of its own, under the position of its R4 and with a rule
that says so, when the place is a UN/LOCODE, no DTM*140 says that it has happened, and the status is not about the same
step. It has no id either, so by the natural key the same estimate told again is the same event. A DTM*140 is a date
inside another message and captures nothing (R2.5): it stays in the payload. R4*E is left alone, for it does not say
whether the box arrives there, is ready or is delivered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracking import identifiers
from tracking.fields import Fault
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, Kind, Partner, Refusal, StatusRule
from tracking.x12 import Segment, Transaction
from tracking.x12_messages import reading
from tracking.x12_messages.reading import Papers, When

LISTED: Final = "x12_315"
_ESTIMATED, _ACTUAL = "139", "140"
_ROLES: Final = {"L": "POL", "D": "POD", "T": "TSP", "Y": "TSP", "R": "PRE", "E": "PDE"}  # the first that fits
_SCHEDULES: Final = frozenset({"K", "D"})
_STEPS: Final = (("D", "ARRI", "POD", frozenset({"ARRI", "DISC"})), ("L", "DEPA", "POL", frozenset({"DEPA", "LOAD"})))


@dataclass(slots=True)
class Stop:
    """An R4 with the DTM that follow it."""

    role: str
    head: Segment
    place: str | None
    dates: list[Segment] = field(default_factory=list)

    @property
    def number(self) -> tuple[str, str]:
        """Its qualifier and identifier as sent."""
        return self.head.get(2).upper(), self.head.get(3)

    def dated(self, qualifier: str) -> Segment | None:
        """The one DTM of this qualifier; None when there are none or several."""
        having = [d for d in self.dates if d.get(1) == qualifier]
        return having[0] if len(having) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the transaction says besides its status."""

    partner: Partner
    stops: Sequence[Stop]
    papers: Papers
    vessel: dict[str, Any]
    warnings: tuple[str, ...]

    def stop(self, role: str) -> Stop | None:
        """The first R4 of a role."""
        return next((s for s in self.stops if s.role == role), None)

    def place(self, role: str) -> str | None:
        """Where it is."""
        stop = self.stop(role)
        return stop.place if stop else None

    def role_of(self, place: str | None, segment: Segment) -> str | None:
        """What the place of the status is on the journey that the transaction describes.

        A place of a census schedule is known by its number alone: the same number is the same port, whatever it is.
        """
        number = (segment.get(12).upper(), segment.get(11))
        for role, meant in _ROLES.items():
            for stop in self.stops:
                same = stop.place == place if place else number[0] in _SCHEDULES and stop.number == number
                if stop.role == role and same:
                    return meant
        return None


def read(found: Transaction, partner: Partner) -> Iterator[CanonicalEvent | Refusal]:
    """The status, or why it cannot be used; then what the transaction estimates besides it."""
    statuses = [s for s in found.body if s.tag == "B4"]
    if not statuses:
        raise Fault(Reason.MISSING_SEGMENT, found.at(found.head), "A 315 says its status in B4.")
    reading.bounded(found, len(statuses), len(found.body))
    told = _told(found, partner)
    for segment in statuses:
        event: CanonicalEvent | None = None
        try:
            rule, words = reading.status(found, segment, partner, LISTED, segment.get(3))
            event = _event(found, segment, told, rule, words)
            yield event
        except Fault as fault:
            yield found.refusal(fault)
        if segment is statuses[0]:
            yield from _estimates(found, segment, told, event)


def _told(found: Transaction, partner: Partner) -> _Told:
    stops: list[Stop] = []
    vessel: dict[str, Any] = {}
    warnings: list[str] = []
    for segment in found.body:
        if segment.tag == "R4":
            place = reading.place_of(partner, segment.get(2), segment.get(3))
            stops.append(Stop(segment.get(1).upper(), segment, place))
        elif segment.tag == "DTM" and stops:
            stops[-1].dates.append(segment)
        elif segment.tag == "Q2" and not vessel:
            vessel = _vessel(found, segment, warnings)
    return _Told(partner=partner, stops=stops, papers=reading.papers(found, found.body, "N9"), vessel=vessel,
                 warnings=tuple(warnings))  # fmt: skip


def _vessel(found: Transaction, segment: Segment, warnings: list[str]) -> dict[str, Any]:
    """Q2: an IMO number where 12 says L (Lloyd's), else a call sign or a code of the carrier's own."""
    code, imo = reading.text(found, segment, 1, 12), None
    if code is not None and segment.get(12).upper() == "L":
        imo = identifiers.imo(code)[:8]
        if not identifiers.imo_ok(imo):
            warnings.append(Reason.IMO_CHECK_DIGIT)
    return {
        "vessel": segment.get(13)[:80] or None,
        "vessel_imo": imo or None,
        "voyage": reading.text(found, segment, 9, 50),
    }


def _event(found: Transaction, segment: Segment, told: _Told, rule: StatusRule, words: str) -> CanonicalEvent:
    place, warnings = _place(found, segment, told)
    box, stated = _box(segment, told), reading.laden_of(segment.get(9))
    laden = rule.laden if rule.laden is not None else stated
    ok, more = reading.box_warnings(box, rule.code, laden if rule.kind == Kind.EQUIPMENT else True)
    reading.needs_reference(found, segment, box, told.papers.booking, told.papers.bill, told.vessel.get("vessel_imo"))
    if rule.kind == Kind.TRANSPORT and rule.mode is None:
        more.append(Reason.NO_MODE)
    when, of_step = _when(found, segment, told, rule, place)
    return CanonicalEvent(
        position=found.at(segment), kind=rule.kind, code=rule.code, classifier=rule.classifier, container=box,
        container_ok=ok, laden=laden, place=place, place_role=told.role_of(place, segment) or rule.place_role,
        mode=rule.mode, pol=told.place("L"), pod=told.place("D"), source_created_at=reading.created(found),
        warnings=(*told.warnings, *more, *warnings), rule=words + of_step,
        payload=reading.payload(found, found.body, is_estimate=rule.classifier != Classifier.ACT),
        **when.fields(), **told.papers.fields(), **told.vessel, **reading.document(rule, told.papers, box),
    )  # fmt: skip


def _box(segment: Segment, told: _Told) -> str | None:
    """B4-07, 08 and 13; where B4 names none, the one box of N9*EQ."""
    return reading.box_or_as_sent(segment.get(7), segment.get(8), segment.get(13), told.papers.boxes)


def _place(found: Transaction, segment: Segment, told: _Told) -> tuple[str | None, list[str]]:
    """B4-11 with its qualifier, else B4-06, else R4*5, the place of this event. Warns where two of them differ, and
    where a place is named that nobody knows: then the event has none, rather than a wrong one."""
    coded = frozenset(s.place for s in told.stops if s.place and s.head.get(2).upper() == "UN")
    named = [
        (reading.text(found, segment, 11, 80) or "", segment.get(12)),
        (reading.text(found, segment, 6, 80) or "", ""),
    ]
    own = next((p for c, q in named if (p := reading.place_of(told.partner, q, c, coded=coded))), None)
    at_5 = told.place("5")
    place = own or at_5
    if place is None:
        given = any(code for code, _q in named) or told.stop("5") is not None
        return None, [Reason.UNKNOWN_PLACE] if given else []
    return place, [Reason.PLACE_CONFLICT] if own and at_5 and own != at_5 else []


def _when(found: Transaction, segment: Segment, told: _Told, rule: StatusRule, place: str | None) -> tuple[When, str]:
    """B4-04 and 05; R4*5 adds with its DTM what they lack: the zone of the same time, its hour, the day.

    For an estimated arrival or departure the DTM*139 of that port: B4 then says when it was estimated.
    """
    for role, code, _role, _same in _STEPS:
        stop = told.stop(role)
        if rule.classifier == Classifier.EST and rule.code == code and stop and place and stop.place == place:
            estimated = stop.dated(_ESTIMATED)
            if estimated is not None:
                when = reading.when(found, estimated, estimated.get(2), estimated.get(3), estimated.get(4))
                return when, f"; time of R4*{role} DTM*{_ESTIMATED}"
    here = told.stop("5")
    beside = here.dated(_ACTUAL if rule.classifier == Classifier.ACT else _ESTIMATED) if here else None
    day, clock, zone = segment.get(4), segment.get(5), ""
    if beside is not None and day in ("", beside.get(2)) and clock[:4] in ("", beside.get(3)[:4]):
        day, clock, zone = beside.get(2), clock or beside.get(3), beside.get(4)
    return reading.when(found, segment, day, clock, zone), ""


def _estimates(
    found: Transaction, segment: Segment, told: _Told, event: CanonicalEvent | None
) -> Iterator[CanonicalEvent]:
    box = _box(segment, told)
    if not (box or told.papers.booking or told.papers.bill):
        return
    for role, code, place_role, same in _STEPS:
        stop = told.stop(role)
        if stop is None or stop.place is None or stop.head.get(2).upper() != "UN":
            continue
        if event is not None and event.code in same and event.place in (stop.place, None):
            continue
        dated = stop.dated(_ESTIMATED)
        if dated is None or any(d.get(1) == _ACTUAL for d in stop.dates) or len(_of(told, role)) > 1:
            continue
        try:
            when = reading.when(found, dated, dated.get(2), dated.get(3), dated.get(4))
        except Fault:
            continue  # the status stands without it
        yield _estimate(found, stop, told, when, box=box, code=code, place_role=place_role)


def _of(told: _Told, role: str) -> list[Stop]:
    return [s for s in told.stops if s.role == role]


def _estimate(
    found: Transaction, stop: Stop, told: _Told, when: When, *, box: str | None, code: str, place_role: str
) -> CanonicalEvent:
    # with a transhipment, the vessel of Q2 may be another than the one that is awaited there
    direct = not (_of(told, "T") or _of(told, "Y"))
    vessel = told.vessel if direct else {}
    ok, warnings = reading.box_warnings(box, code, True)
    kept = [s for s in found.body if s.tag == "N9" or (s.tag == "Q2" and direct)] + [stop.head, *stop.dates]
    return CanonicalEvent(
        position=found.at(stop.head), kind=Kind.TRANSPORT, code=code, classifier=Classifier.EST, container=box,
        container_ok=ok, place=stop.place, place_role=place_role, mode="VESSEL", pol=told.place("L"),
        pod=told.place("D"), source_created_at=reading.created(found),
        warnings=(*(told.warnings if direct else ()), *warnings),
        rule=f"{LISTED}: R4*{stop.role} with DTM*{_ESTIMATED}, estimated {code}",
        payload=reading.payload(found, kept, is_estimate=True),
        **when.fields(), **told.papers.fields(), **vessel,
    )  # fmt: skip
