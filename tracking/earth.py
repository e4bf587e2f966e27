"""Lines on the globe: distances, great circles, ways that are measured and walked along, and their thinning.

Pure. A point is (longitude, latitude) in degrees. The longitudes of one line are continuous: a way over the Pacific
runs on beyond 180, so that it is drawn in one piece.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

Point = tuple[float, float]
RADIUS_KM: Final = 6371.0088
_STEP_KM: Final = 300  # between the points of a great circle that is drawn


def km_between(a: Point, b: Point) -> float:
    """The shortest distance over the globe, in kilometres."""
    (lon1, lat1), (lon2, lat2) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    chord = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))


def near(lon: float, to: float) -> float:
    """The same longitude, counted so that it lies within half the globe of `to`."""
    return lon - 360 * round((lon - to) / 360)


def continuous(points: Sequence[Point], *, after: float | None = None) -> list[Point]:
    """The same line without a leap at 180 degrees; its first longitude is near `after`, where given."""
    found: list[Point] = []
    last = after
    for lon, lat in points:
        lon = lon if last is None else near(lon, last)
        found.append((lon, lat))
        last = lon
    return found


def great_circle(a: Point, b: Point) -> list[Point]:
    """The shortest way over the globe, with points often enough to be drawn; continuous, from `a` on."""
    parts = max(1, round(km_between(a, b) / _STEP_KM))
    start, end = _vector(a), _vector(b)
    angle = math.acos(max(-1.0, min(1.0, sum(p * q for p, q in zip(start, end, strict=True)))))
    if parts == 1 or math.sin(angle) < 1e-9:
        return continuous([a, b])
    middle = []
    for n in range(1, parts):
        u, v = (math.sin(f * angle) / math.sin(angle) for f in (1 - n / parts, n / parts))
        x, y, z = (u * p + v * q for p, q in zip(start, end, strict=True))
        middle.append((math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))))
    return continuous([a, *middle, b])


def _vector(point: Point) -> tuple[float, float, float]:
    lon, lat = math.radians(point[0]), math.radians(point[1])
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


@dataclass(frozen=True, slots=True)
class Way:
    """A line with the kilometres that are covered at each of its points."""

    points: tuple[Point, ...]
    covered: tuple[float, ...]

    @classmethod
    def of(cls, points: Sequence[Point]) -> Way:
        """Of two points or more, continuous."""
        steps = (km_between(a, b) for a, b in pairwise(points))
        return cls(tuple(points), tuple(accumulate(steps, initial=0.0)))

    @property
    def km(self) -> float:
        """Its length."""
        return self.covered[-1]

    def at(self, share: float) -> Point:
        """The point after this share of its length; never before its beginning or beyond its end."""
        n, part = self._place(share)
        (x1, y1), (x2, y2) = self.points[n], self.points[n + 1]
        return x1 + (x2 - x1) * part, y1 + (y2 - y1) * part

    def cut(self, share: float) -> tuple[list[Point], list[Point]]:
        """What is behind, and what lies ahead; both hold the point between."""
        n, _part = self._place(share)
        here = self.at(share)
        return [*self.points[: n + 1], here], [here, *self.points[n + 1 :]]

    def _place(self, share: float) -> tuple[int, float]:
        """The step that this share of the length falls into, and how much of that step is covered."""
        wanted = min(max(share, 0.0), 1.0) * self.km
        n = min(max(bisect_right(self.covered, wanted) - 1, 0), len(self.points) - 2)
        step = self.covered[n + 1] - self.covered[n]
        return n, min(1.0, (wanted - self.covered[n]) / step) if step else 0.0


def thinned(points: Sequence[Point], tolerance: float) -> list[Point]:
    """The line with fewer points, none of those left out farther off than `tolerance` degrees (Douglas, Peucker)."""
    keep, todo = {0, len(points) - 1}, [(0, len(points) - 1)]
    while todo:
        first, last = todo.pop()
        worst, at = tolerance, 0
        for n in range(first + 1, last):
            off = _off(points[n], points[first], points[last])
            if off > worst:
                worst, at = off, n
        if at:
            keep.add(at)
            todo += [(first, at), (at, last)]
    return [points[n] for n in sorted(keep)]


def _off(point: Point, a: Point, b: Point) -> float:
    """How far a point lies off the piece between two others, in degrees."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    size = dx * dx + dy * dy
    part = max(0.0, min(1.0, ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / size)) if size else 0.0
    return math.hypot(point[0] - a[0] - part * dx, point[1] - a[1] - part * dy)
