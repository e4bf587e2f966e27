"""Passwords that name us are as weak as common ones (A1)."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class OwnNamesValidator:
    """Refuses passwords built from the product's or the operator's name."""

    def validate(self, password: str, user: object = None) -> None:
        """ValidationError when one of our names is most of the password."""
        if "plimsoll" in password.lower() and len(password) < 20:
            raise ValidationError(_("Choose a password without the portal's name."), code="own_name")

    def get_help_text(self) -> str:
        """Shown beside the field."""
        return _("At least 12 characters; a sentence is a good password.")
