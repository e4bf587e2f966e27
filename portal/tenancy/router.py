"""Which connection a query takes: the operator's role inside a crossing, the application's role otherwise.

Writing never takes the operator's connection; migrations run on the owner's alone.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from portal.tenancy import context


class ScopeRouter:
    """Reads inside a crossing go over the wall; everything else stays inside it (T2)."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        """The alias for a read."""
        return context.OPERATOR_ALIAS if context.crossing() is not None else "default"

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        """Always the application's role."""
        return "default"

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool:
        """One database behind all aliases."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Only the owner's connection changes the schema."""
        return db == "owner"
