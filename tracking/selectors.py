"""Reads of tracking.

Never writes and never asks for the time; writes are in services.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain as one_after_another
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from portal.tenancy.context import no_tenant, scope
from portal.web.tables import Cursor, Page, instant_of, keyset_page
from tracking.filters import ShipmentFilter
from tracking.milestones import chain, critical_five
from tracking.models import Container, Evidence, MilestoneRow, Place, Shipment
from tracking.search import Hits
from tracking.standing import Standing
from tracking.types import FinalMilestone, Load
from tracking.wording import STATUSES

CORE: Final = frozenset(m.value for final in FinalMilestone for load in Load for m in critical_five(final, load=load))
CHAINED: Final = frozenset(m.value for final in FinalMilestone for load in Load for m in chain(final, load=load))
UNHEARD_AFTER: Final = timedelta(hours=24)
MOST_COUNTED: Final = 1_000
OPEN_STATUSES: Final = ("BOOKED", "UNDER_WAY", "ARRIVED")
_SPLIT: Final = "\x1f"


def source_scope(key: str) -> int | None:
    """The tenant whose source this is, asked before a scope is known (ids only)."""
    with connection.cursor() as cursor:
        cursor.execute("select plimsoll_scope_of_source(%s)", [key])
        row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


def ingest_gauges() -> dict[str, int]:
    """Over all tenants, for /metrics: events in quarantine, messages not applied, sources told to be silent (P1)."""
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute("select quarantined, unapplied, silent from plimsoll_ingest_gauges()")
        quarantined, unapplied, silent = cursor.fetchone()
    return {"quarantine_open": int(quarantined), "messages_unapplied": int(unapplied), "sources_silent": int(silent)}


# --- the list of shipments ---


def in_standing(standing: Standing, now: datetime) -> Q:
    """The shipments that stand so now; each is a range or two of the index by punctuality and limit."""
    live = ~Q(status="CANCELLED")
    not_done = Q(final_at__isnull=True)
    return {
        Standing.LATE: live & not_done & Q(due_at__lt=now, punctuality__in=("OPEN", "AT_RISK", "LATE")),
        Standing.AT_RISK: live & not_done & Q(due_at__gte=now, punctuality="AT_RISK"),
        Standing.ON_TRACK: live & not_done & Q(due_at__gte=now, punctuality="OPEN"),
        Standing.DONE_ON_TIME: live & ~not_done & Q(due_at__isnull=False, punctuality="ON_TIME"),
        Standing.DONE_LATE: live & ~not_done & Q(due_at__isnull=False, punctuality="LATE"),
        Standing.NO_PROMISE: live & Q(due_at__isnull=True),
        Standing.CANCELLED: Q(status="CANCELLED"),
    }[standing]


def shipments_found(
    wanted: ShipmentFilter, *, hits: Hits | None, now: datetime, every_event: bool
) -> QuerySet[Shipment]:
    """The entered account's shipments that the filter names, unordered."""
    found: QuerySet[Shipment] = Shipment.objects.all()
    if hits is not None:
        found = found.filter(pk__in=hits.ids)
    if wanted.standing:
        found = found.filter(in_standing(Standing(wanted.standing), now))
    if wanted.status:
        found = found.filter(status=wanted.status)
    if wanted.lane:
        found = found.filter(lane=wanted.lane)
    if wanted.month:
        found = found.filter(due_period=wanted.month)
    if wanted.arriving:
        until = now + timedelta(days=int(wanted.arriving))
        found = found.filter(status__in=OPEN_STATUSES, final_at__isnull=True, eta_at__gte=now, eta_at__lt=until)
    if wanted.due:
        found = found.filter(due_at__lte=now)
    if wanted.unheard:
        found = found.filter(_unheard(now, every_event=every_event))
    return found


def _unheard(now: datetime, *, every_event: bool) -> Q:
    """Open shipments of which a milestone was expected more than a day ago and is still not heard."""
    limit = now - UNHEARD_AFTER
    silent = MilestoneRow.objects.filter(
        Q(est_at__lt=limit) | Q(est_at__isnull=True, pln_at__lt=limit),
        shipment=OuterRef("pk"), container="", act_at__isnull=True, milestone__in=CHAINED if every_event else CORE,
    )  # fmt: skip
    return Q(status__in=OPEN_STATUSES) & Q(Exists(silent))


