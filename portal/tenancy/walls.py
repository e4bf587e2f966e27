"""The walls as constraint classes and operations that `makemigrations` writes: row security, composite foreign keys,
append-only tables, security-definer functions (T1, T3, T5, G12).

The only module of ours that migrations import. No models, no scope.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.constraints import BaseConstraint

# One plain equality, never an OR: a bypass flag in a policy costs the index.
_SETTING = "nullif(current_setting('app.tenant_id', true), '')::bigint"


class _TableRule(BaseConstraint):
    """A rule that is written as statements after the table exists, never inside CREATE TABLE."""

    def _up(self, table: str) -> list[str]:
        raise TypeError("A table rule says its own statements.")

    def _down(self, table: str) -> list[str]:
        raise TypeError("A table rule says its own statements.")

    def constraint_sql(self, model: Any, schema_editor: Any) -> None:  # type: ignore[override]  # never inline
        for sql in self._up(model._meta.db_table):
            schema_editor.deferred_sql.append(self._statement(sql, model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> None:  # type: ignore[override]
        # at the end of the migration, when the keys it points to exist
        self.constraint_sql(model, schema_editor)

    def remove_sql(self, model: Any, schema_editor: Any) -> Statement:  # type: ignore[override]
        return self._statement(";\n".join(self._down(model._meta.db_table)), model, schema_editor)

    @staticmethod
    def _statement(sql: str, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> Statement:
        # the table part makes Django drop the statement when the table is dropped in the same migration
        return Statement(
            sql.replace("%", "%%") + "%(table_mark)s",
            table_mark=_NoText(model._meta.db_table, schema_editor.quote_name),
        )

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to check in Python; the database keeps it."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.deconstruct() == self.deconstruct()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.name)


class _NoText(Table):
    def __str__(self) -> str:
        return ""


class RowSecurity(_TableRule):
    """ENABLE and FORCE row security with one equality policy on `column`, for reading and writing (T1)."""

    def __init__(self, *, name: str, column: str = "tenant_id") -> None:
        super().__init__(name=name)
        self.column = column

    def _up(self, table: str) -> list[str]:
        rule = f'"{self.column}" = {_SETTING}'
        return [
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
            f'CREATE POLICY "{self.name}" ON "{table}" USING ({rule}) WITH CHECK ({rule})',
        ]

    def _down(self, table: str) -> list[str]:
        return [
            f'DROP POLICY "{self.name}" ON "{table}"',
            f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY',
            f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY',
        ]

    def deconstruct(self) -> tuple[str, tuple[()], dict[str, Any]]:
        return (f"{type(self).__module__}.RowSecurity", (), {"name": self.name, "column": self.column})


class TenantReference(_TableRule):
    """The foreign key (tenant_id, column) to (tenant_id, id): a child cannot live with another owner (T5)."""

    def __init__(self, *, name: str, column: str, to: str) -> None:
        super().__init__(name=name)
        self.column, self.to = column, to

    def _up(self, table: str) -> list[str]:
        return [
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{self.name}" FOREIGN KEY ("tenant_id", "{self.column}") '
            f'REFERENCES "{self.to}" ("tenant_id", "id") DEFERRABLE INITIALLY DEFERRED'
        ]

    def _down(self, table: str) -> list[str]:
        return [f'ALTER TABLE "{table}" DROP CONSTRAINT "{self.name}"']

    def deconstruct(self) -> tuple[str, tuple[()], dict[str, Any]]:
        path = f"{type(self).__module__}.TenantReference"
        return (path, (), {"name": self.name, "column": self.column, "to": self.to})


class AppendOnly(_TableRule):
    """UPDATE, DELETE and TRUNCATE are refused by the database, whoever asks (G12, M2, L1)."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)

    def _up(self, table: str) -> list[str]:
        return [
            f'CREATE TRIGGER "{self.name}_row" BEFORE UPDATE OR DELETE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION plimsoll_append_only()",
            f'CREATE TRIGGER "{self.name}_all" BEFORE TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION plimsoll_append_only()",
        ]

    def _down(self, table: str) -> list[str]:
        return [f'DROP TRIGGER "{self.name}_row" ON "{table}"', f'DROP TRIGGER "{self.name}_all" ON "{table}"']

    def deconstruct(self) -> tuple[str, tuple[()], dict[str, Any]]:
        return (f"{type(self).__module__}.AppendOnly", (), {"name": self.name})


APPEND_ONLY_FUNCTION = """
CREATE FUNCTION plimsoll_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


class DefinerFunction(Operation):
    """A SECURITY DEFINER function owned by the operator's role: a narrow door through the wall (design 3).

    Every one stands in the reasoned list of tests/contracts. `body` is SQL; search_path is fixed.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, *, name: str, arguments: str, returns: str, body: str, language: str = "sql") -> None:
        self.name, self.arguments, self.returns, self.body, self.language = name, arguments, returns, body, language

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Functions are no part of the models' state."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        operator, app = (schema_editor.quote_name(settings.DATABASES[a]["USER"]) for a in ("operator", "default"))
        call = f"{self.name}({self.arguments})"
        for sql in (
            f"CREATE OR REPLACE FUNCTION {call} RETURNS {self.returns} LANGUAGE {self.language} STABLE "
            f"SECURITY DEFINER SET search_path = public, pg_temp AS $body$ {self.body} $body$",
            f"GRANT CREATE ON SCHEMA public TO {operator}",
            f"ALTER FUNCTION {call} OWNER TO {operator}",
            f"REVOKE CREATE ON SCHEMA public FROM {operator}",
            f"REVOKE ALL ON FUNCTION {call} FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION {call} TO {app}, {operator}",
        ):
            schema_editor.execute(sql, params=None)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        schema_editor.execute(f"DROP FUNCTION {self.name}({self.arguments})", params=None)

    def describe(self) -> str:
        return f"Creates the function {self.name}"
