"""Sends callbacks to customers' systems as DCSA 2.2.0 says: signed, in order, again until they are taken (H1 to H6).

One subscription is one line: nothing overtakes, and one that is slow keeps no other waiting. Only 204 says that a
callback was taken. Killed anywhere, the same bytes are sent again; whoever gets them twice knows their eventID.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

from django.db import transaction

from portal.lib import seal
from portal.lib.egress import Answer, EgressFailed, EgressRefused, call
from portal.lib.faults import declare, fault
from portal.outbox.handlers import TryAgain
from portal.tenancy.models import ApiKey
from portal.tenancy.selectors import installation, tenant_current
from portal.web.policy import entitled
from tracking import feeds
from tracking.dcsaevents import API_VERSION
from tracking.models import EventPush, EventSubscription, PushState
from tracking.services import push_split, subscription_end
from tracking.services.subscriptions import ENTITLEMENT
from tracking.signatures import signature

GIVES_UP: Final = timedelta(days=5)  # of failing; then the managers are told (H4)
TOGETHER: Final = 2  # subscriptions of one account that are sent to at the same moment (H5)
_WORKS: Final = 12.0  # seconds; then the work is put back, well before its lease is over
_REQUEST: Final = 10.0  # seconds for one callback, however slowly the other side answers
_LEASE: Final = timedelta(seconds=60)
_SOON: Final = timedelta(seconds=2)
_PAUSED: Final = timedelta(seconds=30)
_EMPTY: Final = "[]"  # the first callback of an address: is somebody there who takes callbacks?

declare("push.after_answer", "a callback was answered, nothing of it is written")
declare("push.after_taken", "a callback was taken and that is committed, the next one is not sent")

_log = logging.getLogger("plimsoll.pusher")
_random = SystemRandom()


class _Overtaken(Exception):
    """Somebody changed or holds the subscription: nothing more of this run may be written (O3)."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a callback was not taken."""

    why: str
    status: int | None = None
    after: timedelta = timedelta(0)  # how long the other side wants peace
    is_gone: bool = False


def push_run(*, subscription: str, at: datetime, works: float = _WORKS) -> None:
    """Sends what waits for a subscription of the entered account until nothing does, one fails, or `works` is over.

    Raises TryAgain when there is more, when somebody else is sending, or while sending is paused. What the other side
    does wrong is written on the subscription, which is then due later.
    """
    found = installation()
    if found is None or found.sending_paused:
        raise TryAgain("sending is paused", due_at=at + _PAUSED)
    claimed = _claim(subscription, at)
    if claimed is None:
        return
    ends = time.monotonic() + works
    try:
        while _send_next(claimed, at):
            fault("push.after_taken")
            if time.monotonic() >= ends:
                _write(claimed, lease_until=None)
                raise TryAgain("there are further callbacks", due_at=at)
    except _Overtaken:
        _log.warning("the subscription %s was changed or taken over", subscription)


@transaction.atomic
def _claim(subscription: str, at: datetime) -> EventSubscription | None:
    """The subscription with a new fence and a lease; None when nothing is to be sent now."""
    found = EventSubscription.objects.select_for_update(of=("self",)).filter(subscription_id=subscription).first()
    if found is None or not found.is_active or found.next_at > at:
        return None
    others = EventSubscription.objects.filter(lease_until__gt=at)
    if others.filter(pk=found.pk).exists() or others.exclude(pk=found.pk).count() >= TOGETHER:
        raise TryAgain("others are being sent to", due_at=at + _SOON)
    if not _has_right(found, at):
        return None
    found.fence += 1
    found.lease_until = at + _LEASE
    found.save(update_fields=["fence", "lease_until"])
    return found


def _has_right(found: EventSubscription, at: datetime) -> bool:
    """Rights are judged when sending (A7): the account's tier, and the key behind the subscription."""
    if not tenant_current().is_active or not entitled(ENTITLEMENT, at):
        EventPush.objects.filter(subscription=found, state=PushState.WAITING).update(
            state=PushState.NOT_SENT, ended_at=at, body="", answer="not_entitled"
        )
        return False
    key = ApiKey.objects.filter(public_id=found.key, revoked_at__isnull=True).first()
    if key is None or (key.expires_at is not None and key.expires_at <= at):
        subscription_end(found, because="key_ended", why="", at=at)
        return False
    return True


