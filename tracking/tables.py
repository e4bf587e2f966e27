"""The list of shipments as a table and as CSV: the same columns from the same rows.

No queries: rows come from selectors.py as dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import django_tables2 as tables
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.periods import utc_text, zone_named
from portal.web.tables import LeanTable
from portal.web.templatetags.ui import badge, time_at, void
from tracking import wording
from tracking.selectors import place_of
from tracking.standing import Prospect, Standing

Row = Mapping[str, Any]
# Milestones that happen where the journey begins; the others are told in the zone of the port or place they end in.
_AT_ORIGIN: Final = frozenset({"GATE_IN_FULL", "CFS_RECEIVED", "LOADED", "VESSEL_DEPARTED"})
_AT_PORT: Final = frozenset({"VESSEL_ARRIVED", "AT_ANCHOR", "DISCHARGED"})

_ONE_LINE: Final = {"td": {"class": "nowrap"}}


def zone_of(row: Row) -> str:
    """The zone of the final place; empty where it is unknown."""
    return place_of(row["final_place_place"], row["final_place"])[1]


def prospect(row: Row) -> Prospect:
    """What the row says about its promise."""
    return Prospect(
        status=row["status"], punctuality=row["punctuality"], due_at=row["due_at"], due_date=row["due_date"],
        eta_at=row["eta_at"], final_at=row["final_at"], final_milestone=row["final_milestone"],
        zone=zone_named(zone_of(row) or "UTC"),
    )  # fmt: skip


def latest_zone(row: Row) -> str:
    """The zone of the place where the latest milestone happened."""
    field_name = "origin" if row["latest"] in _AT_ORIGIN else "pod" if row["latest"] in _AT_PORT else "final_place"
    return place_of(row[f"{field_name}_place"], "")[1]


def _ends(row: Row) -> tuple[str, str]:
    """Origin and destination in words; the destination is the final place, else the port of discharge."""
    origin = place_of(row["origin_place"], row["pol"])[0] or _("unknown")
    final = place_of(row["final_place_place"], row["final_place"])[0]
    return origin, final or place_of(row["pod_place"], row["pod"])[0] or _("unknown")


class ShipmentTable(LeanTable):
    """One line a shipment: what, how it stands, where from and to, promised, expected, last heard, in which boxes."""

    shipment = tables.Column(verbose_name=gettext_lazy("Shipment"), attrs={"td": {"class": "cell-title"}})
    promise = tables.Column(verbose_name=gettext_lazy("Promise"), attrs={"td": {"class": "cell-status"}})
    status = tables.Column(verbose_name=gettext_lazy("Status"), attrs=_ONE_LINE)
    route = tables.Column(verbose_name=gettext_lazy("Route"))
    promised = tables.Column(verbose_name=gettext_lazy("Promised"), attrs=_ONE_LINE)
    expected = tables.Column(verbose_name=gettext_lazy("Expected"), attrs=_ONE_LINE)
    last = tables.Column(verbose_name=gettext_lazy("Last event"))
    boxes = tables.Column(verbose_name=gettext_lazy("Containers"))

    def __init__(
        self, data: Sequence[Row], *, now: datetime, url: Callable[[str], str], matched: Mapping[int, str],
        sorts: Mapping[str, tuple[str, str]],
    ) -> None:  # fmt: skip
        self.now, self.url, self.matched = now, url, matched
        self._nothing = void(_("none yet"))
        super().__init__(data, sorts=sorts)

    def cell_shipment(self, row: Row) -> SafeString:
        """The reference, and which other reference was searched for."""
        return format_html(
            '<a class="rowlink ref" href="{}">{}</a>{}', self.url(row["public_id"]), row["ref"],
            _sub(self.matched.get(row["id"]) or row["carrier"]),
        )  # fmt: skip

    def cell_promise(self, row: Row) -> SafeString:
        """The badge in words."""
        seen = prospect(row)
        return badge(seen.tone(self.now), seen.words(self.now))

    def cell_status(self, row: Row) -> str:
        """Where it is in its life."""
        return prospect(row).status_words()

    def cell_route(self, row: Row) -> SafeString:
        """From and to, with the port where the box leaves the sea when that is another place."""
        origin, destination = _ends(row)
        via = place_of(row["pod_place"], row["pod"])[0] if row["pod"] and row["pod"] != row["final_place"] else ""
        told = _("via %(port)s") % {"port": via} if via else ""
        if row["mode"] != "SEA":
            told = str(wording.MODES.get(row["mode"], row["mode"]))
        return format_html('<span class="nowrap">{} → {}</span>{}', origin, destination, _sub(told))

    def cell_promised(self, row: Row) -> SafeString:
        """The promised local day."""
        if row["due_at"] is None:
            return void(_("none made"))
        return time_at(row["due_date"]) if row["due_date"] else time_at(row["due_at"], zone_of(row), "day")

    def cell_expected(self, row: Row) -> SafeString:
        """The actual once it is there, else the estimate, else a word that there is none."""
        at = row["final_at"] or row["eta_at"]
        if at is None:
            return void(_("no estimate"))
        note = _("actual") if row["final_at"] else _("estimate") if at >= self.now else _("passed, nothing heard")
        day = time_at(at, zone_of(row), "day")
        return format_html("{}{}", day, _sub(note))

    def cell_last(self, row: Row) -> SafeString:
        """The latest milestone and its time at its place."""
        if not row["latest"]:
            return self._nothing
        at = time_at(row["latest_at"], latest_zone(row), "short") if row["latest_at"] else ""
        name = wording.milestone(row["latest"])
        return format_html('{}<span class="sub nowrap">{}</span>', name, at)

    def cell_boxes(self, row: Row) -> SafeString:
        """The first container's number and how many more."""
        boxes = row["boxes"]
        if not boxes:
            return self._nothing
        more = _sub(_("and %(count)d more") % {"count": len(boxes) - 1}) if len(boxes) > 1 else ""
        return format_html('<span class="ref">{}</span>{}', boxes[0], more)


def _sub(text: str | None) -> SafeString | str:
    return format_html('<span class="sub">{}</span>', text) if text else ""


CSV_COLUMNS: Final = (
    "shipment", "standing", "standing_in_words", "status", "mode", "carrier", "origin", "destination", "lane",
    "promised_date", "promised_until_utc", "expected_utc", "actual_utc", "last_event", "last_event_utc",
    "last_heard_utc", "containers",
)  # fmt: skip


def csv_row(row: Row, *, now: datetime) -> list[str]:
    """The row of the export: codes, ISO dates, UTC instants; what is unknown stays empty."""
    seen = prospect(row)

    def instant(value: datetime | None) -> str:
        return utc_text(value) if value else ""

    return [
        row["ref"], Standing(seen.standing(now)).value, seen.words(now), row["status"], row["mode"], row["carrier"],
        row["pol"], row["final_place"] or row["pod"], row["lane"],
        row["due_date"].isoformat() if row["due_date"] else "", instant(row["due_at"]),
        instant(row["eta_at"] if row["final_at"] is None else None), instant(row["final_at"]), row["latest"] or "",
        instant(row["latest_at"]), instant(row["last_heard_at"]), "|".join(row["boxes"]),
    ]  # fmt: skip
