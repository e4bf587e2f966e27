"""Passwords that name us or the person are as weak as common ones (A1)."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from portal.tenancy.selectors import installation

_OWN: Final = ("plimsoll", "password", "passwort", "freight", "forwarding", "logistics", "container", "portal")
_LEFT: Final = 8  # characters that must remain when our own names and repetitions are taken away


class OwnNamesValidator:
    """Refuses passwords of which little is left without the product's, the operator's and the person's names."""

    def validate(self, password: str, user: object = None) -> None:
        """ValidationError when fewer than eight different-looking characters remain."""
        left = password.lower()
        for name in sorted(_names(user), key=len, reverse=True):
            left = left.replace(name, "")
        left = re.sub(r"(.)\1+", r"\1", re.sub(r"[\W_]+", "", left))
        if len(left) < _LEFT:
            raise ValidationError(
                _("Choose a password that is more than our names, yours, or a repetition."), code="own_name"
            )

    def get_help_text(self) -> str:
        """Shown beside the field."""
        return _("At least 12 characters; a sentence is a good password.")


def _names(user: object) -> set[str]:
    found = installation()
    words = list(_OWN)
    if found is not None:
        words += [*re.findall(r"\w+", found.name.lower()), found.code.lower()]
    words += re.findall(r"\w+", str(getattr(user, "email", "")).lower().replace("_", " "))
    return {word for word in words if len(word) >= 4}
