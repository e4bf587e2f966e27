"""The page of what people changed about a shipment."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from tracking import change_pages as pages
from tracking.change_reads import MOST_CHANGES, changes_of
from tracking.shipment_views import OneShipment


class Changes(OneShipment):
    """Who changed what, newest first: promises, entries by hand, documents, comments withdrawn, exceptions."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """As of now."""
        found = self.dossier(public_id)
        changes = changes_of(found.shipment, staff=self.member.is_staff, alerts=self.alerts)
        return self.page("tracking/changes.html", {
            "title": _("Who changed what"), "crumbs": self.crumbs(found), "rows": pages.sentences(found, changes),
            "subtitle": _("What people did about this shipment, newest first. What carriers and terminals reported is "
                          "on the list of events."),
            "events_url": self.url("tracking:events", public_id=public_id),
            "is_full": len(changes) == MOST_CHANGES,
        })  # fmt: skip
