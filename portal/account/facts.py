"""What happens to people's access and is told to the person by mail.

Links are sealed: a row of the outbox or a backup opens nothing. portal.notify opens them when it writes the mail.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Self

from portal.account.addresses import public_url
from portal.lib import seal
from portal.lib.facts import Audience, Fact, fact

_EXAMPLE_AT: Final = datetime(2026, 3, 12, 13, 5, tzinfo=UTC)


@fact("people.invited", audience=Audience.PERSON)
class Invited(Fact):
    """Somebody was invited to sign in for an account, or for the operator."""

    email: str
    name: str
    account_name: str
    invited_by: str
    invitation: str  # its public id
    link: str  # sealed
    days: int

    @property
    def object_key(self) -> str:
        """Each invitation once."""
        return self.invitation

    @classmethod
    def example(cls) -> Self:
        """For template tests and docs."""
        return cls(
            occurred_at=_EXAMPLE_AT, email="jo@example.com", name="Jo Example", account_name="Acme", days=7,
            invited_by="Sam Example", invitation="0example0invitation0", link=seal.seal(public_url("/")),
        )  # fmt: skip


@fact("people.password_reset_requested", audience=Audience.PERSON)
class PasswordResetRequested(Fact):
    """A known person asked for a new password."""

    email: str
    name: str
    request: str  # a random id
    link: str  # sealed
    minutes: int

    @property
    def object_key(self) -> str:
        """Each request once."""
        return self.request

    @classmethod
    def example(cls) -> Self:
        """For template tests and docs."""
        return cls(
            occurred_at=_EXAMPLE_AT, email="jo@example.com", name="Jo Example", request="0example00000request",
            link=seal.seal(public_url("/")), minutes=60,
        )  # fmt: skip


@fact("people.security_changed", audience=Audience.PERSON)
class SecurityChanged(Fact):
    """Password, second factor or recovery codes of a person changed; told to that person, whoever did it."""

    email: str
    name: str
    what: str  # PASSWORD, SECOND_FACTOR, SECOND_FACTOR_REMOVED, RECOVERY_CODES
    change: str  # a random id

    @property
    def object_key(self) -> str:
        """Each change once."""
        return self.change

    @property
    def path(self) -> str:
        """Where the mail leads."""
        return "/accounts/security/"

    @classmethod
    def example(cls) -> Self:
        """For template tests and docs."""
        return cls(
            occurred_at=_EXAMPLE_AT, email="jo@example.com", name="Jo Example", what="PASSWORD",
            change="0example000000change",
        )  # fmt: skip
