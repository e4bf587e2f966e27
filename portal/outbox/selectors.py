"""Reads of the outbox over tenants: ids and counts only, by narrow functions of the database.

Running and publishing stand in runner.py and dispatcher.py.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from portal.outbox.models import Heartbeat
from portal.tenancy.context import no_tenant


def due_rows(*, at: datetime, most: int, each: int, again_seconds: int) -> list[tuple[int, int]]:
    """(tenant id, row id) of rows to publish, the tenants taking turns (F2); at most `each` in flight for a tenant.

    A row that was published and not taken comes again after `again_seconds`, then twice as long, and so on (O2).
    """
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, row_id from plimsoll_due_outbox(%s, %s, %s, %s)", [at, again_seconds, each, most]
        )
        return [(int(tenant_id), int(row_id)) for tenant_id, row_id in cursor.fetchall()]


def active_tenants() -> list[int]:
    """Ids of all active tenants, the operator's own scope among them."""
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute("select tenant_id from plimsoll_active_tenants() order by tenant_id")
        return [int(row[0]) for row in cursor.fetchall()]


def outbox_gauges() -> dict[str, int]:
    """Counts for /metrics: rows waiting and given up, and the age of the oldest due one in seconds (P1)."""
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute("select waiting, dead, oldest_seconds from plimsoll_outbox_gauges()")
        waiting, dead, oldest = cursor.fetchone()
    return {"outbox_waiting": int(waiting), "outbox_dead": int(dead), "outbox_oldest_seconds": int(oldest)}


def heartbeat_ages(*, at: datetime) -> dict[str, int]:
    """Seconds since each kind of process last said that it works; one that never did is missing (P1)."""
    beats = Heartbeat.objects.values_list("process", "at").order_by("process")
    return {f"{process}_silent_seconds": max(0, int((at - last).total_seconds())) for process, last in beats}
