"""What stands around the list of shipments: its chips, the filters in force, what the search did, what is empty.

No queries and no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django.utils.dateformat import format as date_as
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from portal.tenancy.models import Member
from tracking import wording
from tracking.facets import MOST_COUNTED, Choices, Counts
from tracking.filters import ALL, ARRIVING, COLUMNS, DEFAULT_COLUMNS, MOST_REFERENCES, ShipmentFilter, Terms
from tracking.models import DefaultFor, SavedView
from tracking.search import MOST_HITS, Hits
from tracking.standing import LABELS as STANDINGS
from tracking.standing import Standing
from tracking.tables import LABELS

FILTERS: Final[dict[str, Promise]] = {
    "status": gettext_lazy("Status"), "milestone": gettext_lazy("Last event"), "lane": gettext_lazy("Lane"),
    "pol": gettext_lazy("Port of loading"), "pod": gettext_lazy("Port of discharge"),
    "carrier": gettext_lazy("Carrier"), "branch": gettext_lazy("Branch"), "vertical": gettext_lazy("Vertical"),
    "month": gettext_lazy("Promised in"),
}  # fmt: skip
_SELDOM: Final = (Standing.NO_PROMISE, Standing.CANCELLED)


# --- views ---


def opening(views: Sequence[SavedView]) -> SavedView | None:
    """The view that opens when nothing is asked: the reader's own choice, else the account's."""
    for wanted in (DefaultFor.OWNER, DefaultFor.ACCOUNT):
        for view in views:
            if view.default_for == wanted:
                return view
    return None


def view_chips(views: Sequence[SavedView], wanted: ShipmentFilter, base: str) -> list[dict[str, Any]]:
    """The reader's views and the shared ones as links; nothing while there are none."""
    if not views:
        return []
    now = wanted.query(view="")
    everything = f"{base}?view={ALL}" if opening(views) else base
    chips: list[dict[str, Any]] = [{"label": _("All shipments"), "url": everything, "active": not now}]
    for view in views:
        icon = "users" if view.is_shared else ""
        url = f"{base}?{view.query}" if view.query else everything
        chips.append({"label": view.name, "url": url, "active": bool(now) and view.query == now, "icon": icon})
    return chips


def can_be_kept(views: Sequence[SavedView], wanted: ShipmentFilter, member: Member) -> bool:
    """Whether this is worth a name: it asks something, and has none yet."""
    query = wanted.query(view="")
    return bool(query) and not member.is_staff and query not in [view.query for view in views]


# --- filters ---


def count_word(number: int) -> str:
    """`1,204`, or `10,000+` for more."""
    return f"{number:,}" if number <= MOST_COUNTED else f"{MOST_COUNTED:,}+"


def standing_chips(wanted: ShipmentFilter, base: str, counts: Counts | None = None) -> list[dict[str, Any]]:
    """How the shipments stand, each a link; with counts once they are known."""
    chips: list[dict[str, Any]] = [{"label": _("All"), "url": wanted.url(base, standing=""),
                                    "active": not wanted.standing}]  # fmt: skip
    for standing in Standing:
        active = wanted.standing == standing
        number = counts.standing.get(standing.value, 0) if counts else None
        if standing in _SELDOM and not number and not active:
            continue
        chips.append({
            "label": STANDINGS[standing], "url": wanted.url(base, standing="" if active else standing.value),
            "active": active, "waits": counts is None, "count": None if number is None else count_word(number),
            "hint": _("more than 10,000") if number is not None and number > MOST_COUNTED else "",
        })  # fmt: skip
    return chips


