"""The API's doors about service credits: the list, and one credit with every step of its sum.

Who may see them is decided in permissions.py, as for the pages; shapes are in shapes.py.
"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from portal.lib.errors import NotFound
from portal.tenancy.selectors import tenant_current
from portal.web.api import ApiView, ListApiView
from portal.web.apipages import key_page
from portal.web.apiquery import Parameter, Query, month
from tiers.credits import permissions, selectors, shapes
from tiers.credits.state_rules import CreditState


class CreditApi(ApiView):
    """A door about credits."""

    needs = permissions.KEY
    tag = "Service credits"

    def may_see(self) -> bool:
        """Entitled now, or with credits from when it was."""
        return permissions.may_enter(at=self.at)


class Credits(CreditApi, ListApiView):
    """Every assessed month of every promise."""

    operation, summary = "credits", "List credits"
    says = "Worked out from each closed month, unasked; promises that were kept stand here too."
    shape = shapes.CreditRow
    query = Query.of(
        month("The local month."),
        Parameter(name="state", says="Where it stands.", choices=tuple(CreditState), example="COMPUTED"),
        fields=shapes.CreditRow.names(), orders=("-month", "month"), paged=True,
    )  # fmt: skip

    def get(self, request: Request) -> HttpResponse:
        """One page."""
        rows = selectors.credits_found(month=self.asked["month"], state=self.asked["state"])
        sign = "-" if self.asked["order"] == "-month" else ""
        page = key_page(
            rows, (f"{sign}period", "public_id"), self.place, self.size, of=lambda line: (line.period, line.public_id)
        )
        return self.page(page, [shapes.credit_row(line) for line in page.rows])


class Credit(CreditApi):
    """One credit."""

    operation, summary = "credit", "Read a credit"
    says = "The sum with every step, the units that missed the promise, who decided, and what was posted."
    shape = shapes.CreditShape
    query = Query.of(fields=shapes.CreditShape.names())

    def get(self, request: Request, public_id: str) -> HttpResponse:
        """As it stands now."""
        line = selectors.credit_get(public_id)
        if line is None:
            raise NotFound
        more = shapes.credit_more(
            line,
            account=tenant_current().name,
            transitions=selectors.transitions_of(line),
            postings=selectors.postings_of(line),
            missed=selectors.missed_units(line),
        )
        return self.one({**shapes.credit_row(line), **more})
