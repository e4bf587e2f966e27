"""What credits put on the home page: the newest credit of a customer, and for staff what waits for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from kpis.tables import month_name
from portal.tenancy.context import across_tenants
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import operator_zone
from portal.web.tables import capped
from tiers.credits import selectors, wording

_WATCHERS = frozenset({Role.FINANCE.value, Role.ACCOUNT_MANAGER.value})


def customer(member: Member, at: datetime) -> dict[str, Any]:
    """The newest credit that is owed."""
    owed = [x for x in selectors.credit_list() if x.amount_minor and x.state in selectors.RESERVED]
    if not owed:
        return {}
    newest = owed[0]
    words = {"state": wording.state(newest)["label"], "month": month_name(newest.period), "lane": newest.lane}
    return {
        "credits": {
            "url": reverse("credits:credits"),
            "sentence": _("%(lane)s, %(month)s: %(state)s. There is nothing to claim.") % words,
            "amount": newest.amount,
            "currency": newest.currency,
        }
    }


def desk(member: Member, at: datetime) -> dict[str, Any]:
    """Credits that wait for an account manager or finance."""
    if member.role not in _WATCHERS:
        return {}
    with across_tenants(reason="home: credits that wait for a person", actor=member.label, at=at):
        waiting = selectors.waiting_of_all()
    zone = operator_zone()
    counted = {state: sum(line.state == state for line, _tenant in waiting) for state in ("COMPUTED", "IN_REVIEW")}
    names = {"COMPUTED": _("Credits to send to review"), "IN_REVIEW": _("Credits to approve")}
    label = {"COMPUTED": _("Credit to send to review"), "IN_REVIEW": _("Credit to approve")}
    return {
        "tiles": [
            {"label": names[state], "value": capped(number, selectors.MOST_WAITING), "tone": "money" if number else "",
             "href": f"{reverse('ops:credits_all')}?state={state}", "proof": _("Credits"),
             "note": _("a second person decides")}
            for state, number in counted.items()
        ],
        "attention": [
            {
                "tone": "money",
                "label": label[line.state],
                "why": _("%(account)s, %(lane)s, %(month)s: %(amount)s") % {
                    "account": tenant.name, "lane": line.lane, "month": month_name(line.period),
                    "amount": wording.money(line.amount_minor, line.currency),
                },
                "url": reverse(
                    "ops:credits_credit", kwargs={"account": tenant.public_id, "public_id": line.public_id}
                ),
                "at": line.assessed_at,
                "zone": zone,
            }
            for line, tenant in waiting
        ]
    }  # fmt: skip
