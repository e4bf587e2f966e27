"""Sign-in by e-mail and password."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend


class EmailBackend(AuthenticationBackend):
    """allauth's, without permissions."""
