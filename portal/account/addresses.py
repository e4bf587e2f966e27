"""Addresses that leave in mails: built from the configuration, never from a request (W3)."""

from __future__ import annotations

from django.conf import settings


def public_url(path: str) -> str:
    """The full address of a path of this portal."""
    return f"{settings.PUBLIC_URL}{path}"
