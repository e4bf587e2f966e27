"""When a shipment is called at risk, and when no longer, without storms (R8.4, R8.5, W14).

Pure. The state follows from how the estimate moved and from when something was heard, never from when a job ran: a
look that comes late finds what a punctual one would have found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

HOUR: Final = 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RiskState(StrEnum):
    """PENDING and CLEARING wait for a second evaluation that says the same."""

    CLEAR = "CLEAR"
    PENDING = "PENDING"
    RAISED = "RAISED"
    CLEARING = "CLEARING"


class RiskAction(StrEnum):
    """What an evaluation gives people to know (R8.5)."""

    NONE = ""
    NOTIFY = "NOTIFY"
    RENOTIFY = "RENOTIFY"
    RESOLVE = "RESOLVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Limits in whole seconds; `clear` lies below `raised` (V24)."""

    raised: int = 24 * HOUR
    clear: int = 12 * HOUR
    hold: int = 2  # evaluations in a row that must agree
    every: int = 30 * 60  # `eval_minutes`; evaluations stand on this grid, counted from 1970
    worse: int = 24 * HOUR  # so much more than when last told is told again,
    pause: int = 12 * HOUR  # not sooner than this


@dataclass(frozen=True, slots=True)
class Watch:
    """Where the evaluations of one shipment have come to. Delays are seconds beyond the limit of the promise."""

    state: RiskState = RiskState.CLEAR
    agreed: int = 0  # evaluations in a row that speak for leaving the state
    told_delay: int = 0
    told_at: datetime | None = None


_CALM: Final = Watch()


def evaluate(watch: Watch, delay: int, at: datetime, limits: RiskLimits) -> tuple[Watch, RiskAction]:
    """One evaluation (R8.4): raised strictly above the one limit, cleared at the other or below it, each confirmed."""
    if watch.state in (RiskState.CLEAR, RiskState.PENDING):
        if delay <= limits.raised:
            return _CALM, RiskAction.NONE
        if watch.agreed + 1 < limits.hold:
            return Watch(RiskState.PENDING, watch.agreed + 1), RiskAction.NONE
        return Watch(RiskState.RAISED, 0, delay, at), RiskAction.NOTIFY
    if delay <= limits.clear:
        if watch.agreed + 1 < limits.hold:
            return replace(watch, state=RiskState.CLEARING, agreed=watch.agreed + 1), RiskAction.NONE
        return _CALM, RiskAction.RESOLVE
    held = replace(watch, state=RiskState.RAISED, agreed=0) if watch.state == RiskState.CLEARING else watch
    assert watch.told_at is not None
    if delay >= watch.told_delay + limits.worse and at - watch.told_at >= timedelta(seconds=limits.pause):
        return replace(held, told_delay=delay, told_at=at), RiskAction.RENOTIFY
    return held, RiskAction.NONE


@dataclass(slots=True)
class Episode:
    """From RAISED to RESOLVE, [start, end); open while `end` is None. `worse`: when it was told again."""

    start: datetime
    end: datetime | None = None
    worse: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """From `since` on the final milestone was expected so many seconds beyond the limit."""

    since: datetime
    seconds: int


def episodes(
    delays: Sequence[Delay], heard: Iterable[datetime], *, at: datetime, limits: RiskLimits, ends_at: datetime | None
) -> tuple[list[Episode], datetime | None]:
    """All episodes up to `at`, and when the clock alone may change something next, if ever.

    Evaluated at each instant at which something was `heard`, and on the grid. `ends_at`: when the final milestone was
    heard, or the shipment cancelled; an episode ends there.
    """
    if not delays:
        return [], None
    until = at if ends_at is None else min(at, ends_at)
    news = sorted({t for t in (*heard, *(d.since for d in delays)) if delays[0].since <= t <= until and t != ends_at})
    watch, found = _CALM, list[Episode]()
    next_look: datetime | None = None
    for n, (instant, seconds) in enumerate(_in_force(delays, news)):
        following = news[n + 1] if n + 1 < len(news) else ends_at
        moment: datetime | None = instant
        while moment is not None and moment <= until and (following is None or moment < following):
            watch, action = evaluate(watch, seconds, moment, limits)
            _keep(found, action, moment)
            moment = _next_moment(watch, seconds, moment, limits)
        next_look = moment if following is None or (moment is not None and moment < following) else None
    if ends_at is not None and ends_at <= at:
        if found and found[-1].end is None:
            found[-1].end = ends_at
        return found, None
    return found, next_look


def _in_force(delays: Sequence[Delay], news: Sequence[datetime]) -> Iterator[tuple[datetime, int]]:
    """Each instant of news with the delay in force then."""
    place = 0
    for instant in news:
        while place + 1 < len(delays) and delays[place + 1].since <= instant:
            place += 1
        yield instant, delays[place].seconds


def _keep(found: list[Episode], action: RiskAction, moment: datetime) -> None:
    if action == RiskAction.NOTIFY:
        found.append(Episode(moment))
    elif action == RiskAction.RENOTIFY:
        found[-1].worse.append(moment)
    elif action == RiskAction.RESOLVE:
        found[-1].end = moment


def _next_moment(watch: Watch, delay: int, moment: datetime, limits: RiskLimits) -> datetime | None:
    """The next evaluation that can change anything while the delay stays as it is; None when all is settled."""
    following = _grid(moment + timedelta(microseconds=1), limits.every)
    if watch.state in (RiskState.PENDING, RiskState.CLEARING) or (
        watch.state == RiskState.RAISED and delay <= limits.clear
    ):
        return following
    if watch.told_at is not None and delay >= watch.told_delay + limits.worse:
        return max(following, _grid(watch.told_at + timedelta(seconds=limits.pause), limits.every))
    return None


def _grid(instant: datetime, every: int) -> datetime:
    """The first point of the grid at or after an instant."""
    step = timedelta(seconds=every)
    return _EPOCH - (_EPOCH - instant) // step * step
