"""Reads of deliveries and preferences.

Lists over tenants are asked inside a crossing; counts for /metrics come from a narrow function.
"""

from __future__ import annotations

from django.db import connection

from portal.notify.models import Delivery, NoticePreference, Phase
from portal.notify.wording import FOLLOWED
from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import no_tenant
from portal.tenancy.models import Member


def deliveries_newest(*, phase: str, before: int | None, after: int | None, most: int) -> list[Delivery]:
    """Deliveries of the scope or of the crossing, newest first; keyset by id, `after` goes the other way."""
    rows = Delivery.objects.select_related("tenant")
    if phase:
        rows = rows.filter(phase=phase)
    if after is not None:
        return list(rows.filter(pk__gt=after).order_by("pk")[:most])[::-1]
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:most])


def dead_newest(*, before: int | None, after: int | None, most: int) -> list[OutboxRow]:
    """Rows that were given up, likewise."""
    rows = OutboxRow.objects.filter(state=RowState.DEAD).select_related("tenant")
    if after is not None:
        return list(rows.filter(pk__gt=after).order_by("pk")[:most])[::-1]
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:most])


def unwanted_by(member: Member) -> set[str]:
    """Fact keys that the person has turned off."""
    return set(NoticePreference.objects.filter(member=member, wanted=False).values_list("fact_key", flat=True))


def only_followed_by(member: Member) -> set[str]:
    """Fact keys of which the person wants to hear about followed shipments only, with FOLLOWED behind them."""
    said = NoticePreference.objects.filter(member=member, wanted=True, fact_key__endswith=FOLLOWED)
    return set(said.values_list("fact_key", flat=True))


def delivery_gauges() -> dict[str, int]:
    """Deliveries over all tenants by phase, for /metrics and the desk (P1)."""
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute("select phase, deliveries from plimsoll_delivery_gauges()")
        found = {str(phase): int(count) for phase, count in cursor.fetchall()}
    shown = (Phase.QUEUED, Phase.CLAIMED, Phase.HANDED_OVER, Phase.UNCERTAIN, Phase.FAILED)
    return {f"deliveries_{phase.value.lower()}": found.get(phase.value, 0) for phase in shown}
