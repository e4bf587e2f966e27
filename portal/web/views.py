"""Home, and the doors of operation: /healthz, /readyz, /metrics."""

from __future__ import annotations

from typing import ClassVar

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import View

from portal.web import home
from portal.web.pages import PageView
from portal.web.policy import Policy, public, signed_in


class Home(PageView):
    """What needs attention now, for each role; tiles come from the apps by registration."""

    policy: ClassVar[Policy] = signed_in()

    def get(self, request: HttpRequest) -> HttpResponse:
        """The operator's desk or the customer's page."""
        template = "web/home_operator.html" if self.member.is_staff else "web/home_customer.html"
        title = _("The desk today") if self.member.is_staff else _("Today")
        return self.page(template, {"title": title, **home.contents(self.member, self.at)})


class Healthz(View):
    """The process answers."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest) -> HttpResponse:
        """200 while the process runs."""
        return HttpResponse("ok\n", content_type="text/plain")


class Readyz(View):
    """Database there and migrated: traffic may come (P1)."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest) -> HttpResponse:
        """200 or 503 with what is missing, by name only."""
        try:
            executor = MigrationExecutor(connection)
            behind = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        except Exception:
            return JsonResponse({"ready": False, "missing": ["database"]}, status=503)
        if behind:
            return JsonResponse({"ready": False, "missing": ["migrations"]}, status=503)
        return JsonResponse({"ready": True, "missing": []})


class Metrics(View):
    """Backlogs in the text form that scrapers read; counts only, of nobody in particular (P1)."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest) -> HttpResponse:
        """plimsoll_* gauges that the apps registered."""
        lines = [f"{name} {value}" for name, value in sorted(home.gauges().items())]
        return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")
