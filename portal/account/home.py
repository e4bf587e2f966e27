"""What the home pages say about people and keys: only what somebody who may change it should look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.account import selectors
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import operator_zone, tenant_zone
from portal.web.templatetags.ui import time_at

SOON: Final = timedelta(days=14)


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """Entries of the list `managing` for a manager: keys that end or ended, invitations, being the only one."""
    if member.role != Role.MANAGER:
        return {}
    people, zone = reverse("people:members"), tenant_zone()
    entries = _keys(at, scope="read", url=reverse("people:keys"), zone=zone) + _invitations(at, people, zone)
    if selectors.active_count(Role.MANAGER) == 1:
        entries.append({
            "tone": "neutral", "label": _("You are the only manager"), "url": people,
            "why": _("Nobody else can let people in; give the role to a colleague."),
        })  # fmt: skip
    return {"managing": entries}


def desk(member: Member, at: datetime) -> dict[str, Any]:
    """Entries of the list `attention` for an administrator: keys of sources, invitations of staff."""
    if member.role != Role.ADMIN:
        return {}
    staff, sources, zone = reverse("ops:people_staff_members"), reverse("ops:tracking_sources"), operator_zone()
    return {"attention": _keys(at, scope="events:write", url=sources, zone=zone) + _invitations(at, staff, zone)}


def _keys(at: datetime, *, scope: str, url: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Keys without a successor that end soon or ended lately."""
    entries = []
    for key in selectors.keys_ending(scope=scope, at=at, within=SOON):
        assert key.expires_at is not None
        over = key.expires_at <= at
        label = _("The key “%(label)s” has ended") if over else _("The key “%(label)s” ends soon")
        entries.append({
            "tone": "late" if over else "warn", "label": label % {"label": key.label}, "url": url,
            "why": _("The system that uses it is refused.") if over else _("Make its successor in time."),
            "when": time_at(key.expires_at, zone, "short"),
        })  # fmt: skip
    return entries


def _invitations(at: datetime, url: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    waiting = selectors.invitation_list(at=at)
    if not waiting:
        return []
    label = ngettext("%(n)d invitation is not accepted yet", "%(n)d invitations are not accepted yet", len(waiting))
    first = min(one.expires_at for one in waiting)
    return [{
        "tone": "info", "label": label % {"n": len(waiting)}, "url": url, "why": ", ".join(i.name for i in waiting[:3]),
        "when": format_html(_("first ends {}"), time_at(first, zone, "short")),
    }]  # fmt: skip
