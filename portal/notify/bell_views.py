"""The bell: its count, the list of what a person was told in the portal, and marking it as read.

Following a notice to its object is a POST, because it marks it as read (W5).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import BadRequest
from portal.lib.facts import fact_class
from portal.notify.bell import Line, notices_newest
from portal.notify.notices import path_of
from portal.notify.preferences import notice_mark, notices_read
from portal.notify.wishes import zone_of
from portal.notify.wording import TONES, kind_label
from portal.web.nav import bell_for
from portal.web.pages import PageView, pager, position
from portal.web.policy import Policy, signed_in
from portal.web.templatetags.ui import ICON_OF_TONE

PAGE: Final = 30


class BellCount(PageView):
    """The bell alone, asked for once a minute by every open page: 304 while its count is the one that is shown.

    Looking at a clock is no use of the portal: it keeps no session alive (A4).
    """

    policy: ClassVar[Policy] = signed_in()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Whoever was signed out meanwhile gets the page anew, which leads to the sign-in."""
        if getattr(request, "member", None) is None and "HX-Request" in request.headers:
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        """No statement beyond those that every request makes."""
        bell = bell_for(self.member, self.at)
        assert bell is not None
        if request.headers.get("If-None-Match") == bell.tag:
            return HttpResponse(status=304, headers={"ETag": bell.tag})
        response = render(request, "web/_bell.html", {"bell": bell})
        response["ETag"] = bell.tag
        return response


class NoticeList(PageView):
    """What a person was told in the portal, newest first."""

    policy: ClassVar[Policy] = signed_in()

    def get(self, request: HttpRequest) -> HttpResponse:
        """All of 90 days, or what is not read yet (`show=unread`)."""
        show = request.GET.get("show", "")
        if show not in ("", "unread"):
            raise BadRequest(detail=_("This list is not known."))
        before, after = position(request, "older"), position(request, "newer")
        found = notices_newest(
            self.member, at=self.at, unread=show == "unread", before=before, after=after, most=PAGE + 1
        )
        more = len(found) > PAGE
        kept = found[-PAGE:] if after is not None else found[:PAGE]
        older = str(kept[-1].pk) if kept and (more or after is not None) else None
        newer = str(kept[0].pk) if kept and (before is not None or (after is not None and more)) else None
        here = reverse("notices:list")
        return self.page("notify/list.html", {
            "title": _("Notices"), "rows": [_row(line) for line in kept], "zone": zone_of(self.member),
            "pager": pager(request, older=older, newer=newer), "upto": max((line.pk for line in kept), default=0),
            "some_unread": any(line.is_unread for line in kept), "settings_url": reverse("notices:settings"),
            "unread_only": show == "unread", "back": request.get_full_path(),
            "chips": [{"label": _("All"), "url": here, "active": not show},
                      {"label": _("Unread"), "url": f"{here}?show=unread", "active": show == "unread"}],
        })  # fmt: skip


def _row(line: Line) -> dict[str, Any]:
    tone = TONES.get(line.fact_key, "neutral")
    return {
        "text": line.text, "kind": kind_label(line.fact_key)[0], "tone": tone, "icon": ICON_OF_TONE[tone],
        "at": line.at, "is_unread": line.is_unread,
        "url": reverse("notices:open", kwargs={"public_id": line.public_id}),
    }  # fmt: skip


class NoticeOpen(PageView):
    """One notice: leads to what it is about and counts as read from then on; or is marked only."""

    policy: ClassVar[Policy] = signed_in()

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """`do`: open (the default), read, unread."""
        do = request.POST.get("do", "open")
        if do not in ("open", "read", "unread"):
            raise BadRequest(detail=_("This step is not known."))
        row = notice_mark(member=self.member, public_id=public_id, read=do != "unread", at=self.at)
        if do == "open":
            return HttpResponseRedirect(path_of(fact_class(row.fact_key).read(row.fact)))
        return HttpResponseRedirect(_back(request))


class NoticesRead(PageView):
    """Everything that stood in the list is read."""

    policy: ClassVar[Policy] = signed_in()

    def post(self, request: HttpRequest) -> HttpResponse:
        """`upto` is the newest that was shown: what came since stays unread."""
        upto = request.POST.get("upto", "")
        if not (upto.isascii() and upto.isdigit() and len(upto) <= 18):
            raise BadRequest(detail=_("This page of the list cannot be read."))
        n = notices_read(member=self.member, upto=int(upto), at=self.at)
        said = ngettext("%(n)d notice is marked as read.", "%(n)d notices are marked as read.", n)
        messages.success(request, said % {"n": n})
        return HttpResponseRedirect(_back(request))


def _back(request: HttpRequest) -> str:
    """Where the form stood: the list, or a page of it."""
    here, back = reverse("notices:list"), request.POST.get("back", "")
    return back if back == here or back.startswith(f"{here}?") else here
