"""What the home page tells a manager about keys, invitations and closed months, and an administrator about sources."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from kpis.services import month_close, snapshot_publish
from portal.account.home import SOON
from portal.account.invitations import invitation_create
from portal.lib import clock
from portal.lib.periods import Month
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create, key_revoke
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.kpis import world
from tests.kpis.world import JOB
from tests.tiers.world import START, premium, spec
from tests.tracking.messages import shipment
from tests.tracking.pages import NOW
from tiers.promises.services import agreement_prepare


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def words(member) -> str:
    answer = client_of(member).get("/")
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode().split("<main", 1)[1]).split())


@pytest.fixture
def busy(acme):
    """An account that is not new any more."""
    shipment(acme)
    return acme


def key(account, label: str, days: int):
    with as_tenant(account.pk):
        return key_create(label=label, at=NOW - timedelta(days=90), expires_at=NOW + timedelta(days=days))[0]


@pytest.mark.req("A6")
def test_a_key_that_ends_or_ended_is_named_until_it_has_a_successor(busy) -> None:
    soon, _far = key(busy, "TMS", 3), key(busy, "ERP", SOON.days + 1)
    key(busy, "BI", -2)
    revoked = key(busy, "Old", 3)
    with as_tenant(busy.pk):
        key_revoke(public_id=revoked.public_id, at=NOW, actor="test")
    said = words(busy.manager)
    assert "The key “TMS” ends soon" in said
    assert "18 Mar 13:00 CET" in said
    assert "The key “BI” has ended" in said
    for other in ("ERP", "Old"):
        assert other not in said
    key(busy, "tms", 300)
    assert "TMS" not in words(busy.manager)
    assert soon.revoked_at is None
    assert "For you as manager" not in words(busy.member)


def test_invitations_that_wait_are_counted_and_the_only_manager_is_told(busy) -> None:
    with as_tenant(busy.pk):
        invitation_create(email="ina@example.com", name="Ina Berg", role="MEMBER", by=busy.manager, at=NOW)
    said = words(busy.manager)
    assert "1 invitation is not accepted yet Ina Berg" in said
    assert "You are the only manager" in said
    cast.person(busy.pk, Role.MANAGER)
    assert "You are the only manager" not in words(busy.manager)


def test_keys_of_others_are_not_named(busy, globex) -> None:
    key(globex, "Theirs", 3)
    assert "Theirs" not in words(busy.manager)


def test_a_closed_month_is_news_to_a_manager_for_a_week(acme) -> None:
    premium(acme)
    world.w1(acme)
    with as_tenant(acme.pk):
        closed = month_close(period=Month(2026, 3), at=JOB)
        snapshot_publish(public_id=closed.public_id, at=JOB)
    for days, is_news in ((2, True), (9, False)):
        with clock.set_to(closed.published_at + timedelta(days=days)):
            assert ("March 2026 is closed and ready" in words(acme.manager)) is is_news
            assert "is closed and ready" not in words(acme.member)


def test_an_administrator_hears_of_source_keys_and_of_agreements_to_approve(acme) -> None:
    premium(acme)
    admin, sales, ops = (cast.person(OPERATOR_ID, r) for r in (Role.ADMIN, Role.ACCOUNT_MANAGER, Role.OPS))
    with as_tenant(OPERATOR_ID):
        key_create(label="Feed 7", at=NOW - timedelta(days=90), expires_at=NOW + timedelta(days=3),
                   scope="events:write", source_key="feed-7")  # fmt: skip
    with as_tenant(acme.pk):
        agreement_prepare(spec=spec(), preparer=sales, at=START)
    assert "The key “Feed 7” ends soon" in words(admin)
    assert f"Agreement to approve {acme.tenant.name}, CNSHA-NLRTM, version 1" in words(admin)
    assert "Agreement that a second person must approve" in words(sales)
    for other in ("Feed 7", "Agreement to approve"):
        assert other not in words(ops)
