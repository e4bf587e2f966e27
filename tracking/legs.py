"""The legs of a journey as they went: when each means of transport left and arrived, as planned, expected and done.

Pure. Which legs there are is the plan's business (R1.14); here live sightings are laid on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tracking.effective import Effective, effective
from tracking.types import SOURCE_PRIORITY, Kind, Milestone, Sighting

_WATER: Final = frozenset({"VESSEL", "BARGE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLeg:
    """A leg of the plan; `mode` is empty where the plan does not say."""

    sequence: int
    origin: str
    destination: str
    mode: str = ""
    voyage: str = ""
    vessel_imo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFacts:
    """One leg with what was heard of its ends, and the vessel and voyage that it is really made with, if known."""

    leg: PlannedLeg
    departure: Effective
    arrival: Effective
    voyage: str = ""
    vessel_imo: str = ""


def legs_as_they_went(
    plan: Sequence[PlannedLeg], live: Iterable[Sighting], *, priority: Sequence[str] = SOURCE_PRIORITY
) -> tuple[LegFacts, ...]:
    """Departures and arrivals of each leg, from live TRANSPORT sightings in any order.

    A departure belongs to the leg that begins at its place, an arrival to the one that ends there, by the same means
    of transport where both say one. An arrival takes the earliest actual of the best source, as at the berth (R1.9).
    """
    calls = [s for s in live if s.kind == Kind.TRANSPORT and s.code in ("DEPA", "ARRI") and s.place is not None]
    return tuple(_leg(leg, calls, priority) for leg in plan)


def _leg(leg: PlannedLeg, calls: Sequence[Sighting], priority: Sequence[str]) -> LegFacts:
    left = [s for s in calls if s.code == "DEPA" and s.place == leg.origin and _same_means(leg, s)]
    came = [s for s in calls if s.code == "ARRI" and s.place == leg.destination and _same_means(leg, s)]
    departure = effective(left, milestone=Milestone.VESSEL_DEPARTED, priority=priority)
    arrival = effective(came, milestone=Milestone.VESSEL_ARRIVED, priority=priority)
    best = departure.best or arrival.best
    said = next((s for s in (*left, *came) if best is not None and s.id == best.sighting_id), None)
    return LegFacts(
        leg=leg, departure=departure, arrival=arrival, voyage=(said.voyage if said else None) or leg.voyage,
        vessel_imo=(said.vessel_imo if said else None) or leg.vessel_imo,
    )  # fmt: skip


def _same_means(leg: PlannedLeg, s: Sighting) -> bool:
    if not leg.mode or s.mode is None:
        return True
    return (leg.mode in _WATER) == (s.mode in _WATER)
