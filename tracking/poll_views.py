"""The desk's page about fetching from one source: set up, try, pause, and what the last runs brought.

The page of a source's folder is the same: both are doors that we open ourselves.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from portal.lib.errors import NotFound
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone, tenant_current
from portal.tenancy.services import audit
from portal.web.pages import PageView
from portal.web.policy import Policy, staff
from portal.web.stepup import ALL
from tracking import inbox, poller, services
from tracking.forms import PollForm
from tracking.models import InboxRefusal, Poll, Source
from tracking.selectors import source_scope
from tracking.services import PollSpec

_MOST_REFUSALS = 20


class PollPage(PageView):
    """Where, as whom and how often we ask; the secret can be entered and is never shown."""

    policy: ClassVar[Policy] = staff(Role.ADMIN)
    step_up = ALL
    source: Source

    def enter(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """In the scope of the source, and in no transaction: trying a connection may take its time."""
        tenant_id = source_scope(str(kwargs.pop("source")))
        if tenant_id is None:
            raise NotFound
        if tenant_id != OPERATOR_ID:
            with as_tenant(tenant_id):
                account = tenant_current().public_id
            with transaction.atomic():
                audit(action="account.entered", actor=self.member.label, at=self.at, object_type="account",
                      object_id=account, details={"page": "ops:tracking_source_poll"})  # fmt: skip
        with as_tenant(tenant_id):
            self.source = Source.objects.get(key=request.resolver_match.kwargs["source"])  # type: ignore[union-attr]
            return View.dispatch(self, request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        """The settings as they are."""
        poll = self._poll()
        return self._page(poll, PollForm(initial=_initial(poll), has_secret=bool(poll and poll.secret)))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Saves, tries what is written in the form, or pauses; `act` says which."""
        act = request.POST.get("act", "save")
        if act in ("pause", "resume"):
            services.poll_pause(
                source=self.source, paused=act == "pause", at=self.at, actor=self.member.label
            )  # fmt: skip
            return HttpResponseRedirect(request.path)
        poll = self._poll()
        form = PollForm(request.POST, has_secret=bool(poll and poll.secret))
        if not form.is_valid():
            return self._page(poll, form, status=422)
        since = self.at - timedelta(days=form.cleaned_data["days_back"])
        spec = PollSpec(**{f.name: form.cleaned_data[f.name] for f in fields(PollSpec)})
        asked: dict[str, Any] = {"source": self.source, "since": since, "at": self.at, "actor": self.member.label}
        if act == "try":
            return self._page(poll, form, tried=poller.connection_try(services.poll_planned(spec, **asked), at=self.at))
        services.poll_save(spec, **asked)
        messages.success(request, _("Saved. The first events are asked for within a minute."))
        return HttpResponseRedirect(request.path)

    def _poll(self) -> Poll | None:
        return Poll.objects.filter(source=self.source).first()

    def _page(
        self, poll: Poll | None, form: PollForm, *, tried: dict[str, Any] | None = None, status: int = 200
    ) -> HttpResponse:
        zone = operator_zone()
        return self.page("tracking/ops/poll.html", {
            "title": _("Fetching from %(name)s") % {"name": self.source.name}, "source": self.source, "zone": zone,
            "crumbs": [{"label": _("Sources"), "url": reverse("ops:tracking_sources")}, {"label": self.source.name}],
            "form": form, "poll": poll, "state": _state(poll, self.at), "facts": _facts(poll, zone),
            "trouble": poll.last_error if poll is not None and poll.failures else "",
            "tried": _tried(tried), "runs": _runs(poll),
            "inbox": inbox.folder_words(self.source), "refusals": _refusals(self.source),
        }, status)  # fmt: skip


def _initial(poll: Poll | None) -> dict[str, Any]:
    if poll is None:
        return {}
    kept = {f.name: getattr(poll, f.name) for f in fields(PollSpec) if f.name not in ("secret", "filters")}
    return kept | {"filters": "\n".join(f"{name}={value}" for name, value in poll.filters.items())}


def _state(poll: Poll | None, at: datetime) -> dict[str, str]:
    """Tone and word."""
    if poll is None:
        return {"tone": "neutral", "label": _("Not set up")}
    if not poll.is_active:
        return {"tone": "neutral", "label": _("Paused")}
    if poll.needs_person:
        return {"tone": "late", "label": _("Needs a person")}
    if poll.failures:
        return {"tone": "warn", "label": _("Trying again")}
    return {"tone": "ok", "label": _("Fetching")} if poll.last_ok_at else {"tone": "info", "label": _("Not run yet")}


def _facts(poll: Poll | None, zone: Any) -> list[dict[str, Any]]:
    from portal.web.templatetags.ui import time_at

    if poll is None:
        return []
    pages = ngettext("%(n)d page read", "%(n)d pages read", poll.window_pages) % {"n": poll.window_pages}
    said = (
        (_("Next run"), time_at(poll.next_at, zone) if poll.is_active else _("when it is resumed")),
        (_("Last went well"), time_at(poll.last_ok_at, zone) if poll.last_ok_at else _("never")),
        (_("Read up to"), time_at(poll.window_from, zone)),
        (_("In the middle of"), pages if poll.next_page and poll.window_pages else ""),
        (_("Failures in a row"), str(poll.failures) if poll.failures else ""),
        (_("Changed by"), poll.changed_by),
    )
    return [{"label": label, "value": value} for label, value in said if value]


def _runs(poll: Poll | None) -> list[dict[str, Any]]:
    return [
        {**run, "at": datetime.fromisoformat(run["at"]), "tone": "late" if run["error"] else "ok"}
        for run in (poll.runs if poll is not None else [])
    ]


def _tried(told: dict[str, Any] | None) -> dict[str, str] | None:
    """What came of trying, for web/_callout.html."""
    if told is None:
        return None
    if told["error"]:
        return {"tone": "late", "title": _("The connection does not work yet"), "text": told["error"]}
    token = _("The credentials are accepted.") if told["token"] else _("No token was asked for.")
    events = _("It has events for us.") if told["events"] else _("It has no events of these days for us.")
    return {"tone": "ok", "title": _("The connection works"), "text": f"{token} {events} {_('Nothing was stored.')}"}


def _refusals(source: Source) -> list[InboxRefusal]:
    return list(InboxRefusal.objects.filter(source=source).order_by("-noticed_at", "-id")[:_MOST_REFUSALS])
