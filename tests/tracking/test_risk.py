"""A shipment is called at risk, and no longer so, by two evaluations that agree; whoever looks late finds the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.risk import HOUR, Delay, RiskAction, RiskLimits, Watch, episodes, evaluate

pytestmark = pytest.mark.req("R8.4", "R8.5")
T0 = datetime(2026, 3, 1, 10, tzinfo=UTC)
LIMITS = RiskLimits()
END = T0 + timedelta(days=60)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def delays(*pairs: tuple[float, float]) -> list[Delay]:
    """(hours after the first morning, hours of predicted delay)."""
    return [Delay(since=at(since), seconds=int(hours * HOUR)) for since, hours in pairs]


def found(*pairs: tuple[float, float], until: datetime = END, heard=(), ends=None):
    return episodes(delays(*pairs), heard, at=until, limits=LIMITS, ends_at=ends)


@pytest.mark.req("W14")
def test_fourteen_evaluations_make_three_messages() -> None:
    hours = (10, 26, 23, 25, 27, 23, 14, 11, 13, 12, 11, 9, 30, 31)
    watch, seen = Watch(), []
    for n, delay in enumerate(hours):
        watch, action = evaluate(watch, delay * HOUR, T0 + n * timedelta(minutes=30), LIMITS)
        seen.append((watch.state.value, action.value))
    assert [state for state, _a in seen] == [
        "CLEAR", "PENDING", "CLEAR", "PENDING", "RAISED", "RAISED", "RAISED", "CLEARING", "RAISED", "CLEARING",
        "CLEAR", "CLEAR", "PENDING", "RAISED",
    ]  # fmt: skip
    assert [(n, a) for n, (_s, a) in enumerate(seen) if a] == [(4, "NOTIFY"), (10, "RESOLVE"), (13, "NOTIFY")]


@pytest.mark.req("W14")
def test_the_same_fourteen_as_news_half_an_hour_apart_make_the_same_episodes() -> None:
    hours = (10, 26, 23, 25, 27, 23, 14, 11, 13, 12, 11, 9, 30, 31)
    told, _look = found(*((n / 2, h) for n, h in enumerate(hours)))
    assert [(e.start, e.end) for e in told] == [(at(2), at(5)), (at(6.5), None)]


def test_exactly_at_the_limit_is_not_above_it() -> None:
    assert found((0, 24)) == ([], None)
    told, look = found((0, 24 + 1 / 3600))
    assert [e.start for e in told] == [at(0.5)]
    assert look is None


def test_exactly_at_the_other_limit_clears() -> None:
    told, _look = found((0, 30), (5, 12))
    assert [(e.start, e.end) for e in told] == [(at(0.5), at(5.5))]
    still, _look = found((0, 30), (5, 12 + 1 / 3600))
    assert [e.end for e in still] == [None]


def test_the_clock_confirms_what_one_event_said() -> None:
    pending, look = found((0.1, 30), until=at(0.4))
    assert (pending, look) == ([], at(0.5))
    raised, look = found((0.1, 30), until=at(0.5))
    assert [e.start for e in raised] == [at(0.5)]
    assert look is None, "nothing more changes until something is heard"


def test_any_event_confirms_too() -> None:
    told, _look = found((0.1, 30), heard=[at(0.2)], until=at(0.3))
    assert [e.start for e in told] == [at(0.2)]


def test_what_gets_worse_is_told_again_after_twelve_hours_and_a_day_more() -> None:
    told, look = found((0, 26), (1, 50), until=at(5))
    assert [e.worse for e in told] == [[]]
    assert look == at(12.5), "half past ten plus twelve hours"
    told, _look = found((0, 26), (1, 50), until=at(12.5))
    assert [e.worse for e in told] == [[at(12.5)]]
    assert [e.worse for e in found((0, 26), (1, 49.9))[0]] == [[]]


def test_the_final_event_ends_it_at_once() -> None:
    told, look = found((0, 30), ends=at(7.2), until=at(8))
    assert [(e.start, e.end) for e in told] == [(at(0.5), at(7.2))]
    assert look is None
    assert found((0, 30), ends=at(0.3), until=at(8)) == ([], None), "before it was confirmed"


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(-20, 90)), min_size=1, max_size=12, unique_by=lambda p: p[0]),
    st.integers(0, 500),
)
@settings(max_examples=500, deadline=None, database=None)
def test_jumping_over_what_is_settled_finds_what_every_evaluation_finds(pairs, until) -> None:
    """Against the plain way: the grid and the news, one by one."""
    moves = delays(*((m / 4, h) for m, h in sorted(pairs)))
    end = at(until / 4)
    got, look = episodes(moves, [], at=end, limits=LIMITS, ends_at=None)
    grid = {T0 + n * timedelta(minutes=30) for n in range(1, 260)}
    moments = sorted(t for t in grid | {m.since for m in moves} if moves[0].since <= t <= end)
    watch, starts, ends, worse = Watch(), [], [], []
    for moment in moments:
        delay = [m.seconds for m in moves if m.since <= moment][-1]
        watch, action = evaluate(watch, delay, moment, LIMITS)
        {RiskAction.NOTIFY: starts, RiskAction.RESOLVE: ends, RiskAction.RENOTIFY: worse}.get(action, []).append(moment)
    assert [e.start for e in got] == starts
    assert [e.end for e in got if e.end] == ends
    assert [w for e in got for w in e.worse] == worse
    if look is not None:
        assert look > end
