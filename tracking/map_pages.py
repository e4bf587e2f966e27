"""A shipment's map: its way by sea, the places, how far it has come and where it is, drawn and in words.

Shapes what was read into the context of tracking/_map.html; asks nothing of the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.web.templatetags.ui import time_at
from tracking import wording
from tracking.calls import points_of
from tracking.dossier import Dossier
from tracking.earth import Point, Way, near
from tracking.freshness import span
from tracking.seamap import RATIO, Frame, labelled
from tracking.seaways import Drawn, Line, Pair
from tracking.whereabouts import Where, Whereabouts

_LEAST: Final = 18  # degrees that the map is wide at least: closer the coast is too coarse


def card(
    found: Dossier, codes: Sequence[str], here: Whereabouts, lines: Mapping[Pair, Line], *, now: datetime
) -> dict[str, Any]:
    """The context of tracking/_map.html; {} for a journey without two places, or that is cancelled."""
    if len(codes) < 2 or found.shipment.cancelled_at is not None:
        return {}
    chart = _chart(codes, here, lines, points_of(found.places))
    words = _words(found, here, lines.get((here.place, here.towards)))
    return {
        "drawing": _drawing(found, chart) if chart.ports else None,
        "words": words, "estimate": _estimate(found, here, now), "notes": _notes(found, codes, lines),
        "tone": "warn" if here.where == Where.OVERDUE else "",
    }  # fmt: skip


# --- drawn ---


@dataclass(slots=True)
class Chart:
    """What is drawn, in degrees; the longitudes of one chart are continuous."""

    done: list[tuple[Drawn, list[Point]]]
    ahead: list[tuple[Drawn, list[Point]]]
    ports: list[tuple[str, Point, str]]  # code, where, state: done now next
    ship: Point | None


def _chart(codes: Sequence[str], here: Whereabouts, lines: Mapping[Pair, Line], places: Mapping[str, Point]) -> Chart:
    chart = Chart([], [], [], None)
    last: float | None = None
    for n, code in enumerate(codes):
        if n and (line := lines.get((codes[n - 1], code))) is not None:
            way = line.way if last is None else _moved(line.way, near(line.way.points[0][0], last))
            _leg(chart, way, line.drawn, n - 1, here)
            last = way.points[-1][0]
        if code in places:
            lon, lat = places[code]
            last = lon if last is None else near(lon, last)
            at_place = here.where == Where.AT_PLACE and here.stop == n
            state = "now" if at_place else "done" if n <= here.stop else "next"
            chart.ports.append((code, (last, lat), state))
            if at_place:
                chart.ship = (last, lat)
    return chart


def _moved(way: Way, first: float) -> Way:
    """The same way in the world in which its first longitude is this one."""
    by = first - way.points[0][0]
    return Way(tuple((lon + by, lat) for lon, lat in way.points), way.covered) if by else way


def _leg(chart: Chart, way: Way, drawn: Drawn, number: int, here: Whereabouts) -> None:
    if number < here.stop:
        chart.done.append((drawn, list(way.points)))
    elif number == here.stop and here.share is not None:
        behind, ahead = way.cut(here.share)
        chart.done.append((drawn, behind))
        chart.ahead.append((drawn, ahead))
        chart.ship = way.at(here.share)
    else:
        chart.ahead.append((drawn, list(way.points)))


def _drawing(found: Dossier, chart: Chart) -> dict[str, Any]:
    every = [p for _drawn, points in (*chart.done, *chart.ahead) for p in points]
    frame = Frame.around([*every, *(p for _c, p, _s in chart.ports)], ratio=RATIO, least=_LEAST)
    dots = [(*frame.percent(point), found.name_of(code)) for code, point, _state in chart.ports]
    return {
        "view_box": frame.view_box, "worlds": frame.worlds,
        "ways": [
            {"d": d, "css": f"{css} is-{drawn.lower()}"}
            for css, ways in (("way-ahead", chart.ahead), ("way-done", chart.done))
            for drawn, points in ways
            if (d := frame.path(points))
        ],
        "ports": [
            {"x": f"{x:.2f}%", "y": f"{y:.2f}%", "name": name, "state": state, "label": label}
            for (x, y, name), label, (_code, _point, state) in zip(dots, labelled(dots), chart.ports, strict=True)
        ],
        "ship": _ship(frame, chart),
    }  # fmt: skip


def _ship(frame: Frame, chart: Chart) -> dict[str, Any] | None:
    if chart.ship is None:
        return None
    x, y = frame.percent(chart.ship)
    at_place = any(state == "now" for _c, _p, state in chart.ports)
    return {"x": f"{x:.2f}%", "y": f"{y:.2f}%", "at_place": at_place}


# --- in words ---


def _words(found: Dossier, here: Whereabouts, line: Line | None) -> SafeString | str:
    """Where it is, in one sentence."""
    if here.where == Where.UNKNOWN:
        return _("Nothing was heard yet that says where it is.")
    place, towards = found.name_of(here.place), found.name_of(here.towards)
    since = time_at(here.since, _zone(found, here.place), "short")
    if here.where == Where.AT_PLACE:
        done = found.shipment.status == "DONE"
        said = _("Journey completed: at {place} since {time}.") if done else _("At {place} since {time}.")
        return format_html(said, place=place, time=since)
    if here.where == Where.OVERDUE:
        expected = time_at(here.expected, _zone(found, here.towards), "short")
        said = _("Left {place} {left}. Expected at {towards} {time}, nothing heard.")
        return format_html(said, place=place, left=since, towards=towards, time=expected)
    if here.share is None or line is None:
        return format_html(_("Left {place} {time}, under way to {towards}."), place=place, time=since, towards=towards)
    return format_html(
        _("Between {place} and {towards}: about {covered} of {all} km."), place=place, towards=towards,
        covered=_km(line.way.km * here.share), all=_km(line.way.km),
    )  # fmt: skip


def _estimate(found: Dossier, here: Whereabouts, now: datetime) -> list[SafeString | str]:
    """How it is known: by schedule or not at all; when anything was heard."""
    if here.where not in (Where.UNDER_WAY, Where.OVERDUE):
        return []
    parts: list[SafeString | str] = []
    heard = _last_heard(found, now)
    if here.share is not None:
        parts.append(
            _("Estimated from schedule, %(heard)s.") % {"heard": heard} if heard else _("Estimated from schedule.")
        )
    elif found.core is not None:
        parts.append(_("How far it has come is part of live tracking (Priority and Premium)."))
    else:
        parts.append(_("No arrival is estimated, so nobody can say how far it has come."))
    if here.where == Where.UNDER_WAY and here.expected:
        at = time_at(here.expected, _zone(found, here.towards), "short")
        parts.append(format_html(_("Expected at {place} {time}."), place=found.name_of(here.towards), time=at))
    if here.where == Where.OVERDUE and here.share is not None:
        parts.append(_("It is drawn before the port until its arrival is heard."))
    return parts


def _last_heard(found: Dossier, now: datetime) -> str:
    """`last heard from MAEU 14 min ago`."""
    seen = [row for row, own in zip(found.rows, found.sightings, strict=True) if found.visible(own)]
    if not seen:
        return ""
    row = max(seen, key=lambda r: r.recorded_at)
    return _("last heard from %(name)s %(ago)s ago") % {
        "name": wording.source(row.source, row.source_kind),
        "ago": span(now - row.recorded_at),
    }


def _notes(found: Dossier, codes: Sequence[str], lines: Mapping[Pair, Line]) -> list[str]:
    """What the drawing cannot show, or shows otherwise than it is."""
    notes = []
    places = points_of(found.places)
    if lost := [found.name_of(code) for code in codes if code not in places]:
        notes.append(
            _("Not on the map, for its position is not known to us: %(places)s.") % {"places": ", ".join(lost)}
        )
    drawn = {lines[pair].drawn for pair in pairwise(codes) if pair in lines}
    if Drawn.WAITS in drawn:
        notes.append(_("The way by sea is being worked out; until then a straight line stands for it."))
    if Drawn.STRAIGHT in drawn:
        notes.append(_("Dotted: not by sea, or the way is not known to us; a straight line stands for it."))
    return notes


def _zone(found: Dossier, code: str) -> ZoneInfo | str:
    return found.zone_of(code) or found.zone.key


def _km(length: float) -> str:
    """In whole hundreds when far, in tens when near: no more exact than it is known."""
    step = 100 if length >= 1_000 else 10
    return number_format(round(length / step) * step, decimal_pos=0, force_grouping=True)
