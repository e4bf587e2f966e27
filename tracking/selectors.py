"""Reads of tracking.

Never writes and never asks for the time; writes are in services.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from portal.tenancy.context import no_tenant
from portal.web.tables import PAGE_SIZE, Cursor, Page, instant_of, keyset_page
from tracking.filters import ShipmentFilter, Terms
from tracking.milestones import chain, critical_five
from tracking.models import (
    CaseState,
    Container,
    EventPush,
    EventSubscription,
    Evidence,
    ExceptionCase,
    Follow,
    MilestoneRow,
    Place,
    PushState,
    Reference,
    ReferenceKind,
    SavedView,
    Shipment,
)
from tracking.search import Hits, search
from tracking.standing import Standing
from tracking.types import FinalMilestone, Load

CORE: Final = frozenset(m.value for final in FinalMilestone for load in Load for m in critical_five(final, load=load))
CHAINED: Final = frozenset(m.value for final in FinalMilestone for load in Load for m in chain(final, load=load))
UNHEARD_AFTER: Final = timedelta(hours=24)
MOST_COUNTED: Final = 1_000
_MOST_VIEWS: Final = 120  # shown at once
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
    wanted: ShipmentFilter, *, hits: Hits | None, now: datetime, every_event: bool, follower: int | None = None
) -> QuerySet[Shipment]:
    """The entered account's shipments that the filter names, unordered. `follower`: who "followed" speaks of."""
    found: QuerySet[Shipment] = Shipment.objects.all()
    if hits is not None:
        found = found.filter(pk__in=hits.ids)
    if wanted.standing:
        found = found.filter(in_standing(Standing(wanted.standing), now))
    named = ("status", "lane", "pol", "pod", "carrier", "branch", "vertical")
    found = found.filter(**{name: getattr(wanted, name) for name in named if getattr(wanted, name)})
    if wanted.milestone and every_event:
        found = found.filter(milestone=wanted.milestone)
    elif wanted.milestone:  # the last one that this account is shown (5.1)
        found = found.alias(shown=Subquery(_core_latest().values("milestone")[:1])).filter(shown=wanted.milestone)
    if wanted.month:
        found = found.filter(due_period=wanted.month)
    found = _in_windows(found, wanted)
    if wanted.arriving:
        until = now + timedelta(days=int(wanted.arriving))
        found = found.filter(status__in=OPEN_STATUSES, final_at__isnull=True, eta_at__gte=now, eta_at__lt=until)
    if wanted.due:
        found = found.filter(due_at__lte=now)
    if wanted.unheard:
        found = found.filter(_unheard(now, every_event=every_event))
    if wanted.exceptions:
        found = found.filter(Exists(ExceptionCase.objects.filter(shipment=OuterRef("pk"), state=CaseState.OPEN)))
    if wanted.followed:
        found = found.filter(pk__in=Follow.objects.filter(member=follower).values("shipment"))
    return found


def _in_windows(found: QuerySet[Shipment], wanted: ShipmentFilter) -> QuerySet[Shipment]:
    """Promised in a window of days, by the promise's own local day; expected in one, by days of UTC.

    The month of the promise stands in an index; a window inside one month is read in its order.
    """
    if wanted.due_from and wanted.due_from[:7] == wanted.due_to[:7]:
        found = found.filter(due_period=wanted.due_from[:7])
    if wanted.due_from:
        day = date.fromisoformat(wanted.due_from)
        own = Q(due_date__gte=day) | Q(due_date__isnull=True, due_at__gte=_midnight(day))
        found = found.filter(own, due_period__gte=wanted.due_from[:7])
    if wanted.due_to:
        day = date.fromisoformat(wanted.due_to)
        own = Q(due_date__lte=day) | Q(due_date__isnull=True, due_at__lt=_midnight(day, 1))
        found = found.filter(own, due_period__gt="", due_period__lte=wanted.due_to[:7])
    if wanted.eta_from:
        found = found.filter(eta_at__gte=_midnight(date.fromisoformat(wanted.eta_from)))
    if wanted.eta_to:
        found = found.filter(eta_at__lt=_midnight(date.fromisoformat(wanted.eta_to), 1))
    return found


