"""Keys of systems at the machine doors (A6): DRF's way in, and what people do with keys on the pages.

Making and checking a key stands in portal.tenancy.keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from portal.account.selectors import key_valid
from portal.lib import clock
from portal.lib.errors import PortalError
from portal.tenancy.keys import KnownKey, key_check, key_create, key_of_request, key_revoke
from portal.tenancy.models import ApiKey, Tenant

__all__ = ["KeyAuthentication", "KeyHolder", "key_check", "key_create", "key_issue", "key_of_request", "key_revoke"]

TOGETHER: Final = 2  # keys of one name that may be valid at a time: the old one and its successor


class TooManyKeys(PortalError):
    """Two keys of this name are valid already."""

    code, status = "too_many_keys", 409
    message = _("Two keys named “%(label)s” are valid already. Revoke one of them first.")


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who a request with a key is; stands where DRF expects a user."""

    key: KnownKey
    is_authenticated: bool = True

    @property
    def pk(self) -> str:
        """The key's public id."""
        return self.key.public_id


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`; never from the address, never from a cookie. KeyRefused (401) otherwise.

    The scope is entered by the view, for as long as it runs.
    """

    def authenticate(self, request: Request) -> tuple[KeyHolder, KnownKey]:
        """The holder and the key."""
        known = key_of_request(request._request, at=clock.now())
        return KeyHolder(known), known

    def authenticate_header(self, request: Request) -> str:
        """For WWW-Authenticate."""
        return "Bearer"


@transaction.atomic
def key_issue(
    *, label: str, at: datetime, actor: str, expires_at: datetime | None, scope: str = "read", source_key: str = ""
) -> tuple[ApiKey, str]:
    """A new key of the entered tenant, beside at most one other valid key of the same name (rotation, A6).

    Returns the row and the text, which is never shown again. Raises TooManyKeys.
    """
    Tenant.objects.select_for_update().get()  # two pages at once must not make a third key
    same = ApiKey.objects.filter(key_valid(at), label__iexact=label, scope=scope, source_key=source_key)
    if same.count() >= TOGETHER:
        raise TooManyKeys(label=label)
    return key_create(label=label, at=at, scope=scope, source_key=source_key, expires_at=expires_at, actor=actor)
