"""Which events of the entered account fit a question in the words of DCSA 2.2.0, page by page.

Reads only. A page looks through a bounded stretch of the record, whatever was asked, so that no question outlives its
statement; how the events are written stands in dcsaevents.py. Given out is what counts now (R1.2 to R1.5): the newest
version of what was not withdrawn, each happening once, as far as 2.2.0 has words for it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from portal.lib import ids
from portal.tenancy.context import scope
from tracking import dcsaevents
from tracking.dcsaevents import About, Json, Spot, Surroundings, Told, event_json
from tracking.dcsaquery import CREATED, DOCUMENTS, EQUIPMENT_CODES, HAPPENED, SHIPMENT_CODES, Filters, Query
from tracking.models import Container, Place, Reference, ReferenceKind, Shipment
from tracking.partners import anchoring, settings_as_of

STRETCH: Final = 20_000  # rows of the record that one page looks through at most
_OPERATORS: Final = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "eq": "="}
_FIELDS: Final = {
    CREATED: "r.recorded_at",
    HAPPENED: "case when r.kind = 'SHIPMENT' then r.recorded_at else r.event_time end",  # as it is given out
}
_PAPERS: Final = {ReferenceKind.BOOKING: "bookings", ReferenceKind.MBL: "bills", ReferenceKind.HBL: "bills"}

# --- what counts, as effective.live_versions says it ---


def _age(row: str) -> str:
    return f"(coalesce({row}.source_created_at, {row}.recorded_at), {row}.recorded_at, {row}.id)"


def _counts(row: str) -> str:
    """No withdrawal, and no actual of the future (R1.5)."""
    return (
        f"{row}.retracts_key = '' and ({row}.is_empty or {row}.event_time is null or {row}.classifier <> 'ACT' "
        f"or {row}.event_time <= {row}.recorded_at + interval '15 minutes')"
    )


def _none(other: str, row: str, where: str) -> str:
    """No other row of the shipment and source is so. OFFSET keeps it a look-up for each row: few have many versions."""
    return (
        f"not exists (select from tracking_sightingrow {other} where {other}.tenant_id = {row}.tenant_id "
        f"and {other}.shipment_id = {row}.shipment_id and {other}.source = {row}.source and {where} offset 0)"
    )


def _holds(row: str) -> str:
    """It is the newest version of an event that was not withdrawn, and says something."""
    newer, gone = f"{row}_newer", f"{row}_gone"
    return (
        f"not {row}.is_empty and {row}.event_time is not null and {_counts(row)} and "
        + _none(
            newer,
            row,
            f"{newer}.event_key = {row}.event_key and {_counts(newer)} and {_age(newer)} > {_age(row)}",
        )
        + " and "
        + _none(gone, row, f"{gone}.retracts_key = {row}.event_key")
    )


_LIVE: Final = f"{_holds('r')} and " + _none(
    "o", "r", f"o.natural_key = r.natural_key and o.event_key <> r.event_key and {_age('o')} < {_age('r')} "
    f"and {_holds('o')}",
)  # fmt: skip

# --- what 2.2.0 has words for ---


def _words(codes: Sequence[str]) -> str:
    return ", ".join(f"'{code}'" for code in codes)


_OTHER_MODES: Final = " ".join(f"when '{own}' then '{word}'" for own, word in dcsaevents.OTHER_MODES.items())
_MODE: Final = (
    f"case upper(r.mode) {_OTHER_MODES} "
    "when '' then case when r.kind = 'TRANSPORT' or r.vessel_imo <> '' then 'VESSEL' else '' end "
    "else upper(r.mode) end"
)
# an arrival at the anchorage cannot be told from one at the berth, and a hand's word on the end needs its proof (R1.12)
_SAYABLE: Final = f"""r.classifier in ('ACT', 'EST', 'PLN') and (
  r.kind = 'TRANSPORT' and r.code in ('ARRI', 'DEPA') and {_MODE} in ({_words(dcsaevents.MODES)})
    and not (r.code = 'ARRI' and (r.place_role = 'ANCH' or {_MODE} = 'VESSEL' and r.source = any(%s)))
  or r.kind = 'EQUIPMENT' and r.code in ({_words(EQUIPMENT_CODES)})
    and (r.laden is not null or r.code in ({_words((*dcsaevents.LADEN_BY_CODE, *dcsaevents.EMPTY_BY_CODE))}))
  or r.kind = 'SHIPMENT' and r.code in ({_words(SHIPMENT_CODES)})
    and r.document_type in ({_words((*DOCUMENTS, "BOK", "CUC"))})
) and not (r.classifier = 'ACT' and r.code in ('DROP', 'STRP') and r.entered_by <> '' and r.evidence_ref = '')"""


# an EQUIPMENT event is given a transport call when something of one is known, as dcsaevents.py does
_HAS_CALL: Final = (
    f"{_MODE} in ({_words(dcsaevents.MODES)}) and (r.vessel_imo <> '' or r.voyage <> '' "
    "or jsonb_typeof(r.payload -> 'transportCall') = 'object' and r.payload -> 'transportCall' <> '{}')"
)


def _text_of_call(name: str, longest: int) -> str:
    path = f"r.payload #> '{{transportCall,{name}}}'"
    text = f"btrim(r.payload #>> '{{transportCall,{name}}}')"
    return f"case when jsonb_typeof({path}) = 'string' and length({text}) between 1 and {longest} then {text} end"


# a source that names no transport call is given one by what makes a call: vessel (or mode), voyage, place
_CALL: Final = (
    f"coalesce({_text_of_call('transportCallID', 100)}, left(concat_ws('-', coalesce(nullif(r.vessel_imo, ''), "
    "nullif(r.vessel, ''), nullif(r.mode, '')), nullif(r.voyage, ''), nullif(r.place, '')), 100))"
)
_COLUMNS: Final = ", ".join(f"r.{f.name}" for f in fields(Told) if f.name != "transport_call") + f", {_CALL}"


@dataclass(slots=True)
class _Where:
    """Conditions on `r`, each with its values."""

    texts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, text: str, *values: Any) -> None:
        self.texts.append(f"({text})")
        self.values.extend(values)

    def sql(self) -> str:
        return " and ".join(self.texts) or "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some events in order. `first`, `last`: the keys of its ends; `before`, `after`: whether there is more."""

    events: tuple[Json, ...]
    first: tuple[Any, ...] | None
    last: tuple[Any, ...] | None
    before: bool
    after: bool


