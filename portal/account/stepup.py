"""How a person proves again who it is: by password or code, at most ten minutes ago (A5)."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.account.second_factor import second_factor_of
from portal.account.sessions import session_fresh
from portal.web.problems import refusal, wants_json


def step_up_ask(request: HttpRequest, at: datetime) -> HttpResponse | None:
    """None while the proof is fresh; else the way to give it, and back to the page that asked."""
    if session_fresh(request.session, at=at):
        return None
    if wants_json(request):
        return refusal(request, status=403, code="step_up", detail=_("Confirm first that it is you."))
    back = request.get_full_path()
    if request.method != "GET":
        messages.info(request, _("Confirm that it is you, then do it again: nothing was changed yet."))
        told = urlsplit(request.headers.get("Referer", ""))
        back = told.path if told.path and told.netloc == request.get_host() else "/"
    strong = request.user.pk is not None and second_factor_of(request.user.pk) is not None
    route = "mfa_reauthenticate" if strong else "account_reauthenticate"
    return HttpResponseRedirect(f"{reverse(route)}?{urlencode({'next': back})}")
