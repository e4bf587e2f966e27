"""Reads of endpoints and their log. Never writes; what one endpoint is sent stands in deliveries.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet

from portal.lib import seal
from portal.lib.errors import NotFound
from portal.tenancy.context import OPERATOR_ID, no_tenant, scope
from portal.webhooks.models import (
    OPEN_STATES,
    DeliveryState,
    EndpointState,
    OffReason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
)


def endpoints_kept() -> QuerySet[WebhookEndpoint]:
    """Those that were not taken away."""
    return WebhookEndpoint.objects.filter(removed_at=None)


def endpoint_list() -> list[WebhookEndpoint]:
    """All of the account, by name."""
    return list(endpoints_kept().order_by("label", "pk"))


def endpoint_get(public_id: str) -> WebhookEndpoint:
    """Raises NotFound."""
    found = endpoints_kept().filter(public_id=public_id).first()
    if found is None:
        raise NotFound
    return found


def endpoints_in_trouble() -> list[WebhookEndpoint]:
    """Those that we switched off, and those that take nothing now."""
    failing = Q(state=EndpointState.ACTIVE, failing_since__isnull=False)
    return list(endpoints_kept().filter(failing | Q(off_reason__in=(OffReason.GONE, OffReason.FAILING))).order_by("pk"))


def listening() -> frozenset[str]:
    """Keys of the facts that the account's systems want; also of those that are off, for their log."""
    if scope() == OPERATOR_ID:
        return frozenset()
    wanted = endpoints_kept().exclude(state=EndpointState.UNVERIFIED).values_list("kinds", flat=True)
    return frozenset(key for kinds in wanted for key in kinds)


def listeners(fact_key: str) -> list[WebhookEndpoint]:
    """The endpoints that want this kind and have been checked once."""
    wanting = endpoints_kept().filter(kinds__contains=[fact_key]).exclude(state=EndpointState.UNVERIFIED)
    return list(wanting.order_by("pk"))


def secrets_valid(endpoint: WebhookEndpoint, *, at: datetime) -> list[WebhookSecret]:
    """Those that messages are signed with, the newest first."""
    rows = WebhookSecret.objects.filter(Q(ends_at=None) | Q(ends_at__gt=at), endpoint=endpoint)
    return list(rows.order_by("-created_at", "-pk"))


def secret_texts(endpoint: WebhookEndpoint, *, at: datetime) -> list[str]:
    """The same in the clear, for signing; ValueError when one was sealed under another key."""
    return [seal.unseal(row.sealed) for row in secrets_valid(endpoint, at=at)]


def open_counts() -> dict[int, int]:
    """How many deliveries wait, by endpoint id."""
    rows = WebhookDelivery.objects.filter(state__in=OPEN_STATES).values("endpoint_id").annotate(n=Count("id"))
    return {row["endpoint_id"]: row["n"] for row in rows.order_by()}


def lost_count(endpoint: WebhookEndpoint) -> int:
    """Deliveries of the last thirty days that ended without having been taken."""
    lost = (DeliveryState.FAILED, DeliveryState.UNSENT)
    return WebhookDelivery.objects.filter(endpoint=endpoint, state__in=lost, is_test=False).count()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the log is filtered by; empty means all."""

    endpoint: str = ""
    state: str = ""
    kind: str = ""
    about: str = ""


def delivery_page(
    asked: Asked, *, before: str | None, after: str | None, most: int
) -> tuple[list[WebhookDelivery], str | None, str | None]:
    """Newest first; keyset by public id, `after` goes the other way. (rows, cursor of older ones, of newer ones)."""
    rows = _asked_for(asked).select_related("endpoint").defer("body")
    edge = _row_number(after or before)
    if after and edge is not None:
        found = list(rows.filter(pk__gt=edge).order_by("pk")[: most + 1])
        kept = found[:most][::-1]
        return kept, kept[-1].public_id if kept else None, kept[0].public_id if len(found) > most else None
    if before and edge is not None:
        rows = rows.filter(pk__lt=edge)
    found = list(rows.order_by("-pk")[: most + 1])
    kept = found[:most]
    newer = kept[0].public_id if kept and before and edge is not None else None
    return kept, kept[-1].public_id if len(found) > most else None, newer


def _row_number(public_id: str | None) -> int | None:
    if not public_id:
        return None
    return WebhookDelivery.objects.filter(public_id=public_id[:26]).values_list("pk", flat=True).first()


def _asked_for(asked: Asked) -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.all()
    if asked.endpoint:
        rows = rows.filter(endpoint__public_id=asked.endpoint)
    if asked.state:
        rows = rows.filter(state=asked.state)
    if asked.kind:
        rows = rows.filter(fact_key=asked.kind)
    if asked.about:
        rows = rows.filter(about=asked.about)
    return rows


def delivery_get(public_id: str) -> WebhookDelivery:
    """Raises NotFound."""
    found = WebhookDelivery.objects.select_related("endpoint").filter(public_id=public_id).first()
    if found is None:
        raise NotFound
    return found


def deliveries_of(endpoint: WebhookEndpoint, *, state: str = "") -> QuerySet[WebhookDelivery]:
    """Those of the last thirty days, without their bodies; `state` empty: all."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).defer("body")
    return rows.filter(state=state) if state else rows


def newest_of(endpoint: WebhookEndpoint, *, most: int) -> list[WebhookDelivery]:
    """Its last deliveries."""
    return list(WebhookDelivery.objects.filter(endpoint=endpoint).defer("body").order_by("-pk")[:most])


def attempts_of(delivery: WebhookDelivery) -> list[WebhookAttempt]:
    """Those of the last thirty days, the newest first."""
    return list(WebhookAttempt.objects.filter(delivery=delivery).order_by("-number"))


def replayable(endpoint: WebhookEndpoint, *, since: datetime, until: datetime, all_of: bool) -> QuerySet[Any, Any]:
    """Ended deliveries of facts recorded in [since, until): those that were not taken, or all of them."""
    states = [DeliveryState.FAILED, DeliveryState.UNSENT, *([DeliveryState.DONE] if all_of else [])]
    return WebhookDelivery.objects.filter(
        endpoint=endpoint, state__in=states, is_test=False, created_at__gte=since, created_at__lt=until
    )


def webhook_gauges() -> dict[str, int]:
    """Counts over all accounts for /metrics: open deliveries, failed ones, endpoints that we switched off (P1)."""
    with no_tenant(), connection.cursor() as cursor:
        cursor.execute("select waiting, failed, switched_off from plimsoll_webhook_gauges()")
        waiting, failed, off = cursor.fetchone()
    return {"webhooks_waiting": int(waiting), "webhooks_failed": int(failed), "webhook_endpoints_off": int(off)}
