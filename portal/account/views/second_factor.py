"""A person's own sign-in: the overview, setting up the second factor, recovery codes."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any, ClassVar

import qrcode
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from qrcode.image.svg import SvgPathImage

from portal.account import totp
from portal.account.forms import ActivateForm
from portal.account.second_factor import (
    recovery_codes_left,
    recovery_codes_renew,
    second_factor_activate,
    second_factor_of,
)
from portal.account.services import security_notice
from portal.account.sessions import session_factor_set, sessions_end
from portal.lib import seal
from portal.tenancy.models import STRONG_ROLES
from portal.tenancy.selectors import installation
from portal.web.pages import PageView
from portal.web.policy import Policy, signed_in
from portal.web.stepup import ALL

_SECRET = "second_factor_secret"  # noqa: S105 - the name of a session entry


def qr_image(text: str) -> str:
    """The text as a QR code: an SVG picture as a data address."""
    drawn = qrcode.make(text, image_factory=SvgPathImage, box_size=12, border=2)
    out = BytesIO()
    drawn.save(out)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


class Security(PageView):
    """Password, second factor and recovery codes of the person who asks."""

    policy: ClassVar[Policy] = signed_in()

    def get(self, request: HttpRequest) -> HttpResponse:
        """What is set up, and what can be done."""
        user_id = self.member.user_id
        return self.page(
            "people/security.html",
            {
                "title": _("Your sign-in"),
                "active": second_factor_of(user_id) is not None,
                "mandatory": self.member.role in STRONG_ROLES,
                "codes_left": recovery_codes_left(user_id),
            },
        )


class Activate(PageView):
    """Sets the second factor up: a QR code and the secret as text, then a first code."""

    policy: ClassVar[Policy] = signed_in()
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """A new secret each time; it lives in the session until it is confirmed."""
        if second_factor_of(self.member.user_id) is not None:
            return redirect("mfa_index")
        request.session[_SECRET] = seal.seal(totp.secret_new())
        return self._form(ActivateForm(**self._arguments(request)))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores it and shows the recovery codes, once."""
        if second_factor_of(self.member.user_id) is not None or _SECRET not in request.session:
            return redirect("mfa_index")
        form = ActivateForm(request.POST, **self._arguments(request))
        if not form.is_valid():
            return self._form(form, status=422)
        made, codes = second_factor_activate(member=self.member, secret=form.secret, step=form.step, at=self.at)
        security_notice(member=self.member, what="SECOND_FACTOR", at=self.at)
        del request.session[_SECRET]
        session_factor_set(request.session, second_factor=made, at=self.at)
        return _codes_page(self, codes, first=True)

    def _arguments(self, request: HttpRequest) -> dict[str, Any]:
        return {"secret": seal.unseal(request.session[_SECRET]), "user_id": self.member.user_id, "at": self.at}

    def _form(self, form: ActivateForm, status: int = 200) -> HttpResponse:
        found = installation()
        issuer = found.name if found else "Plimsoll"
        address = totp.address(form.secret, issuer=issuer, label=self.member.user.email)
        grouped = " ".join(form.secret[i : i + 4] for i in range(0, len(form.secret), 4))
        return self.page(
            "mfa/totp/activate_form.html",
            {
                "form": form, "qr": qr_image(address), "secret": grouped, "address": address,
                "mandatory": self.member.role in STRONG_ROLES,
            },
            status,
        )  # fmt: skip


class RecoveryCodes(PageView):
    """New recovery codes; the old ones end."""

    policy: ClassVar[Policy] = signed_in()
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """Says what will happen."""
        if second_factor_of(self.member.user_id) is None:
            return redirect("mfa_activate_totp")
        return self.page(
            "people/recovery_codes_new.html",
            {"title": _("New recovery codes"), "codes_left": recovery_codes_left(self.member.user_id)},
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Makes them and shows them once."""
        if second_factor_of(self.member.user_id) is None:
            return redirect("mfa_activate_totp")
        codes = recovery_codes_renew(member=self.member, at=self.at)
        security_notice(member=self.member, what="RECOVERY_CODES", at=self.at)
        return _codes_page(self, codes, first=False)


class EndSessions(PageView):
    """Ends every session of the person who asks, this one too (A4)."""

    policy: ClassVar[Policy] = signed_in()

    def post(self, request: HttpRequest) -> HttpResponse:
        """To the sign-in."""
        sessions_end(user_id=self.member.user_id)
        messages.success(request, _("You are signed out everywhere."))
        return redirect("account_login")


def _codes_page(view: PageView, codes: list[str], *, first: bool) -> HttpResponse:
    return view.page("people/recovery_codes.html", {"codes": codes, "first": first})
