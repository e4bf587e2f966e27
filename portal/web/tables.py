"""Lists: pages by key instead of by number, and tables whose rows are made with one format string.

Columns, heads and sort links are django-tables2's; its cells are not used, they cost more than the query. No offsets:
a page is asked for by the row before it, so that page 400 costs what page 1 costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import django_tables2 as tables
from django.db.models import F, Model, Q, QuerySet, Subquery
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

PAGE_SIZE: Final = 50
_PUBLIC_ID = re.compile(r"^[0-9a-z]{1,26}$")
T = TypeVar("T", bound=Model)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The neighbour of a page: its public id, its sort value as text (empty: it has none), and which way to go."""

    public_id: str
    value: str
    back: bool = False

    @classmethod
    def read(cls, params: Mapping[str, str]) -> Cursor | None:
        """From `?older=` or `?newer=`; anything unreadable is the first page."""
        for name, back in (("older", False), ("newer", True)):
            text = params.get(name, "")
            public_id, dot, value = text.partition(".")
            if dot and _PUBLIC_ID.match(public_id):
                return cls(public_id, value, back)
        return None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page with the cursors of its neighbours, None where there is none."""

    rows: list[Any]
    older: str | None
    newer: str | None


def instant_of(text: str) -> datetime:
    """The instant of a cursor; ValueError for what is none, or names no offset (Python's calendar ends before the
    database's, so the edges are left out).
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None or not 1 < instant.year < 9999:
        raise ValueError("A cursor holds an instant with its offset.")
    return instant


def keyset_page(
    found: QuerySet[T, Any],
    *,
    key: str,
    cursor: Cursor | None,
    parse: Callable[[str], Any],
    write: Callable[[Any], str],
    descending: bool = True,
    size: int = PAGE_SIZE,
) -> Page[T]:
    """A page of `found` by (key, id); rows without a key come last, in either order, and are never left out.

    `found` yields dicts with `id`, `public_id` and the key. One query: rows with and without the key are two
    index ranges, joined; the cursor names its row by public id, so that no sequence number leaves the house.
    """
    try:
        value = None if cursor is None or cursor.value == "" else parse(cursor.value)
    except ValueError:
        cursor, value = None, None
    back = cursor is not None and cursor.back
    falling = descending != back
    order = [F(key).desc() if falling else F(key).asc(), "-id" if falling else "id"]
    dated = found.filter(**{f"{key}__isnull": False}).order_by(*order)
    undated = found.filter(**{f"{key}__isnull": True}).order_by("-id" if falling else "id")
    parts = [undated, dated] if back else [dated, undated]
    if cursor is not None:
        own = Subquery(found.model._default_manager.filter(public_id=cursor.public_id).values("id")[:1])
        beyond = Q(id__lt=own) if falling else Q(id__gt=own)
        if value is None:
            parts = [undated.filter(beyond), *parts[1:]] if back else [undated.filter(beyond)]
        else:
            edge, side = ("lte", "lt") if falling else ("gte", "gt")
            # the first condition is the index range, the second leaves out the ties before the row
            kept = dated.filter(**{f"{key}__{edge}": value}).filter(Q(**{f"{key}__{side}": value}) | beyond)
            parts = [kept] if back else [kept, undated]
    rows = _joined(parts, key, size + 1, falling=falling, undated_first=back)
    return _page(rows, cursor, key, size, write)


def _joined(parts: Sequence[QuerySet[Any]], key: str, most: int, *, falling: bool, undated_first: bool) -> list[Any]:
    sliced = [part[:most] for part in parts]
    if len(sliced) == 1:
        return list(sliced[0])
    rows: list[Any] = list(sliced[0].union(*sliced[1:], all=True))
    # a union promises no order; each of its parts holds no more than a page
    dated = sorted((r for r in rows if r[key] is not None), key=lambda r: (r[key], r["id"]), reverse=falling)
    undated = sorted((r for r in rows if r[key] is None), key=lambda r: r["id"], reverse=falling)
    return ([*undated, *dated] if undated_first else [*dated, *undated])[:most]


def _page(rows: list[Any], cursor: Cursor | None, key: str, size: int, write: Callable[[Any], str]) -> Page[Any]:
    more = len(rows) > size
    rows = rows[:size]
    back = cursor is not None and cursor.back
    if back:
        rows.reverse()

    def name(row: Any) -> str:
        return f"{row['public_id']}.{'' if row[key] is None else write(row[key])}"

    older = name(rows[-1]) if rows and (more or back) else None
    newer = name(rows[0]) if rows and (more if back else cursor is not None) else None
    return Page(rows, older, newer)


def capped(count: int, most: int) -> str:
    """A count that was only taken up to `most`: `37`, or `1000+`."""
    return str(count) if count < most else f"{most}+"


class LeanTable(tables.Table):
    """A table whose body is written row by row: `cell_<name>(row)` gives a column's text or safe HTML.

    Column attrs as for web/table.html: `{"td": {"class": "cell-title"}}` makes the row's head, `cell-status` its badge.
    """

    class Meta:
        template_name = "web/table.html"
        orderable = False

    def __init__(self, data: Sequence[Row], *, sorts: Mapping[str, tuple[str, str]] | None = None, **more: Any) -> None:
        """`sorts`: the columns whose head is a link, with the address and how they are sorted now (`descending`…)."""
        self.sorts = sorts or {}
        super().__init__(data, **more)

    def heads(self) -> list[dict[str, Any]]:
        """The heads in the form of web/_th.html."""
        return [
            {
                "label": column.header,
                "url": self.sorts.get(column.name, ("", ""))[0],
                "sort": self.sorts.get(column.name, ("", ""))[1],
                "numeric": "num" in (column.attrs["td"].get("class") or ""),
            }
            for column in self.columns
        ]

    def lines(self) -> Iterator[SafeString]:
        """The rows as HTML; escaping happens once a cell, in the cell's own format."""
        names: list[str] = []
        pattern = ["<tr>"]  # the ends of rows and cells are left out, as HTML allows: they are a tenth of the page
        for column in self.columns:
            css = column.attrs["td"].get("class") or ""
            names.append(column.name)
            if "cell-title" in css:
                pattern.append(f'<th scope="row" class="{css}">{{}}')
            else:
                label = format_html(' data-label="{}"', column.header).replace("{", "{{").replace("}", "}}")
                label = "" if "cell-status" in css else label  # on a card its badge stands without its column's name
                named = f' class="{css}"' if css else ""
                pattern.append(f"<td{named}{label}>{{}}")
        line = "".join(pattern)
        cells = [getattr(self, f"cell_{name}") for name in names]
        for row in self.data:
            # every value went through conditional_escape, the pattern is our own
            yield mark_safe(line.format(*(conditional_escape(cell(row)) for cell in cells)))  # noqa: S308
