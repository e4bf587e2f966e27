"""Who owns an exception, and until when the first response is due (R8.3): reads that derivation builds on.

Exactly one owner, the first that fits: the account's, the lane's, the branch's, else the operator's desk. A deputy
stands in for who is no longer active.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final

from django.db.models import Q, QuerySet

from portal.lib.periods import local_date
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member
from portal.tenancy.selectors import operator_zone
from tiers.promises.selectors import tier_at, today
from tiers.promises.types import Tier
from tracking.models import ExceptionCase, OwnerKind, OwnerRule, Shipment

RESPONSE: Final = {Tier.PRIORITY: timedelta(hours=4), Tier.PREMIUM: timedelta(hours=1)}  # first response (5.1)
NEWS: Final = timedelta(hours=72)  # what began longer ago is history when it is learned (R1.1): no clock runs
CHAIN: Final = (*(k.value for k in OwnerKind), "DESK")


@dataclass(frozen=True, slots=True)
class Owner:
    """One of the staff by public id, or the desk (empty), and the rule that named it."""

    public_id: str
    name: str
    step: str


DESK: Final = Owner("", "", "DESK")


class Owners:
    """The rules in force at an instant for the entered account; asked for only when a case needs an owner."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def give(self, case: ExceptionCase, shipment: Shipment) -> None:
        """Sets the owner of a new case, and when the first response is due."""
        owner = self.next_after("", shipment)
        case.owner, case.owner_name, case.owner_step = owner.public_id, owner.name, owner.step
        if self.response is not None and self.at - case.started_at <= NEWS:
            case.respond_by = self.at + self.response

    def next_after(self, step: str, shipment: Shipment) -> Owner:
        """The first owner of the chain beyond a step (empty: from its beginning); the desk at its end, and after
        somebody who was named by hand.
        """
        beyond = CHAIN[CHAIN.index(step) + 1 :] if step in CHAIN else CHAIN if not step else ()
        about = {OwnerKind.LANE.value: shipment.lane, OwnerKind.BRANCH.value: shipment.branch}
        for kind in beyond:
            found = self.rules.get((kind, about.get(kind, "")))
            if found is not None:
                return found
        return DESK

    @cached_property
    def response(self) -> timedelta | None:
        """How soon the account's tier promises a first response; None: it promises none."""
        return RESPONSE.get(tier_at(today(self.at)))

    @cached_property
    def rules(self) -> dict[tuple[str, str], Owner]:
        """(kind, about) -> who owns it now."""
        day = local_date(self.at, operator_zone())
        rows = [*_in_force(day).filter(kind=OwnerKind.ACCOUNT)]
        with as_tenant(OPERATOR_ID):
            rows += _in_force(day).exclude(kind=OwnerKind.ACCOUNT)
            named = {public_id for row in rows for public_id in (row.owner, row.deputy) if public_id}
            active = set(
                Member.objects.filter(public_id__in=named, is_active=True).values_list("public_id", flat=True)
            ) if named else set[str]()  # fmt: skip
        found: dict[tuple[str, str], Owner] = {}
        for row in rows:
            for public_id, name in ((row.owner, row.owner_name), (row.deputy, row.deputy_name)):
                if public_id in active:
                    found.setdefault((row.kind, row.about), Owner(public_id, name, row.kind))
        return found


def _in_force(day: date) -> QuerySet[OwnerRule]:
    rows = OwnerRule.objects.filter(valid_from__lte=day)
    return rows.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day)).order_by("pk")
