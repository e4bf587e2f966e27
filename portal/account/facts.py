"""What sign-in tells: an invitation, a new password asked for. Each goes to one address.

The links carry secrets: portal.notify forgets the fact as soon as the mail is away.
"""

from __future__ import annotations

from datetime import UTC, datetime

from portal.lib.facts import Audience, Fact, fact
from portal.lib.ids import digest


@fact("people.invited", audience=Audience.PERSON)
class Invited(Fact):
    """Somebody was invited to an account, or to the operator's desk."""

    email: str
    name: str
    inviter: str
    account: str
    path: str  # with the token

    @property
    def object_key(self) -> str:
        """Once for each invitation; the token stays unreadable in the key."""
        return digest(self.path)[:40]

    @classmethod
    def example(cls) -> Invited:
        """A colleague."""
        return cls(
            occurred_at=datetime(2026, 3, 2, 10, 0, tzinfo=UTC), email="ana@acme.example", name="Ana Ruiz",
            inviter="Gus Meyer", account="Acme Trading", path="/accounts/invitation/specimen",
        )  # fmt: skip


@fact("people.password_reset", audience=Audience.PERSON)
class PasswordReset(Fact):
    """A new password was asked for, for an address that has a sign-in."""

    email: str
    path: str  # with the token

    @property
    def object_key(self) -> str:
        """Once for each request."""
        return digest(self.path)[:40]

    @classmethod
    def example(cls) -> PasswordReset:
        """A forgotten password."""
        return cls(
            occurred_at=datetime(2026, 3, 2, 10, 0, tzinfo=UTC), email="ana@acme.example",
            path="/accounts/password/reset/key/specimen/",
        )  # fmt: skip
