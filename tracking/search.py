"""Search by any reference: exactly, else by beginning, else by a part of four characters or more.

Reads the entered scope only. Hits come first and are sorted by whoever asked; every search is one statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.db import connection

from portal.tenancy.context import scope
from tracking.filters import Terms
from tracking.models import ReferenceKind

MOST_HITS: Final = 1_000

# Under row security LIKE loses every index: a beginning is a range of the C order, a part is the one function that
# carries the tenant itself. A later step runs only when the one before found nothing.
_SQL: Final = """
with exact as (
  select r.shipment_id, r.kind, r.value, r.written from tracking_reference r
  where r.tenant_id = %(tenant)s and r.value = any(%(terms)s) and r.kind <> 'VOYAGE' limit %(most)s
), starting as (
  select r.shipment_id, r.kind, r.value, r.written from tracking_reference r
  where %(single)s and not exists (select from exact) and r.tenant_id = %(tenant)s
    and r.value >= %(whole)s and r.value < %(end)s and r.kind <> 'VOYAGE' limit %(most)s
), part as (
  select p.shipment_id from plimsoll_search_part(%(whole)s, %(most)s) p
  where %(single)s and not exists (select from exact) and not exists (select from starting)
)
select 'exact', e.* from exact e
union all select 'starting', s.* from starting s
union all select 'part', p.shipment_id, '', '', '' from part p
"""
Row = tuple[str, int, str, str, str]  # how, shipment id, kind, normal form, as written


@dataclass(frozen=True, slots=True)
class Hits:
    """Shipment ids found, how, by which reference each, and which of a pasted list were not found."""

    how: str = ""  # exact, starting, part; empty: nothing
    ids: tuple[int, ...] = ()
    matched: dict[int, str] = field(default_factory=dict)  # id -> the reference as written, where it is not the ref
    unknown: tuple[str, ...] = ()
    has_more: bool = False


def search(terms: Terms) -> Hits:
    """The entered account's shipments that carry what was typed; nothing typed finds nothing."""
    if not terms.whole:
        return Hits()
    wanted = {term.normal for term in terms.listed} | {word for term in terms.listed for word, _w in term.words}
    with connection.cursor() as cursor:
        cursor.execute(
            _SQL,
            {"tenant": scope(), "terms": [terms.whole, *wanted], "whole": terms.whole, "end": terms.whole + "[",
             "single": not terms.is_list, "most": MOST_HITS + 1},
        )  # fmt: skip
        rows: list[Row] = cursor.fetchall()
    if rows and rows[0][0] != "exact":
        return _hits(rows, ())
    if any(row[3] == terms.whole for row in rows):
        return _hits([row for row in rows if row[3] == terms.whole], ())
    return _hits(*_listed(terms, rows))


def _listed(terms: Terms, rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """What a list found, an entry as a whole before its words; and what of it is not known, as it was written."""
    there = {row[3] for row in rows}
    meant: set[str] = set()
    unknown: list[str] = []
    for term in terms.listed:
        words = [word for word, _written in term.words if word in there]
        if term.normal in there:
            meant.add(term.normal)
        elif words:
            meant.update(words)
            if not terms.is_list:  # blanks separated references, then, and these are not known
                unknown += [written for word, written in term.words if word not in there]
        else:
            unknown += [term.written] if terms.is_list else [written for _word, written in term.words]
    return [row for row in rows if row[3] in meant], tuple(unknown)


def _hits(rows: list[Row], unknown: tuple[str, ...]) -> Hits:
    listed = list(dict.fromkeys(r[1] for r in rows))
    matched: dict[int, str] = {}
    for _how, shipment_id, kind, _value, written in rows:
        if kind and kind != ReferenceKind.SHIPMENT:
            matched.setdefault(shipment_id, f"{ReferenceKind(kind).label} {written}")
    return Hits(
        how=rows[0][0] if rows else "",
        ids=tuple(listed[:MOST_HITS]),
        matched=matched,
        unknown=unknown,
        has_more=len(rows) > MOST_HITS,
    )
