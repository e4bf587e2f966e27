"""What every page's template gets: the brand, the person, the navigation, the language of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from portal.lib import clock
from portal.web.nav import bell_for, nav_for, search_for

_look: list[Callable[[Mapping[str, str] | None], dict[str, str]]] = []


def look_register(answer: Callable[[Mapping[str, str] | None], dict[str, str]]) -> None:
    """portal.brand says what templates call `brand`, from what was read with the person, if there is one."""
    _look[:] = [answer]


def shell(request: HttpRequest) -> dict[str, Any]:
    """brand, member, nav; a page without a person has no navigation."""
    member = getattr(request, "member", None)
    at = clock.now()
    return {
        "brand": _look[0](getattr(member, "brand", None)),
        "member": member,
        "nav": nav_for(request, member, at) if member is not None else [],
        "search_url": search_for(member, at) if member is not None else "",
        "bell": bell_for(member, at) if member is not None else None,
        "account_url": reverse("mfa_index") if member is not None else "",
        "languages": settings.LANGUAGES,
        "theme": request.COOKIES.get("theme", ""),
    }
