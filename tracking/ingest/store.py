"""Storing many sightings at once: copied beside the table, then taken over account by account inside its scope.

PostgreSQL refuses COPY into a table with row security, so the rows wait in a table of the session that forgets them
with the transaction. Which rows there are is decided in tenant_run.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, Final

from django.db import connection

from portal.lib import ids
from portal.tenancy.context import scope
from tracking.models import SightingRow

_CELL: Final = "\x1f"
_NULL: Final = "\x1e"
_TRUE: Final = "t"
_FALSE: Final = "f"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", _CELL: "\\x1f", _NULL: "\\x1e"})


@cache
def _columns() -> tuple[tuple[str, str], ...]:
    """(name, type) of everything stored but the key that the table gives."""
    return tuple(
        (str(f.column), str(f.db_type(connection))) for f in SightingRow._meta.concrete_fields if not f.primary_key
    )


@cache
def _values() -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    return itemgetter(*(f.attname for f in SightingRow._meta.concrete_fields if not f.primary_key))


def unset() -> dict[str, Any]:
    """Every field with its default, of the entered account: what a row begins with."""
    fields = {f.attname: f.get_default() for f in SightingRow._meta.concrete_fields if not f.primary_key}
    return {**fields, "tenant_id": scope()}


@cache
def _statements() -> tuple[str, str, str]:
    """Making the waiting table, copying into it, taking rows over. Its name says which columns it has: a pooled
    connection may still hold one of an earlier release.
    """
    columns = [f'"{name}"' for name, _kind in _columns()]
    listed = ", ".join(f'"{name}" {kind}' for name, kind in _columns())
    name = f"waiting_{ids.digest(listed)[:12]}"
    taken = [c for c in columns if c != '"is_repeat"']
    return (
        f"create temporary table if not exists {name} "
        f"(nth integer, may_repeat boolean, {listed}) on commit delete rows",
        f"copy {name} (nth, {', '.join(columns)}, may_repeat) from stdin (delimiter E'\\x1f', null E'\\x1e')",
        # the same happening told by the same source under another id (R1.2)
        f"insert into tracking_sightingrow ({', '.join(taken)}, is_repeat) "  # noqa: S608 - names of our own columns
        f"select {', '.join(f'w.{c}' for c in taken)}, w.is_repeat or w.may_repeat and exists ("
        "select from tracking_sightingrow o where o.tenant_id = w.tenant_id and o.shipment_id = w.shipment_id "
        "and o.source = w.source and o.natural_key = w.natural_key and o.event_key <> w.event_key) "
        f"from {name} w where w.tenant_id = %s and w.nth >= %s order by w.nth",
    )


def line(row: Mapping[str, Any], *, may_repeat: bool) -> str:
    """A row as COPY reads it, but for its number; its `payload` is text already."""
    values = _values()(row)
    cells = [v if (kind := v.__class__) is str else _CELLS[kind](v) for v in values]
    cells.append(_TRUE if may_repeat else _FALSE)
    text = _CELL.join(cells)
    is_plain = (
        "\\" not in text and "\n" not in text and "\r" not in text and text.count(_CELL) == len(values)
        and text.count(_NULL) == values.count(None)
    )  # fmt: skip
    if not is_plain:
        nulls = [v is None for v in values] + [False]
        text = _CELL.join(c if null else c.translate(_ESCAPES) for c, null in zip(cells, nulls, strict=True))
    return text


class _Cells(dict[type, Callable[[Any], str]]):
    """How a value of a type is written."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        return str


_CELLS: Final = _Cells({
    type(None): lambda _value: _NULL,
    bool: lambda value: _TRUE if value else _FALSE,
    datetime: datetime.isoformat,
    list: lambda value: "{" + ",".join(f'"{v}"' for v in value) + "}",  # codes of a closed list
})  # fmt: skip


def waiting_table() -> str:
    """The statement that makes the waiting table where this connection has none: a pooled one may change, and what a
    transaction made is gone when it is rolled back.
    """
    return _statements()[0]


def sightings_copy(lines: Iterable[str], *, first: int) -> None:
    """Puts lines of any accounts into the waiting table of this transaction, numbered from `first` on."""
    _make, copy, _take = _statements()
    raw = connection.connection
    assert raw is not None
    body = "\n".join(f"{nth}{_CELL}{text}" for nth, text in enumerate(lines, first))
    with raw.cursor() as cursor, cursor.copy(copy) as into:
        into.write(f"{body}\n".encode())


def sightings_take(*, first: int) -> int:
    """Takes over what waits for the entered account from this number on; returns how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_statements()[2], [scope(), first])
        return int(cursor.rowcount)


def sightings_create(rows: Sequence[Mapping[str, Any]]) -> list[SightingRow]:
    """A few, with their ids."""
    return SightingRow.objects.bulk_create([SightingRow(**values) for values in rows], batch_size=2_000)
