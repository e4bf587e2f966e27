"""What the home page shows and what /metrics counts: the apps above register their parts.

This module asks them; it knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.tenancy.models import Member


@dataclass(frozen=True, slots=True)
class HomePart:
    """A part of the home page: `fill(member, at)` returns entries of the page's context or {}.

    Lists under the same name (tiles, attention, managing, recent) are joined in `order`.
    """

    key: str
    order: int
    for_staff: bool
    fill: Callable[[Member, datetime], dict[str, Any]]


_parts: dict[tuple[str, bool], HomePart] = {}
_gauges: list[Callable[[], dict[str, int]]] = []


def home_register(part: HomePart) -> None:
    """Called by each app's start."""
    _parts[part.key, part.for_staff] = part


def gauges_register(count: Callable[[], dict[str, int]]) -> None:
    """Called by each app's start: names and counts for /metrics."""
    if count not in _gauges:
        _gauges.append(count)


def gauges() -> dict[str, int]:
    """All registered counts."""
    found: dict[str, int] = {}
    for count in _gauges:
        found.update(count())
    return found


def contents(member: Member, at: datetime) -> dict[str, Any]:
    """The page's context for this person."""
    context: dict[str, Any] = {"tiles": [], "attention": [], "recent": []}
    for part in sorted(_parts.values(), key=lambda p: p.order):
        if part.for_staff != member.is_staff:
            continue
        for name, value in part.fill(member, at).items():
            if isinstance(value, list):
                context.setdefault(name, []).extend(value)
            else:
                context[name] = value
    return context
