"""What a developer at the customer's needs: headers, checking a signature, each event with an example, schemas."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from portal.webhooks import payloads
from portal.webhooks.views.base import WebhookView, crumbs


class Reference(WebhookView):
    """The page."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Every kind that is offered to the account."""
        code = render_to_string("webhooks/verify.py.txt")
        return self.page("webhooks/reference.html", {
            "title": _("Webhook reference"), "crumbs": crumbs(),
            "code": lines(code, _("Python that checks a message")), "code_text": code,
            "kinds": [
                {"key": key, "says": payloads.kind_says(key), "means": payloads.first_line(key),
                 "version": payloads.version_of(key), "raw": lines(self._example(key), key)}
                for key in self.offered()
            ],
        })  # fmt: skip

    def _example(self, key: str) -> str:
        return payloads.shown(payloads.sample(key, account=self.account.code, base=settings.PUBLIC_URL))


def lines(text: str, label: str) -> dict[str, object]:
    """For web/_raw.html."""
    return {"label": label, "lines": [{"n": n, "text": one} for n, one in enumerate(text.splitlines(), start=1)]}


class Schemas(WebhookView):
    """The JSON Schema of each kind, by key."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """One object."""
        return JsonResponse({key: payloads.schema_of(key) for key in self.offered()}, json_dumps_params={"indent": 2})
