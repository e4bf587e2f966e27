"""Pages of closed months, for customers and, under /ops/accounts/<account>/, for staff; and their files.

One question to the domain, one answer. Shaping is in tables.py.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from kpis import permissions, selectors, tables, wording
from kpis.models import Snapshot
from kpis.running import running
from portal.lib.errors import NotFound
from portal.lib.periods import Month, local_date
from portal.tenancy.selectors import tenant_zone
from portal.tenancy.services import audit
from portal.web.pages import TenantView, pager
from portal.web.policy import ACCOUNT, STAFF, Policy, customers
from portal.web.templatetags.ui import time_at

SNAPSHOTS: Final = Policy(who=ACCOUNT | STAFF, entitlement="kpi_snapshots")
PAGE: Final = 50


class SoFar(TenantView):
    """On-time delivery of the running month, as far as it is due; the home page takes its tile from here."""

    policy: ClassVar[Policy] = customers(entitlement="kpi_snapshots")

    def get(self, request: HttpRequest) -> HttpResponse:
        """The figure with its grade, and how it is counted."""
        month = Month.of(local_date(self.at, tenant_zone()))
        found = running(month, at=self.at)
        url = f"{reverse('tracking:shipments')}?month={month}&due=past"
        parts = (
            (_("Arrived on time"), "ontime", found.arrived),
            (_("Arrived late"), "done-late", found.arrived_late),
            (_("Late, not arrived or not heard to be"), "late", found.open),
        )
        return self.page("kpis/so_far.html", {
            "title": _("On time so far"), "subtitle": tables.month_name(str(month)),
            "tile": tables.running_tile(found, min_n=selectors.config_now().min_n_percent, href=url),
            "stats": [
                {"label": label, "value": str(number), "url": f"{url}&standing={standing}"}
                for label, standing, number in parts
            ],
            "inferred": found.inferred,
            "says": [
                _("On time out of all whose promise has come due; what is late, missing or silent stays in."),
                _("What arrived before its promise is due is counted when it is due."),
                _("Provisional: the month is judged anew from its events at the close, and only that is a snapshot."),
            ],
        })  # fmt: skip


class SnapshotView(TenantView):
    """A page about closed months. What was published while the account was entitled stays open to it (R5.3)."""

    policy: ClassVar[Policy] = SNAPSHOTS

    def may_see(self, snapshot: Snapshot) -> bool:
        """Published, and entitled now or when it was published; staff see everything."""
        return self.member.is_staff or permissions.may_see(snapshot, at=self.at)

    def is_entitled(self, key: str, **kwargs: Any) -> bool:
        """Entitled now, or to something that was published before."""
        return permissions.may_enter(at=self.at)

    def snapshot(self, public_id: str) -> Snapshot:
        """One that this person may see; NotFound otherwise."""
        found = selectors.snapshot_get(public_id)
        if found is None or not self.may_see(found):
            raise NotFound
        return found


class Snapshots(SnapshotView):
    """Closed months, newest first, each in its newest version."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """All months of the account; a year holds twelve."""
        listed = [s for s in selectors.snapshot_list() if self.may_see(s)]
        rows = selectors.rows_of(listed)
        return self.page("kpis/snapshots.html", {
            "title": _("KPI snapshots"),
            "subtitle": _("Each month is closed once, from what was recorded by its cut, and never changed."),
            "figure_heads": [_("On time"), _("Milestones complete")],
            "rows": tables.snapshot_rows(
                listed, rows, staff=self.member.is_staff, at=self.at,
                url=lambda public_id: self.url("kpis:snapshot", public_id=public_id),
            ),
        })  # fmt: skip


class SnapshotPage(SnapshotView):
    """One closed month: figures with bounds and grade, lanes, every unit with its verdict, proof."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Units narrowed by lane and verdict, fifty at a time."""
        snapshot = self.snapshot(public_id)
        staff, own = self.member.is_staff, self.url("kpis:snapshot", public_id=public_id)
        min_n = int(snapshot.config["min_n_percent"])
        rows = selectors.rows_of([snapshot])[snapshot.pk]
        whole = {r.kpi: r for r in rows if not r.lane}
        figures = [tables.figure(whole[kpi], staff=staff, min_n=min_n) for kpi in ("OTD", "COMPLETENESS")]
        tiles = [tables.tile(shown, href="#units") for shown in figures]
        tiles.append({"label": _("Units due"), "value": snapshot.units, "note": self._excluded(whole["OTD"]),
                      "href": "#units", "proof": _("Every unit")})  # fmt: skip
        lane, outcome = request.GET.get("lane", ""), request.GET.get("outcome", "")
        units, older, newer = selectors.unit_page(
            snapshot, lane=lane, outcome=outcome, after=request.GET.get("older", ""),
            before=request.GET.get("newer", ""), size=PAGE,
        )  # fmt: skip
        return self.page("kpis/snapshot.html", {
            "title": tables.month_name(snapshot.period),
            "crumbs": [{"label": _("KPI snapshots"), "url": self.url("kpis:snapshots")}],
            "subtitle": _("Version %(n)s") % {"n": snapshot.version},
            "state": {"tone": "ok", "label": _("Closed")},
            "callouts": self._callouts(snapshot),
            "tiles": tiles,
            "figure_heads": [_("On time"), _("Milestones complete")],
            "lanes": tables.lane_rows(
                rows, staff=staff, min_n=min_n, targets=selectors.lane_targets(snapshot), url=own
            ),
            "unit_chips": self._chips(snapshot, own, lane, outcome),
            "units": tables.unit_rows(units, url=self._shipment),
            "units_note": _("Lane %(lane)s") % {"lane": lane} if lane else "",
            "units_pager": pager(request, older=older, newer=newer),
            "downloads": self._downloads(snapshot),
            "made": tables.made_of(snapshot),
            "facts": self._facts(snapshot),
            "versions": self._versions(snapshot),
        })  # fmt: skip

    def _shipment(self, public_id: str) -> str:
        return f"{self.url('tracking:shipments')}/{public_id}"

    def _excluded(self, row: Any) -> str:
        return " · ".join(
            _("%(n)s excluded: %(why)s") % {"n": n, "why": wording.REASONS.get(code, code)}
            for code, n in row.excluded_by_reason.items()
        )

    def _callouts(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        if snapshot.is_published(self.at):
            return []
        text = format_html(_("Customers see this month from {} on."), time_at(snapshot.published_at, tenant_zone()))
        return [{"tone": "info", "text": text}]

    def _chips(self, snapshot: Snapshot, own: str, lane: str, outcome: str) -> list[dict[str, Any]]:
        counted = selectors.outcome_counts(snapshot, lane=lane)

        def url(code: str) -> str:
            asked = {k: v for k, v in (("lane", lane), ("outcome", code)) if v}
            return f"{own}?{urlencode(asked)}#units" if asked else f"{own}#units"

        chips: list[dict[str, Any]] = [
            {"label": _("All"), "url": url(""), "active": not outcome, "count": sum(counted.values())}
        ]
        chips += [
            {"label": word, "url": url(code), "active": outcome == code, "count": counted[code]}
            for code, (_tone, word, _why) in wording.OUTCOMES.items()
            if counted.get(code)
        ]
        if lane:
            chips.append({"label": _("All lanes"), "url": f"{own}#units", "active": False, "icon": "x"})
        return chips

    def _downloads(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        return [
            {"label": "facts.csv", "url": self.url("kpis:snapshot_facts", public_id=snapshot.public_id),
             "note": _("every unit with its limit, its time and its verdict")},
            {"label": "kpis.json", "url": self.url("kpis:snapshot_kpis", public_id=snapshot.public_id),
             "note": _("the figures, as counted from facts.csv")},
        ]  # fmt: skip

    def _facts(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        def instant(at: Any) -> str:
            return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""

        return [
            {"label": _("As of"), "value": instant(snapshot.as_of), "note": _("the cut")},
            {"label": _("Closed"), "value": instant(snapshot.closed_at)},
            {"label": _("Newest recording counted"), "value": instant(snapshot.high_water)},
            {"label": _("facts.csv, SHA-256"), "value": snapshot.facts_sha256, "mono": True},
            {"label": _("kpis.json, SHA-256"), "value": snapshot.kpis_sha256, "mono": True},
            {"label": _("Manifest, SHA-256"), "value": snapshot.manifest_digest, "mono": True},
            {"label": _("Manifest before it"), "value": snapshot.previous or _("none: the first month"),
             "mono": bool(snapshot.previous)},
            {"label": _("Definitions and parameters"), "value": snapshot.config_digest, "mono": True},
        ]  # fmt: skip

    def _versions(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        listed = [s for s in selectors.snapshot_versions(snapshot.period) if self.may_see(s)]
        if len(listed) < 2:
            return []
        return [
            {
                "label": _("Version %(n)s") % {"n": s.version},
                "url": self.url("kpis:snapshot", public_id=s.public_id),
                "note": s.reason,
                "current": s.pk == snapshot.pk,
            }
            for s in listed
        ]


class SnapshotFile(SnapshotView):
    """A file of a closed month, always the same bytes (R4.7)."""

    file: ClassVar[str]
    content_type: ClassVar[str]

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """An attachment; the download is recorded."""
        snapshot = self.snapshot(public_id)
        audit(
            action="snapshot.downloaded",
            actor=self.member.label,
            at=self.at,
            object_type="snapshot",
            object_id=public_id,
            details={"file": self.file},
        )
        response = HttpResponse(self.content(snapshot), content_type=self.content_type)
        name = f"{self.account.code}-{snapshot.period}-v{snapshot.version}-{self.file}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def content(self, snapshot: Snapshot) -> bytes:
        """The bytes."""
        raise NotImplementedError


class FactsCsv(SnapshotFile):
    """facts.csv."""

    file, content_type = "facts.csv", "text/csv; charset=utf-8"

    def content(self, snapshot: Snapshot) -> bytes:
        """Every unit of the month, sorted by unit_id."""
        return selectors.snapshot_facts_csv(snapshot)


class KpisJson(SnapshotFile):
    """kpis.json."""

    file, content_type = "kpis.json", "application/json"

    def content(self, snapshot: Snapshot) -> bytes:
        """The figures, canonical."""
        return selectors.snapshot_kpis_json(snapshot)
