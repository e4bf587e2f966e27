"""Forms of signing in and of the settings pages: labels and checks; what they cause stands in services.

The first part replaces allauth's forms one by one (settings.ACCOUNT_FORMS, MFA_FORMS).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from allauth.account import forms as account_forms
from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.internal.flows import post_authentication
from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.account import limits, totp
from portal.account.second_factor import code_check, code_plain
from portal.account.services import password_reset_request, password_set, sign_in_failed
from portal.lib import clock
from portal.tenancy.models import ACCOUNT_ROLES, STAFF_ROLES, Role, User

LONGEST_PASSWORD: Final = 512  # well above the 128 that must work; Argon2 need not chew on megabytes


def _password(label: Any, *, new: bool, help_text: Any = "") -> forms.CharField:
    autocomplete = "new-password" if new else "current-password"
    return forms.CharField(
        label=label, strip=False, max_length=LONGEST_PASSWORD, help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )  # fmt: skip


def _password_help() -> str:
    return str(password_validators_help_texts()[-1])


class _NewPassword(forms.Form):
    """Two fields that must agree, checked by the password rules (A1)."""

    password1 = _password(_("New password"), new=True)
    password2 = _password(_("The same again"), new=True)
    user: User | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = _password_help()

    def clean_password1(self) -> str:
        """Raises ValidationError with every rule that is broken."""
        password: str = self.cleaned_data["password1"]
        validate_password(password, self.user)
        return password

    def clean(self) -> dict[str, Any]:
        """Both the same."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, second = cleaned.get("password1"), cleaned.get("password2")
        if first and second and first != second:
            self.add_error("password2", _("The two passwords differ."))
        return cleaned


class SignInForm(account_forms.LoginForm):
    """E-mail address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.EmailField(
            label=_("E-mail address"), max_length=254,
            widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
        )  # fmt: skip
        self.fields["password"] = _password(_("Password"), new=False)


class ResetForm(forms.Form):
    """Asks for a reset mail; never says whether the address is known (A3)."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )

    def save(self, request: Any, **kwargs: Any) -> str:
        """One row of the outbox, known or not."""
        email: str = self.cleaned_data["email"].lower()
        password_reset_request(email=email, at=clock.now())
        return email


class NewPasswordForm(_NewPassword):
    """After the link of a reset mail."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user", None)
        kwargs.pop("temp_key", None)
        super().__init__(*args, **kwargs)

    def save(self) -> None:
        """Sets it and ends all sessions."""
        assert self.user is not None
        password_set(user=self.user, password=self.cleaned_data["password1"], action="password.reset", at=clock.now())


class ChangePasswordForm(_NewPassword):
    """The present password and a new one."""

    oldpassword = _password(_("Present password"), new=False)
    field_order = ["oldpassword", "password1", "password2"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        super().__init__(*args, **kwargs)

    def clean_oldpassword(self) -> str:
        """Under the limits of signing in."""
        password: str = self.cleaned_data["oldpassword"]
        if not get_adapter().reauthenticate(self.user, password):
            raise get_adapter().validation_error("enter_current_password")
        return password

    def save(self) -> None:
        """Sets it and ends all sessions."""
        assert self.user is not None
        password_set(user=self.user, password=self.cleaned_data["password1"], action="password.changed", at=clock.now())


class ConfirmPasswordForm(forms.Form):
    """Step-up by password (A5)."""

    password = _password(_("Your password"), new=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        """Under the limits of signing in."""
        password: str = self.cleaned_data["password"]
        if not get_adapter().reauthenticate(self.user, password):
            raise get_adapter().validation_error("incorrect_password")
        return password


def code_field(help_text: Any = "") -> forms.CharField:
    """A six-digit code."""
    return forms.CharField(
        label=pgettext_lazy("one-time", "Code"), max_length=40, help_text=help_text,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "spellcheck": "false"}
        ),
    )  # fmt: skip


class CodeForm(forms.Form):
    """The second step of signing in: a code of the app, or a recovery code; each is taken once (A2)."""

    code = code_field(_("Six digits from your authenticator app, or one of your recovery codes."))
    reauthenticated = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs["inputmode"] = "text"  # recovery codes hold letters

    def clean_code(self) -> str:
        """Raises TooManyTries before the sixth wrong code inside a quarter of an hour (A3)."""
        code, at = str(self.cleaned_data["code"]), clock.now()
        slot = limits.slot_take(limits.CODE, f"user {self.user.pk}", at=at)
        found = code_check(user_id=self.user.pk, code=code, at=at)
        if found is None:
            sign_in_failed(email=self.user.email, reason="code", at=at)
            raise get_mfa_adapter().validation_error("incorrect_code")
        slot.give_back()
        found.user = self.user
        self.authenticator = found
        return code

    def save(self) -> None:
        """Tells allauth's stage which authenticator it was."""
        post_authentication(context.request, self.authenticator, reauthenticated=self.reauthenticated)


class ConfirmCodeForm(CodeForm):
    """Step-up by code (A5)."""

    reauthenticated = True


class ActivateForm(forms.Form):
    """The first code of a new authenticator app."""

    code = code_field(_("The six digits that the app shows now."))

    def __init__(self, *args: Any, secret: str, user_id: int, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.secret, self.user_id, self.at = secret, user_id, at
        self.step = -1

    def clean_code(self) -> str:
        """Keeps the step, so that the same code cannot be used to sign in afterwards."""
        code = code_plain(self.cleaned_data["code"])
        slot = limits.slot_take(limits.CODE, f"user {self.user_id}", at=self.at)
        step = totp.step_of_code(self.secret, code, at=self.at)
        if step is None:
            raise get_mfa_adapter().validation_error("incorrect_code")
        slot.give_back()
        self.step = step
        return code


class AcceptForm(_NewPassword):
    """Accepting an invitation."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "password1", "password2"]

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = User(email=email)
        self.fields["password1"].label = _("Password")


def _roles(staff: bool) -> list[tuple[str, Any]]:
    return [(r.value, Role(r).label) for r in (STAFF_ROLES if staff else ACCOUNT_ROLES)]


class InviteForm(forms.Form):
    """Whom to invite, as what."""

    name = forms.CharField(label=pgettext_lazy("a person", "Name"), max_length=120)
    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role: Any = self.fields["role"]
        role.choices = _roles(staff)
        if staff:
            role.help_text = _("Every role of the operator signs in with a second factor.")
        else:
            role.help_text = _("Managers invite colleagues and make API keys; they sign in with a second factor.")


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role: Any = self.fields["role"]
        role.choices = _roles(staff)


class KeyForm(forms.Form):
    """A new API key."""

    DAYS: Final = (("30", _("30 days")), ("90", _("90 days")), ("365", _("1 year")), ("", _("never")))

    label = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Which system uses it. Two keys of one name may be valid at a time."),
    )
    days = forms.ChoiceField(label=_("Ends after"), choices=DAYS, initial="365", required=False)

    def expires_at(self, at: datetime) -> datetime | None:
        """When it ends, or None."""
        days = self.cleaned_data["days"]
        return at + timedelta(days=int(days)) if days else None
