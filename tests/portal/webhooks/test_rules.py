"""What an answer means and when to come again, from values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.webhooks import rules
from portal.webhooks.rules import Tried, Verdict

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


def most(_low: float, high: float) -> float:
    return high


def least(low: float, _high: float) -> float:
    return low


@pytest.mark.req("H3")
def test_every_status_has_its_meaning() -> None:
    for status in range(100, 600):
        wanted = Verdict.DONE if 200 <= status < 300 else Verdict.GONE if status == 410 else Verdict.AGAIN
        assert rules.verdict(status) == wanted, status
    assert rules.verdict(None) == Verdict.AGAIN


@pytest.mark.req("H3")
def test_the_schedule_is_nine_retries_over_three_days_at_least_and_never_shrinks() -> None:
    for spread in (least, most):
        waits = []
        while (wait := rules.next_wait(len(waits) + 1, spread=spread)) is not None:
            waits.append(wait)
        assert len(waits) == rules.MOST_TRIES - 1 >= 9
        assert sum(waits, timedelta()) >= max(timedelta(hours=72), rules.FAILS_FOR)
        assert waits == sorted(waits)
    assert rules.next_wait(0, spread=least) is None


@pytest.mark.req("H3")
@pytest.mark.parametrize(
    ("status", "said", "wait"),
    [
        (429, "0", 0), (429, "17", 17), (503, " 17 ", 17), (503, "21600", 21_600), (503, "21601", 21_600),
        (429, "9" * 40, None), (429, "1.5", None), (429, "-1", None), (429, "", None), (200, "17", None),
        (500, "17", None), (503, "Thu, 12 Mar 2026 09:01:00 GMT", 60), (503, "Thu, 12 Mar 2026 10:01:00 +0100", 60),
        (503, "Thu, 12 Mar 1926 09:01:00 GMT", 0), (503, "Thu, 12 Mar 9999 09:01:00 GMT", 21_600),
        (503, "Thu, 99 Mar 2026 09:01:00 GMT", None), (503, "tomorrow", None), (503, "\u0661\u0662", None),
    ],
)  # fmt: skip
def test_what_is_asked_is_capped_and_what_is_nonsense_is_nothing(status: int, said: str, wait: int | None) -> None:
    found = rules.asked_to_wait(Tried(status, retry_after=said), at=AT)
    assert found == (None if wait is None else timedelta(seconds=wait))


@pytest.mark.req("H5")
def test_a_crowd_spreads_over_the_time_that_the_endpoint_needs_for_it() -> None:
    quick = {"last_ms": 80, "allowed": rules.AT_ONCE}
    assert rules.turn_wait(crowd=1_000, **quick, spread=most) == timedelta(seconds=24)
    assert rules.turn_wait(crowd=1_000, **quick, spread=least) == timedelta(seconds=2)
    assert rules.turn_wait(crowd=0, **quick, spread=most) == timedelta(seconds=0.5)
    slow = rules.turn_wait(crowd=4_000, last_ms=20_000, allowed=rules.AT_ONCE_SLOW, spread=most)
    assert slow == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", ""), (b"plain\n\ttext", "plain\n\ttext"), (b"\x00\x07a\x1b[31mb\x7f", "a[31mb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("\u2028x\u0085".encode(), "x"), (b"z" * 5_000, "z" * rules.EXCERPT),
        ("\U0001f6a2".encode() * 2_000, "\U0001f6a2" * 1_000),
    ],
)  # fmt: skip
def test_a_reply_is_kept_as_a_little_plain_text(body: bytes, kept: str) -> None:
    assert rules.excerpt(body) == kept
