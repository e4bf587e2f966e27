"""Enters the scope of the signed-in person's tenant for the whole request (T4).

Asks the membership anew on each request, so that a lost right takes effect at once (A7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from portal.tenancy.context import as_tenant, no_tenant
from portal.tenancy.selectors import member_get, membership_of


class ScopeMiddleware:
    """Sets `request.member` (or None) and enters the member's scope."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """A signed-in user without an active membership is signed out."""
        request.member = None  # type: ignore[attr-defined]
        with no_tenant():
            found = _membership(request.user) if request.user.is_authenticated else None
            if found is None:
                if request.user.is_authenticated:
                    logout(request)
                return self.get_response(request)
        tenant_id, member_id = found
        with as_tenant(tenant_id):
            request.member = member_get(member_id)  # type: ignore[attr-defined]
            return self.get_response(request)


def _membership(user: Any) -> tuple[int, int] | None:
    """(tenant id, member id): the sign-in's back end asked for it with the user, for this request."""
    if hasattr(user, "membership"):
        return None if user.membership is None else (int(user.membership[0]), int(user.membership[1]))
    return membership_of(user.pk)
