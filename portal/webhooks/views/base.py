"""What the pages of webhooks share: who may, the shown state of things, the way back."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.tenancy.models import Role
from portal.web.pages import TenantView
from portal.web.policy import Policy, entitled
from portal.webhooks import payloads
from portal.webhooks.models import DeliveryState, EndpointState, OffReason, WebhookDelivery, WebhookEndpoint
from portal.webhooks.selectors import endpoint_get
from portal.webhooks.wording import reason_says

TONES: Final = {
    DeliveryState.WAITING: "neutral", DeliveryState.SENDING: "info", DeliveryState.DONE: "ok",
    DeliveryState.FAILED: "late", DeliveryState.UNSENT: "warn",
}  # fmt: skip


class WebhookView(TenantView):
    """A page for the managers of an entitled account."""

    policy: ClassVar[Policy] = Policy(who=frozenset({Role.MANAGER.value}), entitlement="webhooks")

    def offered(self, also: list[str] | None = None) -> list[str]:
        """The kinds that the account's tier includes now, and those that were chosen before."""
        kept = set(also or ())
        return [
            key for key, kind in payloads.kinds().items()
            if key in kept or kind.entitlement is None or entitled(kind.entitlement, self.at)
        ]  # fmt: skip

    def endpoint(self, public_id: str) -> WebhookEndpoint:
        """Raises NotFound."""
        return endpoint_get(public_id)


def crumbs(endpoint: WebhookEndpoint | None = None) -> list[dict[str, str]]:
    """The way back."""
    listed = [{"label": _("Webhooks"), "url": reverse("webhooks:endpoints")}]
    if endpoint is not None:
        here = reverse("webhooks:endpoint", kwargs={"public_id": endpoint.public_id})
        listed.append({"label": endpoint.label, "url": here})
    return listed


def endpoint_state(endpoint: WebhookEndpoint) -> dict[str, str]:
    """Tone and word."""
    if endpoint.state == EndpointState.ACTIVE and endpoint.failing_since is not None:
        return {"tone": "warn", "label": _("Failing")}
    if endpoint.state == EndpointState.ACTIVE:
        return {"tone": "ok", "label": _("Active")}
    if endpoint.state == EndpointState.UNVERIFIED:
        return {"tone": "info", "label": _("Not checked yet")}
    by_us = endpoint.off_reason in (OffReason.GONE, OffReason.FAILING)
    return {"tone": "late" if by_us else "neutral", "label": _("Off")}


def delivery_row(row: WebhookDelivery) -> dict[str, Any]:
    """One line of a log."""
    state = DeliveryState(row.state)
    return {
        "url": reverse("webhooks:delivery", kwargs={"public_id": row.public_id}),
        "what": payloads.kind_says(row.fact_key), "kind": row.fact_key, "about": row.about, "is_test": row.is_test,
        "state": {"tone": TONES[state], "label": state.label}, "reason": reason_says(row.reason),
        "attempts": row.attempts, "at": row.created_at,
        "next_at": row.next_at if state == DeliveryState.WAITING and row.attempts else None,
    }  # fmt: skip
