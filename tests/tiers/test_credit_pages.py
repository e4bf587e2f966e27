"""Both sides read the same receipt; money moves by two people with a fresh proof, and says what it will do."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests.cast import person, sign_in
from tests.tiers.world import CHARGES, agree, assessed, bill, close, month, premium
from tiers.credits import selectors, services
from tiers.credits.models import CreditLine


def breach(account, on_time: int = 189, late: int = 11, base: str = "84350.00") -> CreditLine:
    premium(account)
    agree(account)
    bill(account, month(account, on_time=on_time, late=late), base)
    (line,) = assessed(account, close(account))
    return line


def as_person(member) -> Client:
    return sign_in(Client(), member)


def state(account, line: CreditLine) -> str:
    with as_tenant(account.pk):
        return CreditLine.objects.get(pk=line.pk).state


@pytest.mark.req("M6")
def test_the_customer_reads_the_sentence_the_receipt_and_the_units(acme) -> None:
    line = breach(acme)
    browser = as_person(acme.member)
    page = browser.get(f"/credits/{line.public_id}").content.decode()
    said = "189 of 200 on time, 94.5 %; promised 95 %; 5 % of 84,350.00 USD = 4,217.50 USD."
    assert f"{acme.tenant.name}, CNSHA-NLRTM, March 2026: {said}" in page
    assert page.count('class="rowlink ref"') == 11
    assert "Approve" not in page
    assert "4,217.50" in browser.get("/credits").content.decode()
    assert "There is nothing to claim." in browser.get("/").content.decode()


@pytest.mark.parametrize(
    ("on_time", "late", "base", "said"),
    [
        (190, 10, "84350.00", "190 of 200 on time, 95.0 %; promised 95 %. The promise was kept; nothing is owed."),
        (16, 3, "9000.00", "Fewer than 20 units, so the agreement does not assess this month."),
        (17, 3, "12345.67", "20 % of 12,345.67 USD = 2,469.134 USD, capped for the lane at 1,851.85 USD."),
    ],
)
def test_why_nothing_or_less_is_owed_stands_in_a_sentence(acme, on_time, late, base, said) -> None:
    line = breach(acme, on_time, late, base)
    assert said in as_person(acme.member).get(f"/credits/{line.public_id}").content.decode()


@pytest.mark.req("M7", "A5", "6.5")
def test_two_people_take_a_line_from_computed_to_set_off(acme) -> None:
    line = breach(acme)
    first, second = as_person(person(OPERATOR_ID, Role.ACCOUNT_MANAGER)), as_person(person(OPERATOR_ID, Role.FINANCE))
    at = f"/ops/accounts/{acme.tenant.public_id}/credits/{line.public_id}"
    assert "to review. Another person of finance then decides." in first.get(at).content.decode()
    assert first.post(f"{at}/review").status_code == 302
    assert state(acme, line) == "IN_REVIEW"
    page = second.get(at).content.decode()
    assert "4,217.50 USD for March 2026" in page
    for step, then in (("approve", "APPROVED"), ("issue", "ISSUED"), ("apply", "APPLIED")):
        assert second.post(f"{at}/{step}").status_code == 302
        assert state(acme, line) == then
    assert "CREDITS_PAYABLE" in second.get(at).content.decode()
    with as_tenant(acme.pk):
        assert selectors.balances("USD")["RECEIVABLE"] == -421_750
        assert list(selectors.invariant_breaches()) == []


@pytest.mark.req("6.5")
def test_the_person_who_sent_it_sees_why_the_button_is_not_there(acme) -> None:
    line = breach(acme)
    finance = person(OPERATOR_ID, Role.FINANCE)
    browser = as_person(finance)
    at = f"/ops/accounts/{acme.tenant.public_id}/credits/{line.public_id}"
    browser.post(f"{at}/review")
    assert "another person of finance decides" in browser.get(at).content.decode()
    said = browser.post(f"{at}/approve", follow=True).content.decode()
    assert "cannot decide about it" in said
    assert state(acme, line) == "IN_REVIEW"


def test_a_rejection_without_a_reason_is_refused_on_the_page(acme) -> None:
    line = breach(acme)
    at = f"/ops/accounts/{acme.tenant.public_id}/credits/{line.public_id}"
    as_person(person(OPERATOR_ID, Role.FINANCE)).post(f"{at}/review")
    second = as_person(person(OPERATOR_ID, Role.FINANCE))
    assert "Say why" in second.post(f"{at}/reject", {"reason": " "}, follow=True).content.decode()
    second.post(f"{at}/reject", {"reason": "Billed twice"})
    assert "Rejected: Billed twice" in as_person(acme.manager).get(f"/credits/{line.public_id}").content.decode()


@pytest.mark.req("T6", "R5.1")
@pytest.mark.parametrize(
    ("role", "step", "status"),
    [(Role.OPS, "review", 403), (Role.ACCOUNT_MANAGER, "approve", 403), (Role.ADMIN, "approve", 403),
     (Role.OPS, "issue", 403)],
)  # fmt: skip
def test_other_roles_cannot_take_the_step(acme, role, step, status) -> None:
    line = breach(acme)
    at = f"/ops/accounts/{acme.tenant.public_id}/credits/{line.public_id}/{step}"
    assert as_person(person(OPERATOR_ID, role)).post(at).status_code == status
    assert as_person(acme.manager).post(at).status_code == 404


@pytest.mark.req("T6", "R5.1", "R5.3")
def test_credits_are_the_accounts_own_and_stay_after_premium(acme, globex) -> None:
    line = breach(acme)
    premium(globex)
    assert as_person(globex.member).get(f"/credits/{line.public_id}").status_code == 404
    assert as_person(globex.member).get("/credits").status_code == 200
    from datetime import date

    from tiers.promises.services import subscription_change
    from tiers.promises.types import Tier

    with as_tenant(acme.pk):
        subscription_change(tier=Tier.STANDARD, on=date(2026, 5, 1), at=CHARGES)
    assert as_person(acme.member).get(f"/credits/{line.public_id}").status_code == 200


def test_the_desk_lists_credits_over_accounts_by_state(acme) -> None:
    line = breach(acme)
    finance = as_person(person(OPERATOR_ID, Role.FINANCE))
    listed = finance.get("/ops/credits?state=COMPUTED").content.decode()
    assert line.public_id in listed
    assert acme.tenant.name in listed
    assert line.public_id not in finance.get("/ops/credits?state=APPROVED").content.decode()
    assert "Credit to send to review" in finance.get("/").content.decode()
    assert as_person(acme.manager).get("/ops/credits").status_code == 404
    with as_tenant(acme.pk):
        services.credit_send_to_review(
            public_id=line.public_id, actor=person(OPERATOR_ID, Role.FINANCE), at=CHARGES
        )  # fmt: skip
