"""The page on which a manager sees what is sent to the account's systems, and what became of it (H7).

Subscriptions are made and changed by the systems themselves, at /dcsa/tnt/v2/event-subscriptions.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.tenancy.models import Role
from portal.tenancy.selectors import tenant_zone
from portal.web.pages import TenantView
from portal.web.policy import Policy
from tracking.models import EventPush, EventSubscription, PushState
from tracking.selectors import pushes_newest, subscriptions_all
from tracking.services.subscriptions import ENTITLEMENT

_SHOWN: Final = 50
_TONES: Final = {PushState.TAKEN: "ok", PushState.SPLIT: "neutral", PushState.NOT_SENT: "warn"}


class Subscriptions(TenantView):
    """Each subscription with its state, and the newest callbacks."""

    policy: ClassVar[Policy] = Policy(who=frozenset({Role.MANAGER.value}), entitlement=ENTITLEMENT)

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list; nothing can be changed here."""
        zone = tenant_zone()
        return self.page("tracking/subscriptions.html", {
            "title": _("DCSA subscriptions"), "zone": zone, "keys_url": reverse("people:keys"),
            "address": settings.PUBLIC_URL + reverse("tracking:dcsa_subscriptions"),
            "subscriptions": [_row(row, zone) for row in subscriptions_all()],
            "pushes": [_push(row) for row in pushes_newest(_SHOWN)],
        })  # fmt: skip


def _row(row: EventSubscription, zone: Any) -> dict[str, Any]:
    from portal.web.templatetags.ui import time_at

    waiting = row.waiting  # type: ignore[attr-defined]  # counted by the selector
    said = (
        (_("Sends"), _filters(row.filters)),
        (_("Last taken"), time_at(row.last_ok_at, zone) if row.last_ok_at else _("never")),
        (_("Waiting"), ngettext("%(n)d callback", "%(n)d callbacks", waiting) % {"n": waiting} if waiting else ""),
        (_("Next try"), time_at(row.next_at, zone) if row.is_active and row.failures else ""),
        (_("Key"), row.made_by),
        (_("Subscription"), str(row.subscription_id)),
    )
    return {
        "address": row.address, "state": _state(row), "trouble": _trouble(row),
        "facts": [{"label": label, "value": value} for label, value in said if value],
    }  # fmt: skip


def _filters(filters: dict[str, Any]) -> str:
    """As they are written in a body, one after the other."""
    listed = [f"{name} {', '.join(v) if isinstance(v, list) else v}" for name, v in sorted(filters.items())]
    return "; ".join(listed) or _("every event")


def _state(row: EventSubscription) -> dict[str, str]:
    """Tone and word."""
    if not row.is_active:
        return {"tone": "late", "label": _("Ended")}
    if row.failures:
        return {"tone": "warn", "label": _("Trying again")}
    if row.answered_at is None:
        return {"tone": "info", "label": _("Not answered yet")}
    return {"tone": "ok", "label": _("Sending")}


def _trouble(row: EventSubscription) -> dict[str, str]:
    """What is wrong and what to do, for web/_callout.html; empty when all is well."""
    again = _("PUT the subscription with a valid key: it begins again, with what waits.")
    if row.ended_because == "key_ended":
        why = _("The API key behind it was revoked or has expired.")
        return {"tone": "late", "title": _("Nothing is sent any more"), "text": f"{why} {again}"}
    if not row.is_active:
        return {"tone": "late", "title": _("Nothing is sent any more"), "text": f"{row.last_error}. {again}"}
    if row.failures:
        times = ngettext("The last callback was not taken", "Not taken %(n)d times in a row", row.failures)
        return {"tone": "warn", "title": times % {"n": row.failures}, "text": row.last_error}
    return {}


def _push(row: EventPush) -> dict[str, Any]:
    state = PushState(row.state)
    tone = _TONES.get(state) or ("warn" if row.attempts else "info")
    words = _("Trying again") if state == PushState.WAITING and row.attempts else state.label
    answer = _("no Read API at that time") if row.answer == "not_entitled" else row.answer
    return {
        "at": row.tried_at or row.ended_at or row.created_at, "address": row.subscription.address,
        "events": row.events, "attempts": row.attempts, "tone": tone, "label": words,
        "answer": answer or (f"HTTP {row.status}" if row.status else ""),
    }  # fmt: skip
