"""Pages about shipments, for customers and, under /ops/accounts/<account>/, for staff: the list and its CSV.

One question to the domain, one answer; the single shipment is in shipment_views.py, the desk's pages in ops_views.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.dateformat import format as date_as
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from portal.lib.errors import NotEntitled
from portal.web.exports import csv_stream
from portal.web.pages import TenantView, pager
from portal.web.policy import ACCOUNT, STAFF, Policy, entitled
from portal.web.tables import Cursor, capped
from tracking import wording
from tracking.filters import OLDEST_FIRST, ShipmentFilter, Terms
from tracking.search import MOST_HITS, Hits, search
from tracking.selectors import MOST_COUNTED, Facets, facets, shipment_page, shipment_rows
from tracking.standing import LABELS, Standing
from tracking.tables import CSV_COLUMNS, ShipmentTable, csv_row

PORTAL: Final = Policy(who=ACCOUNT | STAFF, entitlement="portal_core")


class ShipmentView(TenantView):
    """A page about an account's shipments: says whether every event may be seen, or the critical five (5.1)."""

    policy: ClassVar[Policy] = PORTAL

    @property
    def every_event(self) -> bool:
        """Staff see everything; a customer sees what the tier includes, decided here and not in a template."""
        return self.member.is_staff or entitled("live_tracking", self.at)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The page's search box looks among this account's shipments, for staff too."""
        return super().page(template, {"search_url": self.url("tracking:shipments"), **context}, status)


class Shipments(ShipmentView):
    """The list: one search box for any reference, filters that are links, newest promise first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of what the address asks for."""
        wanted = ShipmentFilter.read(request.GET)
        terms = Terms.read(wanted.q)
        hits = search(terms) if wanted.q else None
        every_event = self.every_event
        page = shipment_page(
            wanted, hits=hits, cursor=Cursor.read(request.GET), now=self.at, every_event=every_event
        )  # fmt: skip
        counted = facets(wanted, hits=hits, now=self.at, every_event=every_event)
        base = self.url("tracking:shipments")
        sort = (wanted.url(base, sort="" if wanted.oldest_first else OLDEST_FIRST),
                "ascending" if wanted.oldest_first else "descending")  # fmt: skip
        table = ShipmentTable(
            page.rows, now=self.at, url=self._shipment_url(base), matched=hits.matched if hits else {},
            sorts={"promised": sort},
        )  # fmt: skip
        return self.page("tracking/shipments.html", {
            "title": _("Shipments"),
            "search_query": wanted.q,
            "chips": _standing_chips(wanted, counted, base),
            "menus": _menus(wanted, counted, base),
            "clear_url": base if wanted.is_narrowed else "",
            "notes": _notes(terms, hits),
            "table": table if page.rows else None,
            "empty": _empty(wanted, base),
            "pager": pager(request, older=page.older, newer=page.newer),
            "exports": [{"label": _("CSV"), "url": wanted.url(self.url("tracking:shipments_csv"))}],
        })  # fmt: skip

    def _shipment_url(self, base: str) -> Any:
        return lambda public_id: f"{base}/{public_id}"


class ShipmentsCsv(ShipmentView):
    """Exactly the view as CSV, all of its pages, streamed."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The same filter, the same order, the same rows as the list."""
        if not self.member.is_staff and not entitled("csv_export", self.at):
            raise NotEntitled(label=_("CSV export"))
        wanted = ShipmentFilter.read(request.GET)
        every_event, now = self.every_event, self.at
        name = f"shipments-{now:%Y-%m-%d}.csv"

        def rows() -> Iterator[list[str]]:
            hits = search(Terms.read(wanted.q)) if wanted.q else None
            for row in shipment_rows(wanted, hits=hits, now=now, every_event=every_event):
                yield csv_row(row, now=now)

        return csv_stream(name, CSV_COLUMNS, rows())