def events_page(query: Query, *, start: Sequence[Any] | None = None, backwards: bool = False) -> Page:
    """The events after `start` (before it, when `backwards`) in the order asked for; from the end without one.

    A constant number of queries. A page may be short or empty and still have more after it: what the stretch of the
    record held did not fit the filters.
    """
    shipments = _named(query.filters)
    if shipments is not None and not shipments:
        return Page(events=(), first=None, last=None, before=False, after=False)
    order = [(_FIELDS[name], descending != backwards) for name, descending in query.sort]
    order.append(("r.id", order[0][1]))
    stretch = _stretch(query, shipments, order, start)
    rows = _rows(query.filters, stretch, shipments, order, query.limit + 1)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    keys = [row[-len(order) :] for row in rows]
    end = keys[-1] if keys else None
    if not more and shipments is None and (edge := _edge(stretch, order)) is not None:
        more, end = True, edge
    events = events_json([_told(row) for row in rows])
    first, last = (keys[0] if keys else start), (end or start)
    if backwards:
        return Page(events=tuple(events[::-1]), first=_key(last), last=_key(first), before=more, after=bool(start))
    return Page(events=tuple(events), first=_key(first), last=_key(last), before=bool(start), after=more)


def event_by_id(event: UUID) -> Json | None:
    """The event with this id, as it stands now; None when the account has none, or it was withdrawn."""
    where = _Where()
    where.add("r.tenant_id = %s", scope())
    where.add("r.source in (select source from heard) and r.event_key >= %s and r.event_key < %s",
              dcsaevents.key_head(event), dcsaevents.key_head(event) + "g")  # fmt: skip
    sql = f"select {_COLUMNS} from tracking_sightingrow r where {where.sql()} and {_SAYABLE} and {_LIVE}"  # noqa: S608
    rows = _ask(f"{_SOURCES}{sql} order by r.id limit 1000", [scope(), scope(), *where.values, _anchoring()])
    found = events_json([_told(row) for row in rows])
    return next((e for e in found if e["eventID"] == str(event)), None)


