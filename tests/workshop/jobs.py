"""Work that only tests enqueue: it leaves an audit row, fails, dawdles, or kills its process."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime
from typing import Any

from portal.outbox.handlers import TryAgain, due_work, handler
from portal.outbox.services import enqueue
from portal.tenancy.services import audit


@handler("test.note")
def note(payload: dict[str, Any], at: datetime) -> None:
    """One audit row for each time it takes effect."""
    audit(action="test.noted", actor="test", at=at, object_id=payload["mark"])


@handler("test.poison")
def poison(payload: dict[str, Any], at: datetime) -> None:
    """Writes, then fails: nothing of it may stay."""
    audit(action="test.noted", actor="test", at=at, object_id=payload["mark"])
    raise ValueError("poison")


@handler("test.slow")
def slow(payload: dict[str, Any], at: datetime) -> None:
    """Takes its time before it writes."""
    time.sleep(float(payload["seconds"]))
    audit(action="test.noted", actor="test", at=at, object_id=payload["mark"])


@handler("test.die")
def die(payload: dict[str, Any], at: datetime) -> None:
    """Kills the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


@handler("test.later")
def later(payload: dict[str, Any], at: datetime) -> None:
    """Not before its time."""
    if at < (until := datetime.fromisoformat(payload["until"])):
        raise TryAgain("not yet", due_at=until)


@due_work("test.months")
def months(at: datetime) -> None:
    """One piece of work a month, whenever and however often it is asked."""
    enqueue("test.note", key=f"month-{at:%Y-%m}", at=at, mark=f"month-{at:%Y-%m}")
