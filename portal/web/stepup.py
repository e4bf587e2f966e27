"""Step-up: some writes need a password or a code of the last ten minutes (A5).

How that is proven is portal.account's business; it registers the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ALL: Final = WRITES | {"GET"}  # for a page whose form would be lost on the way

_ask: list[Callable[[HttpRequest, datetime], HttpResponseBase | None]] = []


def ask_step_up_of(answer: Callable[[HttpRequest, datetime], HttpResponseBase | None]) -> None:
    """portal.account registers what returns None when the proof is fresh, else the way to give it."""
    _ask[:] = [answer]


def step_up(request: HttpRequest, at: datetime) -> HttpResponseBase | None:
    """None when the person may go on; otherwise the answer that asks for the proof."""
    if not _ask:
        raise RuntimeError("nobody answers for step-up")
    return _ask[0](request, at)
