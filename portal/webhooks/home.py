"""What the home page of an account's managers says about its endpoints: only what needs one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import tenant_zone
from portal.web.policy import entitled
from portal.web.retelling import retold
from portal.web.templatetags.ui import time_at
from portal.webhooks.models import EndpointState
from portal.webhooks.selectors import endpoints_in_trouble


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """Entries of the list `managing`: endpoints that we switched off, or that take nothing now."""
    if member.role != Role.MANAGER or not entitled("webhooks", at):
        return {}
    entries: list[dict[str, Any]] = []
    listed = endpoints_in_trouble()
    zone = tenant_zone() if listed else None
    for endpoint in listed:
        off = endpoint.state != EndpointState.ACTIVE
        label = _("Webhook endpoint “%(label)s” is off") if off else _("Webhook endpoint “%(label)s” takes nothing")
        since = endpoint.off_at if off else endpoint.failing_since
        entries.append({
            "tone": "late" if off else "warn", "label": label % {"label": endpoint.label},
            "why": retold(endpoint.last_failure), "when": time_at(since, zone, "short") if since and zone else "",
            "url": reverse("webhooks:endpoint", kwargs={"public_id": endpoint.public_id}),
        })  # fmt: skip
    return {"managing": entries}
