"""Which milestone a sighting speaks of, the chains, and the state of a shipment worked out from its sightings.

Pure: the same sightings give the same facts, in any order and however often they were sent (R1.8, P4). Versions,
retractions and the choice between sources are in effective.py; nothing here reads the clock or the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Final

from tracking.effective import (
    CONFLICT_HOURS,
    NOTHING,
    Effective,
    Heard,
    Hold,
    effective,
    live_versions,
    pair_holds,
    release_after,
)
from tracking.types import Classifier, FinalMilestone, Journey, Kind, Load, Milestone, Mode, Sighting

_M = Milestone
_AT_SEA: Final = (_M.GATE_IN_FULL, _M.LOADED, _M.VESSEL_DEPARTED, _M.VESSEL_ARRIVED, _M.DISCHARGED)
_CHAINS: Final[Mapping[FinalMilestone, tuple[Milestone, ...]]] = {
    FinalMilestone.DOOR: (*_AT_SEA, _M.CY_AVAILABLE, _M.GATE_OUT_FULL, _M.DELIVERED, _M.EMPTY_RETURN),
    FinalMilestone.CY: (*_AT_SEA, _M.CY_AVAILABLE, _M.GATE_OUT_FULL, _M.DELIVERED, _M.EMPTY_RETURN),
    FinalMilestone.CFS: (*_AT_SEA, _M.GATE_OUT_FULL, _M.CFS_AVAILABLE, _M.DELIVERED),
}
_FINAL: Final[Mapping[FinalMilestone, Milestone]] = {
    FinalMilestone.DOOR: _M.DELIVERED,
    FinalMilestone.CY: _M.CY_AVAILABLE,
    FinalMilestone.CFS: _M.CFS_AVAILABLE,
}
_FIFTH: Final[Mapping[FinalMilestone, Milestone]] = {
    FinalMilestone.DOOR: _M.DELIVERED,
    FinalMilestone.CY: _M.EMPTY_RETURN,  # the slot "EMPTY_RETURN or DELIVERED"
    FinalMilestone.CFS: _M.CFS_AVAILABLE,
}
_ORDER: Final = {milestone: n for n, milestone in enumerate(Milestone)}
_BY_WATER: Final = frozenset({"VESSEL", "SEA", "MARITIME"})
_CUSTOMS_PAPERS: Final = frozenset({"CUS", "CUC"})
_BOOKING_PAPERS: Final = frozenset({"CBR", "BKG"})
_BOOKING_STEPS: Final = frozenset({"RECE", "REQS", "CONF"})


def final_of(final: FinalMilestone) -> Milestone:
    """The agreed final milestone of the terms of delivery (R1.15)."""
    return _FINAL[final]


@cache
def chain(final: FinalMilestone, mode: Mode = Mode.SEA, load: Load = Load.FCL) -> tuple[Milestone, ...]:
    """The milestones in order (1.1); for other modes than sea, the final one and what comes after it (R1.13).

    LCL begins with the cargo at the origin's freight station in place of the container at the gate.
    """
    whole = _CHAINS[final] if load == Load.FCL else (_M.CFS_RECEIVED, *_CHAINS[final][1:])
    return whole if mode == Mode.SEA else whole[whole.index(_FINAL[final]) :]


def critical_five(final: FinalMilestone, mode: Mode = Mode.SEA, load: Load = Load.FCL) -> tuple[Milestone, ...]:
    """The critical milestones (1.1). In a CY chain EMPTY_RETURN stands for the slot "EMPTY_RETURN or DELIVERED".

    Modes other than sea require the final milestone alone (R1.13).
    """
    if mode != Mode.SEA:
        return (_FINAL[final],)
    first = _M.GATE_IN_FULL if load == Load.FCL else _M.CFS_RECEIVED
    return (first, _M.VESSEL_DEPARTED, _M.VESSEL_ARRIVED, _M.GATE_OUT_FULL, _FIFTH[final])


# --- binding: code + laden + place against the journey (table 1.1) ---


def bind(sighting: Sighting, journey: Journey) -> tuple[Milestone, str] | None:
    """The milestone and the node that a sighting speaks of, whatever its classifier; None when it captures nothing.

    A code alone is never enough: the place (or the stated place role) must be the right one for this journey. Weak
    evidence, such as LOAD for a departure, belongs to the time line and gives None here.
    """
    if sighting.retracts is not None or sighting.is_empty:
        return None
    if sighting.code == _M.DELIVERY_FAILED:
        return _M.DELIVERY_FAILED, sighting.place or journey.final_place or ""
    customs = _customs(sighting)
    if customs is not None:
        return customs, sighting.place or journey.pod or ""
    by_code = _BINDERS.get(sighting.code)
    bound = by_code(sighting, journey) if by_code else None
    if bound is None or journey.mode == Mode.SEA:
        return bound
    return bound if bound[0] in chain(journey.final, journey.mode, journey.load) else None


def _at(sighting: Sighting, place: str | None, role: str) -> bool:
    """Whether the sighting happened at the journey's `place`; the stated role decides where either place is unknown."""
    if sighting.place is not None and place is not None:
        return sighting.place == place
    return sighting.place_role == role


