"""The list of shipments as a table: which columns there are, what they are called and how a cell reads.

No queries: rows come from selectors.py as dicts. The same columns as files stand in list_files.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, partialmethod
from typing import Any, Final
from zoneinfo import ZoneInfo

import django_tables2 as tables
from django.utils.dateformat import format as date_as
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, pgettext
from django.utils.translation import gettext as _

from portal.web.tables import LeanTable
from portal.web.templatetags.ui import badge, icon, time_at, void
from tracking import wording
from tracking.list_files import prospect, zone_of
from tracking.selectors import place_of

__all__ = ["LABELS", "SORTED_BY", "ShipmentTable", "latest_zone", "prospect", "zone_of"]

Row = Mapping[str, Any]
# Milestones that happen where the journey begins; the others are told in the zone of the port or place they end in.
_AT_ORIGIN: Final = frozenset({"GATE_IN_FULL", "CFS_RECEIVED", "LOADED", "VESSEL_DEPARTED"})
_AT_PORT: Final = frozenset({"VESSEL_ARRIVED", "AT_ANCHOR", "DISCHARGED"})
_ONE_LINE: Final = frozenset({"status", "promised", "expected", "booked", "heard", "mode", "carrier"})

LABELS: Final[dict[str, Promise]] = {
    "shipment": gettext_lazy("Shipment"), "promise": gettext_lazy("Promise"), "status": gettext_lazy("Status"),
    "route": gettext_lazy("Route"), "promised": gettext_lazy("Promised"), "expected": gettext_lazy("Expected"),
    "last": gettext_lazy("Last event"), "boxes": gettext_lazy("Containers"), "carrier": gettext_lazy("Carrier"),
    "mode": gettext_lazy("Mode"), "pol": gettext_lazy("Port of loading"), "pod": gettext_lazy("Port of discharge"),
    "final": gettext_lazy("Final place"), "booking": gettext_lazy("Booking"), "hbl": gettext_lazy("House bill"),
    "mbl": gettext_lazy("Master bill"), "po": gettext_lazy("Purchase orders"),
    "vessel": gettext_lazy("Vessel and voyage"), "branch": gettext_lazy("Branch"),
    "vertical": gettext_lazy("Vertical"), "booked": gettext_lazy("Booked"), "heard": gettext_lazy("Last heard"),
}  # fmt: skip
SORTED_BY: Final = {"shipment": "ref", "promised": "promised", "expected": "expected", "heard": "heard"}


def latest_zone(row: Row) -> str:
    """The zone of the place where the latest milestone happened."""
    field_name = "origin" if row["latest"] in _AT_ORIGIN else "pod" if row["latest"] in _AT_PORT else "final_place"
    return place_of(row[f"{field_name}_place"], "")[1]


class ShipmentTable(LeanTable):
    """One line a shipment, in the columns that were asked for, in their order."""

    def __init__(
        self, data: Sequence[Row], *, columns: Sequence[str], now: datetime, url: Callable[[str], str],
        matched: Mapping[int, str], sorts: Mapping[str, tuple[str, str]], choosing: bool = False,
    ) -> None:  # fmt: skip
        """`choosing`: each row begins with a box to tick, for what is done with many at once."""
        self.now, self.url, self.matched = now, url, matched
        self.choosing, self._has_carrier = choosing, "carrier" in columns
        # what many rows say is put into words once: looking a word up costs as much as the rest of its cell
        self._language, self._badges = get_language(), dict[tuple[str, str], SafeString]()
        self._nothing, self._unknown = void(_("none yet")), void(_("unknown"))
        self._no_promise, self._no_estimate = void(_("none made")), void(_("no estimate"))
        self._no_refs = void(_("none"))
        self._actual, self._estimate = _sub(_("actual")), _sub(_("estimate"))
        self._passed = _sub(_("passed, nothing heard"))
        self._via, self._more = _("via %(port)s"), _("and %(count)d more")
        self._bell = format_html('{}<span class="sr">{}</span>', icon("bell", "s"), _("followed"))
        super().__init__(data, sorts=sorts, extra_columns=[(name, _column(name)) for name in columns])

    def cell_shipment(self, row: Row) -> SafeString:
        """The reference, and which other reference was searched for."""
        sub = self.matched.get(row["id"]) or ("" if self._has_carrier else row["carrier"])
        link = format_html('<a class="rowlink ref" href="{}">{}</a>', self.url(row["public_id"]), row["ref"])
        if row.get("is_followed"):
            sub = format_html("{}{}", sub, self._bell)
        if not self.choosing:
            return format_html("{}{}", link, _sub(sub))
        return format_html(
            '<input type="checkbox" name="s" value="{}" aria-label="{}"><div>{}{}</div>',
            row["public_id"], row["ref"], link, _sub(sub),
        )  # fmt: skip

    def cell_promise(self, row: Row) -> SafeString:
        """The badge in words."""
        seen = prospect(row)
        said = seen.tone(self.now), seen.words(self.now)
        if said not in self._badges:
            self._badges[said] = badge(*said)
        return self._badges[said]

    def cell_status(self, row: Row) -> str:
        """Where it is in its life."""
        return prospect(row).status_words()

    def cell_route(self, row: Row) -> SafeString:
        """From and to, with the port where the box leaves the sea when that is another place."""
        origin = place_of(row["origin_place"], row["pol"])[0] or self._unknown
        final = place_of(row["final_place_place"], row["final_place"])[0]
        destination = final or place_of(row["pod_place"], row["pod"])[0] or self._unknown
        via = place_of(row["pod_place"], row["pod"])[0] if row["pod"] and row["pod"] != row["final_place"] else ""
        told = self._via % {"port": via} if via else ""
        if row["mode"] != "SEA":
            told = str(wording.MODES.get(row["mode"], row["mode"]))
        return format_html('<span class="nowrap">{} → {}</span>{}', origin, destination, _sub(told))

    def cell_promised(self, row: Row) -> str:
        """The promised local day."""
        if row["due_at"] is None:
            return self._no_promise
        return _day(row["due_date"] or row["due_at"].astimezone(_zone(row)).date(), self._language)

    def cell_expected(self, row: Row) -> SafeString:
        """The actual once it is there, else the estimate, else a word that there is none."""
        at = row["final_at"] or row["eta_at"]
        if at is None:
            return self._no_estimate
        note = self._actual if row["final_at"] else self._estimate if at >= self.now else self._passed
        return format_html("{}{}", _day(at.astimezone(_zone(row)).date(), self._language), note)

    def cell_last(self, row: Row) -> SafeString:
        """The latest milestone and its time at its place."""
        if not row["latest"]:
            return self._nothing
        at = _moment(row["latest_at"], latest_zone(row), self._language) if row["latest_at"] else ""
        name = wording.milestone(row["latest"])
        return format_html('{}<span class="sub nowrap">{}</span>', name, at)

    def cell_boxes(self, row: Row) -> SafeString:
        """The first container's number and how many more."""
        return self._few(row["boxes"]) if row["boxes"] else self._nothing

    def cell_mode(self, row: Row) -> str:
        """Sea, air, road, rail."""
        return str(wording.MODES.get(row["mode"], row["mode"]))

    def cell_vessel(self, row: Row) -> SafeString:
        """The vessel's IMO number and the voyage."""
        if not row["vessel_imo"] and not row["voyage"]:
            return self._unknown
        return format_html('<span class="ref">{}</span>{}', row["vessel_imo"] or row["voyage"],
                           _sub(row["voyage"] if row["vessel_imo"] else ""))  # fmt: skip

    def cell_booked(self, row: Row) -> SafeString:
        """The day of the booking, where the journey begins."""
        if row["booked_at"] is None:
            return self._unknown
        return time_at(row["booked_at"], place_of(row["origin_place"], "")[1], "day")

    def cell_heard(self, row: Row) -> SafeString:
        """When we last heard of it, at the final place."""
        heard = row["last_heard_at"]
        return _moment(heard, zone_of(row), self._language) if heard else self._nothing

    def _text(self, row: Row, field: str) -> str | SafeString:
        return row[field] or self._unknown

    def _at(self, row: Row, field: str, place: str) -> str | SafeString:
        """A place by its name, its code below."""
        code = row[field]
        if not code:
            return self._unknown
        name = place_of(row[place], code)[0]
        return format_html("{}{}", name, _sub(code)) if name != code else code

    def _refs(self, row: Row, field: str) -> SafeString:
        return self._few(row[field]) if row[field] else self._no_refs

    def _few(self, values: Sequence[str]) -> SafeString:
        more = _sub(self._more % {"count": len(values) - 1}) if len(values) > 1 else ""
        return format_html('<span class="ref">{}</span>{}', values[0], more)

    cell_carrier = partialmethod(_text, field="carrier")
    cell_branch = partialmethod(_text, field="branch")
    cell_vertical = partialmethod(_text, field="vertical")
    cell_pol = partialmethod(_at, field="pol", place="origin_place")
    cell_pod = partialmethod(_at, field="pod", place="pod_place")
    cell_final = partialmethod(_at, field="final_place", place="final_place_place")
    cell_booking = partialmethod(_refs, field="ref_booking")
    cell_hbl = partialmethod(_refs, field="ref_hbl")
    cell_mbl = partialmethod(_refs, field="ref_mbl")
    cell_po = partialmethod(_refs, field="ref_po")


def _zone(row: Row) -> ZoneInfo:
    return ZoneInfo(zone_of(row) or "UTC")


@lru_cache(maxsize=2_048)
def _moment(at: datetime, zone: str, language: str | None) -> SafeString:
    """A moment at a place, short, in the reader's language."""
    return time_at(at, zone, "short")


@lru_cache(maxsize=2_048)
def _day(day: date, language: str | None) -> str:
    """A local day as text alone: fifty rows of days are a good part of the page's weight."""
    return date_as(day, pgettext("date, Django format letters", "j M Y"))


def _column(name: str) -> tables.Column:
    css = {"shipment": "cell-title", "promise": "cell-status"}.get(name, "nowrap" if name in _ONE_LINE else "")
    return tables.Column(verbose_name=LABELS[name], attrs={"td": {"class": css} if css else {}})


def _sub(text: str | None) -> SafeString | str:
    return format_html('<span class="sub">{}</span>', text) if text else ""
