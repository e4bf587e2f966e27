"""Ends sessions by time, and sends people whose role needs a second factor to set one up before anything else (A2, A4).

Stands behind the scope, which asked the membership anew (A7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.account.second_factor import second_factor_of
from portal.account.sessions import session_factor, session_over
from portal.lib import clock
from portal.tenancy.models import STRONG_ROLES, Member
from portal.web.problems import refusal, wants_json

# What a person may open before the second factor is set up.
_BEFORE: Final = frozenset({"mfa_activate_totp", "account_reauthenticate"})
_OUTSIDE: Final = frozenset({"account_logout", "web:healthz", "web:readyz", "web:metrics"})  # at any time


class SecondFactorMiddleware:
    """Asks on every request of a signed-in person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """A session that is over is closed before any view runs."""
        member: Member | None = getattr(request, "member", None)
        if member is None:
            return self.get_response(request)
        by_itself = request.path == reverse("notices:bell")
        if session_over(request.session, role=member.role, at=clock.now(), used=not by_itself):
            return _signed_out(request, _("You were signed out because you were away for a while."))
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """A session that was opened without the person's present second factor opens nothing."""
        member: Member | None = getattr(request, "member", None)
        route = request.resolver_match.view_name if request.resolver_match else ""
        if member is None or route in _OUTSIDE:
            return None
        factor = second_factor_of(member.user_id)
        if factor is None:
            if member.role not in STRONG_ROLES or route in _BEFORE:
                return None
            if wants_json(request):
                return refusal(
                    request, status=403, code="second_factor_missing", detail=_("Set up a second factor first.")
                )
            return redirect("mfa_activate_totp")
        if session_factor(request.session) != factor:
            return _signed_out(request, _("Your second factor has changed. Sign in with it."))
        return None


def _signed_out(request: HttpRequest, why: str) -> HttpResponse:
    logout(request)
    request.member = None  # type: ignore[attr-defined]
    if wants_json(request):
        return refusal(request, status=401, code="signed_out", detail=why)
    messages.info(request, why)
    if "HX-Request" in request.headers:  # a piece of a page would end up inside another one: the whole is asked anew
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path() if request.method == "GET" else "/")
