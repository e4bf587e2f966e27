"""The API's doors about a shipment's documents and comments; what is internal to the staff has none here."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from portal.lib.errors import NotFound
from portal.web.api import ListApiView
from portal.web.apipages import list_page
from portal.web.apiquery import Query
from tracking import talk_shapes as shapes
from tracking.comment_reads import comments_all
from tracking.document_reads import document_file, documents_of
from tracking.document_views import handed_out
from tracking.filekinds import KINDS
from tracking.read_api import ShipmentApi, shipment_of


class Documents(ShipmentApi, ListApiView):
    """The documents of a shipment."""

    operation, summary = "shipment_documents", "List a shipment's documents"
    says = "Every version, in the order added; what was withdrawn says why. The bytes have an address of their own."
    shape = shapes.DocumentShape
    query = Query.of(fields=shapes.DocumentShape.names(), paged=True)

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One page."""
        shipment = shipment_of(public_id)
        rows = documents_of(shipment, internal=False)
        order = {d.public_id: d.pk for d in rows}
        told = shapes.document_rows(shipment, rows)
        page = list_page(told, self.place, self.size, of=lambda row: (order[row["id"]],))
        return self.page(page, page.rows)


class DocumentFile(ShipmentApi):
    """The bytes of a document."""

    operation, summary = "shipment_document_file", "Download a document"
    says = "The file as it is kept, as an attachment. A document that was withdrawn is not found."
    shape = None
    media = tuple(kind.content_type for kind in KINDS)

    def get(self, request: Request, public_id: str, document: str) -> HttpResponse:
        """An attachment."""
        found = document_file(shipment_of(public_id), document, internal=False)
        if found is None:
            raise NotFound
        return handed_out(found)


class Comments(ShipmentApi, ListApiView):
    """The comments on a shipment."""

    operation, summary = "shipment_comments", "List a shipment's comments"
    says = "What the account and the forwarder wrote to each other, in the order written, without what was withdrawn."
    shape = shapes.CommentShape
    query = Query.of(fields=shapes.CommentShape.names(), paged=True)

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One page."""
        rows = comments_all(shipment_of(public_id), internal=False)
        page = list_page(rows, self.place, self.size, of=lambda c: (c.pk,))
        return self.page(page, [shapes.comment_row(c) for c in page.rows])
