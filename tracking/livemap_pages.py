"""The live map in words and numbers: what part of the world is shown, marks and what they lead to, the table.

Shapes what livemap.py read; asks nothing of the database and knows no clock.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.web.templatetags.ui import time_at
from tracking.clusters import NEAR, Cluster, clusters
from tracking.earth import Point
from tracking.freshness import span
from tracking.livemap import Afloat, LiveMap, legs_in_use
from tracking.seamap import RATIO, UNIT, Frame, centred, east_of, labelled, unproject
from tracking.whereabouts import Where

PAGE: Final = 25
_LEAST: Final = 18  # degrees that the map is wide at least
_MOST_LINES: Final = 80
_MOST_NAMES: Final = 14
_APART: Final = 1.2  # percent of the width: members that lie closer together are at one place
_AREA = re.compile(r"^-?\d{1,3}(\.\d{1,2})?(,-?\d{1,3}(\.\d{1,2})?){3}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the world, in degrees; `east` may lie beyond 180."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def read(cls, text: str) -> Area | None:
        """`west,south,east,north`, as an address has it; None for what is no such thing."""
        if not _AREA.match(text):
            return None
        west, south, east, north = (float(part) for part in text.split(","))
        if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90) or west == east:
            return None
        return cls(west, south, east if east > west else east + 360, north)

    @classmethod
    def around(cls, points: Iterable[Point], *, pad: float) -> Area:
        """All points, with this share of their extent and a little at each side; their longitudes are continuous."""
        listed = list(points)
        lons, lats = [lon for lon, _lat in listed], [lat for _lon, lat in listed]
        wide, high = (max(lons) - min(lons)) * pad + 0.2, (max(lats) - min(lats)) * pad + 0.2
        return cls(min(lons) - wide, max(min(lats) - high, -89), max(lons) + wide, min(max(lats) + high, 89))

    def text(self) -> str:
        """As an address has it: outwards, in hundredths of a degree."""
        west, east = (lon - 360 * round(lon / 360) for lon in (self.west, self.east))
        return (f"{math.floor(west * 100) / 100:g},{math.floor(self.south * 100) / 100:g},"
                f"{math.ceil(east * 100) / 100:g},{math.ceil(self.north * 100) / 100:g}")  # fmt: skip

    def holds(self, point: Point) -> bool:
        """Whether the point lies in it."""
        return self.south <= point[1] <= self.north and east_of(point[0], self.west) <= self.east


Link = Callable[..., str]  # the map's address with some of it changed: area, page


def live(found: LiveMap, area: Area | None, page: int, *, now: datetime, link: Link, url: Link) -> dict[str, Any]:
    """The context of tracking/_livemap.html. `url`: the address of a shipment."""
    placed = [ship for ship in found.ships if ship.point is not None]
    shown = [ship for ship in placed if area is None or (ship.point is not None and area.holds(ship.point))]
    frame, west = _frame(found, shown, area)
    marks = _marks(found, shown, frame, west, link=link, url=url)
    listed = found.ships if area is None else shown
    return {
        "drawing": {
            "view_box": frame.view_box, "worlds": frame.worlds, "ways": _ways(found, shown, frame, west),
            "marks": marks, "names": _names(found, shown, frame, west, marks),
        },
        "says": _says(listed, area), "lost": _lost(found, placed),
        "zoom": _zoom(frame, area, link), **_table(found, listed, page, now=now, link=link, url=url),
    }  # fmt: skip


# --- drawn ---


def _frame(found: LiveMap, shown: Sequence[Afloat], area: Area | None) -> tuple[Frame, float]:
    """What is shown of the world, and the longitude from which it is counted on."""
    if area is not None:
        frame = _frame_of(area)
        return frame, unproject(frame.x, 0)[0]
    points = [ship.point for ship in shown if ship.point is not None]
    points += [p for pair, _n in legs_in_use(shown)[:_MOST_LINES] if pair in found.lines
               for p in found.lines[pair].way.points]  # fmt: skip
    if not points:
        return Frame.around([(-170, -50), (170, 70)], ratio=RATIO, least=_LEAST, margin=0), -180.0
    west = centred([lon for lon, _lat in points])
    return Frame.around([(east_of(lon, west), lat) for lon, lat in points], ratio=RATIO, least=40), west


def _ways(found: LiveMap, shown: Sequence[Afloat], frame: Frame, west: float) -> list[dict[str, str]]:
    """The lines on which somebody is; one that leaves the map on one side comes in on the other."""
    ways = []
    for pair, _number in legs_in_use(shown)[:_MOST_LINES]:
        line = found.lines.get(pair)
        if line is None:
            continue
        first = line.way.points[0][0]
        for world in (-360, 0, 360):
            by = east_of(first, west) - first + world
            moved = [(lon + by, lat) for lon, lat in line.way.points]
            lons = [lon for lon, _lat in moved]
            left, right = unproject(frame.x, 0)[0], unproject(frame.x + frame.width, 0)[0]
            if max(lons) > left and min(lons) < right and (d := frame.path(moved)):
                ways.append({"d": d, "css": f"is-{line.drawn.lower()}"})
    return ways


def _names(
    found: LiveMap, shown: Sequence[Afloat], frame: Frame, west: float, marks: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The places that most of them are at, come from or go to, with their words clear of the marks."""
    most = Counter(code for s in shown for code in (s.here.place, s.here.towards) if code in found.points)
    words = []
    for code, _number in most.most_common(_MOST_NAMES):
        lon, lat = found.points[code]
        x, y = frame.percent((east_of(lon, west), lat))
        if 0 < x < 100 and 0 < y < 100:
            words.append((x, y, found.name_of(code)))
    around = [(m["left"] - 2, m["top"] - 4, m["left"] + 2, m["top"] + 4) for m in marks]
    return [
        {"x": f"{x:.2f}%", "y": f"{y:.2f}%", "name": name, "label": label}
        for (x, y, name), label in zip(words, labelled(words, around=around), strict=True)
        if label.is_clear
    ]


