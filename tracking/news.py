"""Reads for the home page: what was reached and which estimates moved since an instant, and what is missing.

From derived rows only; never writes and never asks for the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from tracking.milestones import final_of
from tracking.models import EtaRow, MilestoneRow, Place, Shipment
from tracking.selectors import CHAINED, CORE, OPEN_STATUSES, UNHEARD_AFTER
from tracking.types import FinalMilestone

_LOOKED_AT: Final = 200  # moves of estimates: many may be of one shipment
_FINAL_OWN: Final = Q(*[Q(shipment__final_milestone=f.value, milestone=final_of(f).value) for f in FinalMilestone],
                      _connector=Q.OR)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A milestone of which we heard that it was reached."""

    shipment: str  # public id
    ref: str
    milestone: str
    at: datetime
    precision: str
    place: str  # name, else code
    zone: str
    heard_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An open shipment whose final milestone is expected at another time than before."""

    shipment: str
    ref: str
    before: datetime
    after: datetime
    zone: str
    heard_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A milestone of an open shipment that was expected more than a day ago and is not heard."""

    shipment: str
    ref: str
    milestone: str
    expected_at: datetime
    zone: str


def _of_place(field: str, of: str) -> Subquery:
    return Subquery(Place.objects.filter(code=OuterRef(field)).values(of)[:1])


def _final_zone() -> Coalesce:
    return Coalesce(_of_place("shipment__final_place", "zone"), _of_place("shipment__pod", "zone"))


def reached_since(since: datetime, *, at: datetime, most: int, every_event: bool) -> list[Reached]:
    """What was reached, by when we heard of it, newest first; with `every_event` False the critical five only (5.1)."""
    rows: QuerySet[MilestoneRow] = MilestoneRow.objects.filter(
        container="", act_at__isnull=False, act_recorded_at__gt=since, act_recorded_at__lte=at
    ).exclude(shipment__status="CANCELLED")
    if not every_event:
        rows = rows.filter(milestone__in=CORE)
    named = rows.annotate(place=_of_place("node", "name"), zone=_of_place("node", "zone"), final_zone=_final_zone())
    found: Any = named.order_by("-act_recorded_at", "-id").values(
        "milestone", "act_at", "precision", "act_recorded_at", "node", "place", "zone", "final_zone",
        "shipment__public_id", "shipment__ref",
    )  # fmt: skip
    return [
        Reached(
            shipment=row["shipment__public_id"], ref=row["shipment__ref"], milestone=row["milestone"],
            at=row["act_at"], precision=row["precision"], place=row["place"] or row["node"],
            zone=row["zone"] or row["final_zone"] or "", heard_at=row["act_recorded_at"],
        )
        for row in found[:most]
    ]  # fmt: skip


def moved_since(since: datetime, *, at: datetime, most: int) -> list[Moved]:
    """Open shipments whose expected end is another one than at `since`, by when it last moved, newest first (R2.17)."""
    before = EtaRow.objects.filter(
        shipment=OuterRef("shipment"), milestone=OuterRef("milestone"), published_at__lte=since
    ).order_by("-published_at")
    rows = EtaRow.objects.filter(
        _FINAL_OWN, published_at__gt=since, published_at__lte=at, shipment__final_at__isnull=True,
        shipment__status__in=OPEN_STATUSES,
    ).annotate(before=Subquery(before.values("eta_at")[:1]), zone=_final_zone())  # fmt: skip
    newest: dict[str, dict[str, Any]] = {}
    for row in rows.order_by("-published_at", "-id").values(
        "shipment__public_id", "shipment__ref", "eta_at", "before", "zone", "published_at"
    )[:_LOOKED_AT]:
        newest.setdefault(row["shipment__public_id"], row)
    return [
        Moved(
            shipment=public_id, ref=row["shipment__ref"], before=row["before"], after=row["eta_at"],
            zone=row["zone"] or "", heard_at=row["published_at"],
        )
        for public_id, row in newest.items()
        if row["before"] is not None and row["before"] != row["eta_at"]
    ][:most]  # fmt: skip


def missing_now(*, at: datetime, most: int, every_event: bool) -> list[Missing]:
    """One milestone a shipment, the one last expected, those expected last first: where the boxes should be now."""
    limit = at - UNHEARD_AFTER
    rows = MilestoneRow.objects.filter(
        container="", act_at__isnull=True, milestone__in=CHAINED if every_event else CORE,
        shipment__status__in=OPEN_STATUSES,
    ).annotate(
        expected=Coalesce(F("est_at"), F("pln_at")), zone=_of_place("node", "zone"), final_zone=_final_zone()
    ).filter(expected__lt=limit)  # fmt: skip
    newest: dict[str, dict[str, Any]] = {}
    for row in rows.order_by("-expected", "-id").values(
        "shipment__public_id", "shipment__ref", "milestone", "expected", "zone", "final_zone"
    )[: most * 8]:
        newest.setdefault(row["shipment__public_id"], row)
    return [
        Missing(
            shipment=public_id, ref=row["shipment__ref"], milestone=row["milestone"], expected_at=row["expected"],
            zone=row["zone"] or row["final_zone"] or "",
        )
        for public_id, row in newest.items()
    ][:most]  # fmt: skip


def has_shipments() -> bool:
    """Whether the account has any."""
    return Shipment.objects.exists()


def codes_to_review() -> dict[str, int]:
    """How many codes of each list wait for somebody to look at them, where there are any."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select 'places', count(*) from tracking_place where needs_review"
            " union all select 'terminals', count(*) from tracking_terminal where needs_review"
            " union all select 'carriers', count(*) from tracking_carrier where needs_review"
            " union all select 'vessels', count(*) from tracking_vessel where needs_review"
        )
        return {str(kind): int(number) for kind, number in cursor.fetchall() if number}
