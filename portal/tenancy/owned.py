"""`TenantOwned`: a model that subclasses it is walled; nothing else needs to be remembered (T1, T5).

The metaclass adds row security, the key that composite references point to, and one composite reference for every
`TenantForeignKey`; `makemigrations` writes them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.base import ModelBase

from portal.lib import ids
from portal.tenancy import context
from portal.tenancy.managers import TenantManager
from portal.tenancy.walls import AppendOnly, RowSecurity, TenantReference


class TenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A foreign key between two tenant tables. Its constraint is the composite one, so Django makes none."""

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        kwargs.setdefault("db_index", False)  # indexes of tenant tables start with the tenant
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> Any:
        """In migrations it is a plain foreign key without a constraint; the composite one stands beside it."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs


class PublicIdField(models.CharField):  # type: ignore[type-arg]
    """The random id that addresses show: unique in the installation, 100 random bits (T5)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=26, unique=True, default=ids.public_id, editable=False, db_collation="C")

    def deconstruct(self) -> Any:
        """In migrations it is plain text; its values are made in Python."""
        name, _path, _args, _kwargs = super().deconstruct()
        return name, "django.db.models.CharField", [], {
            "max_length": 26, "unique": True, "editable": False, "db_collation": "C",
        }  # fmt: skip


def _table_of(reference: Any, app_label: str) -> str:
    """`app.Model`, `Model` or a class as a table name (our tables all have Django's default names)."""
    if not isinstance(reference, str):
        return str(reference._meta.db_table)
    label, _, name = reference.rpartition(".")
    return f"{label or app_label}_{name.lower()}"


class TenantOwnedBase(ModelBase):
    """Adds the walls to every concrete subclass of TenantOwned."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> Any:
        cls = super().__new__(mcs, name, bases, attrs, **kwargs)
        meta: Any = cls._meta  # type: ignore[attr-defined]  # Django's metaclass has set it
        if meta.abstract or meta.proxy:
            return cls
        label, table = meta.app_label, meta.db_table
        own: list[Any] = [
            RowSecurity(name=f"{table}_wall"),
            models.UniqueConstraint(fields=["tenant", "id"], name=f"{table}_owner_key"),
        ]
        for field in meta.local_fields:
            if isinstance(field, TenantForeignKey):
                target: Any = field.remote_field.model
                to = cls if target == "self" else target
                own.append(
                    TenantReference(name=f"{table}_{field.name}_owner", column=field.column, to=_table_of(to, label))
                )
        if getattr(cls, "append_only", False):
            own.append(AppendOnly(name=f"{table}_kept"))
        # made anew by the autodetector's model classes too, so never add twice
        present = {c.name for c in meta.constraints}
        meta.constraints = [*meta.constraints, *(c for c in own if c.name not in present)]
        meta.original_attrs["constraints"] = meta.constraints
        return cls


class TenantOwned(models.Model, metaclass=TenantOwnedBase):
    """Base of every row that belongs to a customer, or to the operator's own scope (R0.8)."""

    owner_field: ClassVar[str] = "tenant_id"
    append_only: ClassVar[bool] = False

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False, related_name="+")

    objects = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Saves inside the entered scope only; the row takes its owner from there."""
        owner = context.scope()
        if self.tenant_id is None:
            self.tenant_id = owner
        elif self.tenant_id != owner:
            raise context.CrossTenantWrite
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Deletes inside the entered scope only."""
        if self.tenant_id != context.scope():
            raise context.CrossTenantWrite
        return super().delete(*args, **kwargs)


def public_id_field() -> PublicIdField:
    """The field above, written like `code_field`."""
    return PublicIdField()


def code_field(length: int = 64, **kwargs: Any) -> models.CharField[str, str]:
    """Codes and references: bytewise order, so that a prefix is a range."""
    return models.CharField(max_length=length, db_collation="C", **kwargs)
