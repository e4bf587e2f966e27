"""Choosing the language: a visitor's is kept in a cookie, a signed-in person's with the person, too."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views import View

from portal.account.services import member_language_set
from portal.lib.errors import BadRequest
from portal.tenancy.models import Member
from portal.web.policy import Policy, public


class Language(View):
    """What the foot of every page and a person's own settings send."""

    policy: ClassVar[Policy] = public()

    def post(self, request: HttpRequest) -> HttpResponse:
        """`language`: a code of settings.LANGUAGES, or empty for what the browser asks; then back to `next`."""
        code = request.POST.get("language", "")
        if code and code not in dict(settings.LANGUAGES):
            raise BadRequest(detail=_("Choose a language from the list."))
        member: Member | None = getattr(request, "member", None)
        if member is not None:
            member_language_set(member=member, language=code)
        back = request.POST.get("next", "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
            back = "/"
        if member is not None and "own" in request.POST:
            with override(code or None):
                messages.success(request, _("Saved."))
        response = redirect(back)
        _remember(response, code)
        return response


def _remember(response: HttpResponse, code: str) -> None:
    name = settings.LANGUAGE_COOKIE_NAME
    if code:
        response.set_cookie(
            name, code, max_age=settings.LANGUAGE_COOKIE_AGE, secure=settings.LANGUAGE_COOKIE_SECURE, httponly=True,
            samesite="Lax",
        )  # fmt: skip
    else:
        response.delete_cookie(name, samesite="Lax")
