"""Customers' systems that want to be told what was stored: asked for in the transaction that stores it.

Which events they want, and sending, stand in services/subscriptions.py and pusher.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from portal.lib import ids
from portal.outbox.services import enqueue
from tracking.models import EventSubscription

NEWS: Final = "tracking.push_events"


def news_key(message: str, recorded_at: datetime, shipments: Sequence[int]) -> str:
    """What names this news: a replay may bring further shipments what the same message said, at the same instant."""
    named = ids.digest(" ".join(map(str, sorted(shipments))))[:16]
    return f"{message}:{recorded_at.isoformat()}:{named}"


def subscribers_ask(shipments: Sequence[int], *, message: str, recorded_at: datetime) -> None:
    """Work for the entered account's subscriptions, when it has any, about what these shipments have just heard."""
    if shipments and EventSubscription.objects.filter(is_active=True).exists():
        enqueue(NEWS, key=news_key(message, recorded_at, shipments), at=recorded_at, message=message,
                recorded=recorded_at.isoformat(), shipments=sorted(shipments))  # fmt: skip
