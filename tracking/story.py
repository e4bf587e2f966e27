"""The story of a shipment in one line of time: what was planned, estimated, heard, corrected, withdrawn, not heard.

Pure: from stored sightings and the facts derived from them, to steps in order. Words and addresses come later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tracking.effective import Heard, heard
from tracking.milestones import ContainerFacts, MilestoneFacts, ShipmentFacts, bind, chain, final_of
from tracking.types import Classifier, FinalMilestone, Journey, Milestone, Sighting

_LATE_AFTER: Final = timedelta(hours=24)


class StepKind(StrEnum):
    """How a step is drawn."""

    ACTUAL = "actual"
    ESTIMATED = "estimated"
    PLANNED = "planned"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Was:
    """A value that no longer holds: what it was, and when and how it went."""

    sighting: Sighting
    withdrawn: bool  # else corrected
    heard_at: datetime  # when the correction or the withdrawal was heard


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTime:
    """When one container reached the milestone; None: not heard."""

    container: str
    at: datetime | None
    precision: str = "minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the line. A milestone, or (`sighting`) an event that speaks of none of the chain."""

    kind: StepKind
    milestone: Milestone | None = None
    node: str = ""
    at: datetime | None = None
    precision: str = "minute"
    heard: Heard | None = None  # what `at` rests on
    planned: Heard | None = None
    estimated: Heard | None = None
    is_late: bool = False  # the final milestone, beyond the limit
    is_final: bool = False
    reached: int = 0  # containers that have it, of `boxes`
    boxes: int = 1
    apart: tuple[BoxTime, ...] = ()  # the containers' own times, where they differ
    basis: str = ""
    is_conflict: bool = False
    rivals: tuple[Heard, ...] = ()  # what the sources say, where they disagree
    unproven: Heard | None = None
    sighting: Sighting | None = None
    was: tuple[Was, ...] = ()


@dataclass(slots=True)
class _Told:
    """Sightings by what they speak of, live ones and those that no longer hold."""

    live: dict[tuple[Milestone, str], list[Sighting]] = field(default_factory=lambda: defaultdict(list))
    gone: dict[tuple[Milestone, str], list[Was]] = field(default_factory=lambda: defaultdict(list))
    loose: list[Sighting] = field(default_factory=list)
    loose_gone: list[Was] = field(default_factory=list)


def story(
    sightings: Sequence[Sighting],
    journey: Journey,
    facts: ShipmentFacts,
    *,
    limit: datetime | None,
    core: frozenset[Milestone] | None,
) -> list[Step]:
    """The steps in order. `core`: only these milestones, and no event beside them (5.1); None: everything.

    `limit` is the promised moment; the final step beyond it is late.
    """
    told = _told(sightings, journey, facts.live_ids)
    steps = [s for s in _chained(journey, facts, told, limit) if core is None or s.milestone in core]
    if core is None:
        beside = [*_beside(journey, facts, told), *_loose(told, facts.as_of)]
        return _merged(steps, beside, facts.as_of)
    return steps


def _told(sightings: Iterable[Sighting], journey: Journey, live_ids: frozenset[int]) -> _Told:
    told = _Told()
    ordered = sorted(sightings, key=lambda s: s.id)
    ends = {(s.source, s.retracts): s for s in ordered if s.retracts is not None}
    heirs = {(s.source, s.event_key): s for s in ordered if s.id in live_ids or s.is_empty}
    for s in ordered:
        if s.retracts is not None or s.event_time is None:
            continue
        bound = bind(s, journey)
        if s.id in live_ids:
            told.live[bound].append(s) if bound else told.loose.append(s)
            continue
        was = _was(s, ends.get((s.source, s.event_key)), heirs.get((s.source, s.event_key)))
        if was is not None:
            told.gone[bound].append(was) if bound else told.loose_gone.append(was)
    return told


def _was(old: Sighting, end: Sighting | None, heir: Sighting | None) -> Was | None:
    """Withdrawn, or replaced by a later version; a mere repeat under another id is no news."""
    if end is not None:
        return Was(sighting=old, withdrawn=True, heard_at=end.recorded_at)
    if heir is not None and heir.id != old.id and (heir.event_time != old.event_time or heir.is_empty):
        return Was(sighting=old, withdrawn=heir.is_empty, heard_at=heir.recorded_at)
    return None