def _marks(
    found: LiveMap, shown: Sequence[Afloat], frame: Frame, west: float, *, link: Link, url: Link
) -> list[dict[str, Any]]:
    spots: dict[int, tuple[float, float]] = {}
    for n, ship in enumerate(shown):
        assert ship.point is not None
        x, y = frame.percent((east_of(ship.point[0], west), ship.point[1]))
        spots[n] = (x, y / RATIO)
    grouped = clusters([(x, y, n) for n, (x, y) in spots.items()], near=NEAR)
    marks = [
        _mark(found, cluster, [shown[n] for n in cluster.members], [spots[n] for n in cluster.members], frame, west,
              link=link, url=url)
        for cluster in grouped
    ]  # fmt: skip
    return sorted(marks, key=lambda mark: -mark["count"])


def _mark(
    found: LiveMap, cluster: Cluster, ships: Sequence[Afloat], spots: Sequence[tuple[float, float]], frame: Frame,
    west: float, *, link: Link, url: Link,
) -> dict[str, Any]:  # fmt: skip
    count = len(ships)
    at_one_place = all(max(axis) - min(axis) < _APART for axis in zip(*spots, strict=True))
    if count == 1:
        href = url(public_id=ships[0].row["public_id"])
    else:
        points = [(east_of(s.point[0], west), s.point[1]) for s in ships if s.point is not None]
        area = Area.around(points, pad=0.15)
        closer = _frame_of(area)
        if at_one_place or closer.width > 0.9 * frame.width:
            href = link(area=area.text(), anchor="boxes")
        else:  # all that the map will show, so that nobody is left out of it who lies in its corners
            href = link(area=_area_of(closer).text(), anchor="map")
    return {
        "x": f"{cluster.x:.2f}%", "y": f"{cluster.y * RATIO:.2f}%", "left": cluster.x, "top": cluster.y * RATIO,
        "count": count, "href": href,
        "r": 7 if count == 1 else 11 + 3 * min(3, len(str(count)) - 1), "word": f"{count:,}" if count > 1 else "",
        "arcs": _arcs(ships), "label": _mark_words(found, ships),
    }  # fmt: skip


def _tones(ships: Sequence[Afloat]) -> Counter[str]:
    return Counter(ship.tone for ship in ships)


def _arcs(ships: Sequence[Afloat]) -> list[dict[str, str]]:
    """The ring of a mark: which part of its shipments is late, at risk, neither; in hundredths of the round."""
    counts, at, arcs = _tones(ships), 0.0, []
    for tone in ("late", "warn", "ok"):
        if share := 100 * counts[tone] / len(ships):
            arcs.append({"tone": tone, "dash": f"{share:.1f} {100 - share:.1f}", "offset": f"{-at:.1f}"})
            at += share
    return arcs


def _mark_words(found: LiveMap, ships: Sequence[Afloat]) -> str:
    """`34 shipments, 61 containers at Rotterdam: 3 late, 2 at risk`."""
    if len(ships) == 1:
        return f"{ships[0].row['ref']}: {place_words(found, ships[0])}"
    where = Counter(place_words(found, ship, short=True) for ship in ships).most_common(2)
    text = _("%(many)s: %(where)s") % {"many": _many(ships), "where": where[0][0]}
    if len(where) > 1:
        text = _("%(text)s and elsewhere nearby") % {"text": text}
    return ". ".join(part for part in (text, _how(ships)) if part)


def _many(ships: Sequence[Afloat]) -> str:
    boxes = sum(ship.boxes for ship in ships)
    text = ngettext("%(n)s shipment", "%(n)s shipments", len(ships)) % {"n": f"{len(ships):,}"}
    if boxes:
        text += ", " + ngettext("%(n)s container", "%(n)s containers", boxes) % {"n": f"{boxes:,}"}
    return text


def _how(ships: Sequence[Afloat]) -> str:
    counts = _tones(ships)
    said = [
        word % {"n": f"{counts[tone]:,}"} for tone, word in (("late", _("%(n)s late")), ("warn", _("%(n)s at risk")))
        if counts[tone]
    ]  # fmt: skip
    return ", ".join(said)


