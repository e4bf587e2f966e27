"""The audit trail of an account, and of the operator's own scope (L1): who did what, newest first."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.account import selectors
from portal.account.actions import action_label
from portal.tenancy.models import AuditEntry, Role
from portal.tenancy.selectors import tenant_zone
from portal.tenancy.services import SYSTEM
from portal.web.pages import PageView, TenantView, pager
from portal.web.policy import Policy, staff

_KINDS = ("sign_in", "second_factor", "password", "member", "invitation", "key", "share", "webhook")


class _Trail(PageView):
    def address(self) -> str:
        """Of this list without a cursor."""
        raise NotImplementedError

    def get(self, request: HttpRequest) -> HttpResponse:
        """Fifty rows; `kind` narrows to one kind of action."""
        kind = request.GET.get("kind", "")
        kind = kind if kind in _KINDS else ""
        found = selectors.audit_page(
            older=request.GET.get("older"), newer=request.GET.get("newer"), prefix=f"{kind}." if kind else ""
        )
        chips = [{"label": _("Everything"), "url": self.address(), "active": not kind}]
        labels = (
            _("Sign-in"),
            _("Second factor"),
            _("Password"),
            _("Members"),
            _("Invitations"),
            _("Keys"),
            _("Share links"),
            _("Webhooks"),
        )
        for name, label in zip(_KINDS, labels, strict=True):
            chips.append({"label": label, "url": f"{self.address()}?kind={name}", "active": kind == name})
        return self.page(
            "people/trail.html",
            {
                "title": _("Audit trail"), "rows": [_row(entry) for entry in found.rows], "chips": chips,
                "zone": tenant_zone(),
                "pager": pager(request, older=found.older, newer=found.newer),
            },
        )  # fmt: skip


def _row(entry: AuditEntry) -> dict[str, Any]:
    actor, _open, address = entry.actor.partition(" <")
    return {
        "at": entry.at, "actor": _("Plimsoll itself") if actor == SYSTEM else actor,
        "address": address.rstrip(">"), "action": entry.action,
        "label": action_label(entry.action),
        "object_type": entry.object_type, "object_id": entry.object_id,
        "details": [
            {"name": name.replace("_", " "), "value": _plain(value)}
            for name, value in sorted(entry.details.items()) if value not in ("", None)
        ],
    }  # fmt: skip


def _plain(value: Any) -> str:
    """A recorded value without the brackets of the store."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value)
    return str(value)


class Trail(TenantView, _Trail):
    """Of an account, for its managers."""

    policy: ClassVar[Policy] = Policy(who=frozenset({Role.MANAGER.value}))

    def address(self) -> str:
        """Without a cursor."""
        return reverse("people:audit")


class StaffTrail(_Trail):
    """Of the operator's own scope, for administrators."""

    policy: ClassVar[Policy] = staff(Role.ADMIN)

    def address(self) -> str:
        """Without a cursor."""
        return reverse("ops:people_audit")
