"""Reads of deliveries, and of addresses that mail does not reach.

What people want stands in wishes.py, the bell in bell.py. Lists over tenants are asked inside a crossing; counts for
/metrics come from a narrow function.
"""

from __future__ import annotations

from django.db import connection

from portal.notify.models import Delivery, Phase, SuppressedAddress
from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import no_tenant


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


def delivery_gauges() -> dict[str, int]:
    """Deliveries over all tenants by phase, for /metrics and the desk (P1)."""
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute("select phase, deliveries from plimsoll_delivery_gauges()")
        found = {str(phase): int(count) for phase, count in cursor.fetchall()}
    shown = (Phase.QUEUED, Phase.CLAIMED, Phase.HANDED_OVER, Phase.UNCERTAIN, Phase.FAILED)
    return {f"deliveries_{phase.value.lower()}": found.get(phase.value, 0) for phase in shown}


def addresses_newest(*, before: int | None, after: int | None, most: int) -> list[SuppressedAddress]:
    """Addresses that mail does not reach, of the scope or of the crossing, newest first; keyset by id."""
    rows = SuppressedAddress.objects.select_related("tenant")
    if after is not None:
        return list(rows.filter(pk__gt=after).order_by("pk")[:most])[::-1]
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:most])


def suppressed_of(email: str) -> SuppressedAddress | None:
    """Why this account's mail does not go to the address any more; None when it does."""
    return SuppressedAddress.objects.filter(email=email.lower()).first()
