"""Request middleware: correlation id, response headers, expected failures as answers (W4, W6).

Scope and sign-in have their own, in portal.tenancy and portal.account.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from portal.lib import ids
from portal.lib.errors import Busy, PortalError
from portal.tenancy.context import CrossTenantWrite, NoTenantScope
from portal.web import problems
from portal.web.logs import correlation
from portal.web.policy import entitlements_once

_log = logging.getLogger(__name__)
Answer = Callable[[HttpRequest], HttpResponse]

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class CorrelationMiddleware:
    """Gives each request an id that stands in the log, in error answers and in a header."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Never takes the id from the caller."""
        request.correlation_id = ids.public_id()  # type: ignore[attr-defined]
        token = correlation.set(request.correlation_id)  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            correlation.reset(token)
        response["X-Correlation-ID"] = request.correlation_id  # type: ignore[attr-defined]
        return response


class HeadersMiddleware:
    """Security headers on every answer; answers to people are never stored by caches (T12, W4)."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Adds what the view did not set itself."""
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class TextMiddleware:
    """Keeps NULs, which no table can hold, away from every look-up: in the address nothing is found, in the query and
    in cookies (where `\\000` inside quotes means one) they are left out. Forms refuse them by themselves (W8).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Stands before the session, whose key is looked up."""
        if "\0" in request.path:
            return problems.not_found(request)
        while "%00" in request.META.get("QUERY_STRING", ""):  # what is left may form another
            request.META["QUERY_STRING"] = request.META["QUERY_STRING"].replace("%00", "")
        for name in [name for name, value in request.COOKIES.items() if "\0" in value]:
            del request.COOKIES[name]
        return self.get_response(request)


# What the database says when somebody else holds a row, or the work took too long: nothing is wrong with the request.
BUSY: Final = frozenset({"55P03", "40P01", "40001", "57014"})


class ProblemMiddleware:
    """Turns expected failures into answers; a fault of the program stays one."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Each account is asked for its entitlements once a request."""
        with entitlements_once():
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Only PortalError is expected, of these a missing scope is a fault of ours; and a database that is busy."""
        if isinstance(exception, PortalError) and not isinstance(exception, NoTenantScope | CrossTenantWrite):
            return problems.of_error(request, exception)
        if isinstance(exception, OperationalError) and getattr(exception.__cause__, "sqlstate", "") in BUSY:
            _log.warning("busy: %s", exception)
            return problems.of_error(request, Busy())
        return None
