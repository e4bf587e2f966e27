"""X12 322, the railway's or terminal's status: ST Q5 N7 DTM W2 R4 N9 SE, one status of one or more containers.

Read as 004010 numbers it: Q5-01 the status, 02 the day, 03 the time, 04 its zone, 06 to 08 city, state and country;
N7-01 and 02 the equipment, 11 what it is, 18 the check digit; W2-01 and 02 the equipment, 05 laden or empty, 13 the
check digit; R4*5 the place of the event. What M7 (seals) and N1 (parties) say stays in the payload.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tracking.fields import Fault
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, Kind, Partner, Refusal, StatusRule
from tracking.x12 import Segment, Transaction
from tracking.x12_messages import reading
from tracking.x12_messages.reading import Papers

LISTED: Final = "x12_322"
_OF_BOX: Final = frozenset({"N7", "W2", "M7", "DTM", "IC", "VC", "H1", "E1", "E4", "E5", "PI", "GR5"})
_BY_RAIL: Final = frozenset({"ARRI", "DEPA", "LOAD", "DISC"})


@dataclass(slots=True)
class Unit:
    """An N7 and what follows it about the same equipment."""

    head: Segment
    parts: list[Segment] = field(default_factory=list)

    def first(self, tag: str) -> Segment | None:
        """Its first segment of a tag."""
        return next((p for p in self.parts if p.tag == tag), None)


def read(found: Transaction, partner: Partner) -> Iterator[CanonicalEvent | Refusal]:
    """One event for each container that the status concerns; under Q5 when it names none."""
    status = next((s for s in found.body if s.tag == "Q5"), None)
    if status is None:
        raise Fault(Reason.MISSING_SEGMENT, found.at(found.head), "A 322 says its status in Q5.")
    units, common = _parts(found.body)
    reading.bounded(found, len(units), len(common))
    rule, words = reading.status(found, status, partner, LISTED, status.get(1))
    papers = reading.papers(found, common, "N9")
    concerned: list[Unit | None] = [*units] if units else [None]
    for unit in concerned:
        try:
            yield _event(found, status, unit, common, papers, partner, rule, words)
        except Fault as fault:
            yield found.refusal(fault)


def _parts(body: Sequence[Segment]) -> tuple[list[Unit], list[Segment]]:
    """The units, and what is said of all of them."""
    units: list[Unit] = []
    common: list[Segment] = []
    for segment in body:
        if segment.tag == "N7":
            units.append(Unit(segment))
        elif units and segment.tag in _OF_BOX:
            units[-1].parts.append(segment)
        else:
            common.append(segment)
    return units, common


def _event(
    found: Transaction, status: Segment, unit: Unit | None, common: Sequence[Segment], papers: Papers,
    partner: Partner, rule: StatusRule, words: str,
) -> CanonicalEvent:  # fmt: skip
    box, laden = _box(found, unit, papers)
    laden = rule.laden if rule.laden is not None else laden
    ok, warnings = reading.box_warnings(box, rule.code, laden if rule.kind == Kind.EQUIPMENT else True)
    place, roles, more = _place(status, common, partner)
    own = [unit.head, *unit.parts] if unit else []
    segment = unit.head if unit else status
    reading.needs_reference(found, segment, box, papers.booking, papers.bill)
    when = reading.when(found, status, status.get(2), status.get(3), status.get(4))
    return CanonicalEvent(
        position=found.at(segment), kind=rule.kind, code=rule.code, classifier=rule.classifier, container=box,
        container_ok=ok, laden=laden, place=place, place_role=roles.get(place or "") or rule.place_role,
        mode=rule.mode or ("RAIL" if rule.code in _BY_RAIL else None), source_created_at=reading.created(found),
        warnings=(*warnings, *more), rule=words,
        payload=reading.payload(found, [status, *own, *(s for s in common if s is not status)],
                                is_estimate=rule.classifier != Classifier.ACT),
        **when.fields(), **papers.fields(), **reading.document(rule, papers, box),
    )  # fmt: skip


def _box(found: Transaction, unit: Unit | None, papers: Papers) -> tuple[str | None, bool | None]:
    """The container with its check digit, and whether it is laden. A car or a chassis is set aside, unless W2 names the
    container on it."""
    if unit is None:
        return papers.boxes[0] if len(papers.boxes) == 1 else None, None
    n7, w2 = unit.head, unit.first("W2")
    laden = reading.laden_of(w2.get(5)) if w2 else None
    if reading.is_box(n7.get(11)):
        same = w2 is not None and (w2.get(1), w2.get(2)) == (n7.get(1), n7.get(2))
        digit = n7.get(18) or (w2.get(13) if w2 and same else "")
        return reading.box_or_as_sent(n7.get(1), n7.get(2), digit, papers.boxes), laden
    if w2 is not None and reading.is_box(w2.get(4)):
        box = reading.box(w2.get(1), w2.get(2), w2.get(13), papers.boxes)
        if box is not None:
            return box, laden
    raise Fault(Reason.NOT_TRACKED, found.at(n7), f"It is equipment {n7.get(11)[:4]!a}, which is no container.")


def _place(
    status: Segment, common: Sequence[Segment], partner: Partner
) -> tuple[str | None, dict[str, str], list[str]]:
    """R4*5, else the city of Q5 if the partner's table knows it; and which place is which port."""
    places = [(s.get(1).upper(), reading.place_of(partner, s.get(2), s.get(3))) for s in common if s.tag == "R4"]
    ports = {"L": "POL", "D": "POD", "R": "PRE", "E": "PDE"}
    roles = {place: ports[role] for role, place in reversed(places) if place and role in ports}
    here = next((place for role, place in places if role == "5" and place), None)
    place = here or reading.city(partner, status.get(6), status.get(7), status.get(8))
    given = status.get(6) or any(role == "5" for role, _place in places)
    return place, roles, [Reason.UNKNOWN_PLACE] if given and place is None else []
