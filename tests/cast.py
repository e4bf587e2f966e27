"""The cast of the tests: an operator and as many accounts as a test asks for, each with its people.

Codes are random, so that tests share one database and never meet.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.test import Client

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import STRONG_ROLES, Member, Role, Tenant, User
from portal.tenancy.services import installation_create, tenant_create

PASSWORD = "a-long-enough-passphrase"
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_HASH: list[str] = []
made: list[int] = []  # the accounts of this process


@dataclass
class Account:
    """One account with a manager and a member."""

    tenant: Tenant
    manager: Member
    member: Member
    shipments: dict[str, object] = field(default_factory=dict)

    @property
    def pk(self) -> int:
        """The tenant's id, for `as_tenant`."""
        return self.tenant.pk


def operator() -> Tenant:
    """The one operator of the worker's database."""
    from tracking.models import Place
    from tracking.services import places_load

    installation_create(name="Meridian Forwarding", code="meridian", zone="Europe/Amsterdam", currency="USD", at=START)
    if not Place.objects.exists():
        places_load()
    with as_tenant(OPERATOR_ID):
        return Tenant.objects.get(pk=OPERATOR_ID)


def person(tenant_id: int, role: Role, *, name: str = "") -> Member:
    """A member with a sign-in; every cast member has the same password."""
    if not _HASH:
        _HASH.append(make_password(PASSWORD))
    mark = secrets.token_hex(4)
    with as_tenant(tenant_id), transaction.atomic():
        user = User.objects.create(email=f"{role.value.lower()}.{mark}@example.com", password=_HASH[0])
        return Member.objects.create(user=user, name=name or f"{role.label} {mark}", role=role.value, created_at=START)


def account(code: str = "ACCT", *, zone: str = "") -> Account:
    """A fresh account; its code is made unique."""
    operator()
    tenant = tenant_create(code=f"{code}-{secrets.token_hex(4)}", name=f"{code.title()} Ltd", at=START, zone=zone)
    made.append(tenant.pk)
    return Account(tenant=tenant, manager=person(tenant.pk, Role.MANAGER), member=person(tenant.pk, Role.MEMBER))


TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def second_factor(member: Member) -> int:
    """The member's authenticator under TOTP_SECRET, set up when there is none; its id."""
    from portal.account.second_factor import second_factor_activate, second_factor_of

    found = second_factor_of(member.user_id)
    if found is None:
        with as_tenant(member.tenant_id):
            found, _codes = second_factor_activate(member=member, secret=TOTP_SECRET, step=-1, at=START)
    return found


def sign_in(client: Client, member: Member) -> Client:
    """A session as after a real sign-in with every factor that the role needs, proven just now (A2, A4, A5)."""
    from portal.account.second_factor import second_factor_of
    from portal.account.sessions import session_begin

    factor = second_factor(member) if member.role in STRONG_ROLES else second_factor_of(member.user_id)
    client.force_login(User.objects.get(pk=member.user_id))
    session = client.session
    session_begin(session, at=clock.now(), second_factor=factor)
    session.save()
    return client
