"""Setting up the demo's portal before its history begins: operator, places, people, sources, tiers, agreements.

The same services do it that the pages use. The history itself is fed by seed.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from portal.account.services import member_create
from portal.demo.people import FEEDS, OPERATOR, PASSWORD, PEOPLE, Feed
from portal.demo.world import ACCOUNTS, INLAND, SHANGHAI_ROTTERDAM
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_id_of_code
from portal.tenancy.services import installation_create, tenant_create
from tiers.promises.services import AgreementSpec, agreement_approve, agreement_prepare, subscription_open
from tiers.promises.types import CreditBlock, Tier
from tracking.models import Place
from tracking.services import places_load, source_create

D = Decimal
BANDS = ((D(93), D(95), D(5)), (D(90), D(93), D(10)), (None, D(90), D(20)))


@dataclass(slots=True)
class Settled:
    """What later steps need: tenants by code, members by e-mail, keys by source."""

    tenants: dict[str, int] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def scope_of(self, feed: Feed) -> int:
        """Where a source belongs."""
        return self.tenants[feed.account] if feed.account else OPERATOR_ID


def settle(at: datetime) -> Settled:
    """Everything that stands before the first booking."""
    installation_create(
        name="Meridian Forwarding", code=OPERATOR.lower(), zone="Europe/Amsterdam", currency="USD", at=at
    )
    places_load()
    Place.objects.bulk_create(
        [Place(code=s.code, name=s.name, country=s.country, zone=s.zone, lat=D(s.lat), lon=D(s.lon)) for s in INLAND],
        ignore_conflicts=True,
    )
    done = Settled()
    for plan in ACCOUNTS:
        done.tenants[plan.code] = tenant_create(code=plan.code, name=plan.name, at=at).pk
    for person in PEOPLE:
        done.members[person.email] = member_create(
            tenant_id=done.tenants.get(person.account, OPERATOR_ID), email=person.email, name=person.name,
            role=person.role, password=PASSWORD, totp_secret=person.totp_secret, at=at,
        )  # fmt: skip
    for feed in FEEDS:
        with as_tenant(done.scope_of(feed)):
            source_create(key=feed.key, name=feed.name, kind=feed.kind, secret=feed.dcsa_secret, at=at)
    done.keys = keys_make(done, at)
    for plan in ACCOUNTS:
        with as_tenant(done.tenants[plan.code]):
            subscription_open(tier=Tier(plan.tier), valid_from=at.date().replace(day=1), at=at)
    _agree(done, at)
    return done


def keys_make(done: Settled, at: datetime) -> dict[str, str]:
    """A fresh key for each source."""
    made = {}
    for feed in FEEDS:
        with as_tenant(done.scope_of(feed)):
            _row, made[feed.key] = key_create(
                label=f"Demo: {feed.name}", at=at, scope="events:write", source_key=feed.key
            )
    return made


def settled_before() -> Settled:
    """The tenants of a world that was made earlier."""
    found = {plan.code: tenant_id_of_code(plan.code) for plan in ACCOUNTS}
    return Settled(tenants={code: pk for code, pk in found.items() if pk is not None})


def _agree(done: Settled, at: datetime) -> None:
    """Acme's Premium lane: 95 % on time, or a share of the freight back. Prepared by sales, approved by the admin."""
    lane = SHANGHAI_ROTTERDAM
    spec = AgreementSpec(
        code="ACME-SHA-RTM", origins=[lane.pol], destinations=[lane.pod], target=D(95),
        valid_from=at.date().replace(day=1), note="Shanghai to Tilburg by way of Rotterdam",
        credit=CreditBlock(
            bands=BANDS, min_volume=20, lane_cap_pct=D(15), account_month_cap=D(25_000), year_cap=D(90_000),
            charge_codes=("FRT", "BAF"), currency="USD",
        ),
    )  # fmt: skip
    with as_tenant(done.tenants["ACME"]):
        row, _warnings = agreement_prepare(spec=spec, preparer=done.members["adam.sales@meridian.example"], at=at)
        agreement_approve(public_id=row.public_id, approver=done.members["ada.admin@meridian.example"], at=at)
