"""Writes of endpoints and their secrets, each with its line in the audit trail (L1).

What is sent to them stands in deliveries.py and sending.py. Audit lines name the host, never the whole address: it may
hold a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import seal
from portal.lib.egress import customer_reach, target_of
from portal.lib.errors import PortalError
from portal.outbox.services import emit
from portal.tenancy.models import Tenant
from portal.tenancy.selectors import tenant_zone
from portal.tenancy.services import SYSTEM, audit
from portal.webhooks import payloads, signatures
from portal.webhooks.deliveries import waiting_unsent
from portal.webhooks.facts import EndpointDisabled
from portal.webhooks.models import DeliveryState, EndpointState, OffReason, WebhookDelivery, WebhookEndpoint
from portal.webhooks.models import WebhookSecret as Secret
from portal.webhooks.selectors import endpoint_list, secrets_valid
from portal.webhooks.wording import ENDPOINT_OFF, REPLACED

MOST: Final = 20  # endpoints of one account
TOGETHER: Final = 2  # secrets of one endpoint that are valid at a time
OVERLAPS: Final = (timedelta(), timedelta(hours=1), timedelta(hours=24), timedelta(days=7))


class TooManyEndpoints(PortalError):
    """The account has as many endpoints as it may have."""

    code, status = "too_many_endpoints", 409
    message = _("An account has at most %(n)d endpoints. Take one away first, or change its address.")


class UnknownKind(PortalError):
    """A kind that is not offered, or none at all."""

    code, status = "unknown_webhook_kind", 422
    message = _("Choose at least one kind of event, out of those that are offered.")


@transaction.atomic
def endpoint_create(
    *, label: str, url: str, kinds: Sequence[str], actor: str, at: datetime
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint, not checked yet, and its secret, which is never shown again.

    Raises EgressRefused, UnknownKind, TooManyEndpoints.
    """
    _check(url, kinds)
    Tenant.objects.select_for_update(no_key=True).get()  # two pages at once must not make one too many
    if len(endpoint_list()) >= MOST:
        raise TooManyEndpoints(n=MOST)
    endpoint = WebhookEndpoint.objects.create(
        label=label, url=url, kinds=sorted(set(kinds)), created_at=at, created_by=actor[:200], changed_at=at
    )
    _audit("webhook.created", endpoint, actor, at, kinds=list(endpoint.kinds))
    return endpoint, _secret(endpoint, actor, at)


@transaction.atomic
def endpoint_change(
    *, endpoint: WebhookEndpoint, label: str, url: str, kinds: Sequence[str], actor: str, at: datetime
) -> WebhookEndpoint:
    """Changes it. Another address must answer a ping before anything is sent there; what waits ends unsent.

    Raises EgressRefused, UnknownKind.
    """
    _check(url, kinds)
    held = _held(endpoint)
    moved = held.url != url
    held.label, held.url, held.kinds, held.changed_at = label, url, sorted(set(kinds)), at
    if moved:
        held.state, held.off_reason, held.off_at = EndpointState.UNVERIFIED, "", None
        held.verified_at = held.failing_since = held.hold_until = None
        held.last_failure = ""
    held.save()
    if moved:
        waiting_unsent(endpoint=held, reason=REPLACED, at=at)
    _audit("webhook.changed", held, actor, at, kinds=list(held.kinds), address_changed=moved)
    return held


def _check(url: str, kinds: Sequence[str]) -> None:
    target_of(url, customer_reach())
    if not kinds or not set(kinds) <= payloads.kinds().keys():
        raise UnknownKind


def _held(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)


def _secret(endpoint: WebhookEndpoint, actor: str, at: datetime) -> str:
    text = signatures.secret_new()
    Secret.objects.create(
        endpoint=endpoint, sealed=seal.seal(text), hint=text[-4:], created_at=at, created_by=actor[:200]
    )
    return text


