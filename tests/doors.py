"""Opening doors as somebody: sessions as after a real sign-in, keys, and a client that never raises."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import Client

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.models import STRONG_ROLES, Member

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def ensure_second_factor(member: Member) -> int | None:
    """Gives a person of a strong role the second factor that the portal asks for."""
    from portal.account.second_factor import second_factor_activate, second_factor_of

    found = second_factor_of(member.user_id)
    if found is None and member.role in STRONG_ROLES:
        with as_tenant(member.tenant_id):
            found, _codes = second_factor_activate(member=member, secret=SECRET, step=-1, at=clock.now())
    return found


def session_of(member: Member) -> str:
    """A session key of this person, as after password and second factor."""
    from portal.account.sessions import session_begin

    factor = ensure_second_factor(member)
    user = type(member.user).objects.get(pk=member.user_id)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session_begin(session, at=clock.now(), second_factor=factor)
    session.save()
    return str(session.session_key)


def client_of(member: Member | None, *, key: str = "") -> Client:
    """A client signed in as the person, or with a key, or anonymous."""
    headers: dict[str, Any] = {"authorization": f"Bearer {key}"} if key else {}
    client = Client(raise_request_exception=False, headers=headers)
    if member is not None:
        client.cookies[settings.SESSION_COOKIE_NAME] = session_of(member)
    return client