def _midnight(day: date, later: int = 0) -> datetime:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start + timedelta(days=later) if day < date.max else datetime.max.replace(tzinfo=UTC)


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
    "final_milestone", "due_at", "due_date", "eta_at", "final_at", "last_heard_at", "latest", "latest_at",
)  # fmt: skip
# What a column needs beyond these.
_OF_COLUMN: Final[dict[str, tuple[str, ...]]] = {
    "branch": ("branch",), "vertical": ("vertical",), "booked": ("booked_at",), "vessel": ("vessel_imo", "voyage"),
}  # fmt: skip
KIND_OF_COLUMN: Final = {
    "booking": ReferenceKind.BOOKING, "hbl": ReferenceKind.HBL, "mbl": ReferenceKind.MBL, "po": ReferenceKind.PO,
}  # fmt: skip


def _place(field_name: str) -> Subquery:
    """Name and zone of a place in one text; a place that we do not know has neither."""
    return Subquery(
        Place.objects.filter(code=OuterRef(field_name)).values(text=Concat("name", Value(_SPLIT), "zone"))[:1]
    )


def _core_latest() -> QuerySet[MilestoneRow]:
    """The critical five that were reached, the latest first (5.1)."""
    return MilestoneRow.objects.filter(
        shipment=OuterRef("pk"), container="", act_at__isnull=False, milestone__in=CORE
    ).order_by("-act_at", "milestone")


def latest_of(*, every_event: bool) -> dict[str, Any]:
    """The latest milestone and its time, as expressions. Without `every_event` one of the critical five (5.1)."""
    if every_event:
        return {"latest": F("milestone"), "latest_at": F("milestone_at")}
    return {"latest": Subquery(_core_latest().values("milestone")[:1]),
            "latest_at": Subquery(_core_latest().values("act_at")[:1])}  # fmt: skip


def boxes_of() -> Any:
    """The numbers of the containers, as an expression."""
    boxes = Container.objects.filter(shipment=OuterRef("pk"), removed_at__isnull=True).order_by("number")
    return ArraySubquery(boxes.values("number"))


def references_of(kind: str) -> Any:
    """The references of a kind as they were written, as an expression."""
    of_kind = Reference.objects.filter(shipment=OuterRef("pk"), kind=kind).order_by("id")
    return ArraySubquery(of_kind.values("written"))


def _rows(
    found: QuerySet[Shipment], *, every_event: bool, columns: Collection[str] = (), follower: int | None = None
) -> Any:
    """The list's columns, as dicts."""
    more: dict[str, Any] = {
        "boxes": boxes_of(), **latest_of(every_event=every_event),
        "origin_place": _place("pol"), "pod_place": _place("pod"), "final_place_place": _place("final_place"),
        **{f"ref_{c}": references_of(KIND_OF_COLUMN[c]) for c in columns if c in KIND_OF_COLUMN},
    }  # fmt: skip
    if follower is not None:
        more["is_followed"] = Exists(Follow.objects.filter(member=follower, shipment=OuterRef("pk")))
    own = [name for column in columns for name in _OF_COLUMN.get(column, ())]
    return found.annotate(**more).values(*_COLUMNS, *own, *(name for name in more if name not in _COLUMNS))


def place_of(joined: str | None, code: str) -> tuple[str, str]:
    """(name, zone) out of the joined text; a place without a name is called by its code."""
    name, _cut, zone = (joined or "").partition(_SPLIT)
    return name or code, zone


_KEY_OF_SORT: Final = {"promised": "due_at", "expected": "eta_at", "heard": "last_heard_at", "ref": "ref"}


def shipment_page(
    wanted: ShipmentFilter, *, hits: Hits | None, cursor: Cursor | None, now: datetime, every_event: bool,
    follower: int | None = None, size: int = PAGE_SIZE, lean: bool = False,
) -> Page[Shipment]:  # fmt: skip
    """One page of the list, newest promise first unless asked otherwise; what has none comes last (R1.16).

    `lean`: without places and containers, which `beside` asks for all at once: cheaper for whoever writes JSON.
    """
    found = shipments_found(wanted, hits=hits, now=now, every_event=every_event, follower=follower)
    if lean:
        rows = _plain_rows(found, every_event=every_event)
    else:
        rows = _rows(found, every_event=every_event, columns=wanted.columns, follower=follower)
    key = _KEY_OF_SORT[wanted.order.lstrip("-")]
    return keyset_page(
        rows,
        key=key,
        cursor=cursor,
        parse=str if key == "ref" else instant_of,
        write=str if key == "ref" else datetime.isoformat,
        descending=wanted.order.startswith("-"),
        size=size,
    )


def _plain_rows(found: QuerySet[Shipment], *, every_event: bool) -> Any:
    return found.annotate(**latest_of(every_event=every_event)).values(*_COLUMNS)


def shipment_row(public_id: str, *, every_event: bool) -> dict[str, Any]:
    """One shipment of the entered account as a lean page has it."""
    row: dict[str, Any] = _plain_rows(Shipment.objects.filter(public_id=public_id), every_event=every_event).get()
    return row


