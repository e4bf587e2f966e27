"""The API's doors about closed months: figures over all of them, the months, their units, their files.

Who may see which month is decided in permissions.py, as for the pages; shapes are in shapes.py.
"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from kpis import permissions, selectors, shapes
from kpis.models import Snapshot
from kpis.registry import CLOSED
from kpis.types import Outcome
from portal.lib.errors import NotFound
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import audit
from portal.web.api import ApiView, ListApiView
from portal.web.apipages import ApiPage, Place, key_page, list_page
from portal.web.apiquery import Parameter, Query, lane, month

_MONTH = month("The local month.")
_LANE = lane()
_CONTENT = {
    "facts.csv": ("text/csv; charset=utf-8", selectors.snapshot_facts_csv),
    "kpis.json": ("application/json", selectors.snapshot_kpis_json),
}


class ClosedApi(ApiView):
    """A door about closed months."""

    needs = permissions.KEY
    tag = "Closed months"

    def may_see(self) -> bool:
        """What was published while the account was entitled stays open to it (R5.3)."""
        return permissions.may_enter(at=self.at)

    def snapshot(self, public_id: str) -> Snapshot:
        """One that the account may see; NotFound otherwise."""
        found = selectors.snapshot_get(public_id)
        if found is None or not permissions.may_see(found, at=self.at):
            raise NotFound
        return found


class Kpis(ClosedApi, ListApiView):
    """Figures of closed months."""

    operation, summary = "kpis", "List figures"
    says = "Figures of closed months, each month in its newest version; the whole account before its lanes."
    shape = shapes.KpiRow
    query = Query.of(
        _MONTH, Parameter(name="kpi", says="Which figure.", choices=tuple(CLOSED), example="OTD"), _LANE,
        Parameter(name="whole", says="Only figures of the whole account, whatever `lane` says.", flag=True,
                  usual=False, example="true"),
        fields=shapes.KpiRow.names(), orders=("-month", "month"), paged=True,
    )  # fmt: skip

    def get(self, request: Request) -> HttpResponse:
        """One page."""
        asked = self.asked
        seen = {s.pk: s for s in permissions.snapshots_seen(at=self.at) if asked["month"] in (None, s.period)}
        rows = selectors.cells_of(list(seen), kpi=asked["kpi"], lane="" if asked["whole"] else asked["lane"])
        sign = "-" if asked["order"] == "-month" else ""
        page = key_page(
            rows, (f"{sign}snapshot__period", "lane", "-kpi"), self.place, self.size,
            of=lambda row: (seen[row.snapshot_id].period, row.lane, row.kpi),
        )  # fmt: skip
        return self.page(page, [shapes.kpi_row(row, seen[row.snapshot_id]) for row in page.rows])


class Snapshots(ClosedApi, ListApiView):
    """Closed months."""

    operation, summary = "snapshots", "List closed months"
    says = "Each month is closed once, from what was recorded by its cut; here in its newest version."
    shape = shapes.MonthRow
    query = Query.of(
        _MONTH, fields=shapes.MonthRow.names(), orders=("-month", "month"), paged=True
    )  # fmt: skip

    def get(self, request: Request) -> HttpResponse:
        """One page."""
        seen = [s for s in permissions.snapshots_seen(at=self.at) if self.asked["month"] in (None, s.period)]
        falling = self.asked["order"] == "-month"
        page = list_page(seen, self.place, self.size, of=lambda s: (s.period,), falling=falling)
        rows = selectors.rows_of(page.rows)
        return self.page(page, [shapes.snapshot_row(s, rows[s.pk]) for s in page.rows])


class SnapshotApi(ClosedApi):
    """One closed month."""

    operation, summary = "snapshot", "Read a closed month"
    says = "The figures of the account and of each lane, the files behind them with their digests, and all versions."
    shape = shapes.MonthShape
    query = Query.of(fields=shapes.MonthShape.names())

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """As it was closed."""
        snapshot = self.snapshot(public_id)
        rows = selectors.rows_of([snapshot])[snapshot.pk]
        versions = [s for s in selectors.snapshot_versions(snapshot.period) if permissions.may_see(s, at=self.at)]
        targets = selectors.lane_targets(snapshot)
        more = shapes.snapshot_more(snapshot, rows, targets=targets, versions=versions)
        return self.one({**shapes.snapshot_row(snapshot, rows), **more})


class Units(ClosedApi, ListApiView):
    """The units of a closed month."""

    operation, summary = "snapshot_units", "List a closed month's units"
    says = "Every unit that was due in the month with its verdict, those that were left out too."
    shape = shapes.UnitShape
    query = Query.of(
        _LANE, Parameter(name="outcome", says="The verdict.", choices=tuple(Outcome), example="LATE"),
        fields=shapes.UnitShape.names(), paged=True,
    )  # fmt: skip

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One page, by number."""
        snapshot, place = self.snapshot(public_id), self.place
        at = str(place.keys[0]) if place else ""
        units, after, before = selectors.unit_page(
            snapshot, lane=self.asked["lane"] or "", outcome=self.asked["outcome"] or "",
            after=at if place and not place.back else "", before=at if place and place.back else "", size=self.size,
        )  # fmt: skip
        page = ApiPage(
            units,
            next=Place((after,)) if after else None,
            previous=Place((before,), back=True) if before else None,
        )
        return self.page(page, [shapes.unit_row(unit) for unit in units])


class SnapshotFile(ClosedApi):
    """A file of a closed month."""

    operation, summary = "snapshot_file", "Download a closed month's file"
    says = "Always the same bytes; the download is recorded in the audit trail. What is in it: the page on evidence."
    shape = None
    files = shapes.FILES

    def get(self, request: Request, public_id: str, name: str) -> HttpResponse:
        """An attachment."""
        snapshot = self.snapshot(public_id)
        if name not in _CONTENT:
            raise NotFound
        audit(action="snapshot.downloaded", actor=self.reader.label, at=self.at, object_type="snapshot",
              object_id=public_id, details={"file": name})  # fmt: skip
        content_type, content = _CONTENT[name]
        response = HttpResponse(content(snapshot), content_type=content_type)
        file = f"{tenant_current().code}-{snapshot.period}-v{snapshot.version}-{name}"
        response["Content-Disposition"] = f'attachment; filename="{file}"'
        return response
