"""What notify does with the outbox: each fact becomes deliveries, each delivery is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.lib.facts import Fact
from portal.notify.sending import delivery_send
from portal.notify.services import deliveries_create
from portal.outbox.handlers import handler, on_fact


@on_fact("notify.deliveries")
def deliveries(fact: Fact, recorded_at: datetime, at: datetime) -> None:
    """In the transaction that marks the fact's row done."""
    deliveries_create(fact=fact, recorded_at=recorded_at, at=at)


@handler("notify.send", own_transactions=True)
def send(payload: dict[str, Any], at: datetime) -> None:
    """Commits between the steps of the SMTP dialogue, and bears being run again at any of them."""
    delivery_send(key=payload["delivery"], at=at)
