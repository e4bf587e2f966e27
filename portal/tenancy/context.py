"""The scope: whose data the running code may touch, for web, tasks, commands and streams alike (T4).

`as_tenant` names the scope; each transaction inside it tells the database. `across_tenants` is the one way over the
wall, for reading only, named and recorded (T2, R0.8). Models and managers are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from django.db import connections
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError

OPERATOR_ID: Final = 1  # the reserved tenant row of the operator's own scope
OPERATOR_ALIAS: Final = "operator"  # the connection of the role that may cross

T = TypeVar("T")


class NoTenantScope(PortalError):
    """Tenant data was asked for without a scope; a fault in the program, never a user's."""

    code, status = "no_tenant_scope", 500
    message = _("No account is entered, so no data can be read.")


class CrossTenantWrite(PortalError):
    """A row of one tenant was about to be written in another one's scope."""

    code, status = "cross_tenant_write", 500
    message = _("This belongs to another account.")


@dataclass(frozen=True, slots=True)
class Crossing:
    """A read over tenants: why, and who asked."""

    reason: str
    actor: str


_scope: ContextVar[int | None] = ContextVar("tenant_scope", default=None)
_crossing: ContextVar[Crossing | None] = ContextVar("tenant_crossing", default=None)
_recorder: list[Callable[[Crossing, datetime], None]] = []


def scope_or_none() -> int | None:
    """The tenant id that is entered, or None."""
    return _scope.get()


def scope() -> int:
    """The tenant id that is entered; raises NoTenantScope."""
    entered = _scope.get()
    if entered is None:
        raise NoTenantScope
    return entered


def crossing() -> Crossing | None:
    """The crossing that is open, or None."""
    return _crossing.get()


def _tell_open_transactions() -> None:
    for connection in connections.all(initialized_only=True):
        apply = getattr(connection, "apply_scope", None)
        if apply is not None:
            apply()


@contextmanager
def as_tenant(tenant_id: int) -> Iterator[None]:
    """Enters the scope of one tenant; nested use and errors restore the outer one."""
    scope_token, crossing_token = _scope.set(tenant_id), _crossing.set(None)
    _tell_open_transactions()
    try:
        yield
    finally:
        _crossing.reset(crossing_token)
        _scope.reset(scope_token)
        _tell_open_transactions()


@contextmanager
def no_tenant() -> Iterator[None]:
    """Leaves any scope for the duration of the block (sign-in, tests of the wall)."""
    scope_token, crossing_token = _scope.set(None), _crossing.set(None)
    _tell_open_transactions()
    try:
        yield
    finally:
        _crossing.reset(crossing_token)
        _scope.reset(scope_token)
        _tell_open_transactions()


@contextmanager
def across_tenants(*, reason: str, actor: str, at: datetime) -> Iterator[None]:
    """Reads of tenant models inside the block go over all tenants, by the operator's role, read-only.

    Leaves one audit row in the operator's scope. Enter a tenant inside it to write.
    """
    opened = Crossing(reason=reason, actor=actor)
    for record in _recorder:
        record(opened, at)
    scope_token, crossing_token = _scope.set(None), _crossing.set(opened)
    _tell_open_transactions()
    try:
        yield
    finally:
        _crossing.reset(crossing_token)
        _scope.reset(scope_token)
        _tell_open_transactions()


def record_crossings_with(recorder: Callable[[Crossing, datetime], None]) -> None:
    """Registers what writes the audit row of a crossing (called once, by the app's start)."""
    _recorder[:] = [recorder]


def keep_scope(rows: Iterable[T]) -> Iterator[T]:
    """A stream takes its scope along: each row is made inside the scope that was entered when this was called.

    The rows themselves must come from an iterator that fetches lazily; a transaction stays open while it runs.
    """
    captured = scope()
    return _keep(captured, rows)


def _keep(captured: int, rows: Iterable[T]) -> Iterator[T]:
    from django.db import transaction

    # One transaction for the whole stream; a generator must not leave a context variable set between two rows,
    # because the next row may be asked for from elsewhere: so the scope is entered anew for every step.
    with as_tenant(captured):
        block = transaction.atomic()
        block.__enter__()
    try:
        source = iter(rows)
        while True:
            with as_tenant(captured):
                try:
                    row = next(source)
                except StopIteration:
                    break
            yield row
    finally:
        with as_tenant(captured):
            block.__exit__(None, None, None)
