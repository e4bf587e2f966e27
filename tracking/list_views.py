"""What belongs to the list of shipments and is asked for on its own: counts, the filter form, the choice of columns.

Each is a page that works without scripts, or a fragment that comes after the list, so that the list itself stays quick.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from tracking import list_pages
from tracking.facets import Counts, choices, counts
from tracking.filters import ShipmentFilter, Terms
from tracking.search import search
from tracking.selectors import CORE
from tracking.views import ShipmentView
from tracking.wording import MILESTONES


class _BesideTheList(ShipmentView):
    """A page about the same view as the list it was opened from."""

    def counted(self, wanted: ShipmentFilter) -> Counts:
        """How many each filter would show."""
        hits = search(Terms.read(wanted.q)) if wanted.q else None
        return counts(wanted, hits=hits, now=self.at, every_event=self.every_event, follower=self.follower)


class ShipmentCounts(_BesideTheList):
    """The standing chips with their counts: a fragment that replaces those of the list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """As of now."""
        wanted = self.wanted(request)
        chips = list_pages.standing_chips(wanted, self.url("tracking:shipments"), self.counted(wanted))
        return self.page("tracking/_standing.html", {"standing": chips})


class ShipmentFilters(_BesideTheList):
    """The form of all filters, filled with what is in force and what occurs among the account's shipments."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sent by GET to the list: what it makes is an address."""
        wanted, base = self.wanted(request), self.url("tracking:shipments")
        shown = [str(m) for m in MILESTONES if self.every_event or str(m) in CORE]
        return self.page("tracking/shipment_filters.html", {
            "title": _("Filters"), "action": base, "wanted": wanted,
            "fields": list_pages.filter_fields(wanted, choices(), self.counted(wanted), milestones=shown),
            "arriving": list_pages.arriving_options(wanted), "kept": list_pages.kept_fields(wanted),
            "follows": not self.member.is_staff, "back_url": wanted.url(base),
            "crumbs": [{"label": _("Shipments"), "url": wanted.url(base)}],
        })  # fmt: skip


class ShipmentColumns(ShipmentView):
    """Which columns, in which order: every press is a link, the choice stands in the address."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The editor."""
        wanted, base = self.wanted(request), self.url("tracking:shipments")
        return self.page("tracking/shipment_columns.html", {
            "title": _("Columns"), "show_url": wanted.url(base),
            **list_pages.column_editor(wanted, self.url("tracking:shipments_columns")),
            "crumbs": [{"label": _("Shipments"), "url": wanted.url(base)}],
        })  # fmt: skip
