"""How the estimate of a milestone moved: what a reader saw from when on (R2.17).

Pure. An estimate is published with the event that made it the one in force; it is worked out, never stored by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tracking.effective import Heard
from tracking.milestones import Bound, bind, derive
from tracking.types import Classifier, Journey, Milestone, Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """From `published_at` on, `milestone` was expected at `heard.time`. Instants are aware UTC."""

    milestone: Milestone
    published_at: datetime
    heard: Heard


def estimates(
    sightings: Sequence[Sighting], journey: Journey, *, milestones: Sequence[Milestone], as_of: datetime
) -> tuple[Estimate, ...]:
    """The moves of these milestones' estimates up to `as_of`, oldest first, each where it differs from the one before.

    The shipment is derived as of each moment at which an estimate may have moved, so this is what was seen then.
    """
    moments = sorted({s.recorded_at for s in sightings if s.recorded_at <= as_of and _may_move(s, sightings, journey)})
    moves: list[Estimate] = []
    last: dict[Milestone, datetime] = {}
    bound: Bound = {}
    for moment in moments:
        facts = derive(sightings, journey, as_of=moment, bound=bound)
        for milestone in milestones:
            seen = facts.expected(milestone)
            if seen is not None and last.get(milestone) != seen.time:
                last[milestone] = seen.time
                moves.append(Estimate(milestone=milestone, published_at=moment, heard=seen))
    return tuple(moves)


def _may_move(s: Sighting, sightings: Sequence[Sighting], journey: Journey) -> bool:
    """An estimate or a plan of some milestone, or what corrects, empties or withdraws one."""
    if s.classifier != Classifier.ACT and not s.is_empty and s.retracts is None:
        return bind(s, journey) is not None or s.code in ("AVPU", "STRP")
    if s.retracts is not None:
        return any(o.event_key == s.retracts and o.classifier != Classifier.ACT for o in sightings)
    if len(journey.containers) > 1 and bind(s, journey) is not None:
        return True  # one box is there: what is expected is now that of the others (R1.13)
    return any(o.event_key == s.event_key and o.id != s.id and o.classifier != Classifier.ACT for o in sightings)
