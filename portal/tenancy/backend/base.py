"""PostgreSQL backend: every transaction begins by setting the tenant, local to that transaction (T4).

A statement outside a transaction gets one of its own while a scope is entered, so that it sees the scope's rows.
Nothing here ever uses a session-level setting: it would leak through a pooler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from portal.tenancy import context

_SET = "select set_config('app.tenant_id', %s, true)"


class DatabaseWrapper(base.DatabaseWrapper):
    """The PostgreSQL backend with a scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope_in_force: int | None = None
        self.execute_wrappers.append(self._in_a_transaction)

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        self.scope_in_force = None
        if not autocommit:
            self.apply_scope()

    def apply_scope(self) -> None:
        """Tells the running transaction the scope that is entered now; no scope means no rows."""
        wanted = context.scope_or_none()
        if wanted == self.scope_in_force or self.connection is None or self.connection.autocommit:
            return
        # a failed transaction takes no statement; whatever it is rolled back to sets the scope again
        if self.connection.closed or self.connection.info.transaction_status == TransactionStatus.INERROR:
            return
        self.connection.execute(_SET, ["" if wanted is None else str(wanted)])
        self.scope_in_force = wanted

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        # the setting went back to what it was at the savepoint, which may be another scope's
        wanted = context.scope_or_none()
        self.connection.execute(_SET, ["" if wanted is None else str(wanted)])
        self.scope_in_force = wanted

    def _in_a_transaction(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, ctx: dict[str, Any]
    ) -> Any:
        if self.in_atomic_block or context.scope_or_none() is None or not self.get_autocommit():
            return execute(sql, params, many, ctx)
        with transaction.atomic(using=self.alias):
            return execute(sql, params, many, ctx)
