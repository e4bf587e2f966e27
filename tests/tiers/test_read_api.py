"""Systems read of credits what customers read on the receipt: each step of the sum, who decided, what was posted."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from portal.tenancy.context import as_tenant
from portal.tenancy.models import Role
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tiers.test_credit_pages import breach
from tests.tiers.world import CHARGES, Month, agree, assessed, bill, close, month, premium, staff
from tiers.credits import services

LIST = "/api/v1/credits"


def system(account):
    return client_of(None, key=key_of(account))


@pytest.mark.req("M6", "R6.7")
def test_the_sum_can_be_redone_from_its_steps(acme) -> None:
    line = breach(acme)
    client = system(acme)
    (row,) = client.get(LIST).json()["items"]
    whole = client.get(f"{LIST}/{line.public_id}").json()
    assert {name: whole[name] for name in row} == row
    assert (row["amount"], row["currency"], row["state"]) == ("4217.50", "USD", "COMPUTED")
    assert (row["numerator"], row["denominator"], row["target"], row["reached"]) == (189, 200, "95", "94.5")
    steps = {s["code"]: s for s in whole["steps"]}
    base, pct = Fraction(steps["BASE"]["result"]), Fraction(steps["BAND"]["result"])
    assert Fraction(steps["RAW"]["result"]) == base * pct / 100 == Fraction(Decimal(row["amount"]))
    assert all(s["rule"].startswith("R6.") for s in whole["steps"])
    assert (whole["missed_total"], len(whole["missed"])) == (11, 11)
    assert {u["outcome"] for u in whole["missed"]} == {"LATE"}
    assert "189 of 200 on time" in whole["sentence"]


@pytest.mark.req("M7")
def test_who_decided_is_told_by_name_and_never_by_address(acme) -> None:
    line = breach(acme)
    first, second = staff(Role.ACCOUNT_MANAGER), staff(Role.FINANCE)
    with as_tenant(acme.pk):
        services.credit_send_to_review(public_id=line.public_id, actor=first, at=CHARGES)
        services.credit_approve(public_id=line.public_id, actor=second, at=CHARGES)
    answer = system(acme).get(f"{LIST}/{line.public_id}")
    whole = answer.json()
    assert [(step["state"], step["by"]) for step in whole["history"]] == [
        ("COMPUTED", ""), ("IN_REVIEW", first.name), ("APPROVED", second.name),
    ]  # fmt: skip
    assert "@" not in answer.content.decode()
    (posting,) = whole["postings"]
    assert (posting["debit"], posting["credit"], posting["amount"]) == ("CREDIT_COST", "CREDITS_PAYABLE", "4217.50")


def test_lines_stand_by_month_and_are_narrowed_and_paged(acme) -> None:
    premium(acme)
    agree(acme)
    for period in (Month(2026, 2), Month(2026, 3)):
        bill(acme, month(acme, on_time=17, late=3, month=period), "9000.00")
        assessed(acme, close(acme, period))
    client = system(acme)
    rows = client.get(LIST).json()["items"]
    assert [r["month"] for r in rows] == ["2026-03", "2026-02"]
    assert client.get(LIST, {"order": "month"}).json()["items"] == rows[::-1]
    assert client.get(LIST, {"month": "2026-02"}).json()["items"] == rows[1:]
    assert client.get(LIST, {"state": "MET"}).json()["items"] == []
    first = client.get(LIST, {"limit": 1}).json()
    assert first["items"] == rows[:1]
    assert client.get(LIST, {"limit": 1, "cursor": first["next"]}).json()["items"] == rows[1:]


@pytest.mark.req("R5.1", "T6")
def test_credits_are_told_to_their_account_and_to_tiers_that_have_them(acme, globex) -> None:
    line = breach(acme)
    premium(globex)
    other = system(globex)
    assert other.get(LIST).json()["items"] == []
    answers = [other.get(f"{LIST}/{name}") for name in (line.public_id, "0" * 20)]
    assert [a.status_code for a in answers] == [404, 404]
    bodies = [{k: v for k, v in a.json().items() if k != "correlation_id"} for a in answers]
    assert bodies[0] == bodies[1]


def test_priority_reads_the_api_and_no_credits(acme) -> None:
    from tests.tracking.pages import tiered

    tiered(acme, "PRIORITY")
    client = system(acme)
    assert client.get("/api/v1/shipments").status_code == 200
    refused = client.get(LIST)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_entitled")
