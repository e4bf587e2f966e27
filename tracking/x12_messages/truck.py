"""X12 214, the haulier's status: ST B10 L11 (LX (AT7 MS1 MS2) L11) SE, any number of statuses of one shipment.

Read as 004010 numbers it: B10-01 the haulier's own number, 02 the shipment's, 03 the SCAC; AT7-01 the status with its
reason in 02, or 03 an appointment with its reason in 04, then 05 the day, 06 the time, 07 its zone; MS1-01 to 03 city,
state and country; MS2-01 and 02 the equipment, 03 what it is, 04 its check digit. An appointment is a promise, no
event: it is set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracking import codes
from tracking.fields import Fault
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, Kind, Partner, Refusal, StatusRule
from tracking.x12 import Segment, Transaction
from tracking.x12_messages import reading
from tracking.x12_messages.reading import Papers

LISTED: Final = "x12_214"
_NEEDS_MODE: Final = frozenset({"ARRI", "DEPA", "LOAD", "DISC"})


@dataclass(slots=True)
class Line:
    """An AT7 with its place and its equipment, and the LX in which it stands (None: in none)."""

    head: Segment
    load: Segment | None
    parts: list[Segment] = field(default_factory=list)

    def first(self, tag: str) -> Segment | None:
        """Its first segment of a tag."""
        return next((p for p in self.parts if p.tag == tag), None)


def read(found: Transaction, partner: Partner) -> Iterator[CanonicalEvent | Refusal]:
    """One event or refusal for each AT7."""
    b10 = next((s for s in found.body if s.tag == "B10"), None)
    lines, around = _parts(found.body)
    if b10 is None or not lines:
        missing = "B10" if b10 is None else "AT7"
        raise Fault(Reason.MISSING_SEGMENT, found.at(found.head), f"A 214 needs {missing}.")
    reading.bounded(found, len(lines), len(around))
    for line in lines:
        mine = [s for load, s in around if load is None or load is line.load]
        try:
            yield _event(found, b10, line, mine, partner)
        except Fault as fault:
            yield found.refusal(fault)


def _parts(body: Sequence[Segment]) -> tuple[list[Line], list[tuple[Segment | None, Segment]]]:
    """The statuses, and what stands around them with the LX it belongs to."""
    lines: list[Line] = []
    around: list[tuple[Segment | None, Segment]] = []
    load: Segment | None = None
    for segment in body:
        if segment.tag == "AT7":
            lines.append(Line(segment, load))
        elif segment.tag in ("MS1", "MS2") and lines and lines[-1].load is load:
            lines[-1].parts.append(segment)
        else:
            load = segment if segment.tag == "LX" else load
            around.append((load, segment))
    return lines, around


def _event(found: Transaction, b10: Segment, line: Line, mine: Sequence[Segment], partner: Partner) -> CanonicalEvent:
    head = line.head
    if not head.get(1) and head.get(3):
        rule, said = _appointment(found, head, partner)
    else:
        rule, said = reading.status(found, head, partner, LISTED, head.get(1))
    papers = _papers(found, b10, mine)
    box = _box(line, papers)
    ok, warnings = reading.box_warnings(box, rule.code, rule.laden if rule.kind == Kind.EQUIPMENT else True)
    where = line.first("MS1")
    place = reading.city(partner, where.get(1), where.get(2), where.get(3)) if where else None
    if where and place is None and where.get(1):
        warnings.append(Reason.UNKNOWN_PLACE)
    shipment = reading.text(found, b10, 2, 64)
    found_by = box or papers.booking or papers.bill or papers.boxes
    reading.needs_reference(found, head, found_by, shipment)
    when = reading.when(found, head, head.get(5), head.get(6), head.get(7))
    mode = rule.mode or ("TRUCK" if rule.code in _NEEDS_MODE else None)
    return CanonicalEvent(
        position=found.at(head), kind=rule.kind, code=rule.code, classifier=rule.classifier, container=box,
        container_ok=ok, equipment=tuple(b for b in papers.boxes if b != box), laden=rule.laden, place=place,
        place_role=rule.place_role, mode=mode, source_created_at=reading.created(found),
        # a shipment's number alone decides whose event it is: the haulier's may be anybody's, so it only stands in
        shipment_ref=None if found_by else shipment,
        reason=(head.get(2)[:250] or None) if rule.code == codes.DELIVERY_FAILED else None,
        warnings=tuple(warnings), rule=said,
        payload=reading.payload(found, [*mine, head, *line.parts], is_estimate=rule.classifier != Classifier.ACT),
        **when.fields(), **papers.fields(), **reading.document(rule, papers, box, shipment),
    )  # fmt: skip


def _appointment(found: Transaction, head: Segment, partner: Partner) -> tuple[StatusRule, str]:
    """Set aside, unless the partner's own table makes an event of it."""
    rule = partner.rule(LISTED, head.get(3).upper())
    if rule is None or rule.is_ignored:
        more = f"It is the appointment {head.get(3)[:8]!a}, which is a promise and no event."
        raise Fault(Reason.NOT_TRACKED, found.at(head), more)
    return reading.status(found, head, partner, LISTED, head.get(3))


def _papers(found: Transaction, b10: Segment, mine: Sequence[Segment]) -> Papers:
    """L11, and the numbers of B10 among the further references."""
    papers = reading.papers(found, mine, "L11")
    own = (("CN", reading.text(found, b10, 1, 64)), ("SI", reading.text(found, b10, 2, 64)),
           ("SCA", reading.text(found, b10, 3, 64)))  # fmt: skip
    named = tuple((kind, value) for kind, value in own if value)
    return replace(papers, further=tuple(dict.fromkeys((*named, *papers.further))))


def _box(line: Line, papers: Papers) -> str | None:
    """The container of MS2, else the only one of the references. A trailer is no container."""
    ms2 = line.first("MS2")
    if ms2 is not None and reading.is_box(ms2.get(3)):
        box = reading.box(ms2.get(1), ms2.get(2), ms2.get(4), papers.boxes)
        if box is not None:
            return box
    return papers.boxes[0] if len(papers.boxes) == 1 else None
