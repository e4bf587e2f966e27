"""What the tests of people's doors share: clients of their own network, real sign-ins, invitations' links."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.conf import settings
from django.test import Client

from portal.account import totp
from portal.lib import seal
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry, Member
from tests import cast

LOGIN = "/accounts/login/"
CODE = "/accounts/2fa/authenticate/"


def client() -> Client:
    """A browser from a network that no other test uses, so that limits never meet."""
    words = [secrets.token_hex(2) for _ in range(4)]
    return Client(REMOTE_ADDR=f"2001:{words[0]}:{words[1]}:{words[2]}::{words[3]}")


def code(at: datetime, *, steps: int = 0) -> str:
    """The cast's code, `steps` half minutes later."""
    return totp.code_of_step(cast.TOTP_SECRET, totp.step_at(at) + steps)


def password_step(browser: Client, member: Member, password: str = cast.PASSWORD):
    """Sends the first form."""
    return browser.post(LOGIN, {"login": member.user.email, "password": password})


def signed_in(browser: Client) -> bool:
    """Whether the browser's session belongs to somebody."""
    return "_auth_user_id" in browser.session


def audited(tenant_id: int, action: str) -> list[AuditEntry]:
    """The scope's rows of one action, oldest first."""
    with as_tenant(tenant_id):
        return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def fact_paths(tenant_id: int, name: str) -> list[str]:
    """Where the mails of the scope's facts lead, oldest first."""
    with as_tenant(tenant_id):
        rows = OutboxRow.objects.filter(name=name).order_by("pk")
        return [seal.unseal(row.payload["link"]).removeprefix(settings.PUBLIC_URL) for row in rows]
