"""CODECO and COARRI, D.95B: gate moves and crane moves that a terminal reports, one event for each box.

A box that is transhipped says so, and one that stays on board or is only shifted has made no move that is tracked. An
empty export box that comes in is on its way to be stuffed: its place is the place of receipt, never that of a return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tracking.edifact.interchange import Message
from tracking.edifact.parts import (
    EXPORT,
    IMPORT,
    ON_BOARD,
    SHIFTED,
    TRANSHIPPED,
    Head,
    Means,
    Named,
    Spot,
    box_of,
    boxed,
    dated,
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
from tracking.types import CanonicalEvent, Kind, Partner, Precision, Refusal, StatusRule

Found = Iterator[CanonicalEvent | Refusal]
_REPORTS: Final = {
    ("CODECO", "34"): StatusRule(kind=Kind.EQUIPMENT, code="GTIN", says="gate-in report"),
    ("CODECO", "36"): StatusRule(kind=Kind.EQUIPMENT, code="GTOT", says="gate-out report"),
    ("COARRI", "44"): StatusRule(kind=Kind.EQUIPMENT, code="DISC", says="discharge report"),
    ("COARRI", "46"): StatusRule(kind=Kind.EQUIPMENT, code="LOAD", says="loading report"),
}
_TIMES: Final = {"CODECO": ("7", "203"), "COARRI": ("203", "7")}
_LOADING: Final = "9"  # LOC: place of loading
_DISCHARGE: Final = "11"


@dataclass(frozen=True, slots=True)
class Report:
    """What the head of a message says of all its boxes."""

    head: Head
    rule: StatusRule
    words: str
    places: Sequence[Segment]  # LOC, the first of each qualifier
    vessel: Means


@dataclass(frozen=True, slots=True)
class Move:
    """One box of a report: its own group, and what the report says happened to it."""

    report: Report
    segment: Segment  # EQD
    own: Sequence[Segment]
    named: Named

    @property
    def head(self) -> Head:
        """Of the message."""
        return self.report.head

    @property
    def rule(self) -> StatusRule:
        """What the report says happened."""
        return self.report.rule

    @property
    def status(self) -> str:
        """Export, import, transhipped and so on (8249)."""
        return self.segment.get(5)

    @property
    def laden(self) -> bool | None:
        """What the report's own meaning says, else the box."""
        return self.rule.laden if self.rule.laden is not None else laden_of(self.segment)

    def at(self, *segments: Segment) -> str:
        """A position under this box."""
        return self.head.message.at(self.segment, *segments)


def read(message: Message, partner: Partner, warnings: Sequence[str]) -> Found:
    """The events and refusals of one CODECO or COARRI, in its order."""
    header, *groups = grouped(message.segments, "EQD")
    head = head_of(message, header)
    rule, words = _meaning(message.type, head, partner)
    if rule.is_ignored:
        raise Fault(Reason.NOT_TRACKED, head.code_at, f"{words}.")
    boxes = [g for g in groups if is_box(g[0])]
    if not boxes:
        raise Fault(Reason.MISSING_SEGMENT, message.at(message.opening), "It is EQD.")
    faults = [*warnings, *_counted(message, len(groups))]
    shared = named_in(message, header) if len(boxes) == 1 else Named()
    places = {s.code(1): s for s in reversed(header) if s.tag == "LOC"}
    report = Report(head, rule, words, tuple(places.values()), _vessel(message, header))
    for group in boxes:
        try:
            move = Move(report, group[0], group, named_in(message, group).beside(shared))
            yield _event(move, [*faults])
        except Fault as fault:
            text = "\n".join(s.text for s in group[:40])
            yield Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=text)


def _meaning(type_: str, head: Head, partner: Partner) -> tuple[StatusRule, str]:
    own = partner.rule(type_.lower(), head.code)
    if own is not None:
        return own, f"partner table: {type_.lower()} {head.code}"
    found = _REPORTS.get((type_, head.code))
    if found is None:
        raise Fault(Reason.UNKNOWN_CODE, head.code_at, f"{type_} is no report {head.code[:10]!a}.")
    return found, f"{type_} BGM {head.code}, {found.says}"


def _counted(message: Message, groups: int) -> list[str]:
    """CNT+16 counts the boxes of the report."""
    said = [s.get(1, 1) for s in message.segments if s.tag == "CNT" and s.code(1) == "16"]
    return [Reason.CONTROL_COUNT] if any(text.lstrip("0") != str(groups) for text in said) else []