def _chained(journey: Journey, facts: ShipmentFacts, told: _Told, limit: datetime | None) -> list[Step]:
    """One step for each milestone of the chain, heard or not (2.2)."""
    order = chain(journey.final, journey.mode, journey.load)
    steps: list[Step] = []
    for n, milestone in enumerate(order):
        step = _step(milestone, journey, facts, told, limit)
        if step.kind == StepKind.PLANNED and step.at is None and _is_optional(milestone, journey.final):
            continue
        expected_passed = step.at is not None and step.at + _LATE_AFTER < facts.as_of
        skipped = any(
            c.get(milestone).act is None and any(c.get(later).act for later in order[n + 1 :]) for c in facts.containers
        )
        unsaid = step.kind != StepKind.ACTUAL and (skipped or expected_passed)
        steps.append(replace(step, kind=StepKind.MISSING) if unsaid else step)
    return steps


def _is_optional(milestone: Milestone, final: FinalMilestone) -> bool:
    """Whether nobody need tell it: a delivery after a promise that ends at the yard or the warehouse."""
    return milestone == Milestone.DELIVERED and final != FinalMilestone.DOOR


def _step(milestone: Milestone, journey: Journey, facts: ShipmentFacts, told: _Told, limit: datetime | None) -> Step:
    own = [(c, c.get(milestone)) for c in facts.containers]
    act, expected = facts.reached(milestone), facts.expected(milestone)
    known = [f.act for _c, f in own if f.act is not None]
    shown = act or expected  # where only some containers have it, their times stand in `apart`
    node = next((f.node for _c, f in own if f.node), "") or _node(milestone, journey)
    live = [s for key, listed in told.live.items() if key[0] == milestone for s in listed]
    is_final = milestone == final_of(journey.final)
    if act is not None:
        kind = StepKind.ACTUAL
    else:
        kind = StepKind.ESTIMATED if any(f.est for _c, f in own if f.act is None) else StepKind.PLANNED
    is_conflict = any(f.conflict for _c, f in own)
    return Step(
        kind=kind,
        milestone=milestone,
        node=node,
        at=shown.time if shown else None,
        precision=shown.precision if shown else "minute",
        heard=shown,
        planned=_latest(f.pln for _c, f in own),
        estimated=_latest(f.est for _c, f in own),
        is_final=is_final,
        is_late=is_final and limit is not None and shown is not None and shown.time > limit,
        reached=len(known),
        boxes=len(own),
        apart=_apart(own),
        basis=next((f.basis for _c, f in own if f.basis), ""),
        is_conflict=is_conflict,
        rivals=_rivals(live) if is_conflict else (),
        unproven=_latest(f.unproven_act for _c, f in own),
        was=tuple(w for key, listed in told.gone.items() if key[0] == milestone for w in listed),
    )


def _node(milestone: Milestone, journey: Journey) -> str:
    """Where the milestone is expected while nobody has said so."""
    if milestone in (Milestone.GATE_IN_FULL, Milestone.LOADED, Milestone.VESSEL_DEPARTED):
        return journey.pol or ""
    if milestone in (Milestone.VESSEL_ARRIVED, Milestone.DISCHARGED):
        return journey.pod or ""
    if milestone == Milestone.EMPTY_RETURN:
        return ""
    if milestone in (Milestone.CY_AVAILABLE, Milestone.GATE_OUT_FULL) and journey.final != FinalMilestone.CY:
        return journey.pod or ""
    return journey.final_place or journey.pod or ""


def _latest(known: Iterable[Heard | None]) -> Heard | None:
    return max((h for h in known if h is not None), key=lambda h: (h.time, h.sighting_id), default=None)


def _apart(own: Sequence[tuple[ContainerFacts, MilestoneFacts]]) -> tuple[BoxTime, ...]:
    times = {f.act.time if f.act else None for _c, f in own}
    if len(own) < 2 or len(times) < 2:
        return ()
    return tuple(
        BoxTime(container=c.container or "", at=f.act.time if f.act else None,
                precision=f.act.precision if f.act else "minute")
        for c, f in own
    )  # fmt: skip


def _rivals(live: Sequence[Sighting]) -> tuple[Heard, ...]:
    """The last actual of each source, for a milestone on which they disagree (R1.11)."""
    by_source: dict[str, Heard] = {}
    for s in live:
        if s.classifier == Classifier.ACT:
            by_source[s.source] = heard(s)
    return tuple(sorted(by_source.values(), key=lambda h: h.time))


