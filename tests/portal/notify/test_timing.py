"""Quiet hours and digests by a person's own clock, also where clocks jump."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.notify.timing import DAILY, WEEKLY, Habits, digest_due, is_quiet, quiet_until

AMS = ZoneInfo("Europe/Amsterdam")
# each of these moves its clock in its own way: by an hour, by half an hour, at midnight, by a whole day, never
ZONES = [ZoneInfo(z) for z in ("Europe/Amsterdam", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia",
                               "Asia/Shanghai")]  # fmt: skip
INSTANTS = st.integers(0, 8_400_000).map(lambda minutes: datetime(2011, 12, 1, tzinfo=UTC) + timedelta(minutes=minutes))
HABITS = st.builds(
    lambda digest, hour, weekday, quiet, weekend: Habits(digest, hour, weekday, *(quiet or (None, None)), weekend),
    st.sampled_from([DAILY, WEEKLY]), st.integers(0, 23), st.integers(0, 6),
    st.none() | st.tuples(st.times(), st.times()).filter(lambda span: span[0] != span[1]), st.booleans(),
)  # fmt: skip


def at(text: str) -> datetime:
    """A local time in Amsterdam."""
    return datetime.fromisoformat(text).replace(tzinfo=AMS).astimezone(UTC)


NIGHT = Habits(quiet_from=time(22), quiet_to=time(7))


@pytest.mark.req("O9", "R8.5")
@pytest.mark.parametrize(
    ("habits", "now", "end"),
    [
        (NIGHT, "2026-03-12T21:59", None),
        (NIGHT, "2026-03-12T22:00", "2026-03-13T07:00"),
        (NIGHT, "2026-03-13T06:59:59", "2026-03-13T07:00"),
        (NIGHT, "2026-03-13T07:00", None),
        (Habits(quiet_from=time(12), quiet_to=time(13, 30)), "2026-03-12T12:00", "2026-03-12T13:30"),
        # Friday night runs into a quiet weekend and through Sunday night to Monday morning
        (Habits(quiet_from=time(22), quiet_to=time(7), quiet_weekend=True), "2026-03-13T23:00", "2026-03-16T07:00"),
        (Habits(quiet_weekend=True), "2026-03-14T12:00", "2026-03-16T00:00"),
        (Habits(quiet_weekend=True), "2026-03-13T23:59", None),
        # the night in which the clock goes forward is an hour shorter, the other one longer
        (NIGHT, "2026-03-28T22:00", "2026-03-29T07:00"),
        (NIGHT, "2026-10-24T22:00", "2026-10-25T07:00"),
        (Habits(), "2026-03-12T03:00", None),
    ],
)
def test_quiet_ends_when_the_persons_clock_says_so(habits: Habits, now: str, end: str | None) -> None:
    assert quiet_until(habits, at=at(now), zone=AMS) == (at(end) if end else None)


def test_an_hour_that_the_clock_shows_twice_is_quiet_twice() -> None:
    late = Habits(quiet_from=time(2), quiet_to=time(3))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, and an hour later again
    assert [is_quiet(late, at=first + timedelta(hours=n), zone=AMS) for n in (0, 1, 2)] == [True, True, False]


@given(HABITS, INSTANTS, st.sampled_from(ZONES))
@settings(max_examples=300)
def test_quiet_always_ends_and_never_too_early(habits: Habits, now: datetime, zone: ZoneInfo) -> None:
    end = quiet_until(habits, at=now, zone=zone)
    assert (end is not None) == is_quiet(habits, at=now, zone=zone)
    if end is not None:
        assert now < end < now + timedelta(days=4)
        assert not is_quiet(habits, at=end, zone=zone)
        before = end - timedelta(seconds=1)
        jumped = zone.utcoffset(end) != zone.utcoffset(end - timedelta(days=1))
        assert jumped or is_quiet(habits, at=max(now, before), zone=zone)


@pytest.mark.parametrize(
    ("habits", "now", "due"),
    [
        (Habits(DAILY, 7), "2026-03-12T06:59", "2026-03-12T07:00"),
        (Habits(DAILY, 7), "2026-03-12T07:00", "2026-03-13T07:00"),
        (Habits(WEEKLY, 7, 0), "2026-03-12T10:00", "2026-03-16T07:00"),
        (Habits(WEEKLY, 7, 3), "2026-03-12T10:00", "2026-03-19T07:00"),
        # there is no 02:00 on the day that the clock goes forward, and there are two when it goes back
        (Habits(DAILY, 2), "2026-03-28T12:00", "2026-03-29T03:00"),
        (Habits(DAILY, 2), "2026-10-24T12:00", "2026-10-25T02:00"),
        (Habits(DAILY, 2), "2026-10-25T02:00", "2026-10-26T02:00"),
        # a quiet weekend has no digest; hours that are always quiet have it at their end
        (Habits(DAILY, 8, quiet_weekend=True), "2026-03-13T09:00", "2026-03-16T08:00"),
        (Habits(DAILY, 23, quiet_from=time(22), quiet_to=time(7)), "2026-03-12T10:00", "2026-03-13T07:00"),
    ],
)
def test_a_digest_comes_at_the_persons_hour(habits: Habits, now: str, due: str) -> None:
    assert digest_due(habits, at=at(now), zone=AMS) == at(due)


def test_nobody_has_a_digest_who_asked_for_none() -> None:
    assert digest_due(Habits("NONE"), at=at("2026-03-12T10:00"), zone=AMS) is None


@given(st.integers(0, 23), INSTANTS, st.sampled_from(ZONES))
@settings(max_examples=200)
def test_every_local_day_has_one_digest_at_most(hour: int, now: datetime, zone: ZoneInfo) -> None:
    days: list[date] = []
    for _n in range(6):
        due = digest_due(Habits(DAILY, hour), at=now, zone=zone)
        assert due is not None and due > now
        # whoever asks at any time until then is given the same answer: two workers collect for the same instant
        assert digest_due(Habits(DAILY, hour), at=now + (due - now) / 2, zone=zone) == due
        days.append(due.astimezone(zone).date())
        now = due
    assert len(set(days)) == len(days)


@given(HABITS, INSTANTS, st.sampled_from(ZONES))
@settings(max_examples=200)
def test_a_digest_is_always_ahead_and_never_in_quiet_hours(habits: Habits, now: datetime, zone: ZoneInfo) -> None:
    due = digest_due(habits, at=now, zone=zone)
    assert due is not None
    assert now < due < now + timedelta(days=20)
    assert not is_quiet(habits, at=due, zone=zone)
