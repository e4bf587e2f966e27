"""What is in force as of an instant: live versions of sightings, and the effective fact of one milestone at one node.

Pure (R1.2 to R1.12): no database, no clock. Which milestone a sighting speaks of is decided in milestones.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from portal.lib.periods import local_date, local_midnight
from tracking.types import SOURCE_PRIORITY, Classifier, Milestone, Precision, Sighting, SourceKind

FUTURE_TOLERANCE: Final = timedelta(minutes=15)
CONFLICT_HOURS: Final = 6
EARLIEST_WINS: Final = frozenset({Milestone.VESSEL_ARRIVED, Milestone.EMPTY_RETURN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One time in force and where it comes from. Instants are aware UTC."""

    sighting_id: int
    source: str
    source_kind: str
    time: datetime
    recorded_at: datetime
    precision: str = Precision.MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What holds for one milestone at one node (R1.9 to R1.12)."""

    act: Heard | None = None
    est: Heard | None = None
    pln: Heard | None = None
    conflict: bool = False  # R1.11
    unproven_act: Heard | None = None  # R1.12: shown, counts for nothing

    @property
    def best(self) -> Heard | None:
        """R1.10: the actual, else the estimate, else the plan."""
        return self.act or self.est or self.pln

    @property
    def expected(self) -> Heard | None:
        """The estimate, else the plan; what was awaited before the actual came."""
        return self.est or self.pln


NOTHING: Final = Effective()


def is_future_actual(sighting: Sighting) -> bool:
    """R1.5: an actual that lies more than 15 minutes ahead of our clock when it was recorded."""
    return (
        sighting.classifier == Classifier.ACT
        and sighting.event_time is not None
        and sighting.event_time > sighting.recorded_at + FUTURE_TOLERANCE
    )


def live_versions(sightings: Iterable[Sighting], *, as_of: datetime) -> list[Sighting]:
    """The sightings that count as of `as_of`, in the order of their ids (R1.2 to R1.5, R1.8).

    Later versions replace earlier ones, retracted and quarantined ones drop out, and a happening that one source
    told several times under different ids counts once. The order of the input never matters.
    """
    known = {s.id: s for s in sightings if s.recorded_at <= as_of}
    dead = {(s.source, s.retracts) for s in known.values() if s.retracts is not None}
    newest: dict[tuple[str, str], Sighting] = {}
    for s in known.values():
        name = (s.source, s.event_key)
        if s.retracts is not None or name in dead or (is_future_actual(s) and not s.is_empty):
            continue
        if name not in newest or _age(s) > _age(newest[name]):
            newest[name] = s
    once: dict[tuple[str, str], Sighting] = {}
    for s in newest.values():
        if s.is_empty or s.event_time is None:
            continue
        happening = (s.source, s.natural_key or f"id {s.event_key}")
        if happening not in once or _age(s) < _age(once[happening]):
            once[happening] = s
    return sorted(once.values(), key=lambda s: s.id)


def _created(sighting: Sighting) -> datetime:
    return sighting.source_created_at or sighting.recorded_at


def _age(sighting: Sighting) -> tuple[datetime, datetime, int]:
    return _created(sighting), sighting.recorded_at, sighting.id


def source_rank(sighting: Sighting, priority: Sequence[str]) -> tuple[int, str]:
    """Sorts sources best first: by the source's own name where `priority` lists it, else by its kind (R1.9)."""
    for name in (sighting.source, sighting.source_kind):
        if name in priority:
            return priority.index(name), sighting.source
    return len(priority), sighting.source


def heard(sighting: Sighting) -> Heard:
    """The time of a sighting with its origin; ValueError for a retraction, which has none."""
    if sighting.event_time is None:
        raise ValueError("a retraction has no time")
    return Heard(
        sighting_id=sighting.id,
        source=sighting.source,
        source_kind=sighting.source_kind,
        time=sighting.event_time,
        recorded_at=sighting.recorded_at,
        precision=sighting.precision,
    )


