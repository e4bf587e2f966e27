"""How allauth is bent to the portal: no sign-up, no mail of its own, our limits, our audit rows, our session marks."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib import messages
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from portal.account import limits
from portal.account.network import client_network
from portal.account.second_factor import second_factor_of
from portal.account.services import sign_in_failed, sign_in_succeeded
from portal.account.sessions import session_begin
from portal.lib import clock, seal
from portal.tenancy.models import User

_SAID = {
    "account/messages/logged_out.txt": _("You are signed out."),
    "account/messages/password_changed.txt": _("Your password is changed. Sign in with the new one."),
}


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation only."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("This e-mail address and password do not belong together."),
        "incorrect_password": _("This is not your password."),
        "enter_current_password": _("This is not your present password."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up alone."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """allauth's JSON answers are no door of ours."""
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only addresses of this portal without a host of their own (W5)."""
        return bool(url) and url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The user or None; raises TooManyTries before the password is looked at (A3)."""
        email, at = str(credentials.get("email", "")), clock.now()
        taken = limits.slots_take(
            [(limits.SIGN_IN_ACCOUNT, email), (limits.SIGN_IN_NETWORK, client_network(request))], at=at
        )
        user = authenticate(request, **credentials)
        if not isinstance(user, User):
            sign_in_failed(email=email, reason="password", at=at)
            return None
        limits.slots_give_back(taken)
        return user

    def reauthenticate(self, user: User, password: str) -> bool:
        """Whether this is the person's password, under the limits of signing in."""
        found = self.authenticate(self.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def login(self, request: HttpRequest, user: User) -> None:
        """The last step of every way in: new session id, marks, audit row, together (A4, L1)."""
        at = clock.now()
        proven = any(record.get("method") == "mfa" for record in get_authentication_records(request, user))
        factor = second_factor_of(user.pk) if proven else None
        with transaction.atomic():
            super().login(request, user)
            session_begin(request.session, at=at, second_factor=factor)
            sign_in_succeeded(user=user, second_factor=factor is not None, at=at)

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None,
        message_context: dict[str, Any] | None = None, extra_tags: str = "", message: str | None = None,
    ) -> None:  # fmt: skip
        """Few words of our own instead of allauth's templates."""
        said = message or _SAID.get(message_template or "")
        if said:
            messages.add_message(request, level, str(said), extra_tags=extra_tags)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Mails leave by the outbox only (O1); allauth sends none."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's network, as limits know it."""
        return client_network(request)


class MFAAdapter(DefaultMFAAdapter):
    """One-time codes; secrets are sealed at rest."""

    error_messages = {**DefaultMFAAdapter.error_messages, "incorrect_code": _("This code is not valid, or was used.")}

    def encrypt(self, text: str) -> str:
        """Sealed with AES-GCM."""
        return seal.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Opened."""
        return seal.unseal(encrypted_text)