def _beside(journey: Journey, facts: ShipmentFacts, told: _Told) -> list[Step]:
    """Milestones outside the chain that somebody told: transhipment, anchorage, customs, failed deliveries."""
    order = set(chain(journey.final, journey.mode, journey.load))
    found: dict[tuple[Milestone, str], list[MilestoneFacts]] = defaultdict(list)
    for part in facts.containers:
        for one in part.milestones:
            if one.milestone not in order:
                found[one.milestone, one.node].append(one)
    steps = []
    for (milestone, node), told_by in found.items():
        act, expected = _latest(f.act for f in told_by), _latest(f.est or f.pln for f in told_by)
        shown = act or expected
        if shown is None:
            continue
        kind = StepKind.ACTUAL if act else StepKind.ESTIMATED if any(f.est for f in told_by) else StepKind.PLANNED
        steps.append(
            Step(
                kind=kind, milestone=milestone, node=node, at=shown.time, precision=shown.precision, heard=shown,
                planned=_latest(f.pln for f in told_by), estimated=_latest(f.est for f in told_by),
                reached=sum(f.act is not None for f in told_by), boxes=len(facts.containers),
                is_conflict=any(f.conflict for f in told_by), was=tuple(told.gone.get((milestone, node), ())),
            )
        )  # fmt: skip
    return steps


def _loose(told: _Told, as_of: datetime) -> list[Step]:
    """Events that capture no milestone: what happened, and what is still expected; withdrawn ones struck through."""
    kinds = {Classifier.ACT: StepKind.ACTUAL, Classifier.EST: StepKind.ESTIMATED, Classifier.PLN: StepKind.PLANNED}
    heirs = {(s.source, s.event_key): s.id for s in told.loose}
    gone: dict[int, list[Was]] = defaultdict(list)
    orphans: list[Was] = []
    for was in told.loose_gone:
        heir = heirs.get((was.sighting.source, was.sighting.event_key))
        gone[heir].append(was) if heir is not None else orphans.append(was)
    steps = [
        Step(kind=kinds[Classifier(s.classifier)], sighting=s, at=s.event_time, precision=s.precision,
             node=s.place or "", was=tuple(gone.get(s.id, ())))
        for s in told.loose
        if s.classifier == Classifier.ACT or (s.event_time is not None and s.event_time >= as_of)
    ]  # fmt: skip
    for was in orphans:
        s = was.sighting
        if s.classifier == Classifier.ACT:
            steps.append(Step(kind=StepKind.MISSING, sighting=s, node=s.place or "", was=(was,)))
    return steps


def _merged(steps: Sequence[Step], beside: Sequence[Step], as_of: datetime) -> list[Step]:
    """The chain keeps its order; what stands beside it goes where its time is."""
    placed: list[tuple[datetime, int, int, Step]] = []
    reached = datetime.min.replace(tzinfo=as_of.tzinfo)
    for n, step in enumerate(steps):
        if step.at is not None:
            reached = max(reached, step.at)
        placed.append((reached, 0, n, step))
    for n, step in enumerate(beside):
        at = step.at or (step.was[0].sighting.event_time if step.was else None) or as_of
        placed.append((at, 1, n, step))
    return [step for *_key, step in sorted(placed, key=lambda p: p[:3])]


def now_index(steps: Sequence[Step], now: datetime) -> int | None:
    """Before which step the mark of the present stands: after everything that is past or should be; None at an end."""
    ahead = [
        n
        for n, s in enumerate(steps)
        if s.kind in (StepKind.ESTIMATED, StepKind.PLANNED) and (s.at is None or s.at >= now)
    ]
    last_past = max(
        (n for n, s in enumerate(steps) if s.kind == StepKind.ACTUAL or (s.at is not None and s.at < now)), default=-1
    )
    later = [n for n in ahead if n > last_past]
    return later[0] if later else None


def origin_first(journey: Journey) -> tuple[str, ...]:
    """The places of the journey in order, each once: the nodes of the route bar."""
    calls = [journey.pol, *journey.transhipments, journey.pod, journey.final_place]
    seen: Mapping[str, None] = dict.fromkeys(c for c in calls if c)
    return tuple(seen)
