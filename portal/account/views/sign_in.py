"""Signing in and out, passwords, step-up: allauth's views with our policies, limits and forms.

No view of allauth is routed that is not named here: no sign-up, no e-mail management, no social sign-in.
"""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account import views as account_views
from allauth.mfa.base import views as mfa_views
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views import View

from portal.account import limits
from portal.account.forms import AcceptForm
from portal.account.invitations import InvitationOver, invitation_accept, invitation_open
from portal.account.network import client_network
from portal.account.services import AddressTaken, signed_out
from portal.account.sessions import session_proven
from portal.lib import clock
from portal.web.policy import Policy, public, signed_in


class SignIn(account_views.LoginView):
    """E-mail address and password; with a second factor allauth's stage sends on to `mfa_authenticate`."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "post", "head", "options"]


class SecondStep(mfa_views.AuthenticateView):
    """The code, for somebody whose password was right within the last quarter of an hour."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "post", "head", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Without a code in it, the form is shown again."""
        return super().post(request, *args, **kwargs) if "code" in request.POST else redirect("mfa_authenticate")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """allauth would build a form for a security key from a POST without a code; there is none here."""
        if request.method == "POST" and "code" not in request.POST:
            return redirect("mfa_authenticate")
        return super().dispatch(request, *args, **kwargs)


class SignOut(account_views.LogoutView):
    """Asks on GET, signs out on POST (W5)."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "post", "head", "options"]

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Records it while it is known who leaves."""
        member = getattr(self.request, "member", None)
        if member is not None:
            signed_out(member=member, at=clock.now())
        return super().post(*args, **kwargs)


class Reset(account_views.PasswordResetView):
    """Asks for a reset mail: the same words, status and work for known and unknown addresses (A3)."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "post", "head", "options"]

    def form_valid(self, form: Any) -> HttpResponse:
        """Raises TooManyTries beyond three an hour for one address."""
        at = clock.now()
        limits.slots_take(
            [
                (limits.RESET_ACCOUNT, form.cleaned_data["email"]),
                (limits.RESET_NETWORK, client_network(self.request)),
            ],
            at=at,
        )
        return super().form_valid(form)


class ResetDone(account_views.PasswordResetDoneView):
    """Says that a mail is on its way if the address is known."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "head", "options"]


class ResetFromKey(account_views.PasswordResetFromKeyView):
    """The link of the mail: a new password; the second factor stays (A2)."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "post", "head", "options"]

    def form_valid(self, form: Any) -> HttpResponse:
        """Password, ended sessions, audit row and mail in one transaction."""
        with transaction.atomic():
            return super().form_valid(form)


class ResetFromKeyDone(account_views.PasswordResetFromKeyDoneView):
    """Says that the password is changed."""

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "head", "options"]


class _OfPerson:
    """Refuses anybody who is not a signed-in member before allauth's view runs."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Anonymous: to the sign-in."""
        if getattr(request, "member", None) is None:
            return redirect_to_login(request.get_full_path())
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return answer


class ChangePassword(_OfPerson, account_views.PasswordChangeView):
    """The present password and a new one; afterwards one signs in again."""

    policy: ClassVar[Policy] = signed_in()
    http_method_names = ["get", "post", "head", "options"]

    def form_valid(self, form: Any) -> HttpResponse:
        """Password, ended sessions, audit row and mail in one transaction."""
        with transaction.atomic():
            super().form_valid(form)
        return redirect("account_login")


class _StepUp(_OfPerson):
    """A proof of the last ten minutes for what follows (A5); the session gets a new id (A4)."""

    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        """Marks the session."""
        answer: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        session_proven(self.request.session, at=clock.now())
        return answer


class ConfirmPassword(_StepUp, account_views.ReauthenticateView):
    """Step-up by password."""

    policy: ClassVar[Policy] = signed_in()
    http_method_names = ["get", "post", "head", "options"]


class ConfirmCode(_StepUp, mfa_views.ReauthenticateView):
    """Step-up by code."""

    policy: ClassVar[Policy] = signed_in()
    http_method_names = ["get", "post", "head", "options"]


class AcceptInvitation(View):
    """The link of an invitation: name and password, once. Looking at it uses nothing up."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """The form, or that the invitation is over."""
        try:
            found = invitation_open(token=token, at=clock.now())
        except InvitationOver as error:
            return _invitation_over(request, error)
        return _invitation(request, found, AcceptForm(email=found.email, initial={"name": found.name}))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Makes the sign-in; then one signs in by the front door."""
        at = clock.now()
        try:
            found = invitation_open(token=token, at=at)
            form = AcceptForm(request.POST, email=found.email)
            if not form.is_valid():
                return _invitation(request, found, form, status=422)
            data = form.cleaned_data
            invitation_accept(token=token, name=data["name"], password=data["password1"], at=at)
        except InvitationOver as error:
            return _invitation_over(request, error)
        except AddressTaken:
            return redirect("people_invitation", token=token)
        return redirect("people_welcome")


class Welcome(View):
    """After accepting: the next step."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest) -> HttpResponse:
        """A word and a link to the sign-in."""
        return render(request, "account/welcome.html")


def _invitation(request: HttpRequest, found: Any, form: AcceptForm, status: int = 200) -> HttpResponse:
    return render(request, "account/invitation.html", {"invitation": found, "form": form}, status=status)


def _invitation_over(request: HttpRequest, error: InvitationOver) -> HttpResponse:
    return render(request, "account/invitation_over.html", {"detail": error.sentence()}, status=error.status)
