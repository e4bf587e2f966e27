"""What an answer of an endpoint means, and when a delivery is tried again: from values alone (H3, H4).

Nothing is sent or stored here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

# Twelve retries over more than five days: when the last one fails, the endpoint has failed for long enough to be
# switched off, so nothing is given up while nobody has been told.
WAITS: Final = (
    timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=1),
    timedelta(hours=3), timedelta(hours=6), timedelta(hours=12), timedelta(hours=24), timedelta(hours=24),
    timedelta(hours=24), timedelta(hours=26),
)  # fmt: skip
MOST_TRIES: Final = len(WAITS) + 1
SPREAD: Final = (1.0, 1.15)  # later only, so that the sum of the waits is a promise
FAILS_FOR: Final = timedelta(days=5)  # without one success: switched off
LONGEST_RETRY_AFTER: Final = timedelta(hours=6)
EXCERPT: Final = 1_000  # characters of a reply that are kept
SLOW_MS: Final = 2_000
AT_ONCE: Final = 4  # requests in flight to one endpoint
AT_ONCE_SLOW: Final = 1  # to one that failed last, or took its time: it must not hold the others up (H5)
AT_ONCE_TENANT: Final = 8
QUICK_MS: Final = 50
LEAST_TURN, LONGEST_TURN = 0.5, 900.0  # seconds
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Verdict(StrEnum):
    """What is done about an attempt."""

    DONE = "DONE"
    AGAIN = "AGAIN"
    GONE = "GONE"  # the endpoint says that it is no more


@dataclass(frozen=True, slots=True)
class Tried:
    """How an attempt ended: the status, or None when no answer came and `why` says so; reply headers in lower case."""

    status: int | None
    why: str = ""
    retry_after: str = ""
    excerpt: str = ""
    took_ms: int = 0


def verdict(status: int | None) -> Verdict:
    """2xx is done, 410 is the end, everything else is a failure; redirects are never followed."""
    if status is not None and 200 <= status < 300:
        return Verdict.DONE
    return Verdict.GONE if status == 410 else Verdict.AGAIN


def asked_to_wait(tried: Tried, *, at: datetime) -> timedelta | None:
    """What a 429 or 503 asked for, in seconds or as a date, at most six hours; None when it asked for nothing."""
    if tried.status not in (429, 503) or not tried.retry_after:
        return None
    text = tried.retry_after.strip()
    if _SECONDS.fullmatch(text):
        wait = timedelta(seconds=int(text))
    else:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - at
    return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


def next_wait(tries: int, *, spread: Callable[[float, float], float]) -> timedelta | None:
    """How long to wait after the `tries`-th failure; None after the last one."""
    return WAITS[tries - 1] * spread(*SPREAD) if 1 <= tries <= len(WAITS) else None


def at_once(*, failing: bool, last_ms: int) -> int:
    """How many requests may be in flight to an endpoint, by how it answered last."""
    return AT_ONCE_SLOW if failing or last_ms > SLOW_MS else AT_ONCE


def turn_wait(*, crowd: int, last_ms: int, allowed: int, spread: Callable[[float, float], float]) -> timedelta:
    """When one of `crowd` that wait for an endpoint asks again: spread over the time that it needs for all of them."""
    drained = crowd * max(last_ms, QUICK_MS) / 1_000 / allowed
    return timedelta(seconds=min(max(LEAST_TURN, drained * spread(0.1, 1.2)), LONGEST_TURN))


def excerpt(body: bytes) -> str:
    """The beginning of a reply as plain text, without control characters."""
    return _CONTROL.sub("", body[: EXCERPT * 4].decode("utf-8", "replace"))[:EXCERPT]
