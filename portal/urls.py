"""Every address of the portal; imported by nobody.

Each app brings `urls` (the customer's side and machine doors) and `ops_urls` (the operator's desk, collected under
the namespace `ops`).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.urls import include, path

APPS = ("portal.web", "portal.account", "portal.outbox", "portal.notify", "portal.webhooks", "tracking", "kpis",
        "tiers.promises", "tiers.credits", "portal.shares", "portal.brand")  # fmt: skip


def _collected(name: str) -> list[Any]:
    return [include(f"{app}.{name}") for app in APPS if find_spec(f"{app}.{name}")]


def _ops() -> list[Any]:
    import importlib

    return [
        pattern
        for app in APPS
        if find_spec(f"{app}.ops_urls")
        for pattern in importlib.import_module(f"{app}.ops_urls").urlpatterns
    ]


urlpatterns = [path("", part) for part in _collected("urls")]
urlpatterns.append(
    path("accounts/", include("portal.account.accounts_urls"))
)  # allauth finds these without a namespace
urlpatterns.append(path("ops/", include((_ops(), "ops"))))
if settings.MODE != "production" and find_spec("portal.demo.urls"):
    urlpatterns.append(path("demo/", include("portal.demo.urls")))

handler400 = "portal.web.problems.bad_request"
handler403 = "portal.web.problems.denied"
handler404 = "portal.web.problems.not_found"
handler500 = "portal.web.problems.server_error"