def events_of_message(
    filters: Filters, *, message: str, recorded_at: datetime, shipments: Sequence[int]
) -> Iterator[Json]:
    """What one message, applied at an instant, brought these shipments that fits the filters; in the order stored."""
    where = _Where()
    where.add("r.tenant_id = %s and r.shipment_id = any(%s)", scope(), list(shipments))
    where.add("r.message = %s and r.recorded_at = %s", message, recorded_at)
    own = _named(filters)
    if own is not None:
        where.add("r.shipment_id = any(%s)", own)
    _fitting(filters, where)
    sql = f"select {_COLUMNS} from tracking_sightingrow r where {where.sql()} and {_SAYABLE} and {_LIVE}"  # noqa: S608
    rows = _ask(f"{sql} order by r.id", [*where.values, _anchoring()])
    yield from events_json([_told(row) for row in rows])


def events_json(told: Sequence[Told]) -> list[Json]:
    """These sightings as events, with what must be known of their shipments and places: four queries."""
    around = _around(told)
    return [event_json(one, around) for one in told]


_NAMES: Final = (*(f.name for f in fields(Told) if f.name != "transport_call"), "transport_call")
# the sources that the account has heard from, by leaps through the index
_SOURCES: Final = """with recursive heard(source) as (
  (select source from tracking_sightingrow where tenant_id = %s order by source limit 1)
  union all
  select (select s.source from tracking_sightingrow s where s.tenant_id = %s and s.source > h.source
           order by s.source limit 1) from heard h where h.source is not null
) """


