"""The demo's inbox: what customers get by mail, to be read without a mail program. Never routed in production.

The mails were kept by portal.demo_inbox; their HTML is shown in a sandbox of its own, without scripts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from portal.demo_inbox import inbox_folder, mail_files, mail_read
from portal.lib.errors import NotFound
from portal.web.middleware import CSP
from portal.web.policy import Policy, public

SHOWN: Final = 100
_NAME: Final = re.compile(r"[0-9]{8}T[0-9]{12}Z-[0-9a-f]{12}", re.ASCII)
_SANDBOX: Final = "allow-popups allow-top-navigation-by-user-activation"
_LETTER_CSP: Final = (
    f"sandbox {_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'"
)


def _path(name: str) -> Path:
    path = inbox_folder() / f"{name}.eml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound
    return path


def _received(path: Path) -> datetime:
    return datetime.strptime(path.name[:22], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body(preferencelist=(kind,))
    return "" if body is None else str(body.get_content())


class Inbox(View):
    """The newest mails, to all or to one address."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest) -> HttpResponse:
        """`q` finds an address or words of a subject."""
        wanted = request.GET.get("q", "").strip()
        found: list[dict[str, Any]] = []
        for path in mail_files(inbox_folder()):
            message = mail_read(path)
            to, subject = str(message["To"] or ""), str(message["Subject"] or "")
            if wanted.lower() in f"{to} {subject}".lower():
                url = reverse("demo:letter", kwargs={"name": path.stem})
                found.append({"to": to, "subject": subject or _("(no subject)"), "at": _received(path), "url": url})
            if len(found) == SHOWN:
                break
        search = {"action": reverse("demo:inbox"), "value": wanted, "label": _("Find a mail by address or subject")}
        return render(request, "demo/inbox.html", {"title": _("Demo inbox"), "mails": found, "search": search})


class Letter(View):
    """One mail: its headers, its text, and its HTML in a frame."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """As a reader sees it."""
        path = _path(name)
        message = mail_read(path)
        shown = ("From", "To", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post")
        context = {
            "title": str(message["Subject"] or _("(no subject)")),
            "crumbs": [{"label": _("Demo inbox"), "url": reverse("demo:inbox")}, {"label": str(message["To"] or "")}],
            "headers": [{"label": header, "value": str(message[header])} for header in shown if message[header]],
            "at": _received(path), "text": _part(message, "plain"), "sandbox": _SANDBOX,
            "frame": reverse("demo:letter_html", kwargs={"name": name}) if _part(message, "html") else "",
        }  # fmt: skip
        response = render(request, "demo/letter.html", context)
        response["Content-Security-Policy"] = f"{CSP}; frame-src 'self'"
        return response


class LetterHtml(View):
    """The HTML part alone: no scripts, no forms, nothing from elsewhere; links open in the whole window."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """For the frame of the page above."""
        html = _part(mail_read(_path(name)), "html")
        if not html:
            raise NotFound
        shown = re.sub(r"<head([^>]*)>", r'<head\1><base target="_top">', html, count=1)
        response = HttpResponse(shown)
        response["Content-Security-Policy"] = _LETTER_CSP
        return response
