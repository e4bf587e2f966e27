"""What a list of shipments can be narrowed to: counts by standing and status, and the values that occur.

Counted in the database, inside the entered scope, no further than MOST_COUNTED (T10).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q

from portal.tenancy.context import scope
from tracking.filters import ShipmentFilter
from tracking.search import Hits
from tracking.selectors import in_standing, shipments_found
from tracking.standing import Standing
from tracking.wording import STATUSES

MOST_COUNTED: Final = 10_000
_MOST_VALUES: Final = 500  # of one filter; there are some hundred lanes and ports
_FILTERS: Final = ("lane", "pol", "pod", "carrier", "branch", "vertical", "month")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many shipments each link of the list would show; MOST_COUNTED + 1 says that there are more."""

    standing: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)


def counts(
    wanted: ShipmentFilter, *, hits: Hits | None, now: datetime, every_event: bool, follower: int | None
) -> Counts:
    """Each as if only that filter were changed; one statement."""
    parts: list[str] = []
    params: dict[str, Any] = {}

    def count(kind: str, key: str, condition: Q, without: ShipmentFilter) -> None:
        found = shipments_found(without, hits=hits, now=now, every_event=every_event, follower=follower)
        rows = found.filter(condition).order_by().values("pk")[: MOST_COUNTED + 1]
        try:
            sql, given = rows.query.sql_with_params()
        except EmptyResultSet:
            return
        names = [f"p{len(params) + n}" for n in range(len(given))]
        params.update(zip(names, given, strict=True))
        own = sql % tuple(f"%({name})s" for name in names)
        # our own query set and fixed names; every value stays a parameter
        parts.append(f"select '{kind}', '{key}', (select count(*) from ({own}) c)")  # noqa: S608

    for standing in Standing:
        count("standing", standing.value, in_standing(standing, now), replace(wanted, standing=""))
    for status in STATUSES:
        count("status", status, Q(status=status), replace(wanted, status=""))
    result = Counts()
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" union all ".join(parts), params)
            for kind, key, number in cursor.fetchall():
                getattr(result, kind)[key] = number
    return result


@dataclass(frozen=True, slots=True)
class Choices:
    """The values that occur among the account's shipments, by filter; and what places and carriers are called."""

    values: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _FILTERS})
    names: dict[str, str] = field(default_factory=dict)  # code -> name


def choices() -> Choices:
    """One statement, and one look into an index for each value, however many shipments there are."""
    scans = ", ".join(_scan(name) for name in _FILTERS)
    reads = " union all ".join(
        f"(select '{name}', value from {name}s where value <> '' limit {_MOST_VALUES})"  # noqa: S608
        for name in _FILTERS
    )
    result = Choices()
    with connection.cursor() as cursor:
        # fixed names; the scope is a parameter
        cursor.execute(
            f"with recursive {scans}, found(kind, value) as ({reads}) "  # noqa: S608
            "select f.kind, f.value, '' from found f "
            "union all select '', p.code, p.name from tracking_place p where p.code in (select unnest("
            "  case when f.kind = 'lane' then string_to_array(f.value, '-') else array[f.value] end) from found f "
            "  where f.kind in ('lane', 'pol', 'pod')) "
            "union all select '', c.code, c.name from tracking_carrier c where c.code in "
            "  (select f.value from found f where f.kind = 'carrier')",
            {"tenant": scope()},
        )
        for kind, value, name in cursor.fetchall():
            if kind:
                result.values[kind].append(value)
            else:
                result.names[value] = name
    result.values["month"].reverse()
    return result


def _scan(name: str) -> str:
    """A loose index scan over the column of a filter."""
    column = "due_period" if name == "month" else name
    return (
        f"{name}s(value) as ((select {column} from tracking_shipment where tenant_id = %(tenant)s "  # noqa: S608
        f"order by {column} limit 1) union all "
        f"select (select s.{column} from tracking_shipment s where s.tenant_id = %(tenant)s and s.{column} > l.value "
        f"order by s.{column} limit 1) from {name}s l where l.value is not null)"
    )
