"""What was sent and what came of it: the log, one message with its attempts, sending again (H4, H7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.tenancy.selectors import tenant_zone
from portal.web.pages import pager
from portal.webhooks import payloads
from portal.webhooks.deliveries import EndpointOff, StillOpen, TooMany, delivery_replay, range_replay
from portal.webhooks.forms import ReplayForm
from portal.webhooks.models import OPEN_STATES, DeliveryState, EndpointState, WebhookAttempt, WebhookEndpoint
from portal.webhooks.selectors import Asked, attempts_of, delivery_get, delivery_page, endpoint_list
from portal.webhooks.views.base import TONES, WebhookView, crumbs, delivery_row
from portal.webhooks.wording import reason_says

PAGE = 50


class Deliveries(WebhookView):
    """The log of all endpoints, filtered by endpoint, state, kind and what it is about."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Newest first; an unknown filter finds nothing."""
        asked = Asked(**{name: request.GET.get(name, "")[:80].replace("\0", "") for name in Asked.__slots__})
        rows, older, newer = delivery_page(
            asked, before=request.GET.get("older"), after=request.GET.get("newer"), most=PAGE
        )  # fmt: skip
        endpoints = endpoint_list()
        return self.page("webhooks/deliveries.html", {
            "title": _("Webhook log"), "crumbs": crumbs(), "zone": tenant_zone(), "asked": asked,
            "rows": [{**delivery_row(row), "endpoint": row.endpoint.label} for row in rows],
            "pager": pager(request, older=older, newer=newer), "chips": _chips(asked),
            "menus": [_endpoint_menu(asked, endpoints), _kind_menu(asked)],
            "about_url": _link(asked, about=""), "is_filtered": asked != Asked(),
            "clear_url": reverse("webhooks:deliveries"),
        })  # fmt: skip


def _link(asked: Asked, **changed: str) -> str:
    kept = {name: getattr(asked, name) for name in Asked.__slots__} | changed
    query = urlencode({name: value for name, value in kept.items() if value})
    return reverse("webhooks:deliveries") + (f"?{query}" if query else "")


def _chips(asked: Asked) -> list[dict[str, Any]]:
    chips = [{"label": _("All"), "url": _link(asked, state=""), "active": not asked.state}]
    return chips + [
        {"label": state.label, "url": _link(asked, state=state.value), "active": asked.state == state}
        for state in DeliveryState
    ]


def _endpoint_menu(asked: Asked, endpoints: list[WebhookEndpoint]) -> dict[str, Any]:
    chosen = next((e.label for e in endpoints if e.public_id == asked.endpoint), asked.endpoint)
    return {
        "label": _("Endpoint"), "chosen": chosen, "all_url": _link(asked, endpoint=""),
        "items": [{"label": e.label, "url": _link(asked, endpoint=e.public_id), "active": e.public_id == asked.endpoint}
                  for e in endpoints],
    }  # fmt: skip


def _kind_menu(asked: Asked) -> dict[str, Any]:
    keys = [*payloads.kinds(), payloads.PING]
    return {
        "label": _("Event"), "chosen": payloads.kind_says(asked.kind) if asked.kind else "",
        "all_url": _link(asked, kind=""),
        "items": [{"label": payloads.kind_says(key), "url": _link(asked, kind=key), "active": key == asked.kind}
                  for key in keys],
    }  # fmt: skip


