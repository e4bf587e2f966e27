"""Sending one delivery: claimed, asked, recorded; a crash between any two sends it again, with the same id and bytes.

At least once, and never quietly not at all. What an answer means stands in rules.py, who may be called in
portal.lib.egress.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, Case, Count, F, Q, Value, When
from django.db.models.functions import Now

from portal.lib.egress import EgressFailed, EgressRefused, call, customer_reach
from portal.lib.faults import declare, fault
from portal.outbox.handlers import TryAgain
from portal.outbox.services import emit
from portal.tenancy.models import Tenant
from portal.tenancy.selectors import installation, tenant_current
from portal.web.policy import entitled
from portal.webhooks import payloads, rules, signatures
from portal.webhooks.facts import DeliveriesGivenUp
from portal.webhooks.models import (
    OPEN_STATES,
    DeliveryState,
    EndpointState,
    OffReason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from portal.webhooks.rules import Tried, Verdict
from portal.webhooks.selectors import secret_texts
from portal.webhooks.services import endpoint_answered, endpoint_failed, endpoint_switch_off
from portal.webhooks.wording import ACCOUNT_INACTIVE, ENDPOINT_OFF, NOT_ENTITLED, ended, given_up

SECONDS: Final = 20.0  # for one attempt, however slowly the other side answers (H3)
MOST_READ: Final = 64 * 1024
PAUSED_WAIT: Final = timedelta(seconds=30)
ENTITLEMENT: Final = "webhooks"
_COUNTED: Final = 4_000  # of those that wait; more wait no longer
_HOLD_SPREAD: Final = 20.0

declare("webhooks.after_claim", "a delivery is claimed, the endpoint not called")
declare("webhooks.after_answer", "the endpoint has answered, nothing of it is recorded")
declare("webhooks.before_record", "the attempt and what follows are written, not committed")
declare("webhooks.after_record", "the attempt is committed, its row of the outbox not yet done")

_random = SystemRandom()


class LostClaim(Exception):  # noqa: N818 - an outcome
    """Another worker has the delivery, or a person has ended it: nothing may be written by this one."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A claimed delivery with its endpoint as they were then."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint

    @property
    def is_ping(self) -> bool:
        """Whether it asks if the endpoint is the account's."""
        return self.delivery.fact_key == payloads.PING


def webhook_send(*, key: str, at: datetime) -> None:
    """Sends a delivery of the entered scope, or says why not. TryAgain when it must be tried later."""
    found = installation()
    if found is None or found.sending_paused:
        raise TryAgain("sending is paused", due_at=at + PAUSED_WAIT)
    held = _claim(key, at)
    if held is None:
        return
    fault("webhooks.after_claim")
    try:
        later = _send(held, at)
    except LostClaim:  # look again how it ended
        raise TryAgain("taken over by another worker", due_at=at + timedelta(seconds=5)) from None
    fault("webhooks.after_record")
    if later is not None:
        raise TryAgain("not taken yet", due_at=later)


# --- claim ---