def active_chips(wanted: ShipmentFilter, base: str, *, standing: bool = False) -> list[dict[str, str]]:
    """Every filter in force: what it says, and the list without it. In the list the standing's own chip is lit."""
    chips: list[tuple[str, dict[str, Any]]] = []
    if standing and wanted.standing:
        chips.append((str(STANDINGS[Standing(wanted.standing)]), {"standing": ""}))
    if wanted.q:
        short = wanted.q if len(wanted.q) <= 40 else f"{wanted.q[:40]}…"
        chips.append((_("Search: %(text)s") % {"text": short}, {"q": ""}))
    for name, label in FILTERS.items():
        if value := getattr(wanted, name):
            chips.append((f"{label}: {value_word(name, value)}", {name: ""}))
    for low, high, title in (("due_from", "due_to", _("Promised")), ("eta_from", "eta_to", _("Expected"))):
        if text := _window(getattr(wanted, low), getattr(wanted, high)):
            chips.append((f"{title} {text}", {low: "", high: ""}))
    if wanted.arriving:
        days = wording.days(int(wanted.arriving))
        chips.append((_("Expected within %(days)s") % {"days": days}, {"arriving": ""}))
    if wanted.due:
        chips.append((_("Promise has come due"), {"due": ""}))
    if wanted.unheard:
        chips.append((_("Milestone overdue"), {"unheard": False}))
    if wanted.exceptions:
        chips.append((_("Open exceptions"), {"exceptions": ""}))
    if wanted.followed:
        chips.append((_("Followed by me"), {"followed": False}))
    return [{"label": label, "url": wanted.url(base, **changes)} for label, changes in chips]


def clear_url(wanted: ShipmentFilter, base: str) -> str:
    """The same columns and order without any filter; empty when there is none."""
    return ShipmentFilter(sort=wanted.sort, cols=wanted.cols, view=ALL).url(base) if wanted.is_narrowed else ""


def value_word(name: str, value: str) -> str:
    """A filter's value as people say it; codes stay codes."""
    if name == "status":
        return str(wording.STATUSES.get(value, value))
    if name == "milestone":
        return str(wording.milestone(value))
    if name == "month":
        return date_as(date.fromisoformat(f"{value}-01"), pgettext("month and year, Django format letters", "F Y"))
    return value


def _window(low: str, high: str) -> str:
    day = pgettext("date, Django format letters", "j M Y")
    told = [date_as(date.fromisoformat(text), day) if text else "" for text in (low, high)]
    if low and high:
        return told[0] if low == high else f"{told[0]} – {told[1]}"
    return _("from %(day)s") % {"day": told[0]} if low else _("until %(day)s") % {"day": told[1]} if high else ""


def filter_fields(
    wanted: ShipmentFilter, found: Choices, counts: Counts, *, milestones: Sequence[str]
) -> list[dict[str, Any]]:
    """The boxes of the filter form, each with the values that occur, and the one in force."""
    fields = []
    for name, label in FILTERS.items():
        if name == "status":
            values = list(wording.STATUSES)
        elif name == "milestone":
            values = list(milestones)
        else:
            values = found.values[name]
        now = getattr(wanted, name)
        options = [
            {"value": value, "label": _option(name, value, found, counts), "selected": value == now}
            for value in ([*values, now] if now and now not in values else values)
        ]
        if options:
            fields.append({"name": name, "label": label, "options": options})
    return fields


def _option(name: str, value: str, found: Choices, counts: Counts) -> str:
    if name == "status":
        return f"{value_word(name, value)} ({count_word(counts.status.get(value, 0))})"
    if name == "lane":
        ends = [found.names.get(code, code) for code in value.split("-")]
        return f"{' → '.join(ends)} ({value})" if ends != value.split("-") else value
    named = found.names.get(value, "") if name in ("pol", "pod", "carrier") else ""
    return f"{named} ({value})" if named and named != value else value_word(name, value)


def arriving_options(wanted: ShipmentFilter) -> list[dict[str, Any]]:
    """Windows ahead of now."""
    return [{"value": days, "label": wording.days(int(days)), "selected": wanted.arriving == days} for days in ARRIVING]


