"""Work of kpis: what is due is read from the database, so two schedulers or none for hours do no harm (O6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kpis import selectors, services
from portal.lib.periods import Month
from portal.outbox.handlers import TryAgain, due_work, handler
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, scope
from tracking.models import Shipment


@due_work("kpis.months")
def months_due(at: datetime) -> None:
    """Enqueues the close of each ended month that has units and no snapshot yet."""
    if scope() == OPERATOR_ID or not Shipment.objects.exists():
        return
    for month in selectors.months_open(at=at, config=selectors.config_now()):
        enqueue("kpis.close_month", key=str(month), at=at, month=str(month))


@handler("kpis.close_month")
def close_month(payload: dict[str, Any], at: datetime) -> None:
    """Closes one month of the entered tenant; a month that cannot close yet is tried again in an hour."""
    try:
        services.month_close(period=Month.parse(payload["month"]), at=at)
    except (services.IngestBehind, services.MonthPending, services.MonthNotOver) as fault:
        raise TryAgain(fault.sentence(), due_at=at + selectors.JOB_DELAY * 4) from fault
    except services.NothingDue:
        return


@handler("kpis.publish_snapshot")
def publish_snapshot(payload: dict[str, Any], at: datetime) -> None:
    """Tells the account that its month can be read."""
    services.snapshot_publish(public_id=payload["snapshot"], at=at)
