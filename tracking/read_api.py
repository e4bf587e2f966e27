"""The API's doors about shipments: the list, one shipment, its containers, milestones and events.

The list's filters, and what a tier may see of events, are those of the pages (5.1); shapes are in shapes.py.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from portal.lib.errors import NotEntitled, NotFound
from portal.web.api import ApiView, ListApiView
from portal.web.apipages import ApiPage, Place, list_page
from portal.web.apiquery import BadParameter, Parameter, Query, lane, month
from portal.web.pages import entitlement_word
from portal.web.policy import entitled
from portal.web.tables import Cursor
from tracking import shapes
from tracking.dossier import Dossier, dossier, eta_history, event_row
from tracking.filters import ShipmentFilter, Terms
from tracking.search import search
from tracking.selectors import CORE, beside, shipment_page, shipment_row
from tracking.standing import Standing
from tracking.wording import MILESTONES, STATUSES

_FILTERS = (
    Parameter(
        name="q", longest=1_000, pattern=r"[ -~]+", example="MSKU0000006",
        says="Any reference, a part of one of four characters or more, or several with blanks or commas.",
    ),
    Parameter(name="standing", says="How it stands against its promise now.", choices=tuple(Standing), example="late"),
    Parameter(name="status", says="Where the journey stands.", choices=tuple(STATUSES), example="UNDER_WAY"),
    Parameter(name="milestone", says="The milestone reached last.", choices=tuple(str(m) for m in MILESTONES),
              example="LOADED"),
    lane(),
    *(Parameter(name=name, says=says, pattern=r"[A-Za-z0-9?._ /-]{1,40}", longest=40, example=example)
      for name, says, example in (("pol", "The port of loading.", "CNSHA"), ("pod", "The port of discharge.", "NLRTM"),
                                  ("carrier", "The carrier.", "MAEU"))),
    *(Parameter(name=name, says=says, pattern=r"[^\x00-\x1f\x7f]+", longest=64, example=example)
      for name, says, example in (("branch", "The operator's branch.", "Rotterdam"),
                                  ("vertical", "The line of business.", "Retail"))),
    month("Promised in this local month."),
    *(Parameter(name=name, says=says, is_day=True, example="2026-03-15")
      for name, says in (("due_from", "Promised on this day or later."), ("due_to", "Promised on this day or earlier."),
                         ("eta_from", "Expected on this day (UTC) or later."),
                         ("eta_to", "Expected on this day (UTC) or earlier."))),
    Parameter(name="due", says="Only those whose promise has come due.", choices=("past",), example="past"),
    Parameter(name="exceptions", says="Only those with an open exception.", choices=("open",), example="open"),
    Parameter(name="arriving", says="Expected within so many days.", choices=("7", "14", "30"), example="7"),
    Parameter(name="unheard", says="Only those with a milestone that was expected and is not heard of.", flag=True,
              usual=False, example="true"),
)  # fmt: skip


class ShipmentApi(ApiView):
    """A door about shipments."""

    needs = "portal_core"
    tag = "Shipments"

    @property
    def every_event(self) -> bool:
        """Whether every event may be seen, or the critical five (5.1)."""
        return entitled("live_tracking", self.at)

    def dossier(self, public_id: str) -> Dossier:
        """The account's shipment; raises NotFound, for another's too (T6)."""
        found = dossier(public_id, now=self.at, every_event=self.every_event)
        if found is None:
            raise NotFound
        return found


class Shipments(ShipmentApi, ListApiView):
    """The list, with the filters of the page."""

    operation, summary = "shipments", "List shipments"
    says = "Shipments by their promised limit, the latest first; those without a promise come last in either order."
    shape = shapes.ShipmentRow
    beside = {"search": (shapes.SearchShape, "What the search for `q` did; null without one.")}
    query = Query.of(*_FILTERS, fields=shapes.ShipmentRow.names(), orders=("-due_at", "due_at"), paged=True)

    def get(self, request: Request) -> HttpResponse:
        """One page."""
        place, wanted = self.place, self._wanted()
        hits = search(Terms.read(wanted.q)) if wanted.q else None
        found = shipment_page(
            wanted, hits=hits, cursor=_cursor(place), now=self.at,
            every_event=self.every_event, size=self.size, lean=True,
        )  # fmt: skip
        page = ApiPage(found.rows, next=_place(found.older), previous=_place(found.newer, back=True))
        told = None if hits is None else {"how": hits.how or None, "unknown": hits.unknown, "has_more": hits.has_more}
        around = beside(found.rows)
        return self.page(page, [shapes.shipment_row(row, around, now=self.at) for row in found.rows], search=told)

    def _wanted(self) -> ShipmentFilter:
        """What the address asks, as the page would. Raises BadParameter, NotEntitled."""
        asked = self.asked
        if asked["exceptions"] and not entitled("exception_alerts", self.at):
            raise NotEntitled(label=entitlement_word("exception_alerts"))
        if asked["milestone"] and not self.every_event and asked["milestone"] not in CORE:
            raise BadParameter("milestone", _("must be one of the core milestones in your service tier."))
        texts: dict[str, Any] = {p.name: asked[p.name] or "" for p in _FILTERS if not p.flag}
        return ShipmentFilter(
            **texts, unheard=asked["unheard"], sort="promised" if asked["order"] == "due_at" else ""
        )  # fmt: skip


def _cursor(place: Place | None) -> Cursor | None:
    return None if place is None else Cursor(str(place.keys[0]), str(place.keys[1]), place.back)


def _place(cursor: str | None, *, back: bool = False) -> Place | None:
    return None if cursor is None else Place(tuple(cursor.split(".", 1)), back)


class Shipment(ShipmentApi):
    """One shipment."""

    operation, summary = "shipment", "Read a shipment"
    says = "What the page of the shipment shows; its containers, milestones and events have addresses of their own."
    shape = shapes.ShipmentShape
    query = Query.of(fields=shapes.ShipmentShape.names())

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """As of now."""
        found = self.dossier(public_id)
        row = shipment_row(public_id, every_event=self.every_event)
        moves = [m for m in eta_history(found.shipment) if m.milestone == found.final] if found.core is None else []
        told = shapes.shipment_row(row, beside([row]), now=self.at)
        return self.one({**told, **shapes.shipment_more(found, moves)})


class Containers(ShipmentApi, ListApiView):
    """The containers of a shipment."""

    operation, summary = "shipment_containers", "List a shipment's containers"
    says = "By number, each with what was heard of it; a container that was replaced says when."
    shape = shapes.ContainerShape
    query = Query.of(fields=shapes.ContainerShape.names(), paged=True)

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One page."""
        rows = shapes.container_rows(self.dossier(public_id))
        page = list_page(rows, self.place, self.size, of=lambda row: (row["number"],))
        return self.page(page, page.rows)