def _event(move: Move, warnings: list[str]) -> CanonicalEvent:
    container = box_of(move.segment.get(2), move.at())
    if not container:
        raise Fault(Reason.MISSING_FIELD, move.at(), "The box has no number.")
    if move.status in (ON_BOARD, SHIFTED):
        raise Fault(Reason.NOT_TRACKED, move.at(), "The box stayed on board or was only shifted.")
    vessel = move.report.vessel
    spot, pol, pod = _places(move)
    when, dtm = _time(move)
    if move.laden is None:
        warnings.append(Reason.NO_LADEN)
    identity = move.head.identity(container, move.rule.code, spot.place)
    return CanonicalEvent(
        position=move.at(*([dtm] if dtm else [])),
        kind=move.rule.kind, code=move.rule.code, classifier=move.rule.classifier, laden=move.laden,
        mode=move.rule.mode or _mode(move, vessel), place=spot.place, facility=spot.facility,
        facility_provider=spot.provider, place_role=move.rule.place_role or _role(move, spot.place, pol, pod),
        pol=pol, pod=pod, is_transshipment=True if move.status == TRANSHIPPED else None,
        booking=move.named.booking, bill_of_lading=move.named.bill, references=move.named.further,
        reason=next((s.get(4)[:250] for s in move.own if s.tag == "FTX" and s.get(4)), None), rule=move.report.words,
        **boxed(container, warnings), **vessel.fields(warnings), warnings=tuple(dict.fromkeys(warnings)),
        **move.head.told(identity, when, move.head.payload(kept_of(move.own), move.named)),
    )  # fmt: skip


def _is_gate(move: Move) -> bool:
    return move.head.message.type == "CODECO"


def _vessel(message: Message, header: Sequence[Segment]) -> Means:
    """The ship of the report: its main carriage, else its first leg."""
    listed = [s for s in header if s.tag == "TDT"]
    main = next((s for s in listed if s.code(1) == "20"), listed[0] if listed else None)
    return means_of(main, message.at(main) if main else "")


def _mode(move: Move, vessel: Means) -> str | None:
    """How the box came or went: at the gate by its own leg, at the quay by the ship."""
    if not _is_gate(move):
        return vessel.mode or "VESSEL"
    inner = next((s for s in move.own if s.tag == "TDT"), None)
    return means_of(inner, move.at(inner)).mode if inner else None


def _places(move: Move) -> tuple[Spot, str | None, str | None]:
    """Where it happened, the port of loading and the port of discharge of the box."""
    spot = _gate(move) if _is_gate(move) else _quay(move)
    pol, pod = (_near(move, q) for q in (_LOADING, _DISCHARGE))
    if move.status == TRANSHIPPED:  # the ports of its legs: where it changes ships is neither
        pol, pod = (None if port == spot.place else port for port in (pol, pod))
    return spot, pol, pod


def _near(move: Move, qualifier: str) -> str | None:
    """The place with a qualifier: the box's own, else the report's."""
    for segments in (move.own, move.report.places):
        for segment in located(segments, qualifier)[:1]:
            return spot_of(segment, move.at(segment)).place
    return None


def _gate(move: Move) -> Spot:
    """The place of the gate move; where none is given, the port that the direction means."""
    for segments in (move.own, move.report.places):
        for segment in located(segments, "165")[:1]:
            return spot_of(segment, move.at(segment))
    if move.status == TRANSHIPPED:
        return Spot()
    outward = {EXPORT: True, IMPORT: False}.get(move.status, move.rule.code == "GTIN")
    for segments in (move.own, move.report.places):
        for segment in located(segments, _LOADING if outward else _DISCHARGE)[:1]:
            return spot_of(segment, move.at(segment))
    return Spot()


def _quay(move: Move) -> Spot:
    """The terminal where the ship lies, from the head of the report; a stowage cell is no place."""
    qualifier = _DISCHARGE if move.rule.code == "DISC" else _LOADING
    own = move.own if move.status != TRANSHIPPED else ()
    for segments in (move.report.places, own):
        for segment in located(segments, qualifier)[:1]:
            return spot_of(segment, move.at(segment))
    return Spot()


def _role(move: Move, place: str | None, pol: str | None, pod: str | None) -> str | None:
    if move.status == TRANSHIPPED:
        return "TSP"
    if _is_gate(move):
        if move.status == EXPORT and move.laden is False:
            return "PRE"
        return None if place is None or pol == pod else {pol: "POL", pod: "POD"}.get(place)
    return {("LOAD", EXPORT): "POL", ("DISC", IMPORT): "POD"}.get((move.rule.code, move.status))


def _time(move: Move) -> tuple[Written, Segment | None]:
    if move.head.is_retraction:
        return Written("", Precision.MINUTE), None
    qualifiers = _TIMES[move.head.message.type]
    found = dated(move.own, *qualifiers)
    if not found:
        raise Fault(Reason.MISSING_SEGMENT, move.at(), f"It is DTM+{qualifiers[0]}.")
    return time_of(found[0], move.at(found[0])), found[0]
