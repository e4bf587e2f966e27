"""The list of shipments as files: CSV streamed, XLSX at once or, when it is long, made by the outbox for later.

Exactly the view: its columns, its filters, its order. What the address asks and we do not understand is refused: nobody
is to take a longer list for the one that was meant.
"""

from __future__ import annotations

import io
from datetime import timedelta
from typing import ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.errors import BadRequest, NotEntitled, NotFound
from portal.web.exports import XLSX, attachment, csv_stream_joined, xlsx_write
from portal.web.policy import Policy, customers, entitled
from tracking.filters import ShipmentFilter
from tracking.list_files import ListFile
from tracking.models import Export, ExportState
from tracking.selectors import shipment_count
from tracking.services import MOST_AT_ONCE, MOST_ROWS, export_ask
from tracking.views import ShipmentView

_GIVEN_UP: Final = timedelta(hours=1)


class _File(ShipmentView):
    """A door to a file of the list."""

    def asked(self, request: HttpRequest) -> ShipmentFilter:
        """What the address asks; raises NotEntitled, BadRequest."""
        if not self.member.is_staff and not entitled("csv_export", self.at):
            raise NotEntitled(label=_("CSV export"))
        wanted = self.wanted(request)
        if wanted.problems:
            raise BadRequest(detail=" ".join(wanted.problems))
        return wanted

    def name(self, ending: str) -> str:
        """What the file is called."""
        return f"shipments-{self.at:%Y-%m-%d}.{ending}"

    def file(self, wanted: ShipmentFilter) -> ListFile:
        """The view as a file, for this reader, as of now."""
        return ListFile(wanted=wanted, now=self.at, every_event=self.every_event, follower=self.follower)

    def count(self, wanted: ShipmentFilter) -> int:
        """How many rows, counted as far as it matters."""
        return shipment_count(
            wanted, now=self.at, every_event=self.every_event, follower=self.follower, most=MOST_ROWS
        )  # fmt: skip


class ShipmentsCsv(_File):
    """Exactly the view as CSV, all of its pages, streamed."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The same columns, filter and order as the list."""
        wanted = self.asked(request)
        file = self.file(wanted)
        return csv_stream_joined(self.name("csv"), file.heads, file.lines())


class ShipmentsXlsx(_File):
    """Exactly the view as a workbook; more than some thousand rows are asked for and come later."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The file, or the page that offers to make it."""
        wanted = self.asked(request)
        total = self.count(wanted)
        if total > MOST_AT_ONCE and self.member.is_staff:
            raise BadRequest(detail=_("More than %(most)d rows: take the CSV, or narrow the list.")
                             % {"most": MOST_AT_ONCE})  # fmt: skip
        if total > MOST_AT_ONCE:
            return self.page("tracking/export_ask.html", {
                "title": _("A large list"), "total": total, "most": MOST_ROWS, "too_many": total > MOST_ROWS,
                "query": wanted.query(), "list_url": wanted.url(reverse("tracking:shipments")),
                "csv_url": wanted.url(reverse("tracking:shipments_csv")),
                "crumbs": [{"label": _("Shipments"), "url": wanted.url(reverse("tracking:shipments"))}],
            })  # fmt: skip
        file, out = self.file(wanted), io.BytesIO()
        xlsx_write(out, sheet="shipments", columns=file.heads, rows=file.values())
        return attachment(self.name("xlsx"), out.getvalue(), XLSX)


class Exports(_File):
    """Asks for the workbook of a large view."""

    policy: ClassVar[Policy] = customers(entitlement="portal_core")

    def post(self, request: HttpRequest) -> HttpResponse:
        """The view stands in the address."""
        wanted = self.asked(request)
        made = export_ask(member=self.member, wanted=wanted, total=self.count(wanted), at=self.at)
        return redirect("tracking:export", public_id=made.public_id)


class _OneExport(_File):
    policy: ClassVar[Policy] = customers(entitlement="portal_core")

    def own(self, public_id: str) -> Export:
        """A file of this person's that is still kept; raises NotFound."""
        found = Export.objects.filter(public_id=public_id, member=self.member, expires_at__gt=self.at)
        export = found.defer("body").first()
        if export is None:
            raise NotFound
        return export


class ExportPage(_OneExport):
    """How far a workbook is; when it is ready, where to fetch it."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Looks again by itself, and may be left: a mail tells when it is ready."""
        export = self.own(public_id)
        working = export.state in (ExportState.WAITING, ExportState.RUNNING)
        stuck = working and export.made_at < self.at - _GIVEN_UP
        return self.page("tracking/export.html", {
            "title": _("Your workbook"), "export": export, "working": working and not stuck, "stuck": stuck,
            "kilobytes": -(-export.size // 1024), "zone": "UTC",
            "file_url": reverse("tracking:export_file", kwargs={"public_id": public_id}),
            "list_url": reverse("tracking:shipments") + (f"?{export.query}" if export.query else ""),
            "crumbs": [{"label": _("Shipments"), "url": reverse("tracking:shipments")}],
        })  # fmt: skip


class ExportFile(_OneExport):
    """The workbook itself; who may have it is judged now, not when it was asked for (X3)."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """As an attachment."""
        if not entitled("csv_export", self.at):
            raise NotEntitled(label=_("CSV export"))
        export = self.own(public_id)
        if export.state != ExportState.DONE or export.body is None:
            raise NotFound
        return attachment(f"shipments-{export.made_at:%Y-%m-%d}.xlsx", bytes(export.body), XLSX)
