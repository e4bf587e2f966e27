"""Endpoints of an account: list, make (the secret is shown once), change, check, switch off, take away (A5, H7)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import BadRequest
from portal.tenancy.selectors import tenant_zone
from portal.web.retelling import retold
from portal.web.stepup import ALL, WRITES
from portal.webhooks import payloads, services
from portal.webhooks.deliveries import EndpointOff, TooManyTests, ping_send, sample_send
from portal.webhooks.forms import EndpointForm, RotateForm, SampleForm
from portal.webhooks.models import OPEN_STATES, EndpointState, OffReason, WebhookDelivery, WebhookEndpoint
from portal.webhooks.selectors import endpoint_list, lost_count, newest_of, open_counts, secrets_valid
from portal.webhooks.services import MOST, TooManyEndpoints
from portal.webhooks.views.base import WebhookView, crumbs, delivery_row, endpoint_state

_SHOWN = 10


class Endpoints(WebhookView):
    """The endpoints with how each is doing."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        waiting, listed = open_counts(), endpoint_list()
        return self.page("webhooks/endpoints.html", {
            "title": _("Webhooks"), "zone": tenant_zone(), "may_add": len(listed) < MOST,
            "endpoints": [
                {"endpoint": row, "state": endpoint_state(row), "waiting": waiting.get(row.pk, 0),
                 "kinds": len(row.kinds)}
                for row in listed
            ],
        })  # fmt: skip