class Milestones(ShipmentApi):
    """The milestones of a shipment, over all its containers."""

    operation, summary = "shipment_milestones", "List a shipment's milestones"
    says = (
        "In the order of the time line. What was expected and is not heard of stands there too, as missing. Without "
        "live tracking, the five critical milestones."
    )
    shape, is_list = shapes.MilestoneShape, True
    query = Query.of(fields=shapes.MilestoneShape.names())

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """All of them: a journey has few."""
        return self.many(shapes.milestone_rows(self.dossier(public_id)))


class Events(ShipmentApi, ListApiView):
    """Everything heard of a shipment."""

    operation, summary = "shipment_events", "List a shipment's events"
    says = (
        "In the order heard: whoever keeps the last `number` asks for what came `after` it. A correction is an event "
        "of its own, beside what it corrects. Without live tracking, those of the five critical milestones."
    )
    shape = shapes.EventRow
    after = Parameter(name="after", says="Only what was heard after the event of this number.", least=0,
                      most=999_999_999, usual=0, example="1")  # fmt: skip
    query = Query.of(after, fields=shapes.EventRow.names(), orders=("number", "-number"), paged=True)

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One page."""
        found = self.dossier(public_id)
        heard = enumerate(found.sightings, start=1)
        seen = [n for n, sighting in heard if n > self.asked["after"] and found.visible(sighting)]
        falling = self.asked["order"] == "-number"
        page = list_page(seen, self.place, self.size, of=lambda n: (n,), falling=falling)
        return self.page(page, [shapes.event_row(found, n) for n in page.rows])


class Event(ShipmentApi):
    """One event."""

    operation, summary = "shipment_event", "Read an event"
    says = "The event with this shipment's part of the message it came in."
    shape = shapes.EventShape
    query = Query.of(fields=shapes.EventShape.names())

    def get(self, request: Request, public_id: str, number: int) -> HttpResponse:
        """The n-th heard of the shipment, counted from 1."""
        found = self.dossier(public_id)
        if not 1 <= number <= len(found.rows) or not found.visible(found.sightings[number - 1]):
            raise NotFound
        row = event_row(found.shipment, found.rows[number - 1].pk)
        return self.one({**shapes.event_row(found, number), **shapes.event_more(row)})