def kept_fields(wanted: ShipmentFilter) -> list[dict[str, str]]:
    """What the filter form carries along unseen."""
    kept = wanted.params()
    return [{"name": name, "value": kept[name]} for name in ("q", "standing", "sort", "cols", "view") if name in kept]


# --- columns ---


def column_editor(wanted: ShipmentFilter, here: str) -> dict[str, Any]:
    """The columns shown, each with links that move it or take it away, and those that may be added."""
    cols = list(wanted.columns)

    def link(columns: Sequence[str]) -> str:
        chosen = tuple(columns)
        return wanted.url(here, cols=() if chosen == DEFAULT_COLUMNS else chosen)

    def moved(at: int, step: int) -> str:
        other = cols.copy()
        other[at], other[at + step] = other[at + step], other[at]
        return link(other)

    shown = [
        {"label": LABELS[name], "fixed": at == 0, "away": "" if at == 0 else link([c for c in cols if c != name]),
         "up": moved(at, -1) if at > 1 else "", "down": moved(at, 1) if 0 < at < len(cols) - 1 else ""}
        for at, name in enumerate(cols)
    ]  # fmt: skip
    offered = [{"label": LABELS[name], "url": link([*cols, name])} for name in COLUMNS if name not in cols]
    return {"shown": shown, "offered": offered, "usual_url": wanted.url(here, cols=()) if wanted.cols else ""}


# --- what the search did ---


def notes(wanted: ShipmentFilter, terms: Terms, hits: Hits | None) -> list[dict[str, str]]:
    """What was left out of the address, and what the search did where that is not plain from its rows."""
    found: list[dict[str, str]] = []
    if wanted.problems:
        found.append({"tone": "warn", "title": _("Not everything in this address was understood"),
                      "text": " ".join(wanted.problems)})  # fmt: skip
    if hits is None:
        return found
    if hits.unknown:
        every = sum(len(term.words) or 1 for term in terms.listed) if not terms.is_list else len(terms.listed)
        title = ngettext(
            "%(count)d of %(all)d references was not found", "%(count)d of %(all)d references were not found",
            len(hits.unknown),
        ) % {"count": len(hits.unknown), "all": every}  # fmt: skip
        found.append({"tone": "warn", "title": title,
                      "text": _("Not found: %(references)s") % {"references": ", ".join(hits.unknown)}})  # fmt: skip
    if terms.dropped:
        text = _("A list may hold %(most)d references; the last %(dropped)d were left out.")
        found.append({"tone": "warn", "text": text % {"most": MOST_REFERENCES, "dropped": terms.dropped}})
    if hits.has_more:
        text = _("More than %(most)d shipments match; type more of the reference.") % {"most": MOST_HITS}
        found.append({"tone": "info", "text": text})
    elif hits.how == "starting":
        found.append({"tone": "info", "text": _("No reference is exactly this; these begin with it.")})
    elif hits.how == "part":
        found.append({"tone": "info", "text": _("No reference begins with this; these contain it.")})
    return found


def empty(wanted: ShipmentFilter, base: str) -> dict[str, Any]:
    """Why there is no row, and the next step."""
    everything = {"label": _("All shipments"), "url": f"{base}?view={ALL}"}
    if not wanted.is_narrowed:
        return {"title": _("No shipments yet"),
                "text": _("They appear here as soon as the first booking is made.")}  # fmt: skip
    if wanted.followed and not wanted.q:
        text = _("Tick shipments in the list and press Follow, or use the bell on a shipment's page.")
        return {"title": _("You follow no such shipment"), "text": text, "action": everything}
    if not wanted.q:
        return {"title": _("No shipment matches"), "text": _("Take a filter away to see more."), "action": everything}
    short = wanted.q if len(wanted.q) <= 60 else f"{wanted.q[:60]}…"
    return {
        "title": _("No shipment matches %(q)s") % {"q": short}, "action": everything,
        "text": _("Any reference finds it: container, house or master bill, booking, purchase order; "
                  "a part of four characters is enough."),
    }  # fmt: skip