class DeliveryPage(WebhookView):
    """One message: its bytes, its attempts, and sending it again."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Its story."""
        row = delivery_get(public_id)
        state, is_open = DeliveryState(row.state), row.state in OPEN_STATES
        blocked = "" if row.endpoint.state == EndpointState.ACTIVE and row.endpoint.removed_at is None else _(
            "The endpoint is not active, so nothing can be sent to it.")  # fmt: skip
        again = {
            "action": reverse("webhooks:delivery_replay", kwargs={"public_id": public_id}), "blocked": blocked,
            "submit": _("Send it again"),
            "sentence": _("The same bytes under the same id: a system that has taken it already knows it by its id."),
        }  # fmt: skip
        return self.page("webhooks/delivery.html", {
            "title": payloads.kind_says(row.fact_key), "subtitle": row.about,
            "crumbs": [*crumbs(), {"label": _("Log"), "url": _link(Asked(endpoint=row.endpoint.public_id))}],
            "delivery": row, "zone": tenant_zone(), "state": {"tone": TONES[state], "label": state.label},
            "is_open": is_open, "reason": reason_says(row.reason), "confirm": None if is_open else again,
            "attempts": [_attempt(a) for a in attempts_of(row)],
            "portal_url": "" if row.is_test else payloads.portal_path(bytes(row.body), base=settings.PUBLIC_URL),
            "raw": {"label": _("Body, laid out for reading"),
                    "lines": [{"n": n, "text": text} for n, text in
                              enumerate(payloads.shown(bytes(row.body)).splitlines(), start=1)]},
        })  # fmt: skip


def _attempt(row: WebhookAttempt) -> dict[str, Any]:
    good = row.status is not None and 200 <= row.status < 300
    return {
        "number": row.number, "at": row.at, "took_ms": row.took_ms, "why": row.why, "excerpt": row.excerpt,
        "state": {"tone": "ok" if good else "late", "label": str(row.status) if row.status else _("no answer")},
    }  # fmt: skip


class ReplayDelivery(WebhookView):
    """Sends one message again."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Under its own id."""
        try:
            delivery_replay(public_id=public_id, actor=self.member.label, at=self.at)
        except (StillOpen, EndpointOff) as error:
            messages.error(request, error.sentence())
        else:
            messages.success(request, _("It is on its way again."))
        return HttpResponseRedirect(reverse("webhooks:delivery", kwargs={"public_id": public_id}))


class ReplayRange(WebhookView):
    """Sends again what an endpoint was not sent, or all of it, of a span of time."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """From when it failed, or was switched off, until now."""
        endpoint, zone = self.endpoint(public_id), tenant_zone()
        since = min((t for t in (endpoint.failing_since, endpoint.off_at) if t), default=self.at - timedelta(days=1))
        until = self.at + timedelta(minutes=1)
        form = ReplayForm(zone=zone, initial={
            "since": since.astimezone(zone).replace(tzinfo=None), "until": until.astimezone(zone).replace(tzinfo=None),
            "which": "lost"})  # fmt: skip
        return self._form(endpoint, form)

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Says how many."""
        endpoint, form = self.endpoint(public_id), ReplayForm(request.POST, zone=tenant_zone())
        if form.is_valid():
            try:
                n = range_replay(
                    endpoint=endpoint, since=form.cleaned_data["since"], until=form.cleaned_data["until"],
                    all_of=form.cleaned_data["which"] == "all", actor=self.member.label, at=self.at,
                )  # fmt: skip
            except (EndpointOff, TooMany) as error:
                form.add_error(None, error.sentence())
            else:
                said = ngettext("%(n)d message is on its way again.", "%(n)d messages are on their way again.", n)
                told = said % {"n": n} if n else _("There is nothing to send again in this time.")
                messages.success(request, told)
                return HttpResponseRedirect(reverse("webhooks:endpoint", kwargs={"public_id": public_id}))
        return self._form(endpoint, form, 422)

    def _form(self, endpoint: WebhookEndpoint, form: ReplayForm, status: int = 200) -> HttpResponse:
        return self.page("webhooks/form.html", {
            "title": _("Send again to “%(label)s”") % {"label": endpoint.label}, "form": form,
            "crumbs": crumbs(endpoint), "word": _("Send again"),
            "back_url": reverse("webhooks:endpoint", kwargs={"public_id": endpoint.public_id}),
            "sentence": _("Times are those of %(zone)s. Each message keeps its id and its bytes, so a system that has "
                          "taken it already knows it.") % {"zone": tenant_zone().key},
        }, status)  # fmt: skip
