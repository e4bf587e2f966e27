"""Tiers, entitlements and agreements hold by date, refuse contradictions, and never rewrite the past."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, connections
from django.test import Client

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from portal.web.policy import entitled
from tests.cast import START, account, person, sign_in
from tests.tiers.world import BANDS, D, agree, block, premium, spec, staff
from tiers.promises import selectors, services
from tiers.promises.models import Agreement, Subscription
from tiers.promises.registry import ENTITLEMENTS
from tiers.promises.types import CreditBlock, CreditBlockFault, Tier

pytestmark = [pytest.mark.walls]
MARCH_10 = datetime(2026, 3, 10, 9, tzinfo=UTC)


def opened(acme, tier: Tier, since: date, until: date | None = None) -> Subscription:
    with as_tenant(acme.pk):
        return services.subscription_open(tier=tier, valid_from=since, valid_to=until, at=START)


@pytest.mark.req("V01", "R5.2", "D3")
def test_the_database_refuses_two_tiers_on_one_day(acme) -> None:
    opened(acme, Tier.PRIORITY, date(2026, 1, 1), date(2026, 4, 1))
    opened(acme, Tier.PREMIUM, date(2026, 4, 1))
    with pytest.raises(services.SubscriptionOverlap, match="V01"):
        opened(acme, Tier.STANDARD, date(2026, 3, 31), date(2026, 4, 2))
    with as_tenant(acme.pk), pytest.raises(DatabaseError, match="subscription_without_overlap"):
        Subscription.objects.create(tier="PREMIUM", valid_from=date(2027, 1, 1), created_at=START, created_by="x")


@pytest.mark.req("R5.2")
@pytest.mark.parametrize(
    ("day", "tier"),
    [
        (date(2025, 12, 31), Tier.STANDARD),
        (date(2026, 1, 1), Tier.PRIORITY),
        (date(2026, 3, 31), Tier.PRIORITY),
        (date(2026, 4, 1), Tier.STANDARD),
        (date(2026, 5, 1), Tier.PREMIUM),
    ],
)
def test_terms_are_half_open_and_gaps_mean_standard(acme, day, tier) -> None:
    opened(acme, Tier.PRIORITY, date(2026, 1, 1), date(2026, 4, 1))
    opened(acme, Tier.PREMIUM, date(2026, 5, 1))
    with as_tenant(acme.pk):
        assert selectors.tier_at(day) == tier


@pytest.mark.req("R5.2", "R5.1")
def test_an_entitlement_begins_at_midnight_of_the_accounts_own_zone() -> None:
    tokyo = account("TOKYO", zone="Asia/Tokyo")
    opened(tokyo, Tier.PREMIUM, date(2026, 3, 10))
    with as_tenant(tokyo.pk):
        assert not entitled("service_credits", datetime(2026, 3, 9, 14, 59, 59, tzinfo=UTC))
        assert entitled("service_credits", datetime(2026, 3, 9, 15, 0, tzinfo=UTC))
        assert entitled("portal_core", datetime(2020, 1, 1, tzinfo=UTC))
        assert not entitled("no_such_key", MARCH_10)


@pytest.mark.req("5.1")
def test_an_account_can_have_more_or_less_than_its_tier_for_a_while(acme) -> None:
    opened(acme, Tier.PREMIUM, date(2026, 1, 1))
    with as_tenant(acme.pk):
        services.entitlement_override(key="webhooks", value=False, valid_from=date(2026, 3, 1),
                                      valid_to=date(2026, 3, 11), at=START, actor="admin")  # fmt: skip
        assert not entitled("webhooks", MARCH_10)
        assert entitled("webhooks", datetime(2026, 3, 12, tzinfo=UTC))
        with pytest.raises(services.UnknownEntitlement):
            services.entitlement_override(key="nope", value=True, valid_from=date(2026, 3, 1), valid_to=None, at=START,
                                          actor="admin")  # fmt: skip
        with pytest.raises(services.SubscriptionOverlap):
            services.entitlement_override(key="webhooks", value=True, valid_from=date(2026, 3, 10), valid_to=None,
                                          at=START, actor="admin")  # fmt: skip


@pytest.mark.req("5.1")
def test_each_tier_includes_the_ones_before_it() -> None:
    assert len(list(ENTITLEMENTS)) == 13
    for switch in ENTITLEMENTS:
        assert [switch.default[t] for t in Tier] == sorted(switch.default[t] for t in Tier), switch.key


# --- changes (R5.3) ---


@pytest.mark.req("R5.3", "L1")
def test_an_upgrade_holds_from_today_and_closes_the_running_term(acme) -> None:
    first = opened(acme, Tier.PRIORITY, date(2026, 1, 1))
    with as_tenant(acme.pk):
        services.subscription_change(tier=Tier.PREMIUM, at=MARCH_10, actor="Anna")
        first.refresh_from_db()
        assert first.valid_to == date(2026, 3, 10)
        assert selectors.tier_at(date(2026, 3, 9)) == Tier.PRIORITY
        assert selectors.tier_at(date(2026, 3, 10)) == Tier.PREMIUM
        assert AuditEntry.objects.filter(action="tier.opened", actor="Anna").count() == 1
        with pytest.raises(services.TierUnchanged):
            services.subscription_change(tier=Tier.PREMIUM, at=MARCH_10)
        with pytest.raises(services.TermInPast):
            services.subscription_change(tier=Tier.PREMIUM, on=date(2026, 3, 9), at=MARCH_10)


@pytest.mark.req("R5.3", "X45", "V03")
def test_a_downgrade_holds_from_the_first_of_next_month_and_ends_credit_agreements(acme) -> None:
    premium(acme)
    agreement = agree(acme)
    with as_tenant(acme.pk):
        for day in (date(2026, 3, 15), date(2026, 3, 1), date(2026, 4, 2)):
            with pytest.raises(services.NotFirstOfMonth):
                services.subscription_change(tier=Tier.PRIORITY, on=day, at=MARCH_10)
        services.subscription_change(tier=Tier.PRIORITY, at=MARCH_10)
        agreement.refresh_from_db()
        assert agreement.valid_to == date(2026, 4, 1)
        assert selectors.tier_at(date(2026, 3, 31)) == Tier.PREMIUM
        assert selectors.tier_at(date(2026, 4, 1)) == Tier.PRIORITY


@pytest.mark.req("R5.2")
def test_a_later_change_of_mind_leaves_the_withdrawn_term_empty(acme) -> None:
    opened(acme, Tier.PREMIUM, date(2026, 1, 1))
    with as_tenant(acme.pk):
        services.subscription_change(tier=Tier.STANDARD, at=MARCH_10)
        services.subscription_change(tier=Tier.PRIORITY, on=date(2026, 4, 1), at=MARCH_10)
        assert selectors.tier_at(date(2026, 4, 1)) == Tier.PRIORITY
        assert [s.tier for s in selectors.subscription_rows()] == ["PREMIUM", "PRIORITY"]


@pytest.mark.req("R5.2", "1.5")
@pytest.mark.parametrize("change", ["tier = 'PREMIUM'", "valid_from = '2020-01-01'"])
@pytest.mark.parametrize("role", ["default", "owner"])
def test_the_past_of_a_term_is_not_edited(acme, change, role) -> None:
    opened(acme, Tier.PRIORITY, date(2026, 1, 1))
    for sql in (f"update tiers_subscription set {change}", "delete from tiers_subscription"):
        with as_tenant(acme.pk), pytest.raises(DatabaseError), connections[role].cursor() as cursor:
            cursor.execute(sql)


# --- agreements (5.2) ---


def errors(acme, **more) -> dict[str, list[str]]:
    with as_tenant(acme.pk):
        try:
            services.agreement_prepare(spec=spec(**more), preparer=staff(Role.ACCOUNT_MANAGER), at=START)
        except ValidationError as fault:
            return {field: [m.split(":")[0] for m in listed] for field, listed in fault.message_dict.items()}
    return {}


@pytest.mark.req("V02", "V04", "V05", "V06", "V07", "V08", "V10", "V12", "V14", "V15", "V16", "V20")
@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"credit": block(bands=BANDS[:2])}, "bands", "V04"),
        ({"credit": block(bands=(BANDS[0], (None, D(92), D(10))))}, "bands", "V04"),
        ({"credit": block(bands=((D(93), D(94), D(5)), (None, D(93), D(10))))}, "bands", "V04"),
        ({"credit": block(bands=((D(93), D(95), D(9)), (None, D(93), D(8))))}, "bands", "V05"),
        ({"credit": block(bands=((None, D(95), D(101)),))}, "bands", "V06"),
        ({"credit": block(lane_cap_pct=D(101))}, "lane_cap_pct", "V06"),
        ({"credit": block(lane_cap_abs=D("-1"))}, "lane_cap_abs", "V06"),
        ({"credit": block(currency="JPY", year_cap=D("10.5"))}, "year_cap", "V06"),
        ({"tol_days": 5}, "tol_days", "V07"),
        ({"target": D(100), "credit": block(bands=((None, D(100), D(5)),))}, "target", "V08"),
        ({"valid_to": date(2026, 1, 1)}, "valid_to", "V10"),
        ({"origins": ["XXXXX"]}, "origins", "V12"),
        ({"credit": block(currency="usdollar")}, "currency", "V12"),
        ({"credit": block(charge_codes=())}, "charge_codes", "V12"),
        ({"credit": block(min_volume=0)}, "min_volume", "V14"),
        ({"credit": block(min_payout=D(20), account_month_cap=D(10))}, "min_payout", "V15"),
        ({"credit": block(stacking="SUM", lane_cap_pct=None)}, "stacking", "V16"),
        ({"valid_from": date(2025, 12, 1)}, "valid_from", "V20"),
        ({"target": D(101), "credit": None}, "target", "V13"),
    ],
)
def test_a_contradiction_is_named_beside_its_field(acme, more, field, code) -> None:
    premium(acme, since=date(2025, 1, 1))
    assert errors(acme, **more).get(field) == [code]


@pytest.mark.req("V03")
def test_credits_need_premium_for_the_whole_term(acme) -> None:
    opened(acme, Tier.PREMIUM, date(2026, 1, 1), date(2026, 7, 1))
    assert errors(acme)["valid_from"] == ["V03"]
    assert errors(acme, valid_to=date(2026, 7, 2))["valid_from"] == ["V03"]
    assert errors(acme, valid_to=date(2026, 7, 1)) == {}
    assert errors(acme, code="H", origins=["SGSIN"], credit=None) == {}


@pytest.mark.req("V02", "V11", "R5.4", "X46")
def test_two_agreements_cannot_match_one_unit_and_versions_follow_each_other(acme) -> None:
    premium(acme)
    first = agree(acme)
    assert errors(acme, code="H")["origins"] == ["V02"]
    assert errors(acme, code="H", origins=["CNSHA", "SGSIN"])["origins"] == ["V02"]
    assert errors(acme, code="H", mode="SEA") == {}
    assert errors(acme, valid_from=date(2026, 2, 15))["valid_from"] == ["V11"]
    second = agree(acme, valid_from=date(2026, 2, 1), target=D(96), credit=block(bands=((None, D(96), D(5)),)))
    with as_tenant(acme.pk):
        first.refresh_from_db()
    assert (second.version, first.valid_to) == (2, date(2026, 2, 1))


@pytest.mark.req("V18", "M7", "D3")
def test_a_second_person_puts_an_agreement_in_force(acme) -> None:
    premium(acme)
    one = staff(Role.ACCOUNT_MANAGER)
    with as_tenant(acme.pk):
        row, warnings = services.agreement_prepare(spec=spec(), preparer=one, at=START)
        assert [w.code for w in warnings] == ["V17"]
        assert selectors.agreements_approved() == []
        with pytest.raises(services.SamePerson):
            services.agreement_approve(public_id=row.public_id, approver=one, at=START)
        with pytest.raises(DatabaseError, match="agreement_second_person"), connection.cursor() as cursor:
            cursor.execute("update tiers_agreement set approved_by = prepared_by, approved_at = now()")
        services.agreement_approve(public_id=row.public_id, approver=staff(Role.ADMIN), at=START)
        with pytest.raises(services.AlreadyApproved):
            services.agreement_approve(public_id=row.public_id, approver=staff(Role.ADMIN), at=START)


@pytest.mark.req("1.5", "R5.5", "X46")
@pytest.mark.parametrize("change", ["target = 90", "credit = null", "valid_from = '2026-02-01'", "origins = '{SGSIN}'"])
def test_an_approved_agreement_is_never_edited(acme, change) -> None:
    premium(acme)
    agree(acme)
    for sql in (f"update tiers_agreement set {change}", "delete from tiers_agreement"):
        with as_tenant(acme.pk), pytest.raises(DatabaseError), connections["owner"].cursor() as cursor:
            cursor.execute(sql)


@pytest.mark.parametrize("data", [{"mode": "GIFT"}, {"bands": [[1]]}, {"max_pct": 1.5}, {"x": 1}, {"min_volume": True}])
def test_a_credit_block_that_cannot_be_read_names_its_part(data) -> None:
    with pytest.raises(CreditBlockFault, match=next(iter(data))):
        CreditBlock.read(data)


def test_a_credit_block_survives_storing() -> None:
    one = block(account_month_cap=Decimal("7500.00"), min_payout=D(25))
    assert CreditBlock.read(one.plain()) == one


# --- pages ---


def desk(role: Role) -> Client:
    return sign_in(Client(), person(OPERATOR_ID, role))


@pytest.mark.req("R5.3")
def test_staff_change_a_tier_and_read_why_not(acme) -> None:
    opened(acme, Tier.PREMIUM, date(2026, 1, 1))
    at = f"/ops/accounts/{acme.tenant.public_id}"
    admin = desk(Role.ADMIN)
    assert "Premium" in admin.get(at).content.decode()
    refused = admin.post(at, {"tier": "STANDARD", "on": "2026-01-02"})
    assert refused.status_code == 422
    assert "A downgrade takes effect on the first of a month" in refused.content.decode()
    asked = admin.post(at, {"tier": "PRIORITY"}).content.decode()
    for words in ("from Premium to Priority on", "Loses:", "Service credits"):
        assert words in asked
    with as_tenant(acme.pk):
        assert [s.tier for s in selectors.subscription_rows()] == ["PREMIUM"]
    assert admin.post(at, {"tier": "PRIORITY", "confirmed": "yes"}).status_code == 302
    with as_tenant(acme.pk):
        assert [s.tier for s in selectors.subscription_rows()] == ["PREMIUM", "PRIORITY"]
    assert "See what changes" not in desk(Role.FINANCE).get(at).content.decode()
    assert desk(Role.OPS).post(at, {"tier": "PREMIUM"}).status_code == 403
    assert sign_in(Client(), acme.manager).get(at).status_code == 404


@pytest.mark.req("5.2", "V18")
def test_staff_prepare_an_agreement_with_faults_beside_fields_and_a_colleague_approves(acme) -> None:
    opened(acme, Tier.PREMIUM, date(2026, 1, 1))
    at = f"/ops/accounts/{acme.tenant.public_id}/agreements"
    form = {
        "code": "sha-rtm", "origins": "cnsha, CNNGB", "destinations": "NLRTM", "mode": "SEA", "final_milestone": "DOOR",
        "kpi": "OTD", "target": "95", "valid_from": "2031-01-01", "has_credit": "on", "credit_mode": "STEP",
        "bands": "93 - 95: 5\n90 - 93: 10", "min_volume": "20", "charge_codes": "FREIGHT, BAF", "lane_cap_pct": "15",
        "account_month_cap": "7500", "currency": "USD",
    }  # fmt: skip
    preparer = desk(Role.ACCOUNT_MANAGER)
    assert preparer.get(f"{at}/new").status_code == 200
    refused = preparer.post(f"{at}/new", form)
    assert refused.status_code == 422
    assert "V04: The last band must be open" in refused.content.decode()
    assert "is no band" in preparer.post(f"{at}/new", {**form, "bands": "nonsense"}).content.decode()
    made = preparer.post(f"{at}/new", {**form, "bands": form["bands"] + "\n* - 90: 20"})
    assert made.status_code == 302
    with as_tenant(acme.pk):
        row = Agreement.objects.get()
        assert (row.code, row.lane, row.block.charge_codes) == ("SHA-RTM", "CNNGB+CNSHA-NLRTM", ("BAF", "FREIGHT"))
    assert "a colleague approves it" in preparer.get(made["Location"]).content.decode()
    assert desk(Role.ADMIN).post(made["Location"]).status_code == 302
    with as_tenant(acme.pk):
        assert Agreement.objects.get().approved_by
    listed = desk(Role.OPS).get("/ops/agreements").content.decode()
    assert acme.tenant.name in listed
    assert desk(Role.FINANCE).get(f"{at}/new").status_code == 403
    again = preparer.get(f"{at}/new?from={row.public_id}").content.decode()
    assert "* - 90: 20" in again


def test_the_matrix_and_the_accounts_are_shown_to_staff_only(acme) -> None:
    opened(acme, Tier.PRIORITY, date(2026, 1, 1))
    ops = desk(Role.OPS)
    assert "Monthly KPI snapshots" in ops.get("/ops/tiers").content.decode()
    found = ops.get(f"/ops/accounts?q={acme.tenant.code}").content.decode()
    assert acme.tenant.public_id in found
    assert acme.tenant.public_id not in ops.get(f"/ops/accounts?q={acme.tenant.code}&tier=PREMIUM").content.decode()
    for address in ("/ops/tiers", "/ops/accounts", "/ops/agreements"):
        assert sign_in(Client(), acme.manager).get(address).status_code == 404
