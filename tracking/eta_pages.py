"""How an estimate moved, drawn and in a table: from when on an arrival was expected when, and which one is committed.

Shapes stored rows into the context of tracking/_eta.html; asks nothing of the database. The drawing is in percent of
the width and in pixels of the height, so that its words keep their size on every screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.dateformat import format as date_as
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from portal.web.templatetags.ui import time_at
from tracking import wording
from tracking.dossier import Dossier
from tracking.models import EtaRow
from tracking.rules import ETA_LOCK_HOURS, PublishedEta, committed_estimate
from tracking.shipment_pages import shift
from tracking.types import Milestone, Precision

TOLD: Final = {
    "arrival": Milestone.VESSEL_ARRIVED.value
}  # value of `eta` in the address -> milestone; else the final one
MOST_DRAWN: Final = 60
_LEFT, _RIGHT = Fraction(15), Fraction(97)  # percent of the width
_TOP, _BOTTOM = 14, 176  # pixels
_STEPS: Final = tuple(timedelta(hours=h) for h in (1, 3, 6, 12, 24, 48, 96, 168, 336, 720, 2160, 4320, 8640))
_MOST_TICKS: Final = 5


def card(
    found: Dossier, rows: Sequence[EtaRow], *, wanted: str, now: datetime, event_url: Callable[[int], str]
) -> dict[str, Any]:
    """The context of tracking/_eta.html; {} where no estimate ever moved."""
    by_milestone: dict[str, list[EtaRow]] = {}
    for row in rows:
        by_milestone.setdefault(row.milestone, []).append(row)
    final = found.final.value
    known = [m for m in dict.fromkeys((final, *TOLD.values())) if len(by_milestone.get(m, ())) > 1]
    if not known:
        return {}
    chosen = TOLD[wanted] if TOLD.get(wanted) in known else known[0]
    series = _series(found, Milestone(chosen), by_milestone[chosen], now)
    return {
        "chips": [
            {"label": wording.milestone(m), "active": m == chosen,
             "url": "?#eta-h" if m == final else "?eta=arrival#eta-h"}
            for m in known
        ] if len(known) > 1 else [],
        "milestone": wording.milestone(chosen),
        "plot": _plot(series),
        "moves": _moves(found, series, event_url),
        "note": _note(series),
        "summary": _summary(series),
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One milestone's estimates, oldest first, with what they are compared with. Instants are aware UTC."""

    rows: Sequence[EtaRow]
    committed: int | None  # place in `rows`
    actual: datetime | None
    limit: datetime | None  # what was promised, for the final milestone
    now: datetime
    zone: ZoneInfo

    @property
    def until(self) -> datetime:
        """Where the drawing ends: with the actual, else now."""
        return max(self.rows[-1].published_at, self.actual or self.now)


def _series(found: Dossier, milestone: Milestone, rows: Sequence[EtaRow], now: datetime) -> Series:
    act = found.facts.reached(milestone)
    place = found.shipment.pod if milestone == Milestone.VESSEL_ARRIVED else found.shipment.final_place
    return Series(
        rows=rows[-MOST_DRAWN:],
        committed=_committed(rows[-MOST_DRAWN:], act.time if act else None, found.shipment.confirmed_at, now),
        actual=act.time if act else None,
        limit=found.shipment.due_at if milestone == found.final else None,
        now=now,
        zone=ZoneInfo(found.zone_of(place) or found.zone.key),
    )


def _committed(
    rows: Sequence[EtaRow], actual: datetime | None, confirmed_at: datetime | None, now: datetime
) -> int | None:
    """The estimate that is committed (R2.17): after the arrival for good; before it, of an arrival as now expected,
    once its lock has passed.
    """
    arrival = actual or rows[-1].eta_at
    if actual is None and arrival - timedelta(hours=ETA_LOCK_HOURS) > now:
        return None
    told = [PublishedEta(row.published_at, row.eta_at) for row in rows]
    chosen = committed_estimate(told, arrival, confirmed_at=confirmed_at, lock_hours=ETA_LOCK_HOURS)
    return told.index(chosen) if chosen is not None else None


# --- in words ---


def _moves(found: Dossier, series: Series, event_url: Callable[[int], str]) -> list[dict[str, Any]]:
    """The table, newest first, each with the event behind it."""
    heard = {row.pk: (number, row) for number, row in enumerate(found.rows, start=1)}
    shown = []
    for n, row in enumerate(series.rows):
        number, event = heard.get(row.sighting, (0, None))
        shown.append({
            "at": row.published_at, "eta": row.eta_at, "zone": series.zone,
            "eta_precision": "day" if event is not None and event.precision == Precision.DAY else "minute",
            "shift": shift(series.rows[n - 1].eta_at, row.eta_at) if n else _("first estimate"),
            "source": wording.source(row.source, event.source_kind if event is not None else ""),
            "url": event_url(number) if number else "", "committed": n == series.committed,
        })  # fmt: skip
    return shown[::-1]


