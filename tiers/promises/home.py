"""What the desk's home page says about agreements: versions that wait for a second person."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.tenancy.context import across_tenants
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import operator_zone
from tiers.promises import selectors

_APPROVERS: Final = frozenset({Role.ADMIN.value, Role.ACCOUNT_MANAGER.value})


def desk(member: Member, at: datetime) -> dict[str, Any]:
    """Entries of the list `attention` for those who may approve; one's own need somebody else."""
    if member.role not in _APPROVERS:
        return {}
    with across_tenants(reason="home: agreements that wait for a second person", actor=member.label, at=at):
        waiting = selectors.agreements_waiting()
    zone = operator_zone()
    return {
        "attention": [
            {
                "tone": "money" if row.credit else "info",
                "label": _("Agreement that a second person must approve") if row.prepared_by == member.public_id
                else _("Agreement to approve"),
                "why": _("%(account)s, %(lane)s, version %(version)d, prepared by %(who)s") % {
                    "account": tenant.name, "lane": row.lane, "version": row.version, "who": row.prepared_label,
                },
                "url": reverse(
                    "ops:promises_agreement", kwargs={"account": tenant.public_id, "public_id": row.public_id}
                ),
                "at": row.created_at,
                "zone": zone,
            }
            for row, tenant in waiting
        ]
    }  # fmt: skip
