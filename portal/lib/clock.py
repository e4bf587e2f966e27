"""The one place that reads the time; doors ask it, everything below takes `at` as an argument.

A set clock exists for the demo world and for tests only; production settings refuse it (W2).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from django.conf import settings

_set_to: ContextVar[datetime | None] = ContextVar("clock_set_to", default=None)


def now() -> datetime:
    """The present instant, aware, UTC."""
    return _set_to.get() or datetime.now(UTC)


@contextmanager
def set_to(instant: datetime) -> Iterator[None]:
    """Pretends that it is `instant` (aware) inside the block.

    Raises RuntimeError unless settings.ALLOW_SET_CLOCK, which production settings never have.
    """
    if not settings.ALLOW_SET_CLOCK:
        raise RuntimeError("The clock can be set in the demo and in tests only.")
    if instant.tzinfo is None:
        raise ValueError("A set clock needs an aware instant.")
    token = _set_to.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _set_to.reset(token)