@transaction.atomic
def _claim(key: str, at: datetime) -> _Held | None:
    """The delivery under a new fence; None when it has ended. TryAgain when it is not its turn.

    The account's row is locked for the moment, so that the caps are exact (H5, F2).
    """
    Tenant.objects.select_for_update(no_key=True).get()
    live = Case(
        When(Q(state=DeliveryState.SENDING, lease_until__gt=Now()), then=Value(True)), default=Value(False),
        output_field=BooleanField(),
    )  # fmt: skip
    rows = WebhookDelivery.objects.select_for_update(of=("self",)).select_related("endpoint")
    found = rows.annotate(live=live).filter(key=key).first()
    if found is None or found.state not in OPEN_STATES:
        return None
    if found.live:
        raise TryAgain("held by another worker", due_at=at + timedelta(seconds=max(1, _lease_seconds() // 4)))
    if found.next_at > at:
        raise TryAgain("not due", due_at=found.next_at)
    endpoint = found.endpoint
    if not found.is_test:
        _await_turn(endpoint, at)
    _await_room(endpoint, at)
    WebhookDelivery.objects.filter(pk=found.pk).update(
        state=DeliveryState.SENDING, fence=F("fence") + 1, attempts=F("attempts") + 1, tries=F("tries") + 1,
        lease_until=Now() + timedelta(seconds=_lease_seconds()),
    )  # fmt: skip
    found.refresh_from_db(fields=["fence", "attempts", "tries"])
    return _Held(found, endpoint)


def _lease_seconds() -> int:
    """Longer than an endpoint may take over one attempt."""
    return int(settings.OUTBOX_LEASE_SECONDS) * 4


def _await_turn(endpoint: WebhookEndpoint, at: datetime) -> None:
    if endpoint.hold_until is not None and endpoint.hold_until > at:
        spread = timedelta(seconds=_random.uniform(0, _HOLD_SPREAD))
        raise TryAgain("the endpoint asked us to wait", due_at=endpoint.hold_until + spread)


def _await_room(endpoint: WebhookEndpoint, at: datetime) -> None:
    """TryAgain when as many requests are in flight as may be."""
    live = WebhookDelivery.objects.filter(state=DeliveryState.SENDING, lease_until__gt=Now())
    flying = dict(live.values("endpoint_id").order_by().annotate(n=Count("id")).values_list("endpoint_id", "n"))
    allowed = rules.at_once(failing=endpoint.failing_since is not None, last_ms=endpoint.last_ms)
    if flying.get(endpoint.pk, 0) < allowed and sum(flying.values()) < rules.AT_ONCE_TENANT:
        return
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.WAITING, next_at__lte=at)
    crowd = waiting.values("pk")[:_COUNTED].count()
    wait = rules.turn_wait(crowd=crowd, last_ms=endpoint.last_ms, allowed=allowed, spread=_random.uniform)
    raise TryAgain("as many requests are in flight as may be", due_at=at + wait)


# --- send ---


def _send(held: _Held, at: datetime) -> datetime | None:
    """Calls the endpoint unless something stands against it; when to try again, or None when it has ended."""
    reason = _why_not(held, at)
    if reason:
        with transaction.atomic():
            _move(
                held, state=DeliveryState.UNSENT, reason=reason, ended_at=at, changed_at=at, lease_until=None,
                attempts=F("attempts") - 1, tries=F("tries") - 1,
            )  # fmt: skip
        return None
    tried = _ask(held, at)
    fault("webhooks.after_answer")
    with transaction.atomic():
        later = _record(held, tried, at)
        fault("webhooks.before_record")
    return later


def _why_not(held: _Held, at: datetime) -> str:
    """Rights and tier are judged now, not when the fact happened (O9, A7); empty when nothing stands against."""
    if not tenant_current().is_active:
        return ACCOUNT_INACTIVE
    if not all(entitled(key, at) for key in (ENTITLEMENT, *held.delivery.needs)):
        return NOT_ENTITLED
    off = held.endpoint.removed_at is not None or held.endpoint.state != EndpointState.ACTIVE
    return ENDPOINT_OFF if off and not (held.is_ping and held.endpoint.removed_at is None) else ""


def _ask(held: _Held, at: datetime) -> Tried:
    """One request; every way in which it can end is an answer."""
    began = time.monotonic()

    def took() -> int:
        return int((time.monotonic() - began) * 1_000)

    body = bytes(held.delivery.body)
    try:
        signed = signatures.headers(
            secret_texts(held.endpoint, at=at), message_id=held.delivery.message_id,
            timestamp=int(at.timestamp()), body=body,
        )  # fmt: skip
        answer = call(
            "POST", held.endpoint.url, headers={**_PLAIN, **signed}, body=body, most_bytes=MOST_READ,
            seconds=SECONDS, reach=customer_reach(), status_matters=True,
        )  # fmt: skip
    except (EgressFailed, EgressRefused) as failed:
        return Tried(None, why=failed.sentence(), took_ms=took())
    except ValueError:  # sealed under another key
        return Tried(None, why="its secret cannot be read: make a new one", took_ms=took())
    return Tried(
        answer.status, retry_after=answer.headers.get("retry-after", ""), excerpt=rules.excerpt(answer.body),
        took_ms=took(),
    )  # fmt: skip


_PLAIN: Final = {"Content-Type": "application/json", "User-Agent": "Plimsoll-Webhooks/1"}


# --- record ---


def _record(held: _Held, tried: Tried, at: datetime) -> datetime | None:
    """Writes the attempt, where the delivery stands and what it tells of the endpoint, in the caller's transaction."""
    delivery = held.delivery
    endpoint = WebhookEndpoint.objects.select_for_update().get(pk=held.endpoint.pk)
    same_address = endpoint.url == held.endpoint.url and endpoint.removed_at is None
    verdict, words = rules.verdict(tried.status), ended(tried)
    wait = rules.asked_to_wait(tried, at=at)
    WebhookAttempt.objects.create(
        delivery=delivery, number=delivery.attempts, at=at, took_ms=tried.took_ms, status=tried.status,
        why=tried.why[:300], excerpt=tried.excerpt,
    )  # fmt: skip
    if verdict == Verdict.DONE:
        _move(held, state=DeliveryState.DONE, reason="", ended_at=at, changed_at=at, lease_until=None)
        if same_address:
            endpoint_answered(endpoint, took_ms=tried.took_ms, is_ping=held.is_ping, at=at)
        return None
    if same_address and not (delivery.is_test and endpoint.state != EndpointState.ACTIVE):
        hold = at + wait if wait is not None else None
        endpoint_failed(endpoint, why=words, took_ms=tried.took_ms, hold_until=hold, at=at)
    return _after_failure(held, endpoint if same_address else None, verdict, words, wait, at)


def _after_failure(
    held: _Held, endpoint: WebhookEndpoint | None, verdict: Verdict, words: str, wait: timedelta | None, at: datetime
) -> datetime | None:
    """When to try again, or None; switches the endpoint off when that is due."""
    delivery = held.delivery
    ends: dict[str, Any] = {"ended_at": at, "changed_at": at, "lease_until": None}
    planned = None if delivery.is_test else rules.next_wait(delivery.tries, spread=_random.uniform)
    failing = endpoint.failing_since if endpoint is not None else None
    too_long = failing is not None and at - failing >= rules.FAILS_FOR
    if verdict == Verdict.GONE or too_long or planned is None or endpoint is None:
        last = planned is None and not delivery.is_test
        _move(held, state=DeliveryState.FAILED, reason=(given_up(words) if last else words)[:300], **ends)
        if endpoint is not None:
            _tell(held, endpoint, verdict, words, at, too_long=too_long, last=last)
        return None
    due = at + max(planned, wait or timedelta())
    _move(held, state=DeliveryState.WAITING, reason=words, next_at=due, changed_at=at, lease_until=None)
    return due


def _tell(
    held: _Held, endpoint: WebhookEndpoint, verdict: Verdict, words: str, at: datetime, *, too_long: bool, last: bool
) -> None:
    if verdict == Verdict.GONE or too_long:
        reason = OffReason.GONE if verdict == Verdict.GONE else OffReason.FAILING
        endpoint_switch_off(endpoint, reason=reason, at=at)
    elif last:
        emit(
            DeliveriesGivenUp(
                occurred_at=at, endpoint=endpoint.public_id, label=endpoint.label, host=endpoint.host,
                day=f"{at:%Y-%m-%d}", kind=payloads.kind_says(held.delivery.fact_key), about=held.delivery.about,
                last=words, path=f"/settings/webhooks/{endpoint.public_id}",
            ),
            at=at,
        )  # fmt: skip


def _move(held: _Held, **changes: Any) -> None:
    """Writes a step under the fencing number of this claim; LostClaim when it is no longer ours (O3)."""
    mine = WebhookDelivery.objects.filter(
        pk=held.delivery.pk, fence=held.delivery.fence, state=DeliveryState.SENDING
    )  # fmt: skip
    if not mine.update(**changes):
        raise LostClaim
