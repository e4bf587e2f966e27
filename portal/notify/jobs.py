"""What notify does with the outbox: each fact becomes deliveries, each delivery is sent, what waited is collected."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from portal.lib.facts import Fact
from portal.notify.digests import WORK, digest_collect, forgotten_enqueue
from portal.notify.preferences import notices_forget
from portal.notify.sending import delivery_send
from portal.notify.services import deliveries_create
from portal.outbox.handlers import due_work, handler, on_fact

_BELL_KEPT: Final = timedelta(days=90)


@on_fact("notify.deliveries")
def deliveries(fact: Fact, recorded_at: datetime, at: datetime) -> None:
    """In the transaction that marks the fact's row done."""
    deliveries_create(fact=fact, recorded_at=recorded_at, at=at)


@handler("notify.send", own_transactions=True)
def send(payload: dict[str, Any], at: datetime) -> None:
    """Commits between the steps of the SMTP dialogue, and bears being run again at any of them."""
    delivery_send(key=payload["delivery"], at=at)


@handler(WORK)
def digest(payload: dict[str, Any], at: datetime) -> None:
    """Makes one mail of what waited for a person, in the transaction that marks this row done."""
    digest_collect(member=payload["member"], at=at)


@due_work("notify.held")
def held(at: datetime) -> None:
    """Mails that wait come with the work that takes them up; what is left behind for minutes is asked for again."""
    forgotten_enqueue(at=at)


@due_work("notify.forget_bell")
def forget_bell(at: datetime) -> None:
    """Notices in the portal are kept for 90 days."""
    notices_forget(before=at - _BELL_KEPT)
