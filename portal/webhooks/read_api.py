"""The API's doors about webhooks: an account's systems see what they missed, and fetch it by other ways."""

from __future__ import annotations

from typing import ClassVar, Final

from django.http import HttpResponse
from rest_framework.request import Request

from portal.tenancy.models import Role
from portal.web.api import ApiView, ListApiView
from portal.web.apipages import key_page, list_page
from portal.web.apiquery import Parameter, Query
from portal.web.policy import READ_KEY, Policy
from portal.webhooks.models import DeliveryState
from portal.webhooks.selectors import deliveries_of, endpoint_get, endpoint_list
from portal.webhooks.shapes import DeliveryShape, EndpointShape, delivery_row, endpoint_row

MANAGED: Final = Policy(who=frozenset({Role.MANAGER.value, READ_KEY}), entitlement="read_api")


class WebhookApi(ApiView):
    """A door about webhooks: for managers, as its pages are, and for the keys that they made."""

    policy: ClassVar[Policy] = MANAGED
    needs = "webhooks"
    tag = "Webhooks"


class Endpoints(WebhookApi, ListApiView):
    """All of the account."""

    operation, summary = "webhooks", "List webhook endpoints"
    says = "The endpoints of the account by name, and whether they take what they are sent."
    shape = EndpointShape
    query = Query.of(fields=EndpointShape.names(), paged=True)

    def get(self, request: Request) -> HttpResponse:
        """There are few."""
        page = list_page(endpoint_list(), self.place, self.size, of=lambda e: (e.label, e.public_id))
        return self.page(page, [endpoint_row(endpoint) for endpoint in page.rows])


class Deliveries(WebhookApi, ListApiView):
    """The log of one endpoint."""

    operation, summary = "webhook_deliveries", "List deliveries"
    says = (
        "What an endpoint was sent in the last thirty days, the newest first. FAILED is what an outage made you miss."
    )
    shape = DeliveryShape
    query = Query.of(
        Parameter(name="state", says="Only those that stand so.", choices=tuple(DeliveryState.values),
                  example="FAILED"),
        fields=DeliveryShape.names(), orders=("-created_at", "created_at"), paged=True,
    )  # fmt: skip

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One page; another account's endpoint is not found (T6)."""
        rows = deliveries_of(endpoint_get(public_id), state=self.asked["state"] or "")
        sign = "-" if self.asked["order"] == "-created_at" else ""
        page = key_page(rows, (f"{sign}id",), self.place, self.size, of=lambda row: (row.pk,))
        return self.page(page, [delivery_row(row) for row in page.rows])
