"""The guarded manager: no scope, no rows, not even a yes or no (T1a).

Refuses at building and again at running a query, so that a query built inside a scope cannot run outside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models
from django.db.models import sql

from portal.tenancy import context

M = TypeVar("M", bound=models.Model)


def _check() -> None:
    if context.scope_or_none() is None and context.crossing() is None:
        raise context.NoTenantScope


class TenantQuery(sql.Query):
    """A query that compiles inside a scope only; subqueries, exists and explain compile too."""

    def get_compiler(self, using: str | None = None, connection: Any = None, elide_empty: bool = True) -> Any:
        _check()
        return super().get_compiler(using, connection, elide_empty)


class TenantQuerySet(models.QuerySet[M]):
    """A query set of one tenant's rows; writing checks the owner of every row."""

    def __init__(
        self, model: type[M] | None = None, query: Any = None, using: str | None = None, hints: Any = None
    ) -> None:
        super().__init__(model, query if query is not None else TenantQuery(model), using, hints)

    def _own(self, rows: Iterable[M]) -> list[M]:
        owner, listed = context.scope(), list(rows)
        for row in listed:
            if row.tenant_id is None:  # type: ignore[attr-defined]
                row.tenant_id = owner  # type: ignore[attr-defined]
            elif row.tenant_id != owner:  # type: ignore[attr-defined]
                raise context.CrossTenantWrite
        return listed

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        return super().bulk_create(self._own(objs), *args, **kwargs)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        return super().bulk_update(self._own(objs), fields, batch_size)

    def create(self, **kwargs: Any) -> M:
        context.scope()
        return super().create(**kwargs)

    def update(self, **kwargs: Any) -> int:
        owner = context.scope()
        if kwargs.get("tenant_id", owner) != owner or ("tenant" in kwargs and kwargs["tenant"].pk != owner):
            raise context.CrossTenantWrite
        return super().update(**kwargs)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        context.scope()
        return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _update(self, values: Any, returning_fields: Any = None) -> Any:
        context.scope()
        return super()._update(values)  # type: ignore[misc]

    def _raw_delete(self, using: str | None) -> Any:
        context.scope()
        return super()._raw_delete(using)  # type: ignore[misc]

    def _insert(self, objs: Any, fields: Any, **kwargs: Any) -> Any:
        self._own(objs)
        return super()._insert(objs, fields, **kwargs)  # type: ignore[misc]


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]
    """The only manager of a tenant's table: rows of the entered tenant, or of all tenants inside a crossing."""

    def get_queryset(self) -> TenantQuerySet[Any]:
        """Refuses without a scope (NoTenantScope)."""
        _check()
        entered = context.scope_or_none()
        rows: TenantQuerySet[Any] = super().get_queryset()
        if entered is None:
            return rows.using(context.OPERATOR_ALIAS)
        return rows.filter(**{self.model.owner_field: entered})
