"""Endpoints and what was sent to them, in the form that systems read."""

from __future__ import annotations

from typing import Any

from portal.web.apishapes import Shape, flag, instant, number, text, texts, word
from portal.webhooks.models import DeliveryState, EndpointState, OffReason, WebhookDelivery, WebhookEndpoint


class EndpointShape(Shape):
    """An address of the account that messages go to."""

    id = text("Names the endpoint in addresses.")
    name = text("What people call it.")
    host = text("The host of its address; the rest may hold a password and is not told.")
    state = word("Whether anything is sent to it.", EndpointState)
    off_reason = word("Why it is off; null while it is not.", [r for r in OffReason if r], null=True)
    kinds = texts("The kinds of message that it wants.")
    verified_at = instant("When it last proved itself by answering a ping.")
    last_ok_at = instant("When it last took a message.")
    failing_since = instant("Since when it takes none.")


class DeliveryShape(Shape):
    """One message to one endpoint."""

    id = text("Names the delivery.")
    message_id = text("The header `webhook-id`, the same on every try.")
    kind = text("The kind of message.")
    about = text("The reference of what it is about.")
    state = word("Where it stands.", DeliveryState)
    reason = text("How the last try failed, or why it was not sent; empty when it was taken.")
    attempts = number("How often it was tried.")
    is_test = flag("Whether it was a ping.")
    occurred_at = instant("When what it tells of happened.")
    created_at = instant("When it was made.")
    next_at = instant("When it is tried next; null when it has ended.")
    ended_at = instant("When it was taken, or given up.")


def endpoint_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint without its secrets."""
    return {
        "id": endpoint.public_id, "name": endpoint.label, "host": endpoint.host, "state": endpoint.state,
        "off_reason": endpoint.off_reason or None, "kinds": list(endpoint.kinds), "verified_at": endpoint.verified_at,
        "last_ok_at": endpoint.last_ok_at, "failing_since": endpoint.failing_since,
    }  # fmt: skip


def delivery_row(delivery: WebhookDelivery) -> dict[str, Any]:
    """A delivery without its body, which went to the endpoint alone."""
    return {
        "id": delivery.public_id, "message_id": delivery.message_id, "kind": delivery.fact_key,
        "about": delivery.about, "state": delivery.state, "reason": delivery.reason, "attempts": delivery.attempts,
        "is_test": delivery.is_test, "occurred_at": delivery.occurred_at, "created_at": delivery.created_at,
        "next_at": None if delivery.ended_at else delivery.next_at, "ended_at": delivery.ended_at,
    }  # fmt: skip
