"""Calls that change something may be repeated without harm: the same Idempotency-Key, the same answer (W7).

What a call does and its answer are committed together, so a process killed in between has done nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.tenancy.context import scope
from portal.tenancy.models import KeptReply

KEPT: Final = timedelta(hours=48)  # the promise is 24; a sender's clock may be wrong
MOST: Final = 120  # characters of a key
_LOCK: Final = "select pg_try_advisory_xact_lock(hashtextextended(%s, %s))"


class BadIdempotencyKey(PortalError):
    """The key cannot be one."""

    code, status = "bad_idempotency_key", 400
    message = _("An Idempotency-Key has 1 to %(most)d printable ASCII characters without blanks at its ends.")


class KeyUsedOtherwise(PortalError):
    """The same key came with another body."""

    code, status = "idempotency_conflict", 422
    message = _("This Idempotency-Key was used with another body.")


class StillAtIt(PortalError):
    """A call with the same key is being answered at this moment."""

    code, status = "idempotency_in_flight", 409
    message = _("A call with this Idempotency-Key is still being answered. Try again in a moment.")
    headers: Mapping[str, str] = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and whether it was given before."""

    status: int
    body: bytes
    again: bool = False


def once(*, owner: str, call: str, key: str | None, body: bytes, at: datetime, act: Callable[[], Reply]) -> Reply:
    """What `act` answers, in one transaction with what it does; for a key that was answered before, that answer.

    Without a key it is done each time. What `act` raises is not kept: nothing was done, the next try begins anew.
    Raises BadIdempotencyKey, KeyUsedOtherwise, StillAtIt.
    """
    if key is None:
        with transaction.atomic():
            return act()
    if not 0 < len(key) <= MOST or not key.isascii() or not key.isprintable() or key != key.strip():
        raise BadIdempotencyKey(most=MOST)
    digest = ids.digest(body.hex())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [f"{owner} {call} {key}", scope()])
            if not cursor.fetchone()[0]:
                raise StillAtIt
        known = KeptReply.objects.filter(owner=owner, call=call, key=key).first()
        if known is not None and known.kept_at > at - KEPT:
            if known.body_digest != digest:
                raise KeyUsedOtherwise
            return Reply(known.status, bytes(known.body), again=True)
        if known is not None:
            known.delete()
        reply = act()
        KeptReply.objects.create(
            owner=owner, call=call, key=key, body_digest=digest, status=reply.status, body=reply.body, kept_at=at
        )
        return reply


def replies_forget(*, at: datetime) -> int:
    """Of the entered scope, what is no longer promised; says how many."""
    return KeptReply.objects.filter(kept_at__lte=at - KEPT).delete()[0]
