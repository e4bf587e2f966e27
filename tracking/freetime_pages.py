"""Free time in words: terms as lines of a list, the clocks of a shipment's boxes, what a file would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.periods import local_date
from portal.web.templatetags.ui import time_at
from tracking.dossier import Dossier
from tracking.freetime import FreeKind, FreeTime, Term, free_times, is_import
from tracking.freetime_forms import Line
from tracking.freetime_reads import free_terms, term_of
from tracking.models import FreeTerm, VisitRow
from tracking.rules import FreeTimeStart
from tracking.types import Milestone
from tracking.visits import Stay


def kind_word(kind: FreeKind) -> str:
    """What is charged when the days are over."""
    return _("Demurrage") if kind == FreeKind.DEMURRAGE else _("Detention")


def days_words(term: Term) -> str:
    """`5 calendar days from the day after discharge`."""
    count = term.free_days
    if term.working_days:
        size = ngettext("%(n)d working day", "%(n)d working days", count) % {"n": count}
    else:
        size = ngettext("%(n)d calendar day", "%(n)d calendar days", count) % {"n": count}
    next_day = term.start == FreeTimeStart.NEXT_DAY
    if term.kind == FreeKind.DEMURRAGE:
        said = _("%(size)s from the day after discharge") if next_day else _("%(size)s from the day of discharge")
    else:
        said = _("%(size)s from the day after gate-out") if next_day else _("%(size)s from the day of gate-out")
    return said % {"size": size}


def row(stored: FreeTerm, names: Mapping[str, str], today: date, url: str) -> dict[str, Any]:
    """A line of the list of terms."""
    term = term_of(stored)
    if term.last_day is not None and term.last_day < today:
        state = {"tone": "neutral", "label": _("Over")}
    elif term.first_day > today:
        state = {"tone": "info", "label": _("Coming")}
    else:
        state = {"tone": "ok", "label": _("Counts")}
    return {
        "kind": kind_word(term.kind), "place": names.get(term.place) or term.place, "code": term.place,
        "terminal": term.facility, "days": days_words(term), "holidays": len(term.holidays), "from": term.first_day,
        "to": term.last_day, "state": state, "url": url, "by": stored.changed_by.partition(" <")[0],
        "at": stored.changed_at,
    }  # fmt: skip


def preview(lines: Sequence[Line], stored: Sequence[FreeTerm]) -> list[dict[str, Any]]:
    """What each line of a file becomes."""
    known = {(t.kind, t.place, t.facility, t.first_day): t for t in map(term_of, stored)}
    shown = []
    for line in lines:
        t = line.term
        if t is None:
            state = {"tone": "late", "label": _("Not taken")}
        elif (before := known.get((t.kind, t.place, t.facility, t.first_day))) is None:
            state = {"tone": "ok", "label": _("New")}
        elif before == t:
            state = {"tone": "neutral", "label": _("As it is")}
        else:
            state = {"tone": "info", "label": _("Changed")}
        shown.append({
            "number": line.number, "state": state, "faults": line.faults,
            "kind": kind_word(t.kind) if t else line.cells.get("kind", ""),
            "place": " ".join(p for p in (line.cells.get("place", ""), line.cells.get("terminal", "")) if p),
            "days": days_words(t) if t else line.cells.get("free_days", ""),
            "from": t.first_day if t else line.cells.get("first_day", ""), "to": t.last_day if t else None,
        })  # fmt: skip
    return shown


# --- the boxes of a shipment ---


@dataclass(frozen=True, slots=True)
class Standing:
    """A shipment's boxes at the port of import: their visits, and their clocks by box."""

    stays: Sequence[Stay]
    clocks: Mapping[str, Sequence[FreeTime]]
    zone: ZoneInfo


def standing_of(found: Dossier) -> Standing | None:
    """Two queries at most. What is worked out from moves is for those who see every event (5.1): else None."""
    if found.core is not None or not found.containers:
        return None
    rows = VisitRow.objects.filter(shipment=found.shipment, place=found.journey.pod or "")
    stays = [stay for stay in map(stay_of, rows) if is_import(stay, found.journey.pod)]
    if not stays:
        return None
    zone = ZoneInfo(found.zone_of(found.journey.pod) or "UTC")
    clocks = free_times(stays, pod=found.journey.pod, terms=free_terms(), zone=zone, returned=_returned(found))
    return Standing(stays, clocks, zone)


def of_boxes(found: Dossier, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """Container -> how long it has stood at the terminal, and its clocks in words."""
    known = standing_of(found)
    if known is None:
        return {}
    today = local_date(now, known.zone)
    over = found.shipment.status == "CANCELLED"
    shown = {box: [clock_words(c, today, over=over) for c in own] for box, own in known.clocks.items()}
    for stay in known.stays:
        if stay.exit_at is None and not over:
            days = (today - local_date(stay.entry_at, known.zone)).days
            said = ngettext("At the terminal for %(n)d day", "At the terminal for %(n)d days", days) % {"n": days}
            shown.setdefault(stay.container, []).insert(0, {"text": said if days else _("At the terminal since today")})
    return shown


def stay_of(r: VisitRow) -> Stay:
    """A stored visit in the form of the pure rules."""
    return Stay(
        container=r.container, place=r.place, facility=r.facility, entry_at=r.entry_at, entry_code=r.entry_code,
        entry_id=r.entry_sighting, exit_at=r.exit_at, exit_code=r.exit_code, exit_id=r.exit_sighting, role=r.role,
    )  # fmt: skip


def _returned(found: Dossier) -> dict[str, datetime]:
    return {
        part.container: act.time
        for part in found.facts.containers
        if part.container and (act := part.get(Milestone.EMPTY_RETURN).act) is not None
    }


def clock_words(clock: FreeTime, today: date, *, over: bool = False) -> dict[str, Any]:
    """`Demurrage: last free day 14 Mar, 2 days left`; its tone, and the term behind it."""
    text = format_html(
        _("{kind}: last free day {day}, {left}"), kind=kind_word(clock.kind), day=time_at(clock.last_free),
        left=_left(clock, today),
    )  # fmt: skip
    running = clock.ended is None and not over
    left = clock.days_left(today)
    tone = "" if not running else "late" if left < 0 else "warn" if left < 2 else ""
    return {"text": text, "tone": tone, "terms": days_words(clock.term)}


def _left(clock: FreeTime, today: date) -> SafeString | str:
    if clock.ended is not None:
        days = clock.charged_days or 0
        if not days:
            return _("kept")
        return ngettext("%(n)d day beyond it", "%(n)d days beyond it", days) % {"n": days}
    left = clock.days_left(today)
    if left > 0:
        return ngettext("%(n)d day left", "%(n)d days left", left) % {"n": left}
    if left == 0:
        return _("today")
    return ngettext("passed %(n)d day ago", "passed %(n)d days ago", -left) % {"n": -left}