def _ask(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _told(row: Sequence[Any]) -> Told:
    """A row of _COLUMNS; what stands after them is left out. Django hands JSON of such statements over as text."""
    values = dict(zip(_NAMES, row, strict=False))
    if isinstance(values["payload"], str):
        values["payload"] = json.loads(values["payload"])
    return Told(**values)


def _key(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _anchoring() -> list[str]:
    return sorted(anchoring(settings_as_of(None)))


# --- the statement ---


def _stretch(
    query: Query, shipments: Sequence[int] | None, order: Sequence[tuple[str, bool]], start: Sequence[Any] | None
) -> _Where:
    """Which part of the record is looked through: the account's, or that of the shipments that were named."""
    where = _Where()
    where.add("r.tenant_id = %s", scope())
    if shipments is not None:
        where.add("r.shipment_id = any(%s)", list(shipments))
    for operator, at in query.created:
        where.add(f"r.recorded_at {_OPERATORS[operator]} %s", at)
    if start is not None:
        _after(where, order, start)
    return where


def _after(where: _Where, order: Sequence[tuple[str, bool]], start: Sequence[Any]) -> None:
    """Rows that stand after a key, whatever the directions; the first field bounds the index."""
    column, descending = order[0]
    where.add(f"{column} {'<=' if descending else '>='} %s", start[0])
    texts, values = [], []
    for n, (column, descending) in enumerate(order):
        same = " and ".join(f"{c} = %s" for c, _d in order[:n])
        texts.append(f"{same}{' and ' if same else ''}{column} {'<' if descending else '>'} %s")
        values += [*start[:n], start[n]]
    where.add(" or ".join(f"({text})" for text in texts), *values)


def _order(order: Sequence[tuple[str, bool]]) -> str:
    return ", ".join(f"{column}{' desc' if descending else ''}" for column, descending in order)


def _rows(
    filters: Filters, stretch: _Where, shipments: Sequence[int] | None, order: Sequence[tuple[str, bool]], most: int
) -> list[tuple[Any, ...]]:
    """Rows of Told, followed by their keys."""
    where = _Where()
    _fitting(filters, where)
    keys = ", ".join(column for column, _d in order)
    within = f"select * from tracking_sightingrow r where {stretch.sql()}"  # noqa: S608
    if shipments is None:
        within += f" order by {_order(order)} limit {STRETCH}"
    # the few rows of named shipments first; else only until the page is full
    kept = "materialized" if shipments is not None else "not materialized"
    return _ask(
        f"with r as {kept} ({within}) select {_COLUMNS}, {keys} from r where {where.sql()} and {_SAYABLE} "  # noqa: S608
        f"and {_LIVE} order by {_order(order)} limit %s", [*stretch.values, *where.values, _anchoring(), most],
    )  # fmt: skip


def _edge(stretch: _Where, order: Sequence[tuple[str, bool]]) -> tuple[Any, ...] | None:
    """The key of the last row that was looked at, when the record goes on after it."""
    keys = ", ".join(column for column, _d in order)
    rows = _ask(
        f"select {keys} from tracking_sightingrow r where {stretch.sql()} order by {_order(order)} "  # noqa: S608
        f"offset {STRETCH - 1} limit 2", stretch.values,
    )  # fmt: skip
    return rows[0] if len(rows) == 2 else None


def _fitting(filters: Filters, where: _Where) -> None:
    """The filters as conditions. Several values of one text can only fit when they are one and the same."""
    if filters.kinds:
        where.add("r.kind = any(%s)", sorted(filters.kinds))
    for kind, codes in (("SHIPMENT", filters.shipment_codes), ("TRANSPORT", filters.transport_codes),
                        ("EQUIPMENT", filters.equipment_codes)):  # fmt: skip
        if codes:
            where.add("r.kind = %s and r.code = any(%s)", kind, sorted(codes))
    if filters.documents:
        also = {"BKG": "BOK", "CUS": "CUC"}  # one and the same in the words of other versions
        wanted = filters.documents | {also[d] for d in filters.documents if d in also}
        where.add("r.kind = 'SHIPMENT' and r.document_type = any(%s)", sorted(wanted))
    if filters.about_calls:
        where.add(f"r.kind = 'TRANSPORT' or r.kind = 'EQUIPMENT' and ({_HAS_CALL})")
    for call in filters.calls:
        where.add(f"{_CALL} = %s", call)
    for vessel in filters.vessels:
        where.add("r.vessel_imo = %s", vessel)
    for voyage in filters.voyages:
        where.add(f"r.voyage = %s or {_text_of_call('exportVoyageNumber', 50)} = %s", voyage, voyage)
    for service in filters.services:
        where.add(f"{_text_of_call('carrierServiceCode', 5)} = %s", service)
    for place in filters.places:  # one place under two codes is one place
        where.add("r.kind <> 'SHIPMENT' and r.place = coalesce((select nullif(p.alias_of, '') from tracking_place p "
                  "where p.code = %s), %s)", place, place)  # fmt: skip
    for box in filters.boxes:
        where.add("r.container = %s or r.container = '' and exists (select from tracking_container c "
                  "where c.tenant_id = r.tenant_id and c.shipment_id = r.shipment_id and c.number = %s "
                  "and c.removed_at is null offset 0)", box, box)  # fmt: skip


def _named(filters: Filters) -> list[int] | None:
    """The shipments that the references name; None: none are named, or by a box that no shipment lists."""
    found: list[set[int]] = []
    for kinds, values in (
        (("BOOKING",), filters.bookings),
        (("MBL", "HBL"), filters.bills),
    ):
        for value in values:
            rows = Reference.objects.filter(kind__in=kinds, value=ids.reference(value))
            found.append(set(rows.values_list("shipment_id", flat=True)))
    for box in filters.boxes:
        listed = set(Container.objects.filter(number=box).values_list("shipment_id", flat=True))
        if listed or found:
            found.append(listed)
    return sorted(set.intersection(*found)) if found else None


# --- what stands beside the events ---

_SHOWN: Final = (ReferenceKind.BOOKING, ReferenceKind.MBL, ReferenceKind.HBL, ReferenceKind.PO)


def _around(told: Sequence[Told]) -> Surroundings:
    wanted = sorted({t.shipment_id for t in told})
    references: dict[int, list[tuple[str, str]]] = defaultdict(list)
    boxes: dict[int, list[str]] = defaultdict(list)
    rows = Reference.objects.filter(shipment_id__in=wanted, kind__in=_SHOWN).order_by("shipment_id", "id")
    for shipment, kind, written in rows.values_list("shipment_id", "kind", "written"):
        references[shipment].append((str(kind), written))
    for listed in references.values():  # the carrier's own bill before the house's: the first one counts to many
        listed.sort(key=lambda one: _SHOWN.index(ReferenceKind(one[0])))
    live = Container.objects.filter(shipment_id__in=wanted, removed_at__isnull=True).order_by("shipment_id", "number")
    for shipment, number in live.values_list("shipment_id", "number"):
        boxes[shipment].append(number)
    shipments = {
        pk: About(public_id=public_id, ref=ref, references=tuple(references[pk]), boxes=tuple(boxes[pk]))
        for pk, public_id, ref in Shipment.objects.filter(pk__in=wanted).values_list("pk", "public_id", "ref")
    }
    codes = {t.place for t in told if t.place}
    places = Place.objects.filter(code__in=codes).values_list("code", "name", "zone", "needs_review")
    return Surroundings(
        shipments=shipments,
        places={code: Spot(name="" if is_new else name, zone=zone) for code, name, zone, is_new in places},
    )