def _send_next(claimed: EventSubscription, at: datetime) -> bool:
    """Sends the oldest callback that waits (before all, an empty one to a new address); True when it was taken."""
    push = None
    if claimed.answered_at is not None:
        push = EventPush.objects.filter(subscription=claimed, state=PushState.WAITING).order_by("pk").first()
        if push is None:
            _write(claimed, lease_until=None)
            return False
    failure = _post(claimed, push.body if push else _EMPTY, at)
    fault("push.after_answer")
    with transaction.atomic():
        held = EventSubscription.objects.select_for_update().filter(pk=claimed.pk, fence=claimed.fence).first()
        if held is None or not held.is_active:
            raise _Overtaken
        if failure is None:
            _taken(held, push, at)
            claimed.answered_at = held.answered_at
            return True
        if failure.status == 413 and push is not None and push.events > 1:
            push_split(push, json.loads(push.body), at=at)
            return True
        _failed(held, push, failure, at)
    return False


def _write(claimed: EventSubscription, **changes: object) -> None:
    if not EventSubscription.objects.filter(pk=claimed.pk, fence=claimed.fence).update(**changes):
        raise _Overtaken


def _taken(held: EventSubscription, push: EventPush | None, at: datetime) -> None:
    held.failures, held.failing_since, held.last_error, held.last_ok_at = 0, None, "", at
    held.answered_at = held.answered_at or at
    held.save()
    if push is not None:
        push.attempts += 1
        push.state, push.status, push.answer, push.body = PushState.TAKEN, 204, "", ""
        push.tried_at = push.ended_at = at
        push.save()


def _failed(held: EventSubscription, push: EventPush | None, failure: _Failure, at: datetime) -> None:
    """Tried again later, and later each time; after days, or when the address is gone for good, it ends."""
    held.failures += 1
    held.failing_since = held.failing_since or at
    held.last_error, held.lease_until = failure.why[:300], None
    held.next_at = at + feeds.wait_after(held.failures, spread=_random.uniform(0.75, 1.25), asked=failure.after)
    if push is not None:
        push.attempts += 1
        push.status, push.answer, push.tried_at = failure.status, failure.why[:300], at
        push.save()
    _log.warning("callback to %s failed for the %s. time: %s", held.subscription_id, held.failures, failure.why)
    if failure.is_gone:
        subscription_end(held, because="gone", why=failure.why, at=at)
    elif at - held.failing_since >= GIVES_UP:
        subscription_end(held, because="failing", why=failure.why, at=at)
    else:
        held.save()


# --- one callback ---


def _post(claimed: EventSubscription, body: str, at: datetime) -> _Failure | None:
    """None when it was taken. The signature covers the body, byte for byte, and nothing else."""
    raw = body.encode()
    try:
        headers = {
            "Content-Type": "application/json", "API-Version": API_VERSION,
            "Subscription-ID": str(claimed.subscription_id),
            "Notification-Signature": signature(raw, seal.unseal(claimed.secret)),
        }  # fmt: skip
    except ValueError:
        return _Failure("The kept secret cannot be opened any more; set it again with PUT …/secret.")
    try:
        answer = call("POST", claimed.callback_url, headers=headers, body=raw, seconds=_REQUEST)
    except (EgressFailed, EgressRefused) as error:
        return _Failure(error.sentence())
    return None if answer.status == 204 else _not_taken(answer, at)


def _not_taken(answer: Answer, at: datetime) -> _Failure:
    """Anything but 204, another 2xx too; redirects are not followed."""
    words = feeds.excerpt(answer.body)
    after = feeds.retry_after(answer, at=at) if answer.status in (413, 429, 503) else None
    why = f"HTTP {answer.status}, and 204 was expected" + (f": {words}" if words else "")
    return _Failure(why, answer.status, after or timedelta(0), is_gone=answer.status == 410)