@dataclass(frozen=True, slots=True)
class Beside:
    """What lean rows speak of: places by code as (name, zone), and the containers of each shipment by its id."""

    places: dict[str, tuple[str, str]]
    boxes: dict[int, list[str]]


def beside(rows: Sequence[Mapping[str, Any]]) -> Beside:
    """Two queries for any number of rows."""
    codes = {code for row in rows for code in (row["pol"], row["pod"], row["final_place"]) if code}
    places = Place.objects.filter(code__in=codes).values_list("code", "name", "zone") if codes else []
    boxes: dict[int, list[str]] = {row["id"]: [] for row in rows}
    listed = Container.objects.filter(shipment_id__in=list(boxes), removed_at__isnull=True).order_by("number")
    for shipment_id, number in listed.values_list("shipment_id", "number") if boxes else ():
        boxes[shipment_id].append(number)
    return Beside({code: (name or code, zone) for code, name, zone in places}, boxes)


def shipment_lines(
    wanted: ShipmentFilter, fields: Sequence[Any], *, now: datetime, every_event: bool, follower: int | None = None
) -> Iterator[tuple[Any, ...]]:
    """All rows of the same view in the same order, as they stood at one instant, fetched lazily: `fields` of each.

    Outside a transaction the database keeps them until they are fetched, so that whoever reads may write meanwhile.
    """
    hits = search(Terms.read(wanted.q)) if wanted.q else None
    found = shipments_found(wanted, hits=hits, now=now, every_event=every_event, follower=follower)
    key, falling = _KEY_OF_SORT[wanted.order.lstrip("-")], wanted.order.startswith("-")
    order = F(key).desc(nulls_last=True) if falling else F(key).asc(nulls_last=True)
    named = {f"field_{number}": field for number, field in enumerate(fields)}
    rows = found.order_by(order, "-id" if falling else "id").annotate(**named).values_list(*named)
    return iter(rows.iterator(chunk_size=2_000))


def shipment_ids(
    wanted: ShipmentFilter, *, now: datetime, every_event: bool, follower: int | None, most: int
) -> list[int]:
    """The first ids of the view, at most `most` + 1: one more says that there are more."""
    hits = search(Terms.read(wanted.q)) if wanted.q else None
    found = shipments_found(wanted, hits=hits, now=now, every_event=every_event, follower=follower)
    return list(found.order_by("id").values_list("id", flat=True)[: most + 1])


def shipment_count(wanted: ShipmentFilter, *, now: datetime, every_event: bool, follower: int | None, most: int) -> int:
    """How many the view holds, counted no further than `most` + 1 (T10)."""
    hits = search(Terms.read(wanted.q)) if wanted.q else None
    found = shipments_found(wanted, hits=hits, now=now, every_event=every_event, follower=follower)
    return found.order_by().values("pk")[: most + 1].count()


def shipment_public_id(pk: int) -> str:
    """The name of a shipment of the entered account in addresses."""
    return Shipment.objects.values_list("public_id", flat=True).get(pk=pk)


def is_followed(shipment_id: int, *, by: int) -> bool:
    """Whether this member follows the shipment."""
    return Follow.objects.filter(shipment=shipment_id, member=by).exists()


def follows(member_id: int, public_id: str) -> bool:
    """The same by the shipment's public id, as facts name it."""
    return Follow.objects.filter(member=member_id, shipment__public_id=public_id).exists()


def views_of(member_id: int, *, is_staff: bool) -> list[SavedView]:
    """The views a reader may open: the own ones, and what was shared in the entered account."""
    mine = Q(is_shared=True) if is_staff else Q(is_shared=True) | Q(owner=member_id)
    return list(SavedView.objects.filter(mine).order_by("name", "id")[:_MOST_VIEWS])


def zones_of_places() -> dict[str, str]:
    """The zone of each known place, for files of more rows than there are places."""
    return dict(Place.objects.values_list("code", "zone"))


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


def subscriptions_all() -> list[EventSubscription]:
    """The account's subscriptions, the newest first, each with how many callbacks wait (`waiting`)."""
    waiting = Count("pushes", filter=Q(pushes__state=PushState.WAITING))
    return list(EventSubscription.objects.annotate(waiting=waiting).order_by("-created_at", "-id"))


def pushes_newest(most: int) -> list[EventPush]:
    """The account's newest callbacks, without their bodies."""
    return list(EventPush.objects.select_related("subscription").defer("body").order_by("-id")[:most])