@transaction.atomic
def secret_rotate(*, endpoint: WebhookEndpoint, overlap: timedelta, actor: str, at: datetime) -> str:
    """A new secret, never shown again; the one before it signs beside it for `overlap` (P6), older ones end now."""
    held = _held(endpoint)
    for n, old in enumerate(secrets_valid(held, at=at)):
        ends = at + overlap if n < TOGETHER - 1 else at
        old.ends_at = min(old.ends_at or ends, ends)
        old.save(update_fields=["ends_at"])
    text = _secret(held, actor, at)
    _audit("webhook.secret_rotated", held, actor, at, old_one_ends=(at + overlap).isoformat())
    return text


@transaction.atomic
def endpoint_disable(*, endpoint: WebhookEndpoint, actor: str, at: datetime) -> None:
    """A person switches it off; what waits for it, and what comes, is kept unsent and can be sent again."""
    held = _held(endpoint)
    if held.state == EndpointState.DISABLED:
        return
    _off(held, OffReason.PERSON, at)
    _audit("webhook.disabled", held, actor, at)


@transaction.atomic
def endpoint_remove(*, endpoint: WebhookEndpoint, actor: str, at: datetime) -> None:
    """Takes it away with its secrets; its log stays for its thirty days."""
    held = _held(endpoint)
    if held.removed_at is not None:
        return
    _off(held, OffReason.PERSON, at)
    held.removed_at = at
    held.save(update_fields=["removed_at"])
    Secret.objects.filter(endpoint=held).delete()
    _audit("webhook.removed", held, actor, at)


def _off(held: WebhookEndpoint, reason: OffReason, at: datetime) -> int:
    held.state, held.off_reason, held.off_at, held.changed_at = EndpointState.DISABLED, reason, at, at
    held.hold_until = None
    held.save(update_fields=["state", "off_reason", "off_at", "changed_at", "hold_until"])
    return waiting_unsent(endpoint=held, reason=ENDPOINT_OFF, at=at)


# --- what attempts tell of an endpoint; called with its row locked, in the transaction that records the attempt ---


def endpoint_answered(held: WebhookEndpoint, *, took_ms: int, is_ping: bool, at: datetime) -> None:
    """It took something. A ping that was answered makes it active (H7)."""
    held.failing_since = held.hold_until = None
    held.last_ok_at, held.last_ms, held.last_failure = at, took_ms, ""
    if is_ping and held.state != EndpointState.ACTIVE:
        held.state, held.off_reason, held.off_at, held.verified_at = EndpointState.ACTIVE, "", None, at
        _audit("webhook.verified", held, SYSTEM, at)
    held.save()


def endpoint_failed(
    held: WebhookEndpoint, *, why: str, took_ms: int, hold_until: datetime | None, at: datetime
) -> None:
    """It did not take something; `hold_until` is when it asked to be left alone until."""
    held.failing_since = held.failing_since or at
    held.last_ms, held.last_failure = took_ms, why[:300]
    if hold_until is not None:
        held.hold_until = max(held.hold_until or hold_until, hold_until)
    held.save()


def endpoint_switch_off(held: WebhookEndpoint, *, reason: OffReason, at: datetime) -> None:
    """We switch it off, and tell the account's managers (H4); nothing happens when it is off."""
    if held.state != EndpointState.ACTIVE:
        return
    began, zone = held.failing_since or at, tenant_zone()
    _off(held, reason, at)
    unsent = WebhookDelivery.objects.filter(
        endpoint=held, state__in=(DeliveryState.UNSENT, DeliveryState.FAILED), is_test=False, changed_at__gte=began
    ).count()
    _audit("webhook.switched_off", held, SYSTEM, at, reason=str(reason), last=held.last_failure)
    emit(
        EndpointDisabled(
            occurred_at=at, endpoint=held.public_id, label=held.label, host=held.host, reason=str(reason.value),
            since=f"{began.astimezone(zone):%-d %b %Y %H:%M %Z}" if reason == OffReason.FAILING else "",
            last=held.last_failure, unsent=unsent, path=f"/settings/webhooks/{held.public_id}",
        ),
        at=at,
    )  # fmt: skip


def _audit(action: str, endpoint: WebhookEndpoint, actor: str, at: datetime, **details: object) -> None:
    audit(action=action, actor=actor, at=at, object_type="webhook", object_id=endpoint.public_id,
          details={"name": endpoint.label, "host": endpoint.host, **details})  # fmt: skip
