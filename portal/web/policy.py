"""Who may open a door: every view declares a `Policy`, and one table of verdicts follows from it (W1, T7).

Deny by default: a route whose view has none is refused at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from portal.tenancy.context import scope
from portal.tenancy.models import ACCOUNT_ROLES, STAFF_ROLES, Role

ANONYMOUS: Final = "ANONYMOUS"
SHARE_LINK: Final = "SHARE_LINK"  # whoever holds a share link: anonymous everywhere else
READ_KEY: Final = "KEY_READ"
SOURCE_KEY: Final = "KEY_SOURCE"
ACCOUNT: Final = frozenset(r.value for r in ACCOUNT_ROLES)
STAFF: Final = frozenset(r.value for r in STAFF_ROLES)
EVERYBODY: Final = frozenset({ANONYMOUS, SHARE_LINK, READ_KEY, SOURCE_KEY}) | ACCOUNT | STAFF
PRINCIPALS: Final = (ANONYMOUS, SHARE_LINK, *(r.value for r in Role), READ_KEY, SOURCE_KEY)


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
_all_of: list[Callable[[datetime], frozenset[str]]] = []
_asked: ContextVar[dict[tuple[int, datetime], frozenset[str]] | None] = ContextVar("entitlements_asked", default=None)


def ask_entitlements_of(
    answer: Callable[[str, datetime], bool], all_of: Callable[[datetime], frozenset[str]] | None = None
) -> None:
    """tiers.promises registers how to ask for one entitlement of the entered account at an instant, or for all."""
    _entitled[:] = [answer]
    _all_of[:] = [all_of] if all_of is not None else []


@contextmanager
def entitlements_once() -> Iterator[None]:
    """Within the block (one request) each account is asked once an instant; a page and its navigation ask often."""
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


def entitled(key: str, at: datetime) -> bool:
    """Whether the entered account has the entitlement; False while nobody answers."""
    asked = _asked.get()
    if asked is None or not _all_of:
        return bool(_entitled) and _entitled[0](key, at)
    # what an account has changes at local midnights, and every zone's fall on a quarter of an hour
    quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    about = (scope(), quarter)
    if about not in asked:
        asked[about] = _all_of[0](at)
    return key in asked[about]


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
