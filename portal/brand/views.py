"""The look: its style sheet and logo for everybody, and the administrator's page."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from portal.brand.colours import DEFAULT, accents, sheet
from portal.brand.forms import BrandForm
from portal.brand.selectors import Look, logo_bytes, look
from portal.brand.services import LogoRefused, brand_change, logo_anew
from portal.lib.errors import NotFound
from portal.tenancy.models import Role
from portal.web.pages import PageView
from portal.web.policy import ANONYMOUS, EVERYBODY, Policy, staff
from portal.web.stepup import ALL

_FOR_GOOD = "public, max-age=31536000, immutable"


class Sheet(View):
    """The tokens of the accent; its address changes with it."""

    policy: ClassVar[Policy] = Policy(who=EVERYBODY | {ANONYMOUS})

    def get(self, request: HttpRequest, mark: str) -> HttpResponse:
        """Of the accent in use; an old address is not found, and the page's own look stands."""
        found = look()
        if not mark or mark != found.mark:
            raise NotFound
        return HttpResponse(sheet(found.accent), content_type="text/css", headers={"Cache-Control": _FOR_GOOD})


class Logo(View):
    """The operator's logo."""

    policy: ClassVar[Policy] = Policy(who=EVERYBODY | {ANONYMOUS})

    def get(self, request: HttpRequest, digest: str) -> HttpResponse:
        """The PNG that we drew ourselves."""
        body = logo_bytes(digest)
        if body is None:
            raise NotFound
        return HttpResponse(body, content_type="image/png", headers={"Cache-Control": _FOR_GOOD})


class Edit(PageView):
    """The administrator's page, with what it leads to beside it."""

    policy: ClassVar[Policy] = staff(Role.ADMIN)
    step_up: ClassVar[frozenset[str]] = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """As it is."""
        return self._page(BrandForm(initial=_initial(look())))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores it; a picture that cannot be used is said at its field."""
        form = BrandForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, status=422)
        chosen, logo = form.cleaned_data["logo"], None
        if chosen is not None:
            try:
                logo = logo_anew(chosen.read(2_000_000))
            except LogoRefused as refused:
                form.add_error("logo", refused.sentence())
                return self._page(form, status=422)
        brand_change(**form.values(), logo=logo, at=self.at, actor=self.member.label)
        accent = form.cleaned_data["accent"]
        if accent and accents(accent).moved:
            messages.warning(request, _("Saved. %(chosen)s would be too pale to read; pages use %(used)s.")
                             % {"chosen": accent, "used": accents(accent).day.accent})  # fmt: skip
        else:
            messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("ops:brand_edit"))

    def _page(self, form: BrandForm, status: int = 200) -> HttpResponse:
        found = look()
        return self.page("brand/edit.html", {
            "title": _("Look and sender"), "form": form, "sender": found.mail_from,
            "subtitle": _("What your customers see: at the top of pages, in buttons and links, in mails."),
        }, status)  # fmt: skip


def _initial(found: Look) -> dict[str, Any]:
    return {"accent": found.accent or DEFAULT, "sender_name": found.sender_name, "sender": found.sender}