_COLUMNS: Final = (
    "id", "public_id", "ref", "status", "punctuality", "mode", "carrier", "pol", "pod", "final_place", "lane",
    "final_milestone", "due_at", "due_date", "eta_at", "final_at", "last_heard_at",
    "origin_place", "pod_place", "final_place_place", "boxes", "latest", "latest_at",
)  # fmt: skip


def _place(field_name: str) -> Subquery:
    """Name and zone of a place in one text; a place that we do not know has neither."""
    return Subquery(
        Place.objects.filter(code=OuterRef(field_name)).values(text=Concat("name", Value(_SPLIT), "zone"))[:1]
    )


def _rows(found: QuerySet[Shipment], *, every_event: bool) -> Any:
    """The list's columns, as dicts. Without `every_event` the latest event is one of the critical five (5.1)."""
    boxes = Container.objects.filter(shipment=OuterRef("pk"), removed_at__isnull=True).order_by("number")
    latest: dict[str, Any] = {"latest": F("milestone"), "latest_at": F("milestone_at")}
    if not every_event:
        core = MilestoneRow.objects.filter(
            shipment=OuterRef("pk"), container="", act_at__isnull=False, milestone__in=CORE
        ).order_by("-act_at", "milestone")
        latest = {
            "latest": Subquery(core.values("milestone")[:1]),
            "latest_at": Subquery(core.values("act_at")[:1]),
        }
    return found.annotate(
        origin_place=_place("pol"), pod_place=_place("pod"), final_place_place=_place("final_place"),
        boxes=ArraySubquery(boxes.values("number")), **latest,
    ).values(*_COLUMNS)  # fmt: skip


def place_of(joined: str | None, code: str) -> tuple[str, str]:
    """(name, zone) out of the joined text; a place without a name is called by its code."""
    name, _cut, zone = (joined or "").partition(_SPLIT)
    return name or code, zone


def shipment_page(
    wanted: ShipmentFilter, *, hits: Hits | None, cursor: Cursor | None, now: datetime, every_event: bool
) -> Page[Shipment]:
    """One page of the list, newest promise first; shipments without a promise come last (R1.16)."""
    rows = _rows(shipments_found(wanted, hits=hits, now=now, every_event=every_event), every_event=every_event)
    return keyset_page(
        rows,
        key="due_at",
        cursor=cursor,
        parse=instant_of,
        write=datetime.isoformat,
        descending=not wanted.oldest_first,
    )


def shipment_rows(
    wanted: ShipmentFilter, *, hits: Hits | None, now: datetime, every_event: bool
) -> Iterator[dict[str, Any]]:
    """All rows of the same view in the same order, fetched lazily."""
    rows = _rows(shipments_found(wanted, hits=hits, now=now, every_event=every_event), every_event=every_event)
    sign = "" if wanted.oldest_first else "-"
    return one_after_another(
        rows.filter(due_at__isnull=False).order_by(f"{sign}due_at", f"{sign}id").iterator(chunk_size=500),
        rows.filter(due_at__isnull=True).order_by(f"{sign}id").iterator(chunk_size=500),
    )


@dataclass(frozen=True, slots=True)
class Facets:
    """What the list can be narrowed to: counts (up to MOST_COUNTED) by standing and status, lanes, months."""

    standing: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    lanes: list[tuple[str, str, str]] = field(default_factory=list)  # code, origin, destination in words
    months: list[str] = field(default_factory=list)  # newest first


# A loose index scan: one look into the index a value, however many shipments there are.
_VALUES: Final = """
lanes(value) as (
  (select lane from tracking_shipment where tenant_id = %(tenant)s order by lane limit 1)
  union all
  select (select s.lane from tracking_shipment s where s.tenant_id = %(tenant)s and s.lane > l.value
          order by s.lane limit 1) from lanes l where l.value is not null
), months(value) as (
  (select due_period from tracking_shipment where tenant_id = %(tenant)s order by due_period desc limit 1)
  union all
  select (select s.due_period from tracking_shipment s where s.tenant_id = %(tenant)s and s.due_period < m.value
          order by s.due_period desc limit 1) from months m where m.value is not null
)
"""


