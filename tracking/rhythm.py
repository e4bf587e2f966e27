"""The rhythm of a feed: how often it speaks, how late it is, and how long it may be silent. Pure arithmetic.

Times of messages are kept as quarter-hours: what comes within one counts once, so that a batch of fifty messages is one
sign of life and not fifty. Latencies are kept in fixed buckets, about twice as wide each as the one before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

QUARTER: Final = timedelta(minutes=15)
DAYS: Final = 28  # how far back a rhythm is learned from
MOST_SLOTS: Final = 64  # of an account, which needs no more than its newest
ENOUGH: Final = 20  # gaps below which nothing is learned (`min_n_p90`)
UNTIL_LEARNED: Final = timedelta(hours=24)  # `feed_outage_hours`
LEAST_LIMIT: Final = timedelta(minutes=60)
MOST_LIMIT: Final = timedelta(days=7)
_TIMES: Final = 3  # the P90 of the gaps
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
# upper ends in minutes; one more bucket is open
BOUNDS: Final = (
    *(1, 2, 4, 8, 15, 30, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 16 * _HOUR),
    *(_DAY, 2 * _DAY, 4 * _DAY, 8 * _DAY, 16 * _DAY, 32 * _DAY),
)
BUCKETS: Final = len(BOUNDS) + 1


def slot(at: datetime) -> int:
    """The quarter-hour of an instant, counted from 1970."""
    return (at - _EPOCH) // QUARTER


def slot_of_day(day: date, quarter: int) -> int:
    """The same from a UTC day and the number of its quarter-hour."""
    return slot(datetime(day.year, day.month, day.day, tzinfo=UTC)) + quarter


def bucket(latency: timedelta) -> int:
    """The bucket of a latency; what was heard before it happened counts as at once."""
    minutes = -(-latency // timedelta(minutes=1))
    return bisect_left(BOUNDS, max(0, minutes))


def histogram(latencies: Iterable[timedelta]) -> list[int]:
    """How many lie in each bucket."""
    counts = [0] * BUCKETS
    for latency in latencies:
        counts[bucket(latency)] += 1
    return counts


def added(histograms: Iterable[Sequence[int]]) -> list[int]:
    """The histogram of all together."""
    total = [0] * BUCKETS
    for counts in histograms:
        for n, count in enumerate(counts[:BUCKETS]):
            total[n] += count
    return total


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure that is known to a bucket only: at most `minutes`; None: beyond the last bucket."""

    minutes: int | None


def rank(counts: Sequence[int], share: int) -> Bound | None:
    """The bucket in which the nearest rank of `share` percent lies; None when nothing was counted (R0.3)."""
    of = sum(counts)
    wanted = -(-of * share // 100)
    for n, count in enumerate(counts):
        wanted -= count
        if of and wanted <= 0:
            return Bound(BOUNDS[n] if n < len(BOUNDS) else None)
    return None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Median and P90 of the gaps between quarter-hours with news; None below what is enough to know."""

    gaps: int
    median: timedelta | None = None
    p90: timedelta | None = None

    @property
    def limit(self) -> timedelta:
        """How long it may be silent: three times the P90, within bounds; a day until the rhythm is known."""
        if self.p90 is None:
            return UNTIL_LEARNED
        return min(max(_TIMES * self.p90, LEAST_LIMIT), MOST_LIMIT)


def rhythm(slots: Iterable[int]) -> Rhythm:
    """What quarter-hours with news tell, in any order and however often each is named."""
    known = sorted(set(slots))
    gaps = sorted(b - a for a, b in pairwise(known))
    if len(gaps) < ENOUGH:
        return Rhythm(len(gaps))
    median, p90 = (QUARTER * gaps[-(-len(gaps) * share // 100) - 1] for share in (50, 90))  # the nearest rank
    return Rhythm(len(gaps), median, p90)
