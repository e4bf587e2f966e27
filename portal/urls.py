"""Every address of the portal; imported by nobody."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("portal.web.urls")),
]

handler400 = "portal.web.problems.bad_request"
handler403 = "portal.web.problems.denied"
handler404 = "portal.web.problems.not_found"
handler500 = "portal.web.problems.server_error"
