"""Marks that lie too close to be told apart, put together: one mark for many.

Pure. Distances are in percent of a map's width, so that the same marks come together on every screen.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

NEAR: Final = 5.0  # percent of the width: two marks closer than this would touch


@dataclass(slots=True)
class Cluster:
    """Marks at about one place: the middle of its members, weighted by their number."""

    x: float
    y: float
    members: list[int] = field(default_factory=list)

    def take(self, other: Cluster) -> None:
        """The other's members come in, and the middle moves."""
        mine, theirs = len(self.members), len(other.members)
        self.x = (self.x * mine + other.x * theirs) / (mine + theirs)
        self.y = (self.y * mine + other.y * theirs) / (mine + theirs)
        self.members += other.members


def clusters(marks: Iterable[tuple[float, float, int]], *, near: float = NEAR) -> list[Cluster]:
    """The marks (x, y, number) in groups of which no two are closer than `near`; the largest first.

    `x` and `y` in the same unit. First a fine grid, then the largest takes in what is near, until nothing is: the work
    hardly depends on how many marks there are.
    """
    cells: dict[tuple[int, int], Cluster] = {}
    step = near / 4
    for x, y, number in marks:
        key = (math.floor(x / step), math.floor(y / step))
        one = Cluster(x, y, [number])
        if key in cells:
            cells[key].take(one)
        else:
            cells[key] = one
    found = list(cells.values())
    while True:
        merged = _merged(sorted(found, key=lambda c: (-len(c.members), c.x, c.y)), near)
        if len(merged) == len(found):
            return merged
        found = merged


def _merged(listed: Sequence[Cluster], near: float) -> list[Cluster]:
    """One round: each, the largest first, goes to the first one near it that stands already."""
    kept: list[Cluster] = []
    around: dict[tuple[int, int], list[Cluster]] = defaultdict(list)
    for cluster in listed:
        column, row = math.floor(cluster.x / near), math.floor(cluster.y / near)
        close = [
            other
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in around[column + dx, row + dy]
            if math.hypot(other.x - cluster.x, other.y - cluster.y) < near
        ]
        if close:
            close[0].take(cluster)
        else:
            kept.append(cluster)
            around[column, row].append(cluster)
    return sorted(kept, key=lambda c: (-len(c.members), c.x, c.y))
