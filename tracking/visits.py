"""Stays of containers at terminals and depots, from moves in and out (R2.10, R2.11).

Pure: pairing itself is in rules.py; here live sightings become moves, one source for each kind of move at each node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking.effective import heard, source_rank
from tracking.rules import pair_visits
from tracking.types import SOURCE_PRIORITY, Classifier, Precision, Sighting

_MOVES: Final = frozenset({"GTIN", "GTOT", "LOAD", "DISC"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A visit of one container at one node, [entry, exit); `exit_at` and `role` are absent while it is open.

    Instants are aware UTC. `place` is a UN/LOCODE, `facility` a terminal there when one is known.
    """

    container: str
    place: str
    facility: str
    entry_at: datetime
    entry_code: str
    entry_id: int  # sighting
    exit_at: datetime | None = None
    exit_code: str = ""
    exit_id: int | None = None
    role: str = ""

    @property
    def seconds(self) -> int | None:
        """Dwell in whole seconds; None while open."""
        return None if self.exit_at is None else int((self.exit_at - self.entry_at).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """All visits of a shipment's containers, and what could not be paired or timed exactly, by node."""

    visits: tuple[Stay, ...] = ()
    anomalies: Mapping[tuple[str, str, str], int] | None = None  # (container, place, facility) -> moves left over
    imprecise: int = 0  # moves known by the day only (R1.7): left out, counted


def stays(live: Iterable[Sighting], *, containers: Sequence[str], priority: Sequence[str] = SOURCE_PRIORITY) -> Stays:
    """The visits of these containers, from live sightings in any order. Vessel times never stand in for moves."""
    moves: dict[tuple[str, str, str], list[Sighting]] = defaultdict(list)
    imprecise = 0
    for s in live:
        if s.classifier != Classifier.ACT or s.code not in _MOVES or s.event_time is None or s.place is None:
            continue
        if s.precision == Precision.DAY:
            imprecise += 1
            continue
        for container in (s.container,) if s.container else containers:
            moves[container, s.place, s.facility or ""].append(s)
    found: list[Stay] = []
    anomalies: dict[tuple[str, str, str], int] = {}
    for node, own in sorted(_nodes(moves).items()):
        visits, left_over = _paired(node, own, priority)
        found += visits
        if left_over:
            anomalies[node] = left_over
    return Stays(visits=tuple(found), anomalies=anomalies, imprecise=imprecise)


def _nodes(moves: Mapping[tuple[str, str, str], list[Sighting]]) -> dict[tuple[str, str, str], list[Sighting]]:
    """Moves by node. Who names only the port is taken to mean the one terminal that others name there: a carrier's
    discharge and a terminal's gate-out are one visit (X60). With two terminals nobody can tell, and they stay apart.
    """
    terminals: dict[tuple[str, str], set[str]] = defaultdict(set)
    for container, place, facility in moves:
        if facility:
            terminals[container, place].add(facility)
    found: dict[tuple[str, str, str], list[Sighting]] = defaultdict(list)
    for (container, place, facility), own in moves.items():
        known = terminals[container, place]
        node = facility or (next(iter(known)) if len(known) == 1 else "")
        found[container, place, node] += own
    return found


def _paired(node: tuple[str, str, str], moves: Sequence[Sighting], priority: Sequence[str]) -> tuple[list[Stay], int]:
    """For each kind the moves of the best source that reported it here, paired (R2.10)."""
    best = {code: min(source_rank(s, priority) for s in moves if s.code == code) for code in {s.code for s in moves}}
    own: dict[tuple[datetime, str], Sighting] = {}
    for s in sorted(moves, key=lambda m: m.id):
        if source_rank(s, priority) == best[s.code]:
            own.setdefault((heard(s).time, s.code), s)
    paired = pair_visits(own)
    container, place, facility = node
    listed = []
    for visit in paired.closed:
        entry = _move(own, visit.entry, ("GTIN", "DISC"), visit.role in ("EXPORT", "PASS"))
        left = _move(own, visit.exit, ("GTOT", "LOAD"), visit.role in ("IMPORT", "PASS"))
        listed.append(
            Stay(
                container=container, place=place, facility=facility, entry_at=visit.entry, entry_code=entry.code,
                entry_id=entry.id, exit_at=visit.exit, exit_code=left.code, exit_id=left.id, role=visit.role,
            )
        )  # fmt: skip
    if paired.open_entry is not None:
        entry = own[paired.open_entry]
        listed.append(
            Stay(
                container=container, place=place, facility=facility, entry_at=paired.open_entry[0],
                entry_code=entry.code, entry_id=entry.id,
            )
        )  # fmt: skip
    return listed, paired.anomalies


def _move(
    own: Mapping[tuple[datetime, str], Sighting], at: datetime, codes: tuple[str, str], by_gate: bool
) -> Sighting:
    """The move of a closed visit: its role says which of the two kinds it was."""
    return own[at, codes[0] if by_gate else codes[1]]