def _note(series: Series) -> SafeString:
    """Which one is committed, or when one will be."""
    words = {"hours": ETA_LOCK_HOURS}
    if series.committed is not None:
        text = _("Committed: the estimate in force %(hours)d h before arrival; later ones are shown and do not score.")
        return format_html("{}", text % words)
    if series.actual is not None:
        return format_html("{}", _("No estimate was in force %(hours)d h before arrival.") % words)
    lock = series.rows[-1].eta_at - timedelta(hours=ETA_LOCK_HOURS)
    text = _("The estimate in force %(hours)d h before arrival will be the committed one, as it looks now:") % words
    return format_html("{} {}", text, time_at(lock, series.zone, "short"))


def _summary(series: Series) -> str:
    """The drawing for those who do not see it; the table holds every value."""
    first, last = series.rows[0], series.rows[-1]
    count = len(series.rows) - 1
    parts = [
        _("First expected %(day)s, last expected %(last)s.") % {
            "day": _said(first.eta_at, series), "last": _said(last.eta_at, series)},
        ngettext("It moved once.", "It moved %(n)d times.", count) % {"n": count},
    ]  # fmt: skip
    if series.committed is not None:
        parts.append(_("Committed: %(day)s.") % {"day": _said(series.rows[series.committed].eta_at, series)})
    if series.actual is not None:
        parts.append(_("Actual: %(day)s.") % {"day": _said(series.actual, series)})
    return " ".join(parts)


def _said(at: datetime, series: Series, *, hours: bool = True) -> str:
    day = pgettext("date without year, Django format letters", "j M")
    return date_as(at.astimezone(series.zone), f"{day} H:i" if hours else day)


# --- drawn ---


def _plot(series: Series) -> dict[str, Any]:
    """Coordinates as tracking/_eta.html draws them: x in percent, y in pixels."""
    first, until = series.rows[0].published_at, series.until
    levels = [row.eta_at for row in series.rows] + [t for t in (series.actual, series.limit) if t is not None]
    low, high = min(levels), max(levels)
    pad = max((high - low) / 12, timedelta(hours=2))
    low, high = low - pad, high + pad

    def x(at: datetime) -> str:
        part = Fraction((at - first) // timedelta(seconds=1), max(1, (until - first) // timedelta(seconds=1)))
        return f"{float(_LEFT + (_RIGHT - _LEFT) * min(max(part, Fraction(0)), Fraction(1))):.2f}%"

    def y(at: datetime) -> str:
        part = Fraction((high - at) // timedelta(seconds=1), (high - low) // timedelta(seconds=1))
        return f"{float(_TOP + (_BOTTOM - _TOP) * part):.1f}"

    ticks = _ticks(low, high, series)
    ends = [*(row.published_at for row in series.rows[1:]), until]
    return {
        "ticks": [{"y": y(at), "label": label} for at, label in ticks],
        "day": "" if any(not at.hour for at, _label in ticks) else _said(low, series, hours=False),
        "lines": [{"x1": x(row.published_at), "x2": x(end), "y": y(row.eta_at)}
                  for row, end in zip(series.rows, ends, strict=True)],
        "risers": [{"x": x(b.published_at), "y1": y(a.eta_at), "y2": y(b.eta_at)}
                   for a, b in zip(series.rows, series.rows[1:], strict=False)],
        "dots": [{"x": x(row.published_at), "y": y(row.eta_at), "committed": n == series.committed}
                 for n, row in enumerate(series.rows)],
        "limit": {"y": y(series.limit)} if series.limit is not None else None,
        "actual": {"x": x(series.actual), "y": y(series.actual)} if series.actual is not None else None,
        "from": _said(first, series, hours=False),
        "until": _("now") if series.actual is None and until == series.now else _said(until, series, hours=False),
    }  # fmt: skip


def _ticks(low: datetime, high: datetime, series: Series) -> list[tuple[datetime, str]]:
    """Round local times between the ends, five at most: days, or hours of a day that the midnight names."""
    step = next((s for s in _STEPS if (high - low) / s <= _MOST_TICKS), _STEPS[-1])
    base = low.astimezone(series.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = step < timedelta(days=1)
    found = []
    for n in range(int((high - base) / step) + 1):
        local = (base.replace(tzinfo=None) + n * step).replace(tzinfo=series.zone)  # whole local steps
        if low <= local <= high:
            found.append((local, f"{local:%H:%M}" if hours and local.hour else _said(local, series, hours=False)))
    return found
