"""Where things lie on a drawn map: Mercator as sea charts have it, a frame around what is shown, places in percent.

Pure. Sizes are in twentieths of a degree at the equator, as the drawing of the land has them (.ci/land.py): `x` to the
east, `y` to the south. What stays as large as it is on every screen (dots, words) is placed in percent of the frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracking.earth import Point

UNIT: Final = 20
WORLD: Final = 360 * UNIT
_NORTH, _SOUTH = 80.0, -58.0
_ACROSS = 15 * UNIT  # so far the land of one drawing may reach into the next
RATIO: Final = 2.0  # width to height, as portal.css draws the maps


def project(point: Point) -> tuple[float, float]:
    """(x, y) of a point."""
    lat = min(max(point[1], _SOUTH), _NORTH)
    return point[0] * UNIT, -math.degrees(math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))) * UNIT


def unproject(x: float, y: float) -> Point:
    """The point at (x, y)."""
    return x / UNIT, math.degrees(2 * math.atan(math.exp(math.radians(-y / UNIT)))) - 90


_TOP, _FOOT = project((0, _NORTH))[1], project((0, _SOUTH))[1]


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the map that is shown."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def around(cls, points: Iterable[Point], *, ratio: float, least: float, margin: float = 0.09) -> Frame:
        """All points with a margin, in these proportions, at least `least` degrees wide; the world at most.

        The points' longitudes are continuous with each other.
        """
        flat = [project(p) for p in points]
        left, right = min(x for x, _y in flat), max(x for x, _y in flat)
        top, foot = min(y for _x, y in flat), max(y for _x, y in flat)
        width = max((right - left) * (1 + 2 * margin), (foot - top) * (1 + 2.6 * margin) * ratio, least * UNIT)
        width = min(width, WORLD, (_FOOT - _TOP) * ratio)
        height = width / ratio
        y = min(max((top + foot - height) / 2, _TOP), _FOOT - height)
        return cls((left + right - width) / 2, y, width, height)

    @property
    def view_box(self) -> str:
        """As SVG takes it."""
        return f"{self.x:.1f} {self.y:.1f} {self.width:.1f} {self.height:.1f}"

    @property
    def worlds(self) -> list[int]:
        """By how much the drawing of the land, which runs from -180 to 180 degrees, is moved to fill the frame."""
        first = math.floor((self.x - _ACROSS + WORLD / 2) / WORLD)
        last = math.floor((self.x + self.width + _ACROSS + WORLD / 2) / WORLD)
        return [n * WORLD for n in range(first, last + 1)]

    def percent(self, point: Point) -> tuple[float, float]:
        """Where a point lies, from the left and from above; of the same world as the frame."""
        x, y = project(point)
        return 100 * (x - self.x) / self.width, 100 * (y - self.y) / self.height

    def path(self, points: Sequence[Point]) -> str:
        """A line as SVG takes it, in as few signs as the frame's width allows to be told apart."""
        places = 0 if self.width > 1_000 else 1
        written: list[str] = []
        for x, y in map(project, points):
            mark = f"{x:.{places}f} {y:.{places}f}"
            if not written or written[-1] != mark:
                written.append(mark)
        return f"M{'L'.join(written)}" if len(written) > 1 else ""


def centred(longitudes: Sequence[float]) -> float:
    """Where to cut the globe so that the widest empty stretch lies at the map's edges: the western edge's longitude."""
    if not longitudes:
        return -180.0
    around = sorted({lon % 360 for lon in longitudes})
    gaps = [(b - a, b) for a, b in zip(around, [*around[1:], around[0] + 360], strict=True)]
    size, start = max(gaps)
    west = start - size / 2
    return west - 360 * round(west / 360)


def east_of(lon: float, west: float) -> float:
    """The same longitude, counted on from the map's western edge."""
    return west + (lon - west) % 360


@dataclass(frozen=True, slots=True)
class Label:
    """Where a word stands beside its dot: percent of the dot, pixels from there, and the side it is read towards."""

    x: float
    y: float
    dx: int
    dy: int
    anchor: str  # start, end, middle
    is_clear: bool = True  # hides nothing worth speaking of


_SIGN, _HIGH = 1.9, 6.5  # a sign's width and a line's height in percent of the map, as wide as it is on a phone
_LITTLE = 4.0  # square percent that a word may cover
Box = tuple[float, float, float, float]  # left, top, right, foot, in percent


def labelled(words: Sequence[tuple[float, float, str]], *, around: Iterable[Box] = ()) -> list[Label]:
    """A place for each word (percent from the left, from above, the word) where it hides nothing, if there is one."""
    taken: list[Box] = [*around, *((x - 1, y - 2, x + 1, y + 2) for x, y, _word in words)]
    found = []
    for x, y, word in words:
        wide = len(word) * _SIGN + 2
        choices = [
            (Label(x, y, 10, 4, "start"), (x + 1.2, y - _HIGH / 2, x + wide, y + _HIGH / 2)),
            (Label(x, y, -10, 4, "end"), (x - wide, y - _HIGH / 2, x - 1.2, y + _HIGH / 2)),
            (Label(x, y, 0, -11, "middle"), (x - wide / 2, y - 2 * _HIGH, x + wide / 2, y - 2.2)),
            (Label(x, y, 0, 20, "middle"), (x - wide / 2, y + 2.2, x + wide / 2, y + 2 * _HIGH)),
        ]
        label, box = min(choices, key=lambda choice: _hidden(choice[1], taken))
        found.append(replace(label, is_clear=_hidden(box, taken) < _LITTLE))
        taken.append(box)
    return found


def _hidden(box: Box, taken: Sequence[Box]) -> float:
    """How much of what is there a word would cover, and how far it would reach over the edge."""
    left, top, right, foot = box
    over = max(0.0, -left) + max(0.0, right - 100) + max(0.0, -top) + max(0.0, foot - 100)
    covers = sum(max(0.0, min(right, r) - max(left, a)) * max(0.0, min(foot, f) - max(top, t)) for a, t, r, f in taken)
    return 40 * over + covers
