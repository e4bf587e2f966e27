"""Who may open a door: every view declares a `Policy`, and one table of verdicts follows from it (W1, T7).

Deny by default: a route whose view has none is refused at start-up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.tenancy.models import ACCOUNT_ROLES, STAFF_ROLES, Role

ANONYMOUS: Final = "ANONYMOUS"
READ_KEY: Final = "KEY_READ"
SOURCE_KEY: Final = "KEY_SOURCE"
ACCOUNT: Final = frozenset(r.value for r in ACCOUNT_ROLES)
STAFF: Final = frozenset(r.value for r in STAFF_ROLES)
EVERYBODY: Final = frozenset({ANONYMOUS, READ_KEY, SOURCE_KEY}) | ACCOUNT | STAFF
PRINCIPALS: Final = (ANONYMOUS, *(r.value for r in Role), READ_KEY, SOURCE_KEY)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may come in, and which entitlement the account needs (staff need none).

    `write` narrows unsafe methods further; empty means that all of `who` may write.
    """

    who: frozenset[str]
    entitlement: str | None = None
    write: frozenset[str] = field(default_factory=frozenset)

    def allows(self, principal: str, *, unsafe: bool) -> bool:
        """Whether this principal may use the door at all."""
        return principal in self.who and (not unsafe or not self.write or principal in self.write)


def public() -> Policy:
    """Anybody, signed in or not."""
    return Policy(who=EVERYBODY)


def signed_in() -> Policy:
    """Every person, no key."""
    return Policy(who=ACCOUNT | STAFF)


def customers(*, entitlement: str | None = None, write: frozenset[str] = frozenset()) -> Policy:
    """People of an account."""
    return Policy(who=ACCOUNT, entitlement=entitlement, write=write)


def staff(*roles: Role, write: frozenset[str] = frozenset()) -> Policy:
    """The operator's people: all, or the named roles (an administrator may always look)."""
    who = frozenset(r.value for r in roles) | {Role.ADMIN.value} if roles else STAFF
    return Policy(who=who, write=write)


_entitled: list[Callable[[str, datetime], bool]] = []


def ask_entitlements_of(answer: Callable[[str, datetime], bool]) -> None:
    """tiers.promises registers how to ask whether the entered account has an entitlement at an instant."""
    _entitled[:] = [answer]


def entitled(key: str, at: datetime) -> bool:
    """Whether the entered account has the entitlement; False while nobody answers."""
    return bool(_entitled) and _entitled[0](key, at)


class DeniedByDefault(BasePermission):
    """For DRF: our API views do their own checks in `initial`; any other view is refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Only views that declare a policy pass on to it."""
        return isinstance(getattr(view, "policy", None), Policy)


# Routes of other packages, by name or by prefix ending in "*": their views cannot carry an attribute.
OTHERS: dict[str, Policy] = {}


def others(policies: dict[str, Policy]) -> None:
    """Declares policies for routes whose views are not ours."""
    OTHERS.update(policies)
