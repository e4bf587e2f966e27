"""The test bench: what a source's message would become, without storing any of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from portal.tenancy.context import across_tenants, as_tenant
from portal.tenancy.selectors import operator_zone
from portal.web.policy import Policy, staff
from tracking import bench_pages, crossings, partner_pages
from tracking.ingest import message_try
from tracking.models import InboundMessage
from tracking.partner_forms import BenchForm
from tracking.partner_pages import page_url
from tracking.partner_views import SourceView


class Bench(SourceView):
    """Paste a message, or choose one of those that came; everybody of the staff may try."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "test bench: whose shipments a message would match"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form; with `?message=` what that message would become now."""
        chosen = request.GET.get("message", "")
        if not chosen:
            return self._page(BenchForm())
        found = InboundMessage.objects.select_related("raw").filter(source=self.source, public_id=chosen[:26]).first()
        if found is None:
            raise NotFound
        body = bytes(found.raw.body)
        text = body.decode("utf-8", "replace")
        result = self._tried(body, text, content_type=found.content_type, file_name=found.file_name)
        readable = "\ufffd" not in text and "\0" not in text
        return self._page(BenchForm(initial={"text": text if readable else ""}), result)

    def post(self, request: HttpRequest) -> HttpResponse:
        """What the pasted text would become."""
        form = BenchForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        body = form.body()
        return self._page(form, self._tried(body, body.decode("utf-8", "replace")))

    def _tried(self, body: bytes, text: str, **labels: str) -> dict[str, Any]:
        with across_tenants(reason=self.crossing_reason, actor=self.member.label, at=self.at):
            with as_tenant(self.source.tenant_id):
                trial = message_try(source=self.source, body=body, at=self.at, **labels)
            accounts = crossings.tenants_named({m.tenant_id for t in trial.tried for m in t.meant})
        return bench_pages.shown(trial, source=self.source, text=text, accounts=accounts, may_edit=self.may_edit)

    def _page(self, form: BenchForm, result: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/source_bench.html", {
            **self.below(_("Test bench")), "form": form, "result": result, "zone": operator_zone(),
            "subtitle": _("What %(name)s's message would become. Nothing of it is stored, nobody is told.")
            % {"name": self.source.name},
            "recent": partner_pages.lately(self.source), "codes_url": page_url("source_codes", self.source),
        }, status)  # fmt: skip
