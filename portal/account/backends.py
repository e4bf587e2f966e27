"""Sign-in by e-mail and password: one Argon2 run whoever asks, known or not (A3)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from portal.tenancy.models import User
from portal.tenancy.selectors import membership_beside, membership_of


class EmailBackend(BaseBackend):
    """A person with an active membership; knows no permissions, roles stand in Member."""

    def authenticate(
        self, request: HttpRequest | None, email: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The user, or None: the same for an unknown address, a wrong password and a person who was deactivated."""
        if not email or not password:
            return None
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None or not user.has_usable_password():
            make_password(password)
            membership_of(0)
            return None
        right = user.check_password(password)
        member = membership_of(user.pk)
        return user if right and member is not None and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        """The user of a session, with the membership as it is now: both are asked on every request (A7)."""
        found = User.objects.filter(pk=user_id, is_active=True)
        return found.annotate(membership=membership_beside(user_id)).first()