def _gate_in(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    if s.laden is None:
        return None
    if j.load == Load.LCL and s.container is None and s.laden:
        return _cargo_received(s, j)
    if s.laden:
        return (_M.GATE_IN_FULL, j.pol or s.place or "") if _at(s, j.pol, "POL") else None
    at_origin = _at(s, j.pol, "POL") and j.pol not in (j.pod, j.final_place)
    return None if at_origin or s.place_role == "PRE" or s.is_transshipment else (_M.EMPTY_RETURN, "")


def _cargo_received(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    """LCL cargo taken in at the origin: it is named by its own references, not by the box that it will share."""
    at_origin = s.place_role in ("POL", "PRE") or (s.place is not None and s.place_role is None)
    arrived = s.place is not None and s.place in (j.pod, j.final_place) and s.place != j.pol
    return (_M.CFS_RECEIVED, s.place or "") if at_origin and not arrived else None


def agreed_cy(journey: Journey) -> str | None:
    """Where a box is collected: the agreed final place of a CY promise, else the discharge port."""
    return (journey.final_place or journey.pod) if journey.final == FinalMilestone.CY else journey.pod


def _gate_out(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    last = agreed_cy(j)
    return (_M.GATE_OUT_FULL, last or s.place or "") if s.laden and _at(s, last, "POD") else None


def _over_water(s: Sighting) -> bool:
    return s.mode is None or s.mode.upper() in _BY_WATER


def _transhipped(s: Sighting, j: Journey) -> bool:
    if s.is_transshipment is not None:
        return s.is_transshipment
    if s.place is not None and s.place in (j.pol, j.pod):
        return False
    return s.place in j.transhipments or s.place_role == "TSP"


def _loaded(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    if not _over_water(s):
        return None
    if _transhipped(s, j):
        return _M.TS_LOADED, s.place or ""
    return (_M.LOADED, j.pol or s.place or "") if _at(s, j.pol, "POL") else None


def _discharged(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    if not _over_water(s):
        return None
    if _transhipped(s, j):
        return _M.TS_DISCHARGED, s.place or ""
    return (_M.DISCHARGED, j.pod or s.place or "") if _at(s, j.pod, "POD") else None


def _departed(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    fits = s.kind == Kind.TRANSPORT and _over_water(s) and not s.is_transshipment and _at(s, j.pol, "POL")
    return (_M.VESSEL_DEPARTED, j.pol or s.place or "") if fits else None


def _arrived(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    if s.kind != Kind.TRANSPORT or not _over_water(s) or s.is_transshipment or not _at(s, j.pod, "POD"):
        return None
    anchored = s.source in j.arrival_is_anchorage or s.place_role == "ANCH"
    return (_M.AT_ANCHOR if anchored else _M.VESSEL_ARRIVED), j.pod or s.place or ""


def _available(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    if j.final == FinalMilestone.CFS:
        place = j.final_place or j.pod
        return (_M.CFS_AVAILABLE, place or s.place or "") if _at(s, place, "PDE") else None
    place = agreed_cy(j)
    return (_M.CY_AVAILABLE, place or s.place or "") if _at(s, place, "POD") else None


def _dropped(s: Sighting, j: Journey) -> tuple[Milestone, str] | None:
    """DROP at the customer's place: the agreed door, or for a CY or CFS promise any place but the port of loading."""
    if s.laden is False:
        return None
    if j.final == FinalMilestone.DOOR:
        return (_M.DELIVERED, j.final_place or s.place or "") if _at(s, j.final_place, "PDE") else None
    elsewhere = s.place_role == "PDE" or (s.place is not None and s.place != j.pol)
    return (_M.DELIVERED, "") if elsewhere else None


def _customs(s: Sighting) -> Milestone | None:
    if s.code in ("CUSS", "CUSI"):
        return _M.CUSTOMS_HOLD
    if s.code == "CUSR":
        return _M.CUSTOMS_RELEASED
    if s.kind == Kind.SHIPMENT and s.document_type in _CUSTOMS_PAPERS:
        return {"HOLD": _M.CUSTOMS_HOLD, "RELS": _M.CUSTOMS_RELEASED}.get(s.code)
    return None


_BINDERS: Final[Mapping[str, Callable[[Sighting, Journey], tuple[Milestone, str] | None]]] = {
    "GTIN": _gate_in, "GTOT": _gate_out, "LOAD": _loaded, "DISC": _discharged, "DEPA": _departed, "ARRI": _arrived,
    "AVPU": _available, "DROP": _dropped,
}  # fmt: skip


# --- the state of a shipment ---


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneFacts(Effective):
    """What holds for one milestone of one container, with its node and what its actual rests on."""

    milestone: Milestone
    node: str = ""
    basis: str = ""  # "", or what stands in: DISC (no AVPU from that terminal), STRP, RELEASE (a hold was lifted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    """One live container; `container` is None where the shipment has none and counts as one unit (R1.13)."""

    container: str | None
    milestones: tuple[MilestoneFacts, ...]  # in the order of Milestone, then by node; only what was heard of
    holds: tuple[Hold, ...] = ()

    def get(self, milestone: Milestone, node: str | None = None) -> MilestoneFacts:
        """The facts of a milestone (at its first node unless one is named); empty ones when nothing was heard."""
        for facts in self.milestones:
            if facts.milestone == milestone and node in (None, facts.node):
                return facts
        return MilestoneFacts(milestone=milestone, node=node or "")

    def acted(self, *milestones: Milestone) -> bool:
        """Whether any of these milestones has an effective actual."""
        return any(self.get(m).act is not None for m in milestones)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFacts:
    """All that is known of a shipment as of `as_of`; every instant is aware UTC."""

    as_of: datetime
    final: Milestone
    chain: tuple[Milestone, ...]
    containers: tuple[ContainerFacts, ...]  # sorted; never empty
    last_recorded_at: datetime | None = None  # newest thing heard; bookings and confirmations do not count (R2.2)
    conflicts: int = 0  # milestone slots with a conflict flag (R1.11)
    live_ids: frozenset[int] = field(default=frozenset())  # sightings that count

    def captured(self, *milestones: Milestone) -> int:
        """How many live containers have an actual of one of these milestones (R2.5)."""
        return sum(c.acted(*milestones) for c in self.containers)

    def reached(self, milestone: Milestone) -> Heard | None:
        """The actual of the last live container; None until every one has it (R1.13)."""
        acts = [c.get(milestone).act for c in self.containers]
        known = [a for a in acts if a is not None]
        # of equal times the first container's, in the order of their names: never the one that was heard last
        return max(known, key=lambda h: h.time) if len(known) == len(acts) else None

    def reached_at(self, milestone: Milestone) -> datetime | None:
        """The instant of `reached`."""
        last = self.reached(milestone)
        return last.time if last else None

    def expected(self, milestone: Milestone) -> Heard | None:
        """The latest expected time (estimate, else plan) among the containers that have no actual yet."""
        waiting = [c.get(milestone).expected for c in self.containers if c.get(milestone).act is None]
        return max((h for h in waiting if h), key=lambda h: h.time, default=None)

    def best(self, milestone: Milestone) -> Heard | None:
        """The best time of the shipment: the last actual when all have one, else the expected time (R1.10, R1.13)."""
        return self.reached(milestone) or self.expected(milestone)


Bound = dict[int, tuple[Milestone, str] | None]  # by the id of a sighting


def derive(
    sightings: Iterable[Sighting],
    journey: Journey,
    *,
    as_of: datetime,
    priority: Sequence[str] | None = None,
    conflict_hours: int = CONFLICT_HOURS,
    bound: Bound | None = None,
) -> ShipmentFacts:
    """The facts of one shipment as of an instant, from all its stored sightings in any order (R1.8 to R1.15).

    `priority` stands in for the journey's own order of sources. `bound` remembers what sightings speak of, when one
    journey is looked at as of many instants.
    """
    bound = {} if bound is None else bound
    live = live_versions(sightings, as_of=as_of)
    final = final_of(journey.final)
    names: tuple[str | None, ...] = tuple(sorted(set(journey.containers))) or (None,)
    containers = tuple(
        _container(
            name,
            [s for s in live if name is None or s.container in (None, name)],
            journey,
            bound,
            priority=journey.priority if priority is None else priority,
            conflict_hours=conflict_hours,
        )
        for name in names
    )
    return ShipmentFacts(
        as_of=as_of,
        final=final,
        chain=chain(journey.final, journey.mode, journey.load),
        containers=containers,
        last_recorded_at=max((s.recorded_at for s in live if not _is_booking(s)), default=None),
        conflicts=sum(m.conflict for c in containers for m in c.milestones),
        live_ids=frozenset(s.id for s in live),
    )


def _is_booking(s: Sighting) -> bool:
    return s.kind == Kind.SHIPMENT and s.document_type in _BOOKING_PAPERS and s.code in _BOOKING_STEPS


def _container(
    name: str | None, live: Sequence[Sighting], journey: Journey, bound: Bound, *, priority: Sequence[str],
    conflict_hours: int,
) -> ContainerFacts:  # fmt: skip
    reports: dict[tuple[Milestone, str], list[Sighting]] = {}
    for s in live:
        if s.id not in bound:
            bound[s.id] = bind(s, journey)
        if (what := bound[s.id]) is not None:
            reports.setdefault(what, []).append(s)
    final = final_of(journey.final)

    def weigh(milestone: Milestone, about: Sequence[Sighting]) -> Effective:
        return effective(
            about, milestone=milestone, priority=priority, conflict_hours=conflict_hours, is_final=milestone == final
        )

    facts = {(m, node): _facts(m, node, weigh(m, about)) for (m, node), about in reports.items()}
    if journey.final == FinalMilestone.CFS:
        place = journey.final_place or journey.pod
        stripped = [s for s in live if s.code == "STRP" and _at(s, place, "PDE")]
        _stand_in(facts, _M.CFS_AVAILABLE, place or "", weigh(_M.CFS_AVAILABLE, stripped), "STRP")
    elif not journey.sends_avpu and agreed_cy(journey) == journey.pod:
        node = journey.pod or ""
        _stand_in(facts, _M.CY_AVAILABLE, node, facts.get((_M.DISCHARGED, node), NOTHING), "DISC")
    holds = tuple(_holds(live))
    _await_release(facts, holds, customs_by_us=journey.customs_by_us)
    milestones = tuple(facts[key] for key in sorted(facts, key=lambda k: (_ORDER[k[0]], k[1])))
    return ContainerFacts(container=name, milestones=milestones, holds=holds)


_Facts = dict[tuple[Milestone, str], MilestoneFacts]


def _stand_in(facts: _Facts, milestone: Milestone, node: str, other: Effective, basis: str) -> None:
    """Fills what nobody reported about a milestone from the event that stands in for it (table 1.1)."""
    if other.best is None:
        return
    own = facts.get((milestone, node), MilestoneFacts(milestone=milestone, node=node))
    facts[milestone, node] = replace(
        own,
        act=own.act or other.act,
        est=own.est or other.est,
        pln=own.pln or other.pln,
        basis=basis if own.act is None else own.basis,
        conflict=own.conflict if own.act else other.conflict,
    )


def _await_release(facts: _Facts, holds: Sequence[Hold], *, customs_by_us: bool) -> None:
    """Moves CY_AVAILABLE to the release of the holds that were open then; takes it away while one is (R1.15)."""
    delaying = [h for h in holds if customs_by_us or not h.customs]
    for key, own in facts.items():
        if own.milestone == _M.CY_AVAILABLE and own.act is not None:
            free = release_after(own.act, delaying)
            if free != own.act:
                facts[key] = replace(own, act=free, basis="RELEASE")


def _holds(live: Sequence[Sighting]) -> list[Hold]:
    opened: dict[str, list[Sighting]] = {}
    released: dict[str, list[Sighting]] = {}
    for s in live:
        if s.classifier != Classifier.ACT:
            continue
        customs = _customs(s)
        if customs is not None:
            (opened if customs == _M.CUSTOMS_HOLD else released).setdefault("CUSTOMS", []).append(s)
        elif s.kind == Kind.SHIPMENT and s.code in ("HOLD", "RELS"):
            (opened if s.code == "HOLD" else released).setdefault(f"PAPER {s.document_type}", []).append(s)
    return pair_holds(opened, released)


def _facts(milestone: Milestone, node: str, found: Effective, basis: str = "") -> MilestoneFacts:
    return MilestoneFacts(
        milestone=milestone,
        node=node,
        basis=basis,
        act=found.act,
        est=found.est,
        pln=found.pln,
        conflict=found.conflict,
        unproven_act=found.unproven_act,
    )
