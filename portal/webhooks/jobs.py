"""What webhooks do with the outbox: each fact becomes deliveries, each delivery is sent; the log is kept short."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.lib.facts import Fact
from portal.outbox.handlers import due_work, handler, on_fact
from portal.outbox.services import enqueue
from portal.webhooks.deliveries import SEND, deliveries_create, log_is_old, log_tidy
from portal.webhooks.sending import webhook_send


@on_fact("webhooks.deliveries")
def deliveries(fact: Fact, recorded_at: datetime, at: datetime) -> None:
    """In the transaction that marks the fact's row done."""
    deliveries_create(fact=fact, at=at)


@handler(SEND, own_transactions=True, calls_out=True)
def send(payload: dict[str, Any], at: datetime) -> None:
    """Commits before and after the call, and bears being run again at any of its steps."""
    webhook_send(key=payload["delivery"], at=at)


@due_work("webhooks.log")
def log(at: datetime) -> None:
    """Once a day, where there is something to forget."""
    if log_is_old(at=at):
        enqueue("webhooks.tidy", key=f"{at:%Y-%m-%d}", at=at)


@handler("webhooks.tidy", own_transactions=True)
def tidy(payload: dict[str, Any], at: datetime) -> None:
    """Forgets what is older than thirty days, a portion at a time."""
    while not log_tidy(at=at):
        pass