def effective(
    reports: Iterable[Sighting],
    *,
    milestone: Milestone,
    priority: Sequence[str] = SOURCE_PRIORITY,
    conflict_hours: int = CONFLICT_HOURS,
    is_final: bool = False,
) -> Effective:
    """The facts in force for one milestone at one node, from live sightings about it (R1.9 to R1.12).

    `is_final`: the milestone is the agreed final one, for which manual actuals need evidence (R1.12).
    """
    acts: list[Sighting] = []
    unproven: list[Sighting] = []
    later: dict[str, list[Sighting]] = {Classifier.EST: [], Classifier.PLN: []}
    for s in reports:
        if s.classifier != Classifier.ACT:
            later[s.classifier].append(s)
        elif is_final and s.source_kind == SourceKind.MANUAL and not s.has_evidence:
            unproven.append(s)
        else:
            acts.append(s)
    return Effective(
        act=_actual(acts, milestone=milestone, priority=priority),
        est=_newest(later[Classifier.EST], priority),
        pln=_newest(later[Classifier.PLN], priority),
        conflict=_conflict(acts, timedelta(hours=conflict_hours)),
        unproven_act=_actual(unproven, milestone=milestone, priority=priority),
    )


def _actual(acts: Sequence[Sighting], *, milestone: Milestone, priority: Sequence[str]) -> Heard | None:
    if not acts:
        return None
    best = min(source_rank(s, priority) for s in acts)
    own = [heard(s) for s in acts if source_rank(s, priority) == best]
    pick = min if milestone in EARLIEST_WINS else max
    return pick(own, key=lambda h: (h.time, h.sighting_id))


def _newest(reports: Sequence[Sighting], priority: Sequence[str]) -> Heard | None:
    if not reports:
        return None
    return heard(max(reports, key=lambda s: (_created(s), -source_rank(s, priority)[0], s.id)))


def _conflict(acts: Sequence[Sighting], limit: timedelta) -> bool:
    """R1.11: two actuals of different sources stand more than `limit` apart."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for h in map(heard, acts):
        first, last = spans.get(h.source, (h.time, h.time))
        spans[h.source] = (min(first, h.time), max(last, h.time))
    return any(
        later[1] - earlier[0] > limit
        for one, earlier in spans.items()
        for other, later in spans.items()
        if one != other
    )


def on_time_instant(time: datetime, precision: str, zone: ZoneInfo) -> datetime:
    """The instant that on-time tests use: for day precision the last second of its local day (R1.7)."""
    if precision != Precision.DAY:
        return time
    following = local_date(time, zone) + timedelta(days=1)
    return local_midnight(following, zone) - timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold on a box, [start, end), open while `end` is None. Instants are aware UTC."""

    customs: bool
    start: datetime
    end: datetime | None
    opened_by: int  # sighting ids
    released_by: int | None
    released_recorded_at: datetime | None


def pair_holds(opened: Mapping[str, Sequence[Sighting]], released: Mapping[str, Sequence[Sighting]]) -> list[Hold]:
    """Hold intervals by stream (customs, or the document that is held): a second hold while one is open adds nothing,
    the next release closes it. At equal instants the release comes first."""
    holds: list[Hold] = []
    for stream, starts in sorted(opened.items()):
        turns = [(heard(s), False) for s in released.get(stream, ())] + [(heard(s), True) for s in starts]
        turns.sort(key=lambda turn: (turn[0].time, turn[1], turn[0].sighting_id))
        start: Heard | None = None
        for moment, opens in turns:
            if opens and start is None:
                start = moment
            elif not opens and start is not None:
                holds.append(_hold(stream, start, moment))
                start = None
        if start is not None:
            holds.append(_hold(stream, start, None))
    return sorted(holds, key=lambda h: h.start)  # at equal instants by stream, never by the order of arrival


def _hold(stream: str, start: Heard, end: Heard | None) -> Hold:
    return Hold(
        customs=stream == "CUSTOMS",
        start=start.time,
        end=end.time if end else None,
        opened_by=start.sighting_id,
        released_by=end.sighting_id if end else None,
        released_recorded_at=end.recorded_at if end else None,
    )


def release_after(available: Heard, holds: Iterable[Hold]) -> Heard | None:
    """R1.15: when a box announced as available can really be collected; None while a hold is open.

    Give only the holds that delay it. A hold that begins before the last one ends delays it further.
    """
    time, last = available.time, available
    for hold in sorted(holds, key=lambda h: h.start):
        if hold.start <= time and (hold.end is None or time < hold.end):
            if hold.end is None or hold.released_by is None or hold.released_recorded_at is None:
                return None
            time = hold.end
            last = Heard(
                sighting_id=hold.released_by,
                source=available.source,
                source_kind=available.source_kind,
                time=time,
                recorded_at=max(last.recorded_at, hold.released_recorded_at),
                precision=Precision.MINUTE,
            )
    return last