# --- in words ---


def place_words(found: LiveMap, ship: Afloat, *, short: bool = False) -> str:
    """`at Rotterdam`, `Shanghai → Rotterdam, 62 %`."""
    here = ship.here
    if here.where == Where.UNKNOWN:
        return _("not known")
    if here.where == Where.AT_PLACE:
        return _("at %(place)s") % {"place": found.name_of(here.place)}
    way = f"{found.name_of(here.place)} → {found.name_of(here.towards)}"
    if short or here.share is None:
        return way
    return _("%(way)s, %(share)d\u202f%% of the way") % {"way": way, "share": int(here.share * 100)}


def _says(ships: Sequence[Afloat], area: Area | None) -> str:
    """What the map shows, for the heading and for those who do not see it."""
    if not ships:
        return _("No shipment is in transit here.") if area else _("No such shipment is in transit.")
    text = _("In this part: %(many)s.") if area else _("In transit: %(many)s.")
    how = _how(ships)
    return " ".join(part for part in (text % {"many": _many(ships)}, f"{how}." if how else "") if part)


def _lost(found: LiveMap, placed: Sequence[Afloat]) -> str:
    """Those that the map cannot show."""
    lost = len(found.ships) - len(placed)
    parts = []
    if lost:
        parts.append(ngettext(
            "%(n)d shipment is in the table only: where it is is not known.",
            "%(n)d shipments are in the table only: where they are is not known.", lost,
        ) % {"n": lost})  # fmt: skip
    if found.has_more:
        parts.append(_("There are more than %(n)s; the next expected are shown. A filter shows the others.")
                     % {"n": f"{len(found.ships):,}"})  # fmt: skip
    return " ".join(parts)


def _frame_of(area: Area) -> Frame:
    """What a map around this part shows."""
    corners = [(area.west, area.south), (area.east, area.north)]
    return Frame.around(corners, ratio=RATIO, least=_LEAST, margin=0)


def _area_of(frame: Frame, by: float = 1) -> Area:
    """What a frame shows, scaled about its middle."""
    x, y = frame.x + frame.width * (1 - by) / 2, frame.y + frame.height * (1 - by) / 2
    (west, north), (east, south) = unproject(x, y), unproject(x + frame.width * by, y + frame.height * by)
    return Area(west, max(south, -85.0), east, min(north, 85.0))


def _zoom(frame: Frame, area: Area | None, link: Link) -> dict[str, str]:
    """Closer, wider, everything; an empty text where there is nothing more."""
    wider = _area_of(frame, 2)
    return {
        "closer": link(area=_area_of(frame, 0.5).text(), anchor="map") if frame.width > 1.05 * _LEAST * UNIT else "",
        "wider": "" if area is None
        else link(area="", anchor="map") if wider.east - wider.west >= 300 else link(area=wider.text(), anchor="map"),
        "all": link(area="", anchor="map") if area is not None else "",
    }  # fmt: skip


def _table(
    found: LiveMap, ships: Sequence[Afloat], page: int, *, now: datetime, link: Link, url: Link
) -> dict[str, Any]:
    last = max(1, -(-len(ships) // PAGE))
    page = min(max(page, 1), last)
    first = (page - 1) * PAGE
    return {
        "rows": [_row(found, ship, now, url) for ship in ships[first : first + PAGE]],
        "pager": {
            "newer_url": link(page=page - 1, anchor="boxes") if page > 1 else "",
            "older_url": link(page=page + 1, anchor="boxes") if page < last else "",
            "note": _("%(first)d to %(last)d of %(all)s") % {
                "first": first + 1, "last": min(first + PAGE, len(ships)), "all": f"{len(ships):,}",
            } if last > 1 else "",
        },
    }  # fmt: skip


def _row(found: LiveMap, ship: Afloat, now: datetime, url: Link) -> dict[str, Any]:
    row, here = ship.row, ship.here
    zone = found.places.get(here.towards or here.place, ("", ""))[1] or "UTC"
    note: SafeString | str = ""
    if here.where == Where.OVERDUE:
        note = format_html(_("expected {time}, nothing heard"), time=time_at(here.expected, zone, "short"))
    elif here.share is not None:
        note = format_html(_("arrival {time}, estimated from schedule"), time=time_at(here.expected, zone, "short"))
    elif here.towards:
        note = _("no arrival estimated")
    elif here.since:
        note = format_html(_("since {time}"), time=time_at(here.since, zone, "short"))
    final_zone = ship.prospect.zone
    return {
        "url": url(public_id=row["public_id"]), "ref": row["ref"], "boxes": ship.boxes, "carrier": row["carrier"],
        "where": place_words(found, ship), "note": note, "overdue": here.where == Where.OVERDUE,
        "expected": time_at(row["eta_at"], final_zone, "short") if row["eta_at"] else "",
        "standing": {"tone": ship.prospect.tone(now), "label": ship.prospect.words(now)},
        "heard": _("%(ago)s ago") % {"ago": span(now - row["last_heard_at"])} if row["last_heard_at"] else "",
    }  # fmt: skip
