"""Keys of systems: made once, shown once, checked by digest in the scope they name (A6).

`plm_<tenant's public id>_<prefix>_<secret>`: the tenant's public id lets the scope be entered before the look-up.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.http import HttpRequest

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.tenancy.context import as_tenant
from portal.tenancy.models import ApiKey
from portal.tenancy.selectors import tenant_current, tenant_id_of_public_id
from portal.tenancy.services import SYSTEM, audit

_FORM: Final = re.compile(r"\Aplm_([0-9a-z]{20})_([0-9a-z]{10})_([A-Za-z0-9_-]{43})\Z", re.ASCII)
_USED_EVERY: Final = timedelta(minutes=1)


class KeyRefused(PortalError):
    """No key, an unknown one, an ended one: always the same answer."""

    code, status = "key_refused", 401
    message = "A valid key is needed: Authorization: Bearer <key>."
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that was accepted."""

    tenant_id: int
    label: str
    scope: str
    source_key: str
    public_id: str


@transaction.atomic
def key_create(
    *,
    label: str,
    at: datetime,
    scope: str = "read",
    source_key: str = "",
    expires_at: datetime | None = None,
    actor: str = SYSTEM,
) -> tuple[ApiKey, str]:
    """A key of the entered tenant and its text, which is never shown again."""
    prefix = "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(10))
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        label=label, scope=scope, source_key=source_key, prefix=prefix, secret_hash=ids.digest(secret), created_at=at,
        created_by=actor, expires_at=expires_at,
    )  # fmt: skip
    audit(action="key.created", actor=actor, at=at, object_type="key", object_id=key.public_id,
          details={"label": label, "scope": scope, "source": source_key})  # fmt: skip
    return key, f"plm_{tenant_current().public_id}_{prefix}_{secret}"


@transaction.atomic
def key_revoke(*, public_id: str, at: datetime, actor: str) -> ApiKey:
    """Ends a key at once; ending it again changes nothing."""
    key = ApiKey.objects.select_for_update().get(public_id=public_id)
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        audit(action="key.revoked", actor=actor, at=at, object_type="key", object_id=public_id)
    return key


def key_check(text: str, *, at: datetime) -> KnownKey:
    """The key behind the text; raises KeyRefused. Notes its use at most once a minute."""
    form = _FORM.match(text)
    tenant_id = tenant_id_of_public_id(form[1]) if form else None
    if form is None or tenant_id is None:
        raise KeyRefused
    with as_tenant(tenant_id):
        key = ApiKey.objects.filter(prefix=form[2]).first()
        stored = key.secret_hash if key else "0" * 64
        fits = hmac.compare_digest(stored, ids.digest(form[3]))
        if key is None or not fits or key.revoked_at is not None or (key.expires_at and key.expires_at <= at):
            raise KeyRefused
        if key.last_used_at is None or at - key.last_used_at >= _USED_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=at)
        return KnownKey(
            tenant_id=tenant_id, label=key.label, scope=key.scope, source_key=key.source_key, public_id=key.public_id
        )


def key_of_request(request: HttpRequest, *, at: datetime) -> KnownKey:
    """The key of the Authorization header. Raises KeyRefused, also when a key stands in the address, where it would be
    logged on its way (A6).
    """
    if any(value.startswith("plm_") for values in request.GET.lists() for value in values[1]):
        raise KeyRefused
    kind, _blank, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise KeyRefused
    return key_check(text.strip(), at=at)
