"""The language of a request: the signed-in person's own, else the visitor's cookie, else what the browser asks for.

Machines are answered in English, whoever asks: the API, the doors for messages, files. What is stored, signed or logged
is in no reader's language (decision 24).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers

from portal.web.problems import wants_json

NEUTRAL: Final = "en"  # the language of what machines read, and of what is kept
_FILES: Final = (".csv", ".xlsx", ".json")


def for_machines(request: HttpRequest) -> bool:
    """Whether the answer is read by a program, or kept as a file."""
    return wants_json(request) or request.path.endswith(_FILES)


def speak(request: HttpRequest, language: str) -> None:
    """The rest of the request is answered in this language."""
    translation.activate(language)
    request.LANGUAGE_CODE = language  # type: ignore[attr-defined]


class LanguageMiddleware(LocaleMiddleware):
    """Before anybody is known: by the cookie, else by the browser. Stands before all that may answer with words."""

    def process_request(self, request: HttpRequest) -> None:
        """Asks nothing of the database."""
        if for_machines(request):
            speak(request, NEUTRAL)
        else:
            speak(request, translation.get_language_from_request(request))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Says in which language the answer is, and by what it was chosen; pictures and styles have none."""
        if for_machines(request):
            response.headers.setdefault("Content-Language", NEUTRAL)
        elif response.headers.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
            response.headers.setdefault("Content-Language", str(translation.get_language()))
        return response


class OwnLanguageMiddleware:
    """A signed-in person's own choice goes before the browser's. Stands behind the scope, which knows the person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing changes for those who never chose."""
        own = getattr(getattr(request, "member", None), "language", "")
        if own in dict(settings.LANGUAGES) and not for_machines(request):
            speak(request, own)
        return self.get_response(request)
