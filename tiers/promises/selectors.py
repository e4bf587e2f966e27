"""Reads of promises: the tier and the entitlements of a day, agreements in force.

All but the lists over accounts read the entered scope; days are local dates in the tenant's zone (R5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _

from portal.lib.periods import local_date
from portal.tenancy.context import scope
from portal.tenancy.models import Installation, Tenant, TenantKind
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


def entitlements(at: datetime) -> frozenset[str]:
    """All keys that the entered tenant has at an instant, in one query: what a page asks for once (5.1)."""
    term = {"from": "valid_from", "to": "valid_to"}
    own = {"tenant": OuterRef("pk")}
    zone, operators, tiers, values = Tenant.objects.filter(pk=scope()).values_list(
        "zone",
        Subquery(Installation.objects.filter(pk=1).values("zone")[:1]),
        ArraySubquery(Subscription.objects.filter(**own).values(json=JSONObject(tier="tier", **term))),
        ArraySubquery(
            EntitlementOverride.objects.filter(**own).values(json=JSONObject(key="key", value="value", **term))
        ),
    ).get()  # fmt: skip
    day = local_date(at, ZoneInfo(zone or operators or "UTC"))
    held = [
        rules.Subscription(Tier(t["tier"]), _term(t)) for t in tiers if t["to"] is None or t["to"] > t["from"]
    ]  # fmt: skip
    overrides = [rules.Override(v["key"], v["value"], _term(v)) for v in values]
    return frozenset(
        switch.key
        for switch in ENTITLEMENTS
        if rules.is_entitled(switch.key, day=day, subscriptions=held, defaults=switch.default, overrides=overrides)
    )


def _term(row: Mapping[str, str | None]) -> Term:
    return Term(date.fromisoformat(row["from"] or ""), date.fromisoformat(row["to"]) if row["to"] else None)


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


def agreement_state(row: Agreement, day: date) -> dict[str, object]:
    """Tone and word: waiting for approval, coming, in force, ended."""
    if not row.approved_by:
        return {"tone": "warn", "label": _("To be approved")}
    if day in Term(row.valid_from, row.valid_to):
        return {"tone": "ok", "label": _("In force")}
    if row.valid_from > day and (row.valid_to is None or row.valid_to > row.valid_from):
        return {"tone": "info", "label": _("Coming")}
    return {"tone": "neutral", "label": _("Ended")}


def agreement_get(public_id: str) -> Agreement | None:
    """One version of the entered tenant."""
    return Agreement.objects.filter(public_id=public_id).first()


def agreements_of_all() -> list[tuple[Agreement, Tenant]]:
    """Agreements over accounts with theirs, by account; inside a crossing only. 500 at most."""
    rows = Agreement.objects.select_related("tenant").order_by("tenant__name", "code", "-version")
    return [(row, row.tenant) for row in rows[:500]]


def agreements_waiting() -> list[tuple[Agreement, Tenant]]:
    """Versions that nobody has approved, with their accounts, oldest first; inside a crossing only. 20 at most."""
    rows = Agreement.objects.select_related("tenant").filter(approved_by="").order_by("created_at", "id")
    return [(row, row.tenant) for row in rows[:20]]


def overrides_of_all(day: date) -> list[tuple[EntitlementOverride, Tenant]]:
    """Overrides of entitlements that hold on a day, with their accounts; inside a crossing only."""
    rows = EntitlementOverride.objects.select_related("tenant").filter(valid_from__lte=day)
    rows = rows.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day)).order_by("tenant__name", "key")
    return [(row, row.tenant) for row in rows[:500]]


# --- places: they are tracking's, which stands above; its look-up is registered at start ---

_places: list[Callable[[Collection[str]], set[str]]] = []


def ask_places_of(answer: Callable[[Collection[str]], set[str]]) -> None:
    """The app's start registers which of some codes are known places."""
    _places[:] = [answer]


def places_known(codes: Collection[str]) -> set[str]:
    """Which of these codes are known places."""
    if not _places:
        raise RuntimeError("nobody answers for places")
    return _places[0](codes)
