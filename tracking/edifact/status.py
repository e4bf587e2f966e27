"""IFTSTA, D.95B to D.00B: the statuses of consignments, one event for each status and box.

The meaning of a code is the partner's (statuses.py). The dates of a sea leg beside a status are its estimates, never
proof that something happened: 132 and 133 under TDT give an expected arrival or departure; 178 and 186 are kept in
the payload and make no event of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tracking import statuses
from tracking.edifact.interchange import Message
from tracking.edifact.parts import (
    EXPORT,
    TRANSHIPPED,
    Head,
    Means,
    Named,
    Spot,
    box_of,
    boxed,
    dated,
    findable,
    grouped,
    head_of,
    is_box,
    kept_of,
    laden_of,
    located,
    means_of,
    named_in,
    spot_of,
    time_of,
)
from tracking.edifact.syntax import Segment
from tracking.fields import Fault
from tracking.instants import Written
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, Kind, Partner, Precision, Refusal, StatusRule

Found = Iterator[CanonicalEvent | Refusal]
_ARRIVED: Final = frozenset({"ARRI", "DISC"})
_MOVED: Final = _ARRIVED | {"DEPA", "LOAD"}
# (code, place qualifier, time qualifiers) of what a sea leg expects
_EXPECTED: Final = (("DEPA", "9", "133"), ("ARRI", "11", "132"))
_OWN_TIMES: Final = {"ARRI": ("178",), "DISC": ("178",), "DEPA": ("186",), "LOAD": ("186",)}
_OWN_ESTIMATES: Final = {"ARRI": ("132",), "DISC": ("132",), "DEPA": ("133",), "LOAD": ("133",)}


@dataclass(frozen=True, slots=True)
class Leg:
    """A TDT with the places and times under it."""

    means: Means
    segments: Sequence[Segment]

    def place(self, qualifier: str, at: str) -> str | None:
        """The place with a qualifier."""
        found = located(self.segments, qualifier)
        return spot_of(found[0], at).place if found else None

    def time(self, place: str, time: str) -> tuple[Segment, Segment] | None:
        """The place with this qualifier and the time with that one which follows it."""
        here: Segment | None = None
        for segment in self.segments:
            if segment.tag == "LOC":
                here = segment if segment.code(1) == place else None
            elif segment.tag == "DTM" and here is not None and segment.code(1) == time:
                return here, segment
        return None


@dataclass(slots=True)
class Status:
    """One STS with everything under it, and what surrounds it."""

    head: Head
    segment: Segment
    own: list[Segment]  # STS and what follows it, without its legs and boxes
    legs: list[Leg]
    boxes: list[tuple[str, Segment]]
    astray: list[Segment]  # what stands under a box though it is said of the status: some write it in this order
    named: Named
    around: Sequence[Segment]  # places and legs of the consignment, then those of the header
    kept: list[str]  # what the payload keeps of it, without its boxes

    def at(self, *segments: Segment) -> str:
        """A position under this status."""
        return self.head.message.at(self.segment, *segments)

    def everything(self) -> list[Segment]:
        """Every segment under it, its own first."""
        return [*self.own, *(s for leg in self.legs for s in leg.segments), *self.astray]


def read(message: Message, partner: Partner, warnings: Sequence[str]) -> Found:
    """The events and refusals of one IFTSTA, in its order."""
    header, *consignments = grouped(message.segments, "CNI")
    before, *loose = grouped(header, "STS")
    head = head_of(message, before)
    groups = [(before[:0], loose), *((first, rest) for first, *rest in (grouped(c, "STS") for c in consignments))]
    if not any(rest for _first, rest in groups):
        raise Fault(Reason.MISSING_SEGMENT, message.at(message.opening), "It is STS.")
    # what stands in the header is said of the only consignment; with several it is nobody's in particular
    shared = _named(message, before) if len(consignments) < 2 else Named()
    for first, rest in groups:
        named = _named(message, first).beside(shared)
        around = [s for s in (*first, *before) if s.tag in ("LOC", "TDT")]
        for segments in rest:
            try:
                yield from _status(_laid_out(head, segments, named, around), partner, warnings)
            except Fault as fault:
                text = "\n".join(s.text for s in segments[:40])
                yield Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=text)


def _laid_out(head: Head, segments: list[Segment], around: Named, outer: Sequence[Segment]) -> Status:
    message, sts = head.message, segments[0]
    own, *parts = grouped(segments, "TDT", "EQD")
    legs = [Leg(means_of(p[0], message.at(sts, p[0])), p) for p in parts if p[0].tag == "TDT"]
    named = _named(message, segments).beside(around)
    astray = [s for p in parts if p[0].tag == "EQD" for s in p if s.tag in ("DTM", "LOC")]
    kept = kept_of((*own, *(s for leg in legs for s in leg.segments)))
    return Status(head, sts, own, legs, list(named.boxes), astray, named, outer, kept)


def _named(message: Message, segments: Sequence[Segment]) -> Named:
    """The references of a group, and its boxes: those of EQD, then those that RFF+EQ names."""
    boxes: dict[str, Segment] = {}
    for segment in segments:
        if is_box(segment) and (number := box_of(segment.get(2), message.at(segment))):
            boxes.setdefault(number, segment)
    inner = named_in(message, segments)
    return replace(inner, boxes=tuple({**boxes, **dict(inner.boxes), **boxes}.items()))


def _status(status: Status, partner: Partner, warnings: Sequence[str]) -> Found:
    """The status for each of its boxes, or once; then what the sea legs beside it expect."""
    rule, words = _meaning(status, partner)
    if rule.is_ignored:
        raise Fault(Reason.NOT_TRACKED, status.at(), f"{words}.")
    means, mode = _means(status, rule)
    faults: list[str] = list(warnings)
    if mode is None and rule.kind == Kind.TRANSPORT:
        mode = "VESSEL" if means.is_named else "MULTIMODAL"  # only a vessel at sea departs or arrives as a milestone
        faults.append(Reason.NO_MODE)
    spot = _spot(status)
    pol, pod = _ports(status)
    when, dtm, classifier = _time(status, rule, spot)
    common: dict[str, Any] = {
        "kind": rule.kind, "code": rule.code, "classifier": classifier, "mode": mode, "pol": pol, "pod": pod,
        "place": spot.place, "facility": spot.facility, "facility_provider": spot.provider,
        "place_role": rule.place_role or _role(rule.code, mode, spot.place, pol, pod),
        "reason": _reason(status), "rule": words,
    }  # fmt: skip
    code = (status.segment.code(2) or status.segment.code(2, 3))[:40]
    for container, segment in _units(status, rule.kind):
        yield _event(status, container, segment, (when, dtm), code, [*faults], means, rule, common)
    for leg in status.legs:
        yield from _expected(status, leg, warnings, dtm, (pol, pod))


def _meaning(status: Status, partner: Partner) -> tuple[StatusRule, str]:
    """What the code of C555 means for this partner; a status in words alone only if its table has these words."""
    code, agency, text = status.segment.code(2), status.segment.code(2, 2), status.segment.get(2, 3)
    found = statuses.meaning(partner, "iftsta", code or text.upper()[:40], agency) if code or text else None
    if found is not None:
        return found
    if not (code or text):
        raise Fault(Reason.MISSING_FIELD, status.at(), "The status has no code.")
    said = f"It is {code[:40]!a} of {agency[:17]!a}" if code else "There is no code"
    raise Fault(Reason.UNKNOWN_CODE, status.at(), f"{said}{f', in words {text[:80]!a}' if text else ''}.")


def _means(status: Status, rule: StatusRule) -> tuple[Means, str | None]:
    """The leg that the status speaks of, and the mode: the code's own, else the leg's."""
    legs = status.legs
    place = _spot(status).place
    end = "11" if rule.code in _ARRIVED else "9"
    ending = [leg for leg in legs if place and leg.place(end, status.at()) == place]
    means = (ending or legs)[0].means if legs else Means()
    if not legs and (tdt := next((s for s in status.around if s.tag == "TDT"), None)):
        means = means_of(tdt, status.head.message.at(tdt))
    if rule.mode == "MULTIMODAL":  # any mode but a vessel's: a box that leaves a terminal is no ship that leaves a port
        return means, means.mode if means.mode not in (None, "VESSEL") else rule.mode
    if rule.mode == "VESSEL" and means.mode == "BARGE":
        return means, means.mode
    return means, rule.mode or means.mode


def _spot(status: Status) -> Spot:
    """Where it happened: the activity location, else another place named directly under the status."""
    found = located(status.everything(), "175", "165") or [
        s for s in status.own if s.tag == "LOC" and s.code(1) not in ("7", "9", "11", "88", "147")
    ]
    return spot_of(found[0], status.at(found[0])) if found else Spot()


def _ports(status: Status) -> tuple[str | None, str | None]:
    """Port of loading and of discharge: of the consignment or the message, else of the first and the last leg."""
    outer = [*status.own, *(s for s in status.around if s.tag == "LOC")]
    legs = [leg for leg in status.legs if leg.means.mode in (None, "VESSEL")] or status.legs
    found: list[str | None] = []
    for qualifier, order in (("9", legs), ("11", legs[::-1])):
        near = located(outer, qualifier)
        far = (leg.place(qualifier, status.at()) for leg in order)
        found.append(spot_of(near[0], status.at(near[0])).place if near else next((p for p in far if p), None))
    return found[0], found[1]


def _role(code: str, mode: str | None, place: str | None, pol: str | None, pod: str | None) -> str | None:
    """What the place is on the journey that the message tells; between its ports a vessel only transfers."""
    if place is None or pol == pod:
        return None
    if place in (pol, pod):
        return "POL" if place == pol else "POD"
    return "TSP" if pol and pod and code in _MOVED and mode == "VESSEL" else None


def _time(status: Status, rule: StatusRule, spot: Spot) -> tuple[Written, Segment, Classifier]:
    """When, by which DTM, and what that makes of it.

    An expected arrival or departure has the expected time where one stands beside it. Else 334 is the time of the
    status; where it is missing, a date of the status itself that says actual (178, 186) or estimated (132, 133).
    """
    if status.head.is_retraction:
        return Written("", Precision.MINUTE), status.segment, rule.classifier
    under = [s for s in status.own if s.tag == "DTM"]
    if rule.classifier == Classifier.EST and rule.code in _OWN_ESTIMATES:
        told = dated(under, *_OWN_ESTIMATES[rule.code]) or _pairs(status, rule.code, spot.place)
        if told:
            return time_of(told[0], status.at(told[0])), told[0], Classifier.EST
    if found := dated(status.everything(), "334"):
        return time_of(found[0], status.at(found[0])), found[0], rule.classifier
    if found := dated(under, *_OWN_TIMES.get(rule.code, ())):
        return time_of(found[0], status.at(found[0])), found[0], rule.classifier
    if found := dated(under, *_OWN_ESTIMATES.get(rule.code, ())):
        return time_of(found[0], status.at(found[0])), found[0], Classifier.EST
    raise Fault(Reason.MISSING_SEGMENT, status.at(), "It is DTM+334.")


def _pairs(status: Status, code: str, place: str | None) -> list[Segment]:
    """The expected times of the legs at the place that the status speaks of."""
    found = []
    for leg in status.legs:
        for expected, qualifier, time in _EXPECTED:
            pair = leg.time(qualifier, time) if expected == code else None
            if pair and place in (None, spot_of(pair[0], status.at(pair[0])).place):
                found.append(pair[1])
    return found


def _reason(status: Status) -> str | None:
    """Free text and reasons of the status, as sent."""
    words = [status.segment.get(2, 3)]
    for element in range(3, min(len(status.segment.elements), 8)):
        words += [status.segment.get(element, 3) or status.segment.get(element)]
    words += [s.get(4) for s in status.own if s.tag == "FTX"]
    return "; ".join(dict.fromkeys(w for w in words if w))[:250] or None


def _units(status: Status, kind: Kind) -> list[tuple[str | None, Segment | None]]:
    """A document is one thing, whatever boxes it names; everything else happens box by box."""
    if kind == Kind.SHIPMENT or not status.boxes:
        return [(None, None)]
    return [(number, segment) for number, segment in status.boxes]


def _event(
    status: Status, container: str | None, segment: Segment | None, told: tuple[Written, Segment], code: str,
    warnings: list[str], means: Means, rule: StatusRule, common: dict[str, Any],
) -> CanonicalEvent:  # fmt: skip
    head, (when, dtm) = status.head, told
    eqd = segment if segment is not None and segment.tag == "EQD" else None
    found: dict[str, Any] = {**common, **boxed(container, warnings), **means.fields(warnings)}
    found["laden"] = rule.laden if rule.laden is not None else laden_of(eqd)
    if found["laden"] is None and rule.kind == Kind.EQUIPMENT:
        warnings.append(Reason.NO_LADEN)
    if eqd is not None and eqd.get(5) == TRANSHIPPED:
        found["is_transshipment"], found["place_role"] = True, "TSP"
    elif eqd is not None and eqd.get(5) == EXPORT and rule.code == "GTIN" and found["laden"] is False:
        found["place_role"] = "PRE"  # on its way to be stuffed, which is never a return
    found |= _papers(status, rule)
    if not findable(rule.kind, status.named, means, container):
        raise Fault(Reason.NO_REFERENCE, status.at())
    subject = container or status.named.booking or status.named.bill
    identity = head.identity(subject, code, common["place"])
    payload = head.payload([*status.kept, *([eqd.text] if eqd else [])], status.named)
    return CanonicalEvent(
        position=status.at(*([segment] if segment else []), *([dtm] if dtm is not status.segment else [])),
        warnings=tuple(dict.fromkeys(warnings)),
        **found,
        **head.told(identity, when, payload),
    )


def _papers(status: Status, rule: StatusRule) -> dict[str, Any]:
    """Booking and bill, and the document that a SHIPMENT event speaks of."""
    named = status.named
    found: dict[str, Any] = {
        "booking": named.booking, "bill_of_lading": named.bill, "references": named.further,
    }  # fmt: skip
    if rule.kind != Kind.SHIPMENT:
        return found
    boxes = tuple(number for number, _segment in status.boxes)
    number = named.bill if rule.document_type == "TRD" else named.booking
    number = number or named.booking or named.bill or (boxes[0] if boxes else None)
    if number is None:
        raise Fault(Reason.NO_REFERENCE, status.at())
    return found | {"document_type": rule.document_type, "document_id": number, "equipment": boxes}


def _expected(
    status: Status, leg: Leg, warnings: Sequence[str], used: Segment, ports: tuple[str | None, str | None]
) -> Found:
    """Expected departure and arrival of a sea leg, unless the status itself was read by that time."""
    if leg.means.mode != "VESSEL":
        return
    for code, place, time in _EXPECTED:
        pair = leg.time(place, time)
        if pair is None or pair[1] is used:
            continue
        try:
            yield from _estimate(status, leg, code, pair, warnings, ports)
        except Fault as fault:
            yield Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=pair[1].text)


def _estimate(
    status: Status, leg: Leg, code: str, pair: tuple[Segment, Segment], warnings: Sequence[str],
    ports: tuple[str | None, str | None],
) -> Found:  # fmt: skip
    head, (loc, dtm) = status.head, pair
    when, spot = time_of(dtm, status.at(dtm)), spot_of(loc, status.at(loc))
    for container, segment in _units(status, Kind.TRANSPORT):
        faults = list(warnings)
        found = {**boxed(container, faults), **leg.means.fields(faults)}
        if not findable(Kind.TRANSPORT, status.named, leg.means, container):
            continue
        subject = container or status.named.booking or status.named.bill
        identity = head.identity(subject, f"{code} EST", spot.place)
        own = [leg.segments[0], loc, dtm, *([segment] if segment else [])]
        yield CanonicalEvent(
            position=status.at(*([segment] if segment else []), dtm),
            kind=Kind.TRANSPORT, code=code, classifier=Classifier.EST, mode=leg.means.mode,
            place=spot.place, facility=spot.facility, facility_provider=spot.provider,
            place_role=_role(code, leg.means.mode, spot.place, *ports), pol=ports[0], pod=ports[1],
            booking=status.named.booking, bill_of_lading=status.named.bill, references=status.named.further,
            rule=f"IFTSTA TDT LOC+{loc.code(1)} DTM+{dtm.code(1)}", warnings=tuple(dict.fromkeys(faults)),
            **found, **head.told(identity, when, head.payload(kept_of(own), status.named)),
        )  # fmt: skip
