"""What every page's template gets: the brand, the person, the navigation, the language of the page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from portal.lib import clock
from portal.tenancy.selectors import installation
from portal.web.nav import nav_for, search_for


def shell(request: HttpRequest) -> dict[str, Any]:
    """brand, member, nav; a page without a person has no navigation."""
    member = getattr(request, "member", None)
    name = getattr(member, "brand", None) or getattr(installation(), "name", "")
    at = clock.now()
    return {
        "brand": {"name": name or "Plimsoll", "accent": ""},
        "member": member,
        "nav": nav_for(request, member, at) if member is not None else [],
        "search_url": search_for(member, at) if member is not None else "",
        "account_url": reverse("mfa_index") if member is not None else "",
        "languages": settings.LANGUAGES,
        "theme": request.COOKIES.get("theme", ""),
    }
