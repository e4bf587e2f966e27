"""Many rows of one tenant's table in one statement: the quick way to write what is worked out in bulk.

The values travel as one JSON document; a tenth of the time that building a statement of thousands of parameters takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from portal.tenancy.context import CrossTenantWrite, scope

_TEXT = (models.CharField, models.TextField)


@cache
def _statement(model: type[models.Model]) -> tuple[Any, tuple[str, ...], str]:
    fields = [f for f in model._meta.concrete_fields if not f.primary_key and f.attname != "tenant_id"]
    names = tuple(f"c{n}" for n in range(len(fields)))
    columns = ", ".join(f'"{f.column}"' for f in fields)
    # text without its length: a value that is too long is then refused, not cut
    record = ", ".join(f"{n} {_type(f)}" for n, f in zip(names, fields, strict=True))
    sql = (
        f'insert into "{model._meta.db_table}" (tenant_id, {columns}) '  # noqa: S608 - names of our own tables
        f"select %s, {', '.join(names)} from json_to_recordset(%s) as n({record})"
    )
    return attrgetter(*(f.attname for f in fields)), names, sql


def _type(field: Any) -> str:
    if isinstance(field, ArrayField):
        return f"{_type(field.base_field)}[]"
    return "text" if isinstance(field, _TEXT) else str(field.rel_db_type(connection))


def rows_create(rows: Sequence[Any], *, of: type[models.Model] | None = None, ignore_conflicts: bool = False) -> None:
    """Stores rows of one tenant-owned table in the entered scope; their ids are not read back.

    `of`: the table, when the rows are no rows of its model but hold the values of its fields by name. Every value is
    plain: text, numbers, instants, JSON, lists. Raises CrossTenantWrite for a row of another owner.
    """
    if not rows:
        return
    owner = scope()
    for row in rows:
        if getattr(row, "tenant_id", None) not in (None, owner):
            raise CrossTenantWrite
    model: Any = of or type(rows[0])
    values, names, sql = _statement(model)
    data = msgspec.json.encode([dict(zip(names, values(row), strict=True)) for row in rows])
    with connection.cursor() as cursor:
        cursor.execute(sql + (" on conflict do nothing" if ignore_conflicts else ""), [owner, data.decode()])
