"""Error answers: problem+json for systems, a plain page for people, never a trace, a path or SQL (W6)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.lib.errors import PortalError

_TITLES = {
    400: "Bad request", 401: "Not signed in", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    409: "Conflict", 413: "Too large", 415: "Unsupported format", 422: "Not acceptable", 429: "Too many requests",
    500: "Our fault", 503: "Not ready",
}  # fmt: skip


def correlation_id(request: HttpRequest) -> str:
    """The id under which our log knows this request."""
    return str(getattr(request, "correlation_id", ""))


def wants_json(request: HttpRequest) -> bool:
    """Systems get problem+json: under the machine doors, or when asked for."""
    path = request.path
    if path.startswith("/api/v1/docs"):
        return False  # pages for people
    return path.startswith(("/api/", "/ingest/", "/dcsa/")) or "application/json" in request.headers.get("Accept", "")


def problem(
    request: HttpRequest, *, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> HttpResponse:
    """application/problem+json with code, detail and the correlation id."""
    body = {
        "type": "about:blank", "title": _TITLES.get(status, HTTPStatus(status).phrase), "status": status,
        "code": code, "detail": detail, "correlation_id": correlation_id(request), **more,
    }  # fmt: skip
    return JsonResponse(body, status=status, content_type="application/problem+json", headers=headers)


def refusal(request: HttpRequest, *, status: int, code: str, detail: str, **more: Any) -> HttpResponse:
    """The answer to a refused request in the caller's form."""
    if wants_json(request):
        return problem(request, status=status, code=code, detail=detail, **more)
    context = {"status": status, "code": code, "detail": detail, "correlation_id": correlation_id(request)}
    template = {400: "400.html", 403: "403.html", 404: "404.html"}.get(status, "error.html")
    return render(request, template, context, status=status)


def of_error(request: HttpRequest, error: PortalError) -> HttpResponse:
    """The answer to an expected failure."""
    response = refusal(request, status=error.status, code=error.code, detail=error.sentence(), **error.members)
    for name, value in error.headers.items():
        response[name] = value
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler404; the same for what belongs to somebody else (T6)."""
    return refusal(request, status=404, code="not_found", detail=_("There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler400."""
    return refusal(request, status=400, code="bad_request", detail=_("This request cannot be read."))


def denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler403."""
    return refusal(request, status=403, code="forbidden", detail=_("Your role does not allow this."))


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a fault of ours; nothing about it but the id under which we find it."""
    if wants_json(request):
        return problem(request, status=500, code="internal", detail=_("This is a fault of ours; it has been logged."))
    return render(request, "500.html", {"correlation_id": correlation_id(request)}, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: most often a page that was open too long."""
    detail = _("This form has expired. Go back, reload the page and send it again.")
    return refusal(request, status=403, code="form_expired", detail=detail)


def api_exception(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's failures as problem+json; surprises propagate to the server error."""
    from rest_framework.exceptions import APIException

    request = context["request"]._request
    if isinstance(error, PortalError):
        return of_error(request, error)
    if isinstance(error, APIException):
        detail = error.detail if isinstance(error.detail, str) else str(error.detail)
        code = error.get_codes()
        return problem(
            request, status=error.status_code, code=code if isinstance(code, str) else "bad_request", detail=detail
        )
    return None
