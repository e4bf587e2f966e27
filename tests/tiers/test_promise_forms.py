"""What a hurried or hostile person types into the forms of promises: a word beside the field, never a fault (W8)."""

from __future__ import annotations

import pytest
from django.urls import reverse

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tiers.world import premium
from tiers.credits.models import CreditLine
from tiers.promises.models import Agreement, Subscription

pytestmark = pytest.mark.req("W6", "W8")
GIVEN = {
    "code": "L1", "origins": "CNSHA", "destinations": "NLRTM", "mode": "SEA", "kpi": "OTD", "target": "95",
    "valid_from": "2026-12-01", "tol_days": "0", "tol_hours": "0", "has_credit": "on", "credit_mode": "STEP",
    "bands": "93 - 95: 5\n* - 93: 10", "charge_codes": "FREIGHT", "currency": "USD", "min_volume": "20",
}  # fmt: skip
NO_NUMBERS = (
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e-999999999",
    "1e999999999999999999",
    "\0",
    "0x10",
    "ß",
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_said_beside_its_field(acme, text) -> None:
    premium(acme)
    client = client_of(cast.person(OPERATOR_ID, Role.ACCOUNT_MANAGER))
    url = reverse("ops:promises_agreement_new", kwargs={"account": acme.tenant.public_id})
    for name, typed in (
        ("target", text), ("tol_days", text), ("max_pct", text), ("lane_cap_abs", text), ("min_volume", text),
        ("bands", f"{text} - 95: 5"), ("bands", f"93 - 95: 5\n* - 93: {text}"), ("bands", f"* - 95: {text}"),
    ):  # fmt: skip
        assert client.post(url, {**GIVEN, name: typed}).status_code == 422, (name, typed)
    for name in ("origins", "destinations"):
        assert client.post(url, {**GIVEN, name: f"XX{text}"}).status_code == 422, (name, text)
    with as_tenant(acme.pk):
        assert not Agreement.objects.exists()


@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "9999-12-01", "9999-12-31", "2026-02-30", "10000-01-01"])
def test_a_day_without_neighbours_is_no_day(acme, day) -> None:
    premium(acme)
    client = client_of(cast.person(OPERATOR_ID, Role.ACCOUNT_MANAGER))
    url = reverse("ops:promises_agreement_new", kwargs={"account": acme.tenant.public_id})
    account = reverse("ops:promises_account", kwargs={"account": acme.tenant.public_id})
    for name in ("valid_from", "valid_to"):
        assert client.post(url, {**GIVEN, name: day}).status_code == 422
    for tier in ("STANDARD", "PRIORITY", "PREMIUM"):
        for more in ({}, {"confirmed": "yes"}):
            assert client.post(account, {"tier": tier, "on": day, **more}).status_code == 422
    with as_tenant(acme.pk):
        assert list(Subscription.objects.values_list("valid_to", flat=True)) == [None]
    assert client.get(account).status_code == 200


@pytest.mark.req("T6", "M7")
def test_a_credit_is_not_found_under_another_accounts_address(acme, globex) -> None:
    from tests.tiers.test_credit_pages import breach

    line = breach(acme)
    finance = client_of(cast.person(OPERATOR_ID, Role.FINANCE))
    wrong = f"/ops/accounts/{globex.tenant.public_id}/credits/{line.public_id}"
    assert finance.get(wrong).status_code == 404
    assert {finance.post(f"{wrong}/{step}").status_code for step in ("review", "approve", "issue", "apply")} == {404}
    with as_tenant(acme.pk):
        assert CreditLine.objects.get(pk=line.pk).state == "COMPUTED"


@pytest.mark.req("M7", "V18")
def test_a_new_name_does_not_make_a_second_person(acme) -> None:
    from tests.tiers.test_credit_pages import breach

    line, one = breach(acme), cast.person(OPERATOR_ID, Role.FINANCE)
    base = f"/ops/accounts/{acme.tenant.public_id}/credits/{line.public_id}"
    assert client_of(one).post(f"{base}/review").status_code == 302
    with as_tenant(OPERATOR_ID):
        type(one).objects.filter(pk=one.pk).update(name="Somebody Else")
        type(one.user).objects.filter(pk=one.user_id).update(email="somebody.else@example.org")
    assert client_of(one).post(f"{base}/approve").status_code == 302
    with as_tenant(acme.pk):
        assert CreditLine.objects.get(pk=line.pk).state == "IN_REVIEW"
