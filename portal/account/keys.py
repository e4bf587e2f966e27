"""Keys of systems at the machine doors (A6)."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request


class KeyAuthentication(BaseAuthentication):
    """Not yet written."""

    def authenticate(self, request: Request) -> None:
        """Nobody."""