def facets(wanted: ShipmentFilter, *, hits: Hits | None, now: datetime, every_event: bool) -> Facets:
    """Counts for the filter's links, each as if only that filter were changed; one statement."""
    parts: list[str] = []
    params: dict[str, Any] = {"tenant": scope(), "most": MOST_COUNTED}

    def count(kind: str, key: str, condition: Q, without: ShipmentFilter) -> None:
        found = shipments_found(without, hits=hits, now=now, every_event=every_event).filter(condition)
        try:
            sql, given = found.order_by().values("pk")[:MOST_COUNTED].query.sql_with_params()
        except EmptyResultSet:
            return
        names = [f"p{len(params) + n}" for n in range(len(given))]
        params.update(zip(names, given, strict=True))
        own = sql % tuple(f"%({name})s" for name in names)
        # our own query set and fixed names; every value stays a parameter
        parts.append(f"select '{kind}', '{key}', (select count(*) from ({own}) c), '', ''")  # noqa: S608

    for standing in Standing:
        count("standing", standing.value, in_standing(standing, now), replace(wanted, standing=""))
    for status in STATUSES:
        count("status", status, Q(status=status), replace(wanted, status=""))
    parts.append(
        "select * from (select 'lane', l.value, 0::bigint, coalesce(o.name, ''), coalesce(d.name, '') from lanes l"
        " left join tracking_place o on o.code = split_part(l.value, '-', 1)"
        " left join tracking_place d on d.code = split_part(l.value, '-', 2)"
        " where l.value is not null limit 200) x"
    )
    parts.append(
        "select * from (select 'month', m.value, 0::bigint, '', '' from months m where m.value <> '' limit 60) y"
    )
    result = Facets()
    with connection.cursor() as cursor:
        cursor.execute(f"with recursive {_VALUES} " + " union all ".join(parts), params)
        for kind, key, number, origin, destination in cursor.fetchall():
            if kind == "lane":
                from_code, _dash, to_code = key.partition("-")
                result.lanes.append((key, origin or from_code, destination or to_code))
            elif kind == "month":
                result.months.append(key)
            else:
                getattr(result, kind)[key] = number
    return result


# --- the customer's home ---


def home_counts(*, now: datetime, every_event: bool) -> dict[str, int]:
    """Late, at risk, arriving within 7 days, with an overdue milestone: each up to MOST_COUNTED, in one statement."""
    asked = {
        "late": ShipmentFilter(standing=Standing.LATE.value),
        "risk": ShipmentFilter(standing=Standing.AT_RISK.value),
        "arriving": ShipmentFilter(arriving="7"),
        "unheard": ShipmentFilter(unheard=True),
    }
    parts: list[str] = []
    params: list[Any] = []
    for key, wanted in asked.items():
        found = shipments_found(wanted, hits=None, now=now, every_event=every_event)
        sql, given = found.order_by().values("pk")[:MOST_COUNTED].query.sql_with_params()
        # our own query set and fixed names; every value stays a parameter
        parts.append(f"select '{key}', (select count(*) from ({sql}) c)")  # noqa: S608
        params += given
    with connection.cursor() as cursor:
        cursor.execute(" union all ".join(parts), params)
        return {str(key): int(number) for key, number in cursor.fetchall()}


def home_worst(*, now: datetime, most: int, every_event: bool) -> list[dict[str, Any]]:
    """What is late, the longest first, then what is at risk, the next due first."""
    worst: list[dict[str, Any]] = []
    for standing in (Standing.LATE, Standing.AT_RISK):
        found = Shipment.objects.filter(in_standing(standing, now))
        worst += _rows(found, every_event=every_event).order_by("due_at", "id")[: most - len(worst)]
    return worst


def home_latest(*, most: int, every_event: bool) -> list[dict[str, Any]]:
    """The open shipments that were heard of last."""
    found = Shipment.objects.filter(status__in=OPEN_STATUSES, last_event_at__isnull=False)
    rows = _rows(found, every_event=every_event).order_by("-last_event_at", "-id")[:most]
    return [row for row in rows if row["latest_at"] is not None]


def evidence_of(shipment: Shipment, public_id: str) -> Evidence | None:
    """A file that proves an entry about this shipment, or None."""
    return Evidence.objects.filter(shipment=shipment, public_id=public_id).first()
