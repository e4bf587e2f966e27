"""Which of several notices about one matter are still worth telling: pure, on values alone.

A person is never told an end whose beginning nobody told, nor old news after newer; what waits is overtaken by what
comes after it. The matter is the fact's own word (portal.lib.facts).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from portal.lib.facts import Act

OVERTAKEN: Final = "overtaken"  # newer news of the same stands in its place
OVER: Final = "over_before_told"  # it ended before anybody was told that it had begun

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class News(Generic[K]):
    """One notice about a matter, for one person; `told` says that it went out, or may have."""

    key: K
    act: Act
    told: bool


def overtaken(news: Iterable[News[K]]) -> dict[K, str]:
    """Which of what is not told yet need not be told, by key with the reason; `news` is of one matter, oldest first."""
    listed = list(news)
    last = max((n for n, one in enumerate(listed) if one.told), default=-1)
    waiting = listed[last + 1 :]
    dropped = {one.key: OVERTAKEN for one in [*listed[: max(last, 0)], *waiting[:-1]] if not one.told}
    is_known = last >= 0 and listed[last].act != Act.ENDS
    if waiting and waiting[-1].act == Act.ENDS and not is_known and _began(waiting):
        dropped |= {one.key: OVER for one in waiting}
    return dropped


def _began(waiting: list[News[K]]) -> bool:
    """Whether its beginning is among what waits: else it was told in another way, and its end is news."""
    return any(one.act == Act.BEGINS for one in waiting)
