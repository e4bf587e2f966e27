"""The live map: where everything in transit is, for accounts with live tracking, and for staff.

The address says what is shown: the filters of the list, a part of the world, a page of the table. The same part of the
page is asked for again by map.js and answered 304 while nothing changed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.web.policy import ACCOUNT, STAFF, Policy, customers
from tracking import list_pages
from tracking.facets import Counts, choices
from tracking.filters import ShipmentFilter, Terms
from tracking.livemap import in_transit, live_map, mark_of
from tracking.livemap_pages import Area, live
from tracking.search import Hits, search
from tracking.seaways import waiting
from tracking.services import searoutes_want
from tracking.standing import LABELS as STANDINGS
from tracking.standing import Standing
from tracking.views import ShipmentView

_OWN: Final = ("area", "page")
_STANDINGS: Final = (Standing.LATE, Standing.AT_RISK, Standing.ON_TRACK, Standing.NO_PROMISE)
_STEP_MINUTES: Final = 5  # an estimated position is worked out anew after so long, though nothing was heard


class _Map(ShipmentView):
    """What the address asks of the map."""

    policy: ClassVar[Policy] = Policy(who=ACCOUNT | STAFF, entitlement="live_tracking")
    area: Area | None
    number: int

    def read(self, request: HttpRequest) -> tuple[ShipmentFilter, Hits | None]:
        """The filters of the list, and what belongs to the map alone; what is not understood is named."""
        params = request.GET.copy()
        text, page = (params.pop(name, [""])[-1] for name in _OWN)
        wanted = replace(self.wanted_of(params), sort="", cols=(), view="")
        self.area = Area.read(text) if text else None
        self.number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
        if text and self.area is None:
            said = _("“%(area)s” is no part of the world; it was left out.") % {"area": text[:40]}
            wanted = replace(wanted, problems=(*wanted.problems, said))
        return wanted, search(Terms.read(wanted.q)) if wanted.q else None

    def link(self, wanted: ShipmentFilter, *, area: str | None = None, page: int = 1, anchor: str = "") -> str:
        """The map's address with some of it changed; a filter taken away keeps the part of the world."""
        params = wanted.params()
        kept = self.area.text() if area is None and self.area is not None else area or ""
        params |= {name: value for name, value in (("area", kept), ("page", str(page) if page > 1 else "")) if value}
        base = self.url("tracking:map")
        query = urlencode(params, safe=",:/")
        return f"{base}{'?' if query else ''}{query}{'#' if anchor else ''}{anchor}"

    def shown(self, wanted: ShipmentFilter, hits: Hits | None) -> dict[str, Any]:
        """Map and table as of now; ways by sea that nobody asked for yet are asked for."""
        found = live_map(in_transit(wanted, hits=hits, now=self.at, follower=self.follower), now=self.at)
        searoutes_want(pairs=waiting(found.lines), at=self.at)
        return live(
            found, self.area, self.number, now=self.at, link=lambda **changes: self.link(wanted, **changes),
            url=lambda **kwargs: self.url("tracking:shipment", **kwargs),
        )  # fmt: skip


class Map(_Map):
    """The page."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """As of now; works without scripts, which only ask for what changed."""
        wanted, hits = self.read(request)
        if "" in request.GET.values() and not wanted.problems:  # a form names all its fields
            return HttpResponseRedirect(self.link(wanted))
        query = self.link(wanted, page=self.number).partition("?")[2]
        base, everything = self.url("tracking:map"), wanted.url(self.url("tracking:shipments"))
        return self.page("tracking/map.html", {
            "title": _("Live map"), "subtitle": _("Where everything in transit is, by what was last heard of it."),
            "crumbs": [{"label": self.account.name}] if self.member.is_staff else [],
            "live": self.shown(wanted, hits),
            # each look of the staff at an account is kept (R0.8): what a script asks every half minute is none
            "live_url": "" if self.member.is_staff else f"{reverse('tracking:map_live')}{'?' if query else ''}{query}",
            "notes": list_pages.notes(wanted, Terms.read(wanted.q), hits),
            "active": list_pages.active_chips(wanted, base, standing=True),
            "clear_url": base if wanted.is_narrowed else "",
            "fields": _fields(wanted), "wanted": wanted, "kept": _kept(wanted, self.area), "action": base,
            "list_url": everything,
        })  # fmt: skip


class MapLive(_Map):
    """The part of the page that changes by itself, for people of the account."""

    policy: ClassVar[Policy] = customers(entitlement="live_tracking")

    def get(self, request: HttpRequest) -> HttpResponse:
        """The map and its table; 304 while it would be the same as the one that the asker has."""
        wanted, hits = self.read(request)
        tag = self._tag(request, wanted, hits)
        if request.headers.get("If-None-Match") == tag:
            answer: HttpResponse = HttpResponseNotModified()
        else:
            answer = self.page("tracking/_livemap.html", {"live": self.shown(wanted, hits)})
        answer.headers["ETag"] = tag
        patch_vary_headers(answer, ["Cookie"])
        return answer

    def _tag(self, request: HttpRequest, wanted: ShipmentFilter, hits: Hits | None) -> str:
        """Of whatever the answer depends on: what was asked, what was heard, and the time in steps."""
        number, heard = mark_of(in_transit(wanted, hits=hits, now=self.at, follower=self.follower))
        parts = (
            self.account.public_id, request.GET.urlencode(), get_language(), number, heard.isoformat() if heard else "",
            _step(self.at), len(hits.ids) if hits else "",
        )  # fmt: skip
        return f'"{ids.digest(" ".join(str(part) for part in parts))}"'


def _step(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H}:{at.minute // _STEP_MINUTES}"


def _fields(wanted: ShipmentFilter) -> list[dict[str, Any]]:
    """The boxes of the filter form that suit a map."""
    lanes = list_pages.filter_fields(wanted, choices(), Counts(), milestones=())
    standing = {
        "name": "standing", "label": _("Against the promise"),
        "options": [{"value": s.value, "label": STANDINGS[s], "selected": wanted.standing == s} for s in _STANDINGS],
    }  # fmt: skip
    return [*(field for field in lanes if field["name"] in ("lane", "carrier")), standing]


def _kept(wanted: ShipmentFilter, area: Area | None) -> list[dict[str, str]]:
    """What the form carries along unseen."""
    own = ("lane", "carrier", "standing", "eta_from", "eta_to")
    kept = [{"name": name, "value": value} for name, value in wanted.params().items() if name not in own]
    return [*kept, {"name": "area", "value": area.text()}] if area is not None else kept
