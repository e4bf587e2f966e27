"""Maintainer's part of .ci/vendor: the land of world-atlas as one small drawing, projected and thinned once for all.

Runs from -180 to 180 degrees; land that lies across them is drawn in one piece, beyond them.
Mercator, in twentieths of a degree (tracking/seamap.py has the same formula for ships and ports). Without
Antarctica: no box goes there.
"""

import json
import math
from itertools import pairwise

UNIT = 20  # drawing units in a degree at the equator
NORTH, SOUTH = 83.5, -60.0  # what lies beyond is cut off
TOLERANCE = 1.6  # units that a thinned coast may lie off
SMALLEST = 6.0  # square units of an island that is still drawn


def land_svg(raw: bytes) -> bytes:
    """TopoJSON with an object `land` in, an SVG with the path `land` out."""
    topology = json.loads(raw)
    arcs = [_arc(arc, topology["transform"]) for arc in topology["arcs"]]
    rings = [ring for shape in topology["objects"]["land"]["geometries"] for ring in _rings(shape, arcs)]
    drawn = [_path(thin) for ring in rings if (thin := _thin(ring))]
    path = f'<path id="land" vector-effect="non-scaling-stroke" d="{"".join(drawn)}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg">{path}</svg>\n'.encode()


def _arc(arc: list[list[int]], transform: dict[str, list[float]]) -> list[tuple[float, float]]:
    """The arc's degrees: each step is counted from the one before."""
    (sx, sy), (tx, ty) = transform["scale"], transform["translate"]
    points, x, y = [], 0, 0
    for dx, dy in arc:
        x, y = x + dx, y + dy
        points.append((x * sx + tx, y * sy + ty))
    return points


def _rings(shape: dict, arcs: list[list[tuple[float, float]]]) -> list[list[tuple[float, float]]]:
    polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
    found = []
    for polygon in polygons:
        for ring in polygon:
            points: list[tuple[float, float]] = []
            for number in ring:
                part = arcs[number] if number >= 0 else arcs[~number][::-1]
                points += part[1:] if points else part
            found.append(_whole(points))
    return found


def _whole(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The ring without leaps at 180 degrees: what lies across them reaches a few degrees beyond."""
    points = [ring[0]]
    for lon, lat in ring[1:]:
        points.append((lon - 360 * round((lon - points[-1][0]) / 360), lat))
    middle = (min(lon for lon, _lat in points) + max(lon for lon, _lat in points)) / 2
    return [(lon - 360 * round(middle / 360), lat) for lon, lat in points]


def _project(lon: float, lat: float) -> tuple[float, float]:
    lat = min(max(lat, SOUTH), NORTH)
    return lon * UNIT, -math.degrees(math.log(math.tan(math.pi / 4 + math.radians(lat) / 2))) * UNIT


def _thin(ring: list[tuple[float, float]]) -> list[tuple[int, int]]:
    """The ring in whole units, thinned; empty when nothing of it is left to draw."""
    if max(lat for _lon, lat in ring) <= SOUTH:
        return []
    points = [_project(*point) for point in ring]
    half = len(points) // 2
    kept = _douglas(points[: half + 1])[:-1] + _douglas(points[half:])
    whole: list[tuple[int, int]] = []
    for x, y in kept:
        if not whole or whole[-1] != (round(x), round(y)):
            whole.append((round(x), round(y)))
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(whole)) / 2
    return whole if len(whole) > 3 and abs(area) >= SMALLEST else []


def _douglas(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Douglas and Peucker's thinning, without recursion."""
    keep, todo = {0, len(points) - 1}, [(0, len(points) - 1)]
    while todo:
        first, last = todo.pop()
        (ax, ay), (bx, by) = points[first], points[last]
        length = math.hypot(bx - ax, by - ay)
        worst, at = 0.0, -1
        for n in range(first + 1, last):
            x, y = points[n]
            off = abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length if length else math.hypot(x - ax, y - ay)
            if off > worst:
                worst, at = off, n
        if worst > TOLERANCE:
            keep.add(at)
            todo += [(first, at), (at, last)]
    return [points[n] for n in sorted(keep)]


def _path(ring: list[tuple[int, int]]) -> str:
    """Steps from point to point, in as few signs as SVG allows."""
    (x, y), parts = ring[0], []
    for nx, ny in ring[1:-1]:
        parts.append(f"{nx - x} {ny - y}")
        x, y = nx, ny
    return f"M{ring[0][0]} {ring[0][1]}l{' '.join(parts).replace(' -', '-')}z"
