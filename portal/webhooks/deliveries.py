"""Writes of what is to be sent: a fact becomes one delivery an endpoint; tests; sending again by hand (H4).

The dialogue with an endpoint stands in sending.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.facts import Fact
from portal.outbox.services import enqueue_outgoing, run_all_again
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import audit
from portal.webhooks import payloads
from portal.webhooks.models import OPEN_STATES, DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint
from portal.webhooks.models import WebhookAttempt as Attempt
from portal.webhooks.selectors import delivery_get, listeners, replayable
from portal.webhooks.wording import ENDPOINT_OFF

SEND: Final = "webhooks.send"
KEPT_FOR: Final = timedelta(days=30)  # what has ended, and every attempt
MOST_REPLAYED: Final = 10_000
MOST_TESTS: Final = 30  # of one endpoint an hour
_TIDIED: Final = 5_000


class EndpointOff(PortalError):
    """Nothing is sent to an endpoint that is off or was not checked yet."""

    code, status = "endpoint_off", 409
    message = _("“%(label)s” is not active. Switch it on first: it must answer a ping.")


class StillOpen(PortalError):
    """Only what has ended can be sent again."""

    code, status = "delivery_open", 409
    message = _("This message is still on its way; look at it again in a moment.")


class TooManyTests(PortalError):
    """More tests than one needs."""

    code, status = "too_many_tests", 429
    message = _("An endpoint is sent at most %(n)d tests an hour. Wait a little.")


class TooMany(PortalError):
    """A range with more messages than are sent again at once."""

    code, status = "too_many_deliveries", 422
    message = _(
        "In this time there are %(n)d messages; at most %(most)d are sent again at once. Choose a shorter time."
    )


def deliveries_create(*, fact: Fact, at: datetime) -> int:
    """One delivery for each endpoint of the entered account that wants the fact; says how many.

    Runs in the transaction that marks the fact's row done. For endpoints that are off it is kept unsent, to be sent
    again by hand. Rights are asked when sending (O9).
    """
    if scope() == OPERATOR_ID or fact.key not in payloads.kinds():
        return 0
    endpoints = listeners(fact.key)
    if not endpoints:
        return 0
    body = payloads.body_of(fact, account=tenant_current().code, base=settings.PUBLIC_URL)
    rows = [_delivery(endpoint, fact, body, at) for endpoint in endpoints]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    _enqueue([row for row in rows if row.state == DeliveryState.WAITING], at)
    return len(rows)


def delivery_key(*, tenant_id: int, endpoint: str, fact_key: str, object_key: str) -> str:
    """What makes a message the same one."""
    return ids.digest("\n".join([str(tenant_id), endpoint, fact_key, object_key]))


def _delivery(endpoint: WebhookEndpoint, fact: Fact, body: bytes, at: datetime) -> WebhookDelivery:
    off = endpoint.state != EndpointState.ACTIVE
    return _row(
        endpoint, fact.key, fact.object_key, body, at, needs=list(fact.needs), about=payloads.about(fact),
        occurred_at=fact.occurred_at, state=DeliveryState.UNSENT if off else DeliveryState.WAITING,
        reason=ENDPOINT_OFF if off else "", ended_at=at if off else None,
    )  # fmt: skip


def _row(
    endpoint: WebhookEndpoint, fact_key: str, object_key: str, body: bytes, at: datetime, **more: object
) -> WebhookDelivery:
    key = delivery_key(tenant_id=scope(), endpoint=endpoint.public_id, fact_key=fact_key, object_key=object_key)
    return WebhookDelivery(
        endpoint=endpoint, key=key, message_id=f"msg_{key[:32]}", fact_key=fact_key, body=body, next_at=at,
        created_at=at, changed_at=at, **{"occurred_at": at, **more},
    )  # fmt: skip


def _enqueue(rows: Iterable[WebhookDelivery], at: datetime) -> None:
    enqueue_outgoing(SEND, keys={row.key: {"delivery": row.key} for row in rows}, at=at)


@transaction.atomic
def ping_send(*, endpoint: WebhookEndpoint, at: datetime) -> WebhookDelivery:
    """A signed ping: whoever answers it with 2xx may be sent what the account wants (H7). Tried once.

    Returns the one that is on its way already, if there is one.
    """
    WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, fact_key=payloads.PING, state__in=OPEN_STATES).first()
    if waiting is not None:
        return waiting
    body = payloads.ping_body(
        endpoint=endpoint.public_id, account=tenant_current().code, base=settings.PUBLIC_URL, at=at
    )
    return _test(endpoint, payloads.PING, body, at)


@transaction.atomic
def sample_send(*, endpoint: WebhookEndpoint, kind: str, at: datetime) -> WebhookDelivery:
    """The example of a kind, marked as a test, to an active endpoint. Tried once. Raises EndpointOff."""
    if endpoint.state != EndpointState.ACTIVE:
        raise EndpointOff(label=endpoint.label)
    body = payloads.sample(kind, account=tenant_current().code, base=settings.PUBLIC_URL, test=True)
    return _test(endpoint, kind, body, at)


def _test(endpoint: WebhookEndpoint, kind: str, body: bytes, at: datetime) -> WebhookDelivery:
    lately = WebhookDelivery.objects.filter(endpoint=endpoint, is_test=True, created_at__gt=at - timedelta(hours=1))
    if lately.count() >= MOST_TESTS:
        raise TooManyTests(n=MOST_TESTS)
    row = _row(endpoint, kind, ids.public_id(), body, at, is_test=True)
    row.save()
    _enqueue([row], at)
    return row


@transaction.atomic
def delivery_replay(*, public_id: str, actor: str, at: datetime) -> WebhookDelivery:
    """Sends what has ended again, with the same id and the same bytes. Raises NotFound, StillOpen, EndpointOff."""
    row = delivery_get(public_id)
    if row.state in OPEN_STATES:
        raise StillOpen
    _replay(row.endpoint, [row.key], at)
    audit(action="webhook.replayed", actor=actor, at=at, object_type="webhook_delivery", object_id=public_id,
          details={"endpoint": row.endpoint.label, "kind": row.fact_key})  # fmt: skip
    return row


@transaction.atomic
def range_replay(
    *, endpoint: WebhookEndpoint, since: datetime, until: datetime, all_of: bool, actor: str, at: datetime
) -> int:
    """Sends again what facts recorded in [since, until) brought and was not taken, or all of it; says how many.

    Raises EndpointOff, TooMany.
    """
    found = replayable(endpoint, since=since, until=until, all_of=all_of)
    keys = list(found.order_by("pk").values_list("key", flat=True)[: MOST_REPLAYED + 1])
    if len(keys) > MOST_REPLAYED:
        raise TooMany(n=found.count(), most=MOST_REPLAYED)
    _replay(endpoint, keys, at)
    audit(action="webhook.replayed", actor=actor, at=at, object_type="webhook", object_id=endpoint.public_id,
          details={"endpoint": endpoint.label, "messages": len(keys), "since": since.isoformat(),
                   "until": until.isoformat()})  # fmt: skip
    return len(keys)


def _replay(endpoint: WebhookEndpoint, keys: Sequence[str], at: datetime) -> None:
    if endpoint.state != EndpointState.ACTIVE or endpoint.removed_at is not None:
        raise EndpointOff(label=endpoint.label)
    ended = WebhookDelivery.objects.filter(key__in=keys).exclude(state__in=OPEN_STATES)
    ended.update(
        state=DeliveryState.WAITING, reason="", tries=0, next_at=at, lease_until=None, ended_at=None, changed_at=at,
        fence=F("fence") + 1,
    )  # fmt: skip
    run_all_again(SEND, keys={key: {"delivery": key} for key in keys}, at=at, due_at=at)


def waiting_unsent(*, endpoint: WebhookEndpoint, reason: str, at: datetime) -> int:
    """Ends what waits for an endpoint, with the reason, so that the log says so; says how many."""
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.WAITING)
    return waiting.update(
        state=DeliveryState.UNSENT, reason=reason, ended_at=at, changed_at=at, fence=F("fence") + 1
    )  # fmt: skip


def log_is_old(*, at: datetime) -> bool:
    """Whether the entered account has something older than thirty days."""
    return _old_deliveries(at).exists() or Attempt.objects.filter(at__lt=at - KEPT_FOR).exists()


@transaction.atomic
def log_tidy(*, at: datetime) -> bool:
    """Forgets a portion of the attempts, and of what ended, after thirty days; False when more is left."""
    attempts = list(Attempt.objects.filter(at__lt=at - KEPT_FOR).values_list("pk", flat=True)[:_TIDIED])
    Attempt.objects.filter(pk__in=attempts).delete()
    old = list(_old_deliveries(at).values_list("pk", flat=True)[:_TIDIED])
    WebhookDelivery.objects.filter(pk__in=old).delete()
    return len(attempts) < _TIDIED and len(old) < _TIDIED


def _old_deliveries(at: datetime) -> QuerySet[WebhookDelivery]:
    old = WebhookDelivery.objects.filter(created_at__lt=at - KEPT_FOR, changed_at__lt=at - KEPT_FOR)
    return old.exclude(state__in=OPEN_STATES)
