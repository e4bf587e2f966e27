"""Where a shipment is: at a place, under way by its schedule, overdue, not known. Never farther than was heard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.whereabouts import FARTHEST, Stop, Where, whereabouts

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def at(days: float) -> datetime:
    return DAY + timedelta(days=days)


def stop(place: str, came: float | None = None, left: float | None = None, expected: float | None = None) -> Stop:
    given_at = [at(d) if d is not None else None for d in (came, left, expected)]
    return Stop(place=place, came=given_at[0], left=given_at[1], expected=given_at[2])


def test_nothing_heard_is_not_known() -> None:
    here = whereabouts([stop("CNSHA"), stop("NLRTM", expected=30)], at(3))
    assert (here.where, here.place, here.share) == (Where.UNKNOWN, "", None)
    assert whereabouts([], at(3)).where == Where.UNKNOWN


def test_what_came_and_has_not_left_is_there_since_it_came() -> None:
    here = whereabouts([stop("CNSHA", 1), stop("NLRTM", expected=30)], at(5))
    assert (here.where, here.place, here.since, here.towards) == (Where.AT_PLACE, "CNSHA", at(1), "")


def test_half_of_the_time_is_half_of_the_way() -> None:
    here = whereabouts([stop("CNSHA", 1, 10), stop("NLRTM", expected=30)], at(20))
    assert (here.where, here.place, here.towards, here.since) == (Where.UNDER_WAY, "CNSHA", "NLRTM", at(10))
    assert here.share == pytest.approx(0.5)


def test_an_arrival_that_is_overdue_stays_before_the_port() -> None:
    stops = [stop("CNSHA", 1, 10), stop("NLRTM", expected=30)]
    on_the_minute, later = whereabouts(stops, at(30)), whereabouts(stops, at(300))
    assert [(h.where, h.share, h.expected) for h in (on_the_minute, later)] == [(Where.OVERDUE, FARTHEST, at(30))] * 2
    assert FARTHEST < 1


def test_left_without_any_estimate_is_somewhere_between() -> None:
    here = whereabouts([stop("CNSHA", 1, 10), stop("NLRTM")], at(20))
    assert (here.where, here.towards, here.share, here.expected) == (Where.UNDER_WAY, "NLRTM", None, None)


def test_an_arrival_expected_before_the_departure_says_nothing() -> None:
    here = whereabouts([stop("CNSHA", 1, 10), stop("NLRTM", expected=9)], at(20))
    assert (here.where, here.share, here.expected) == (Where.UNDER_WAY, None, None)


def test_the_last_place_that_was_heard_of_counts_whatever_was_not_heard_before_it() -> None:
    here = whereabouts([stop("CNSHA"), stop("SGSIN", 12), stop("NLRTM", expected=30)], at(13))
    assert (here.where, here.place, here.stop) == (Where.AT_PLACE, "SGSIN", 1)
    stops = [stop("CNSHA", left=10), stop("SGSIN"), stop("NLRTM", left=31), stop("NLUTC", expected=32)]
    here = whereabouts(stops, at(31))
    assert (here.where, here.place, here.towards) == (Where.UNDER_WAY, "NLRTM", "NLUTC")


def test_who_has_left_the_last_place_is_there_still() -> None:
    here = whereabouts([stop("CNSHA", left=10), stop("NLRTM", 30, 33)], at(40))
    assert (here.where, here.place, here.since) == (Where.AT_PLACE, "NLRTM", at(30))
    here = whereabouts([stop("CNSHA", left=10), stop("NLRTM", left=33)], at(40))
    assert (here.where, here.place, here.since) == (Where.AT_PLACE, "NLRTM", at(33))


def test_a_departure_in_the_future_begins_where_it_begins() -> None:
    here = whereabouts([stop("CNSHA", 1, 10), stop("NLRTM", expected=30)], at(9))
    assert (here.where, here.share) == (Where.UNDER_WAY, 0)


_days = st.none() | st.integers(-400, 400).map(float)
_stops = st.lists(st.tuples(_days, _days, _days), max_size=6)


@given(_stops, st.integers(-500, 500), st.integers(0, 200))
def test_it_is_never_beyond_what_was_heard_and_never_goes_back(heard, now: int, later: int) -> None:
    stops = [stop(f"P{n}", *times) for n, times in enumerate(heard)]
    here, then = whereabouts(stops, at(now)), whereabouts(stops, at(now + later))
    heard_of = [n for n, s in enumerate(stops) if s.came or s.left]
    assert here.stop == (heard_of[-1] if heard_of else -1) == then.stop
    assert here.towards in ("", f"P{here.stop + 1}")
    assert here.share is None or 0 <= here.share <= FARTHEST
    assert (here.share is None) == (then.share is None)  # time alone makes nothing known, or unknown
    assert here.share is None or here.share <= then.share
    assert here.where != Where.OVERDUE or (here.expected <= at(now) and here.share == FARTHEST)
    assert here.where != Where.UNDER_WAY or here.expected is None or here.expected > at(now)
