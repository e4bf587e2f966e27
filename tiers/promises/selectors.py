"""Reads of promises: the tier and the entitlements of a day, agreements in force.

All but the lists over accounts read the entered scope; days are local dates in the tenant's zone (R5.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from portal.lib.periods import local_date
from portal.tenancy.models import Tenant, TenantKind
from portal.tenancy.selectors import operator_zone, tenant_zone
from tiers.promises import rules
from tiers.promises.models import Agreement, EntitlementOverride, Subscription
from tiers.promises.registry import ENTITLEMENTS
from tiers.promises.rules import Term, tier_on
from tiers.promises.types import Tier


def today(at: datetime) -> date:
    """The entered tenant's local day of an instant."""
    return local_date(at, tenant_zone())


def _record(row: Subscription) -> rules.Subscription:
    return rules.Subscription(Tier(row.tier), Term(row.valid_from, row.valid_to))


def subscription_rows() -> list[Subscription]:
    """The entered tenant's subscriptions, oldest first, with the terms that never began left out."""
    rows = Subscription.objects.order_by("valid_from", "pk")
    return [r for r in rows if r.valid_to is None or r.valid_to > r.valid_from]


def subscriptions() -> list[rules.Subscription]:
    """The same in the form of the rules."""
    return [_record(r) for r in subscription_rows()]


def tier_at(day: date) -> Tier:
    """The entered tenant's tier on a local day; gaps mean Standard."""
    return tier_on(subscriptions(), day)


def premium_terms() -> list[Term]:
    """When the entered tenant was, is or will be Premium."""
    return [s.term for s in subscriptions() if s.tier == Tier.PREMIUM]


def entitled(key: str, at: datetime) -> bool:
    """Whether the entered tenant has the entitlement at an instant: its own dated value, else its tier's (5.1)."""
    switch = ENTITLEMENTS.get(key)
    if switch is None:
        return False
    day = today(at)
    own = EntitlementOverride.objects.filter(key=key, valid_from__lte=day).filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=day)
    )
    return rules.is_entitled(
        key,
        day=day,
        subscriptions=subscriptions(),
        defaults=switch.default,
        overrides=[rules.Override(o.key, o.value, Term(o.valid_from, o.valid_to)) for o in own],
    )


# --- agreements ---


def agreement_rows() -> list[Agreement]:
    """All versions of the entered tenant's agreements, by code, newest first."""
    return list(Agreement.objects.order_by("code", "-version"))


def agreements_approved() -> list[Agreement]:
    """Versions that are or were in force, by code and version."""
    rows = Agreement.objects.exclude(approved_by="").order_by("code", "version")
    return [r for r in rows if r.valid_to is None or r.valid_to > r.valid_from]


def lane_of(row: Agreement) -> rules.Lane:
    """The lane of an agreement in the form of the rules."""
    return rules.Lane(
        origins=frozenset(row.origins),
        destinations=frozenset(row.destinations),
        mode=row.mode,
        final=row.final_milestone or None,
    )


def promises() -> list[rules.Promise]:
    """The entered tenant's approved agreements in the form of the rules."""
    return [
        rules.Promise(
            kpi=r.kpi,
            target=r.target,
            term=Term(r.valid_from, r.valid_to),
            lane=lane_of(r),
            version=r.version,
            name=r.code,
        )
        for r in agreements_approved()
    ]


# --- over accounts: inside a crossing ---


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One account in the operator's list."""

    tenant: Tenant
    tier: Tier
    since: date | None


def account_lines(*, at: datetime, q: str = "", tier: Tier | None = None) -> list[AccountLine]:
    """Accounts with the tier of today, by name; over all tenants, so inside a crossing only. Three queries."""
    tenants = Tenant.objects.filter(kind=TenantKind.ACCOUNT).order_by("name", "pk")
    if q:
        tenants = tenants.filter(Q(name__icontains=q) | Q(code__icontains=q.upper()))
    held: dict[int, list[rules.Subscription]] = {}
    for row in Subscription.objects.order_by("valid_from"):
        held.setdefault(row.tenant_id, []).append(_record(row))
    zone = operator_zone()
    lines = [_account_line(t, held.get(t.pk, []), at, zone) for t in tenants]
    return [line for line in lines if tier is None or line.tier == tier]


def _account_line(tenant: Tenant, held: Iterable[rules.Subscription], at: datetime, zone: ZoneInfo) -> AccountLine:
    day = local_date(at, ZoneInfo(tenant.zone) if tenant.zone else zone)
    current = next((s for s in held if day in s.term), None)
    return AccountLine(
        tenant=tenant, tier=current.tier if current else Tier.STANDARD, since=current.term.start if current else None
    )