def _standing_chips(wanted: ShipmentFilter, counted: Facets, base: str) -> list[dict[str, Any]]:
    chips: list[dict[str, Any]] = [
        {"label": _("All"), "url": wanted.url(base, standing="", arriving="", due=False, unheard=False),
         "active": not (wanted.standing or wanted.arriving or wanted.due or wanted.unheard)},
    ]  # fmt: skip
    for standing in Standing:
        number = counted.standing.get(standing.value, 0)
        active = wanted.standing == standing
        seldom = standing in (Standing.NO_PROMISE, Standing.CANCELLED)
        if seldom and not number and not active:
            continue
        url = wanted.url(base, standing="" if active else standing.value)
        chips.append({"label": LABELS[standing], "url": url, "active": active, "count": capped(number, MOST_COUNTED)})
    if wanted.arriving:
        label = _("Expected within %(days)s") % {"days": wording.days(int(wanted.arriving))}
        chips.append({"label": label, "url": wanted.url(base, arriving=""), "active": True})
    if wanted.due:
        chips.append({"label": _("Promise has come due"), "url": wanted.url(base, due=False), "active": True})
    if wanted.unheard:
        chips.append({"label": _("Milestone overdue"), "url": wanted.url(base, unheard=False), "active": True})
    return chips


def _menus(wanted: ShipmentFilter, counted: Facets, base: str) -> list[dict[str, Any]]:
    """Filters with many values, each a list of links in a menu."""
    status = [
        {"label": label, "url": wanted.url(base, status=code), "active": wanted.status == code,
         "count": capped(counted.status.get(code, 0), MOST_COUNTED)}
        for code, label in wording.STATUSES.items()
    ]  # fmt: skip
    lanes = [
        {"label": f"{origin} → {destination}", "url": wanted.url(base, lane=code), "active": wanted.lane == code,
         "note": code}
        for code, origin, destination in counted.lanes
    ]  # fmt: skip
    months = [
        {"label": _month(text), "url": wanted.url(base, month=text), "active": wanted.month == text}
        for text in counted.months
    ]
    named = (
        (_("Status"), status, wanted.url(base, status=""), str(wording.STATUSES.get(wanted.status, ""))),
        (_("Lane"), lanes, wanted.url(base, lane=""), wanted.lane),
        (_("Promised in"), months, wanted.url(base, month=""), _month(wanted.month)),
    )
    return [
        {"label": label, "items": items, "all_url": url, "chosen": chosen}
        for label, items, url, chosen in named
        if items
    ]


def _month(text: str) -> str:
    if not text:
        return ""
    return date_as(date.fromisoformat(f"{text}-01"), pgettext("month and year, Django format letters", "F Y"))


def _notes(terms: Terms, hits: Hits | None) -> list[dict[str, str]]:
    """What the search did, where that is not plain from its rows."""
    notes: list[dict[str, str]] = []
    if hits is None:
        return notes
    if hits.unknown:
        title = ngettext(
            "%(count)d of %(all)d references was not found", "%(count)d of %(all)d references were not found",
            len(hits.unknown),
        ) % {"count": len(hits.unknown), "all": len(terms.listed)}  # fmt: skip
        notes.append({"tone": "warn", "title": title, "text": ", ".join(hits.unknown)})
    if terms.dropped:
        text = _("A list may hold %(most)d references; the last %(dropped)d were left out.")
        notes.append({"tone": "warn", "text": text % {"most": len(terms.listed), "dropped": terms.dropped}})
    if hits.has_more:
        text = _("More than %(most)d shipments match; type more of the reference.") % {"most": MOST_HITS}
        notes.append({"tone": "info", "text": text})
    elif hits.how == "starting":
        notes.append({"tone": "info", "text": _("No reference is exactly this; these begin with it.")})
    elif hits.how == "part":
        notes.append({"tone": "info", "text": _("No reference begins with this; these contain it.")})
    return notes


def _empty(wanted: ShipmentFilter, base: str) -> dict[str, Any]:
    if not wanted.is_narrowed:
        return {"title": _("No shipments yet"),
                "text": _("They appear here as soon as the first booking is made.")}  # fmt: skip
    if not wanted.q:
        return {"title": _("No shipment matches"), "text": _("Take a filter away to see more."),
                "action": {"label": _("All shipments"), "url": base}}  # fmt: skip
    return {
        "title": _("No shipment matches %(q)s") % {"q": wanted.q},
        "text": _("Any reference finds it: container, house or master bill, booking, purchase order; "
                  "a part of four characters is enough."),
        "action": {"label": _("All shipments"), "url": base},
    }  # fmt: skip