class NewEndpoint(WebhookView):
    """Makes an endpoint and shows its secret once."""

    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """An empty form; everything that is offered is chosen."""
        offered = self.offered()
        return self._form(EndpointForm(offered=offered, initial={"kinds": offered}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """The secret in the answer itself: in the clear it is stored nowhere."""
        form = EndpointForm(request.POST, offered=self.offered())
        if form.is_valid():
            try:
                endpoint, secret = services.endpoint_create(
                    **form.cleaned_data, actor=self.member.label, at=self.at
                )  # fmt: skip
            except TooManyEndpoints as error:
                form.add_error(None, error.sentence())
            else:
                return secret_page(self, endpoint, secret, title=_("The endpoint's secret"))
        return self._form(form, 422)

    def _form(self, form: EndpointForm, status: int = 200) -> HttpResponse:
        return self.page("webhooks/form.html", {
            "title": _("New endpoint"), "form": form, "crumbs": crumbs(), "word": _("Make the endpoint"),
            "back_url": reverse("webhooks:endpoints"), "sentence": "",
        }, status)  # fmt: skip


def secret_page(view: WebhookView, endpoint: WebhookEndpoint, secret: str, *, title: str) -> HttpResponse:
    """A secret, once."""
    context = {"title": title, "endpoint": endpoint, "text": secret, "crumbs": crumbs(endpoint)}
    return view.page("webhooks/secret.html", context)


class EndpointPage(WebhookView):
    """One endpoint: how it is doing, what it was sent last, and the steps that need no further proof."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """As it stands."""
        endpoint = self.endpoint(public_id)
        zone, state = tenant_zone(), endpoint_state(endpoint)
        pings = WebhookDelivery.objects.filter(endpoint=endpoint, fact_key=payloads.PING).defer("body")
        ping = pings.order_by("-pk").first()
        told = ping is not None and (endpoint.off_at is None or ping.created_at >= endpoint.off_at)
        return self.page("webhooks/endpoint.html", {
            "title": endpoint.label, "endpoint": endpoint, "crumbs": crumbs(), "zone": zone, "state": state,
            "checking": ping is not None and ping.state in OPEN_STATES,
            "ping": delivery_row(ping) if ping is not None and told else None,
            "callout": _callout(endpoint), "secrets": secrets_valid(endpoint, at=self.at),
            "kinds": [payloads.kind_says(key) for key in _in_order(endpoint)],
            "rows": [delivery_row(row) for row in newest_of(endpoint, most=_SHOWN)],
            "waiting": open_counts().get(endpoint.pk, 0), "lost": lost_count(endpoint),
            "sample": SampleForm(offered=_in_order(endpoint)) if endpoint.state == EndpointState.ACTIVE else None,
        })  # fmt: skip

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """`do` is ping, sample or off."""
        endpoint, do = self.endpoint(public_id), request.POST.get("do", "")
        if do == "ping":
            self._told(request, self._ping(endpoint))
        elif do == "sample":
            return self._sample(request, endpoint)
        elif do == "off":
            services.endpoint_disable(endpoint=endpoint, actor=self.member.label, at=self.at)
            messages.success(request, _("It is off. What comes meanwhile is kept and can be sent later."))
        else:
            raise BadRequest(detail=_("This step is not known."))
        return HttpResponseRedirect(request.path)

    def _ping(self, endpoint: WebhookEndpoint) -> tuple[bool, str]:
        try:
            ping_send(endpoint=endpoint, at=self.at)
        except TooManyTests as error:
            return False, error.sentence()
        return True, _("A signed ping is on its way. The endpoint must answer it with 2xx within 20 seconds.")

    def _sample(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        form = SampleForm(request.POST, offered=_in_order(endpoint))
        if not form.is_valid():
            raise BadRequest(detail=_("This kind of event is not sent to the endpoint."))
        try:
            row = sample_send(endpoint=endpoint, kind=form.cleaned_data["kind"], at=self.at)
        except (EndpointOff, TooManyTests) as error:
            self._told(request, (False, error.sentence()))
            return HttpResponseRedirect(request.path)
        self._told(request, (True, _("The test is on its way; this page shows what comes of it.")))
        return HttpResponseRedirect(reverse("webhooks:delivery", kwargs={"public_id": row.public_id}))

    @staticmethod
    def _told(request: HttpRequest, told: tuple[bool, str]) -> None:
        good, sentence = told
        (messages.success if good else messages.error)(request, sentence)


def _in_order(endpoint: WebhookEndpoint) -> list[str]:
    return [key for key in payloads.kinds() if key in endpoint.kinds]


def _callout(endpoint: WebhookEndpoint) -> dict[str, str] | None:
    """What has to be known first, for web/_callout.html."""
    if endpoint.state == EndpointState.UNVERIFIED:
        return {
            "tone": "info",
            "title": _("Nothing is sent to it yet"),
            "text": _(
                "Store the secret in your system, then check the endpoint: it must answer a signed ping with 2xx."
            ),
        }
    if endpoint.state == EndpointState.DISABLED:
        texts = {
            OffReason.GONE: _("It answered 410, which means that it is gone for good."),
            OffReason.FAILING: _("It took nothing for five days. The last attempt: %(last)s.")
            % {"last": retold(endpoint.last_failure)},
            OffReason.PERSON: _("Somebody of your account switched it off."),
        }
        by_person = endpoint.off_reason == OffReason.PERSON
        return {"tone": "neutral" if by_person else "late", "title": _("It is off"),
                "text": texts.get(OffReason(endpoint.off_reason), "") + " "
                + _("What comes is kept for 30 days. Checking it switches it on again.")}  # fmt: skip
    if endpoint.failing_since is not None:
        return {"tone": "warn", "title": _("It does not take what we send"), "text": _(
            "The last attempt: %(last)s. We try again with growing pauses; after five days without one success it is "
            "switched off and you are told by mail.") % {"last": retold(endpoint.last_failure)}}  # fmt: skip
    return None


class ChangeEndpoint(WebhookView):
    """Name, address, kinds. Another address must be checked again."""

    step_up = ALL

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The form as it stands."""
        endpoint = self.endpoint(public_id)
        initial = {"label": endpoint.label, "url": endpoint.url, "kinds": endpoint.kinds}
        return self._form(endpoint, EndpointForm(offered=self.offered(endpoint.kinds), initial=initial))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Stores it."""
        endpoint = self.endpoint(public_id)
        form = EndpointForm(request.POST, offered=self.offered(endpoint.kinds))
        if not form.is_valid():
            return self._form(endpoint, form, 422)
        before = endpoint.url
        changed = services.endpoint_change(
            endpoint=endpoint, **form.cleaned_data, actor=self.member.label, at=self.at
        )  # fmt: skip
        moved = changed.url != before
        messages.success(request, _("Saved. Check the new address before anything is sent there.") if moved
                         else _("Saved. It holds from the next event on."))  # fmt: skip
        return HttpResponseRedirect(reverse("webhooks:endpoint", kwargs={"public_id": public_id}))

    def _form(self, endpoint: WebhookEndpoint, form: EndpointForm, status: int = 200) -> HttpResponse:
        return self.page("webhooks/form.html", {
            "title": _("Change “%(label)s”") % {"label": endpoint.label}, "form": form, "crumbs": crumbs(endpoint),
            "word": _("Save"), "back_url": reverse("webhooks:endpoint", kwargs={"public_id": endpoint.public_id}),
            "sentence": _("With another address nothing is sent until it has answered a ping, and what waits for the "
                          "old one is not sent."),
        }, status)  # fmt: skip


class RotateSecret(WebhookView):
    """A new secret, shown once; the old one goes on signing for a while."""

    step_up = ALL

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Asks for how long."""
        return self._form(self.endpoint(public_id), RotateForm())

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The secret in the answer itself."""
        endpoint, form = self.endpoint(public_id), RotateForm(request.POST)
        if not form.is_valid():
            return self._form(endpoint, form, 422)
        secret = services.secret_rotate(
            endpoint=endpoint, overlap=form.overlap(), actor=self.member.label, at=self.at
        )  # fmt: skip
        return secret_page(self, endpoint, secret, title=_("The new secret"))

    def _form(self, endpoint: WebhookEndpoint, form: RotateForm, status: int = 200) -> HttpResponse:
        two = len(secrets_valid(endpoint, at=self.at)) > 1
        return self.page("webhooks/form.html", {
            "title": _("New secret for “%(label)s”") % {"label": endpoint.label}, "form": form,
            "crumbs": crumbs(endpoint), "word": _("Make a new secret"),
            "back_url": reverse("webhooks:endpoint", kwargs={"public_id": endpoint.public_id}),
            "sentence": _("Two secrets are valid now: the older of them ends at once.") if two else "",
        }, status)  # fmt: skip


class RemoveEndpoint(WebhookView):
    """Takes an endpoint away; says what will happen first."""

    step_up = WRITES

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The sentence and the button."""
        endpoint = self.endpoint(public_id)
        waiting = open_counts().get(endpoint.pk, 0)
        points = [_("Its secrets are forgotten."), _("Its log stays for 30 days; nothing of it can be sent again.")]
        if waiting:
            points.insert(
                0,
                ngettext(
                    "%(n)d message that waits for it is not sent.",
                    "%(n)d messages that wait for it are not sent.",
                    waiting,
                )
                % {"n": waiting},
            )
        confirm: dict[str, Any] = {
            "action": request.path, "submit": _("Take it away"), "danger": True, "points": points,
            "sentence": _("“%(label)s” is sent nothing any more.") % {"label": endpoint.label},
            "cancel_url": reverse("webhooks:endpoint", kwargs={"public_id": public_id}),
        }  # fmt: skip
        return self.page("webhooks/confirm.html", {
            "title": _("Take an endpoint away"), "crumbs": crumbs(endpoint), "confirm": confirm,
        })  # fmt: skip

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Takes it away."""
        endpoint = self.endpoint(public_id)
        services.endpoint_remove(endpoint=endpoint, actor=self.member.label, at=self.at)
        messages.success(request, _("“%(label)s” is taken away.") % {"label": endpoint.label})
        return HttpResponseRedirect(reverse("webhooks:endpoints"))
