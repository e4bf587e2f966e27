"""The API's doors about exceptions: what goes wrong, who takes care of it, and what the customer was told.

What an account may see of them is what its pages show (5.1, R8.3); the shape is in exception_shapes.py.
"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from portal.lib.errors import NotFound
from portal.web.api import ApiView, ListApiView
from portal.web.apipages import key_page
from portal.web.apiquery import Parameter, Query
from tracking.exception_reads import case_seen, cases_seen
from tracking.exception_shapes import ExceptionShape, exception_row
from tracking.exceptions import Code, Severity
from tracking.models import CaseState

_STATES = (CaseState.OPEN.value, CaseState.CLEARED.value, CaseState.RESOLVED.value)


class ExceptionApi(ApiView):
    """A door about exceptions."""

    needs = "exception_alerts"
    tag = "Exceptions"
    shape = ExceptionShape


class Exceptions(ExceptionApi, ListApiView):
    """The list."""

    operation, summary = "exceptions", "List exceptions"
    says = "Exceptions in one state, those that began last first. One row for one kind, place and occurrence."
    query = Query.of(
        Parameter(name="state", says="Open; over by itself; or ended by a person.", choices=_STATES, usual="OPEN",
                  example="OPEN"),
        Parameter(name="severity", says="This severe or more.", choices=tuple(s.name for s in Severity),
                  example="HIGH"),
        Parameter(name="code", says="Only this kind.", choices=tuple(str(c) for c in Code), example="ROLLOVER"),
        Parameter(name="shipment", says="Only of this shipment, by its id.", pattern=r"[0-9a-z]{1,26}", longest=26,
                  example="0123456789abcdefghjk"),
        fields=ExceptionShape.names(), orders=("-started_at", "started_at"), paged=True,
    )  # fmt: skip

    def get(self, request: Request) -> HttpResponse:
        """One page."""
        asked, rows = self.asked, cases_seen().filter(state=self.asked["state"])
        if asked["severity"]:
            rows = rows.filter(severity__gte=Severity[asked["severity"]])
        if asked["code"]:
            rows = rows.filter(code=asked["code"])
        if asked["shipment"]:
            rows = rows.filter(shipment__public_id=asked["shipment"])
        sign = "-" if asked["order"] == "-started_at" else ""
        page = key_page(
            rows, (f"{sign}started_at", f"{sign}id"), self.place, self.size, of=lambda c: (c.started_at, c.pk)
        )
        return self.page(page, [exception_row(case) for case in page.rows])


class ExceptionOne(ExceptionApi):
    """One exception."""

    operation, summary = "exception", "Read an exception"
    says = "An exception with its owner, its clock and what you were told of it."
    query = Query.of(fields=ExceptionShape.names())

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """One; another account's answers like an unknown one (T6)."""
        case = case_seen(public_id)
        if case is None:
            raise NotFound
        return self.one(exception_row(case))
