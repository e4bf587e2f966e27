"""The desk's pages about sources: who reports, when last, how much; and a new one with its key, shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.periods import local_date, local_midnight
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import Role, TenantKind
from portal.tenancy.selectors import operator_zone, tenant_id_of_public_id
from portal.web.pages import CrossingView, PageView
from portal.web.policy import Policy, staff
from portal.web.stepup import ALL
from tracking import crossings, services, wording
from tracking.crossings import SourceLine
from tracking.forms import SourceForm
from tracking.models import Source
from tracking.ops_views import quarantine_url
from tracking.partner_pages import page_url
from tracking.types import SourceKind

_ACCOUNTS_REASON: Final = "sources: the accounts that a new source can belong to"


def since_midnight(at: datetime) -> datetime:
    """When the operator's day began."""
    zone = operator_zone()
    return local_midnight(local_date(at, zone), zone)


def source_state(line: SourceLine, at: datetime) -> dict[str, Any]:
    """Tone and word: silent, heard, never heard, closed."""
    if not line.source.is_active:
        return {"tone": "neutral", "label": _("Closed")}
    if line.source.last_heard_at is None:
        return {"tone": "late" if line.is_silent(at) else "neutral", "label": _("Never heard")}
    return {"tone": "late", "label": _("Silent")} if line.is_silent(at) else {"tone": "ok", "label": _("Heard")}


class Sources(CrossingView):
    """Every source, the operator's and the accounts' own, with today's counts."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "sources: when each was last heard, over all accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list; silent ones first."""
        lines = crossings.source_lines(since=since_midnight(self.at))
        zone = operator_zone()
        rows = [self._row(line, zone) for line in sorted(lines, key=lambda one: not one.is_silent(self.at))]
        return self.page("tracking/ops/sources.html", {
            "title": _("Sources"), "rows": rows,
            "subtitle": _("A source is called silent when nothing came from it for 24 hours. Counts are of today."),
            "new_url": reverse("ops:tracking_source_new") if self.member.role == Role.ADMIN else "",
        })  # fmt: skip

    def _row(self, line: SourceLine, zone: Any) -> dict[str, Any]:
        source = line.source
        return {
            "url": page_url("source", source), "name": source.name, "key": source.key,
            "kind": wording.SOURCE_KINDS.get(source.kind, source.kind),
            "format": source.format, "state": source_state(line, self.at), "at": source.last_heard_at, "zone": zone,
            "account": "" if source.tenant.kind == TenantKind.OPERATOR else source.tenant.name,
            "messages": line.messages, "accepted": line.accepted, "duplicate": line.duplicate,
            "quarantined": line.quarantined, "waiting": line.waiting, "waiting_url": quarantine_url(source=source.key),
        }  # fmt: skip


class NewSource(PageView):
    """A new source: its key and its callback secret are made here and shown once."""

    policy: ClassVar[Policy] = staff(Role.ADMIN)
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self._form(SourceForm(accounts=self._accounts()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """The secrets in the answer itself: they are kept sealed or hashed, and never shown again."""
        form = SourceForm(request.POST, accounts=self._accounts())
        if form.is_valid():
            try:
                return self._made(form.cleaned_data)
            except services.SourceExists as error:
                form.add_error("key", error.sentence())
        return self._form(form, status=422)

    def _made(self, wanted: dict[str, Any]) -> HttpResponse:
        owner = tenant_id_of_public_id(wanted["account"]) if wanted["account"] else OPERATOR_ID
        assert owner is not None  # the form offers known accounts only
        secret = services.dcsa_secret() if wanted["format"].startswith("dcsa") else ""
        with as_tenant(owner):
            source = services.source_create(
                key=wanted["key"], name=wanted["name"], kind=SourceKind(wanted["kind"]), at=self.at,
                format=wanted["format"], secret=secret, future_act_as_est=wanted["future_act_as_est"],
                arrival_is_anchorage=wanted["arrival_is_anchorage"], actor=self.member.label,
            )  # fmt: skip
            _key, text = key_create(
                label=source.name[:80], at=self.at, scope="events:write", source_key=source.key, actor=self.member.label
            )
        return self.page("tracking/ops/source_made.html", {
            "title": _("Source added"), "source": source, "key": text, "secret": secret, **self._doors(source),
            "crumbs": [{"label": _("Sources"), "url": reverse("ops:tracking_sources")}],
            "list_url": reverse("ops:tracking_sources"),
        })  # fmt: skip

    def _doors(self, source: Source) -> dict[str, str]:
        kwargs, base = {"source": source.key}, settings.PUBLIC_URL  # a partner gets them: never from the request (W3)
        return {
            "ingest_url": base + reverse("tracking:ingest", kwargs=kwargs),
            "callback_url": base + reverse("tracking:dcsa_callback", kwargs=kwargs) if source.dcsa_secrets else "",
        }

    def _accounts(self) -> list[tuple[str, str]]:
        with across_tenants(reason=_ACCOUNTS_REASON, actor=self.member.label, at=self.at):
            return [(t.public_id, t.name) for t in crossings.accounts()]

    def _form(self, form: SourceForm, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/source_new.html", {
            "title": _("New source"), "form": form, "cancel_url": reverse("ops:tracking_sources"),
            "crumbs": [{"label": _("Sources"), "url": reverse("ops:tracking_sources")}],
        }, status)  # fmt: skip
