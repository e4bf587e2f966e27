"""Pages about shipments, for customers and, under /ops/accounts/<account>/, for staff: the list.

One question to the domain, one answer. What hangs around the list is in list_views.py, its files in export_views.py,
the single shipment in shipment_views.py, the desk's pages in ops_views.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from portal.tenancy.models import Role
from portal.web.pages import TenantView, pager
from portal.web.policy import ACCOUNT, STAFF, Policy, entitled
from portal.web.tables import Cursor
from tracking import list_pages
from tracking.filters import ALL, ShipmentFilter, Terms
from tracking.models import SavedView
from tracking.search import Hits, search
from tracking.selectors import CORE, shipment_page, shipment_public_id, views_of
from tracking.tables import SORTED_BY, ShipmentTable

PORTAL: Final = Policy(who=ACCOUNT | STAFF, entitlement="portal_core")
BOOKING: Final = frozenset({Role.OPS.value, Role.ACCOUNT_MANAGER.value, Role.ADMIN.value})  # who registers shipments
_BREAKS: Final = re.compile(r"[\n\r\t,;]+")


class ShipmentView(TenantView):
    """A page about an account's shipments: says whether every event may be seen, or the critical five (5.1)."""

    policy: ClassVar[Policy] = PORTAL

    @property
    def every_event(self) -> bool:
        """Staff see everything; a customer sees what the tier includes, decided here and not in a template."""
        return self.member.is_staff or entitled("live_tracking", self.at)

    @property
    def alerts(self) -> bool:
        """Whether exceptions may be seen: by staff, and by accounts whose tier includes them (5.1)."""
        return self.member.is_staff or entitled("exception_alerts", self.at)

    @property
    def follower(self) -> int | None:
        """Who follows shipments here: people of the account, never the staff."""
        return None if self.member.is_staff else self.member.pk

    def wanted(self, request: HttpRequest) -> ShipmentFilter:
        """What the address asks, without what this reader may not ask (T9)."""
        found = ShipmentFilter.read(request.GET)
        if found.milestone and not self.every_event and found.milestone not in CORE:
            said = _("Your service tier shows the core milestones; this one was left out.")
            found = replace(found, milestone="", problems=(*found.problems, said))
        if found.exceptions and not self.alerts:
            said = _("Your service tier does not include exceptions; this was left out.")
            found = replace(found, exceptions="", problems=(*found.problems, said))
        if found.followed and self.follower is None:
            said = _("People of the account follow shipments, the staff do not; this was left out.")
            found = replace(found, followed=False, problems=(*found.problems, said))
        return found

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The page's search box looks among this account's shipments, for staff too."""
        return super().page(template, {"search_url": self.url("tracking:shipments"), **context}, status)


class Shipments(ShipmentView):
    """The list: one search box for any reference, filters that are links, newest promise first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of what the address asks for; asked for nothing, the view that opens by default."""
        wanted, base = self.wanted(request), self.url("tracking:shipments")
        views = views_of(self.member.pk, is_staff=self.member.is_staff)
        opening = list_pages.opening(views)
        if opening is not None and opening.query:
            if not request.GET:
                return HttpResponseRedirect(f"{base}?{opening.query}")
            wanted = replace(wanted, view=ALL)  # links to the whole list must not lead back to that view
        if "" in request.GET.values() and not wanted.problems:  # a form names all its fields
            return HttpResponseRedirect(wanted.url(base))
        terms = Terms.read(wanted.q)
        hits = search(terms) if wanted.q else None
        if (
            hits is not None
            and wanted.params().keys() <= {"q", "view"}
            and terms.leads_to_one(hits.how, hits.ids, hits.unknown)
        ):
            return HttpResponseRedirect(self.url("tracking:shipment", public_id=shipment_public_id(hits.ids[0])))
        return self._list(request, wanted, terms, hits, views)

    def post(self, request: HttpRequest) -> HttpResponse:
        """A pasted list of references becomes an address that can be shared."""
        entries = (" ".join(entry.split()) for entry in _BREAKS.split(request.POST.get("q", "")))
        text = ",".join(dict.fromkeys(entry for entry in entries if entry))
        wanted = ShipmentFilter.read({"q": text})
        if wanted.problems:
            views = views_of(self.member.pk, is_staff=self.member.is_staff)
            return self._list(request, wanted, Terms.read(""), None, views, status=422)
        return HttpResponseRedirect(wanted.url(self.url("tracking:shipments")))

    def _list(
        self, request: HttpRequest, wanted: ShipmentFilter, terms: Terms, hits: Hits | None, views: list[SavedView],
        status: int = 200,
    ) -> HttpResponse:  # fmt: skip
        base = self.url("tracking:shipments")
        page = shipment_page(
            wanted, hits=hits, cursor=Cursor.read(request.GET), now=self.at, every_event=self.every_event,
            follower=self.follower,
        )  # fmt: skip
        table = ShipmentTable(
            page.rows, columns=wanted.columns, now=self.at, url=lambda public_id: f"{base}/{public_id}",
            matched=hits.matched if hits else {}, sorts=self._sorts(wanted, base),
            choosing=not self.member.is_staff,
        )  # fmt: skip
        return self.page("tracking/shipments.html", {
            "title": _("Shipments"), "search_query": wanted.q,
            "views": list_pages.view_chips(views, wanted, base),
            "standing": list_pages.standing_chips(wanted, base), "counts_url": self._with("shipments_counts", wanted),
            "active": list_pages.active_chips(wanted, base),
            "clear_url": list_pages.clear_url(wanted, base),
            "filters_url": self._with("shipments_filters", wanted),
            "columns_url": self._with("shipments_columns", wanted),
            "keep_url": self._with("view_new", wanted) if list_pages.can_be_kept(views, wanted, self.member) else "",
            "manage": bool(views) and not self.member.is_staff,
            "notes": list_pages.notes(wanted, terms, hits),
            "table": table if page.rows else None,
            "empty": list_pages.empty(wanted, base),
            "follows": not self.member.is_staff, "query": wanted.query(), "paste_url": base,
            "cursor": urlencode([(name, request.GET[name]) for name in ("older", "newer") if name in request.GET]),
            "pager": pager(request, older=page.older, newer=page.newer),
            "exports": [{"label": _("CSV"), "url": self._with("shipments_csv", wanted)},
                        {"label": _("Excel"), "url": self._with("shipments_xlsx", wanted)}],
            "new_url": self.url("tracking:booking_new") if self.member.role in BOOKING else "",
        }, status)  # fmt: skip

    def _with(self, page: str, wanted: ShipmentFilter) -> str:
        """The address of a neighbouring page about the same view."""
        return wanted.url(self.url(f"tracking:{page}"))

    def _sorts(self, wanted: ShipmentFilter, base: str) -> dict[str, tuple[str, str]]:
        """The heads that sort: where each leads, and how the list is sorted by it now."""
        heads = {}
        for column, key in SORTED_BY.items():
            falling, rising = wanted.order == f"-{key}", wanted.order == key
            other = key if falling else f"-{key}"
            if key == "ref" and not rising:
                other = key  # names are read from their beginning
            sort = "" if other == "-promised" else other
            heads[column] = (wanted.url(base, sort=sort), "descending" if falling else "ascending" if rising else "")
        return heads
