"""Work of people's access: mailing a password reset, clearing old counts of tries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.account.limits import attempts_purge
from portal.account.services import password_reset_send
from portal.outbox.handlers import due_work, handler
from portal.tenancy.replies import replies_forget


@handler("people.password_reset")
def password_reset_mail(payload: dict[str, Any], at: datetime) -> None:
    """Looks the address up where nobody can measure how long it takes (A3)."""
    password_reset_send(email=str(payload["email"]), at=at)


@due_work("people.replies_forget")
def replies_forgotten(at: datetime) -> None:
    """Answers to calls with an Idempotency-Key, two days old."""
    replies_forget(at=at)


@due_work("people.attempts_purge", each_tenant=False)
def attempts_clear(at: datetime) -> None:
    """Counts that no window can reach are deleted."""
    attempts_purge(at=at)
