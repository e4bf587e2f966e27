"""The rules of 8.1: what is wrong, or was, with one shipment as known at an instant.

Pure: the same sightings give the same findings in any order. What ships and connections do is judged in voyages.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from tracking.effective import CONFLICT_HOURS, heard
from tracking.exceptions import (
    BASE,
    HOUR,
    MOMENT,
    Code,
    Findings,
    Found,
    Severity,
    Situation,
    Span,
    merged,
    weighed,
)
from tracking.freetime import demurrage, is_import, warned_at
from tracking.milestones import ContainerFacts, bind
from tracking.risk import episodes
from tracking.types import Classifier, Load, Milestone, Mode, Sighting
from tracking.visits import Stay
from tracking.voyages import connections, port_changes

_M = Milestone
# These have ends of their own, and the record may still contradict itself when all is done.
_OUTLASTING: Final = frozenset({Code.DELIVERY_FAILED, Code.AT_RISK, Code.STALE, Code.LONG_DWELL, Code.DATA_CONFLICT})
_AFTER_ARRIVAL: Final = (
    _M.VESSEL_ARRIVED, _M.DISCHARGED, _M.CY_AVAILABLE, _M.CFS_AVAILABLE, _M.GATE_OUT_FULL, _M.DELIVERED,
)  # fmt: skip
_ON_THE_WAY: Final = (_M.LOADED, _M.VESSEL_DEPARTED, _M.VESSEL_ARRIVED, _M.DISCHARGED, _M.GATE_OUT_FULL, _M.DELIVERED)


def exceptions_of(s: Situation) -> Findings:
    """All exceptions of a shipment, open and over, each with its severity, in a stable order; and the next look.

    Of a cancelled shipment nothing is awaited: what was open ends then, what would begin later is none. Nor does what
    hinders a box on its way outlast its delivery, though nobody told how it ended.
    """
    told = Findings()
    for rule in (_gate_in, connections, _customs_holds, _eta_slips, _at_risk, _silence, _failed_attempts, _long_stays,
                 port_changes, _conflicts):  # fmt: skip
        rule(s, told)
    delays = s.delays
    for n, found in enumerate(told.found):
        base = BASE[found.code]
        if found.code == Code.ETA_SLIP:
            base = found.severity
        told.found[n] = weighed(found, delays, base)
    if s.cancelled_at is not None and s.cancelled_at <= s.at:
        told.found = [_ended(f, s.cancelled_at) for f in told.found if f.started_at < s.cancelled_at]
        told.looks = []
    over = _first(s.facts.reached_at(m) for m in (_M.DELIVERED, _M.EMPTY_RETURN))
    if over is not None:
        stays = [f for f in told.found if f.code in _OUTLASTING or f.started_at < over]
        told.found = [f if f.code in _OUTLASTING or f.cleared_at else _ended(f, over) for f in stays]
    told.found.sort(key=lambda f: (f.started_at, f.key))
    return told


def _ended(found: Found, at: datetime) -> Found:
    return replace(found, cleared_at=at if found.cleared_at is None else min(found.cleared_at, at))


# --- the gate at the origin ---


def _gate_in(s: Situation, told: Findings) -> None:
    """CUTOFF_RISK from 12 h before the cut-off on, LATE_GATE_IN once it has passed; at the cut-off is in time."""
    cut = s.cutoff_at
    if cut is None or s.journey.mode != Mode.SEA or s.journey.load == Load.LCL:
        return
    warned = cut - s.limits.cutoff_warning_hours * HOUR
    gone = _first(s.facts.reached_at(m) for m in _ON_THE_WAY)  # a box on the ship has passed the gate
    gate = s.facts.reached_at(_M.GATE_IN_FULL) or gone
    node = s.journey.pol or ""
    told.looks += [warned, cut + MOMENT] if gate is None else []
    about = {"cutoff": cut.isoformat()} | ({"gate_in": gate.isoformat()} if gate else {})
    if s.at >= warned and (gate is None or gate > warned):
        told.found.append(Found(code=Code.CUTOFF_RISK, node=node, started_at=warned, cleared_at=gate, about=about))
    if gate > cut if gate is not None else s.at > cut:
        told.found.append(
            Found(code=Code.LATE_GATE_IN, node=node, started_at=cut, cleared_at=_not_before(gone, cut), about=about)
        )


def _first(instants: Iterator[datetime | None]) -> datetime | None:
    return min((t for t in instants if t is not None), default=None)


def _not_before(instant: datetime | None, start: datetime) -> datetime | None:
    return None if instant is None else max(instant, start)


# --- customs ---


def _customs_holds(s: Situation, told: Findings) -> None:
    """CUSTOMS_HOLD_LONG: a box's holds together lasted longer than the limit of the country (X39); until released."""
    limit = s.limits.customs_hold(s.journey.pod) * HOUR
    spans: list[Span] = []
    for box in s.facts.containers:
        spans += _beyond(box, limit, s.at, told)
    for n, (start, end) in enumerate(merged(spans), start=1):
        told.found.append(
            Found(code=Code.CUSTOMS_HOLD_LONG, node=s.journey.pod or "", occurrence=str(n), started_at=start,
                  cleared_at=end, about={"limit_hours": str(limit // HOUR)})
        )  # fmt: skip


def _beyond(box: ContainerFacts, limit: timedelta, at: datetime, told: Findings) -> Iterator[Span]:
    """The parts of a box's customs holds that lie beyond the limit of all of them together."""
    spent = timedelta()
    for start, end in merged((h.start, h.end) for h in box.holds if h.customs):
        crossed = start + max(limit - spent, timedelta())
        if (end or at) > crossed:
            yield crossed, end
        elif end is None:
            told.looks.append(crossed + MOMENT)
        spent += (end or at) - start


# --- estimates ---


def _eta_slips(s: Situation, told: Findings) -> None:
    """ETA_SLIP: an estimate more than 24 h later than the one committed to; once for each such step.

    Committed to is the first estimate; from then on the one of the last slip, or one that is more than a step earlier.
    A slip lasts until the next one, or the arrival.
    """
    milestone = _M.VESSEL_ARRIVED if s.journey.mode == Mode.SEA else s.facts.final
    step, high = s.limits.eta_slip_hours * HOUR, s.limits.eta_slip_high_hours * HOUR
    committed: datetime | None = None
    slips: list[Found] = []
    for move in s.moves_of(milestone):
        eta = move.heard.time
        if committed is not None and eta - committed > step:
            node = s.journey.pod if milestone == _M.VESSEL_ARRIVED else s.journey.final_place
            slips.append(Found(
                code=Code.ETA_SLIP, node=node or "", occurrence=str(len(slips) + 1), started_at=move.published_at,
                severity=Severity.HIGH if eta - committed > high else Severity.LOW,
                about={"was": committed.isoformat(), "now": eta.isoformat(), "milestone": milestone.value},
            ))  # fmt: skip
            committed = eta
        elif committed is None or committed - eta > step:
            committed = eta
    # what can only come after the arrival says that it was
    known = [s.facts.reached(m) for m in (_AFTER_ARRIVAL if milestone == _M.VESSEL_ARRIVED else (milestone,))]
    arrived = min((h.recorded_at for h in known if h), default=None)
    ends = [*(f.started_at for f in slips[1:]), arrived]
    told.found += [_until(slip, end) for slip, end in zip(slips, ends, strict=True)] if slips else []


def _until(found: Found, end: datetime | None) -> Found:
    return replace(found, cleared_at=_not_before(end, found.started_at))


def _at_risk(s: Situation, told: Findings) -> None:
    """AT_RISK: the final milestone is expected more than 24 h beyond the promise, twice in a row (R8.4)."""
    found, look = episodes(s.delays, s.heard, at=s.at, limits=s.limits.risk, ends_at=s.ends_at)
    for n, one in enumerate(found, start=1):
        told.found.append(
            Found(code=Code.AT_RISK, node=s.journey.final_place or s.journey.pod or "", occurrence=str(n),
                  started_at=one.start, cleared_at=one.end, worse=tuple(one.worse))
        )  # fmt: skip
    told.looks += [look] if look is not None else []


# --- silence ---


def _silence(s: Situation, told: Findings) -> None:
    """STALE: nothing was recorded for longer than the part of the journey allows; any event ends it.

    It is counted from what was heard last: a shipment of which nothing was heard yet is not stale, it has not begun.
    """
    if s.facts.last_recorded_at is None:
        return
    done = s.facts.reached(s.facts.final)
    until = min((t for t in (done.recorded_at if done else None, s.cancelled_at) if t is not None), default=None)
    for since, heard_again in (*pairwise(s.heard), (s.heard[-1], None)):
        if until is not None and since >= until:
            return
        if heard_again is not None and heard_again - since <= s.limits.least_patience:
            continue
        crossed = since + _patience(s, since) * HOUR
        if (heard_again is not None and heard_again > crossed) or (heard_again is None and s.at > crossed):
            told.found.append(
                Found(code=Code.STALE, occurrence=f"{since:%Y-%m-%dT%H:%M:%SZ}", started_at=crossed,
                      cleared_at=heard_again, about={"since": since.isoformat()})
            )  # fmt: skip
        elif heard_again is None:
            told.looks.append(crossed + MOMENT)


def _patience(s: Situation, since: datetime) -> int:
    """Hours, by what had been heard of the journey by then."""
    limits = s.limits

    def known(*milestones: Milestone) -> bool:
        acts = (c.get(m).act for c in s.facts.containers for m in milestones)
        return any(a is not None and a.recorded_at <= since for a in acts)

    if known(_M.GATE_OUT_FULL):
        return limits.stale_after_gate_out_hours
    if known(_M.VESSEL_ARRIVED, _M.DISCHARGED, _M.CY_AVAILABLE):
        return limits.stale_at_terminal_hours
    return limits.stale_at_sea_hours if known(_M.VESSEL_DEPARTED) else limits.stale_before_departure_hours


# --- the last mile, and the terminal ---


def _failed_attempts(s: Situation, told: Findings) -> None:
    """DELIVERY_FAILED: one for each unsuccessful attempt, told by whichever source; over when delivered."""
    times = sorted({
        (heard(one).time.replace(second=0, microsecond=0), one.place or s.journey.final_place or "")
        for one in s.live
        if one.code == _M.DELIVERY_FAILED and one.classifier == Classifier.ACT
    })  # fmt: skip
    done = s.facts.reached_at(_M.DELIVERED)
    for n, (time, place) in enumerate(times, start=1):
        cleared = done if done is not None and done >= time else None
        told.found.append(
            Found(code=Code.DELIVERY_FAILED, node=place, occurrence=str(n), started_at=time, cleared_at=cleared)
        )


def _long_stays(s: Situation, told: Findings) -> None:
    """LONG_DWELL: an open visit is older than the P90 of the tenant's own visits there by more than 24 h, or the last
    free day of its box ends within 48 h.

    Once open it lasts until the last such box has left, though the P90 moves meanwhile.
    """
    nodes: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for stay in s.stays:
        if stay.exit_at is not None or s.ends_at is not None:
            continue
        for crossed in _too_long(s, stay):
            if s.at > crossed:
                nodes[stay.place, stay.facility].append((crossed, None))
            else:
                told.looks.append(crossed + MOMENT)
    for (code, node, occurrence), start in s.standing.items():
        if code == Code.LONG_DWELL:
            place, facility = occurrence, node if node != occurrence else ""
            nodes[place, facility] = _standing(s, place, facility, start)
    for (place, facility), spans in sorted(nodes.items()):
        start, end = merged(spans)[0]
        about = {"place": place, "facility": facility, **_free_until(s, place, facility)}
        told.found.append(
            Found(code=Code.LONG_DWELL, node=facility or place, occurrence=place, started_at=start, cleared_at=end,
                  about=about)
        )  # fmt: skip


def _too_long(s: Situation, stay: Stay) -> Iterator[datetime]:
    """From when on an open visit counts as long, by each of the two measures that is known of it."""
    tenths = s.p90_tenths.get((stay.place, stay.facility, stay.entry_code))
    if tenths is not None:
        yield stay.entry_at + timedelta(microseconds=tenths * 100_000) + s.limits.long_dwell_hours * HOUR
    clock = demurrage(stay, s.terms, s.pod_zone) if is_import(stay, s.journey.pod) else None
    if clock is not None:
        yield warned_at(clock, stay, s.pod_zone, hours=s.limits.free_day_hours)


def _free_until(s: Situation, place: str, facility: str) -> dict[str, str]:
    """The first last free day among the boxes that still stand there, where terms are known."""
    here = [v for v in s.stays if (v.place, v.facility) == (place, facility) and v.exit_at is None]
    clocks = (demurrage(v, s.terms, s.pod_zone) for v in here if is_import(v, s.journey.pod))
    first = min((c.last_free for c in clocks if c is not None), default=None)
    return {} if first is None else {"last_free_day": first.isoformat()}


def _standing(s: Situation, place: str, facility: str, start: datetime) -> list[Span]:
    """Of a case that is open: from its start on, until the last visit there has ended, or the journey."""
    here = [v for v in s.stays if (v.place, v.facility) == (place, facility) and v.entry_at <= start]
    if any(v.exit_at is None for v in here) and s.ends_at is None:
        return [(start, None)]
    left = max((v.exit_at for v in here if v.exit_at is not None), default=s.ends_at or s.at)
    return [(start, max(start, left))]


# --- the record itself ---


def _conflicts(s: Situation, told: Findings) -> None:
    """DATA_CONFLICT: two sources' actuals of one milestone stand more than 6 h apart (R1.11), until they agree."""
    flagged = {(m.milestone, m.node) for c in s.facts.containers for m in c.milestones if m.conflict}
    limit = CONFLICT_HOURS * HOUR
    for milestone, node in sorted(flagged):
        acts = [x for x in s.live if x.classifier == Classifier.ACT and bind(x, s.journey) == (milestone, node)]
        known = [max(a.recorded_at, b.recorded_at) for a in acts for b in acts if _apart(a, b, limit)]
        # an actual that another one stands in for is bound by itself no more: known since it was heard last
        start = min(known, default=s.heard[-1] if s.heard else s.at)
        told.found.append(
            Found(code=Code.DATA_CONFLICT, node=node, occurrence=milestone.value, started_at=start,
                  about={"milestone": milestone.value})
        )  # fmt: skip


def _apart(one: Sighting, other: Sighting, limit: timedelta) -> bool:
    """Of different sources, about one box, and further apart than the limit."""
    if one.source == other.source or (one.container and other.container and one.container != other.container):
        return False
    return abs(heard(one).time - heard(other).time) > limit
