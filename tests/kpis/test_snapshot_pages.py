"""What customers and staff see of a closed month, and what stays shut."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from kpis import selectors
from kpis.services import month_close
from portal.lib import clock
from portal.lib.ids import digest
from portal.lib.periods import Month
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests.cast import START, person, sign_in
from tests.kpis.world import JOB, w1
from tests.tiers import world
from tiers.promises.services import subscription_change, subscription_open
from tiers.promises.types import Tier


def tier(account, name: Tier, since: date = date(2026, 1, 1)) -> None:
    with as_tenant(account.pk):
        subscription_open(tier=name, valid_from=since, at=START)


def march(account):
    with as_tenant(account.pk):
        return month_close(period=Month(2026, 3), at=JOB)


def as_person(member) -> Client:
    return sign_in(Client(), member)


@pytest.mark.req("R3.1", "R0.6")
def test_customers_do_not_read_a_figure_that_the_data_cannot_carry_and_staff_do(acme) -> None:
    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    page = as_person(acme.member).get(f"/snapshots/{snapshot.public_id}").content.decode()
    assert "not published: too many milestones are missing" in page
    assert "40.0" not in page
    assert "S06" in page
    assert "Late, under way" in page
    desk = as_person(person(OPERATOR_ID, Role.OPS))
    page = desk.get(f"/ops/accounts/{acme.tenant.public_id}/snapshots/{snapshot.public_id}").content.decode()
    assert "40.0" in page
    assert "40.0 to 50.0 %" in page


@pytest.mark.req("R5.1", "R5.3")
def test_a_month_published_while_entitled_stays_open_after_a_downgrade(acme) -> None:
    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    with as_tenant(acme.pk):
        subscription_change(tier=Tier.STANDARD, at=datetime(2026, 5, 10, tzinfo=UTC))
        june = month_close(period=Month(2026, 4), at=datetime(2026, 6, 20, tzinfo=UTC))  # published as Standard
    browser = as_person(acme.member)
    assert browser.get(f"/snapshots/{snapshot.public_id}").status_code == 200
    assert browser.get(f"/snapshots/{june.public_id}").status_code == 404
    assert browser.get("/snapshots").content.decode().count("data-href") == 1


@pytest.mark.req("R5.1", "T6")
def test_who_is_not_entitled_or_not_theirs_sees_nothing(acme, globex) -> None:
    w1(acme)
    snapshot = march(acme)
    assert as_person(acme.member).get("/snapshots").status_code == 403
    tier(globex, Tier.PREMIUM)
    other = as_person(globex.member)
    for file in ("", "/facts.csv", "/kpis.json"):
        assert other.get(f"/snapshots/{snapshot.public_id}{file}").status_code == 404


@pytest.mark.req("4.1")
def test_customers_see_a_month_a_day_after_its_cut(acme) -> None:
    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    browser = as_person(acme.member)
    with clock.set_to(datetime(2026, 4, 7, 11, 59, tzinfo=UTC)):
        browser = sign_in(Client(), acme.member)
        assert browser.get(f"/snapshots/{snapshot.public_id}").status_code == 404
    with clock.set_to(datetime(2026, 4, 7, 12, 0, tzinfo=UTC)):
        assert browser.get(f"/snapshots/{snapshot.public_id}").status_code == 200


@pytest.mark.req("R4.7", "M2", "X3", "L1")
def test_the_files_are_the_closed_bytes_and_each_download_is_recorded(acme) -> None:
    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    browser = as_person(acme.member)
    facts = browser.get(f"/snapshots/{snapshot.public_id}/facts.csv")
    kpis = browser.get(f"/snapshots/{snapshot.public_id}/kpis.json")
    assert (digest(facts.content), digest(kpis.content)) == (snapshot.facts_sha256, snapshot.kpis_sha256)
    assert facts["Content-Disposition"] == f'attachment; filename="{acme.tenant.code}-2026-03-v1-facts.csv"'
    assert facts.content.splitlines()[1] == (
        b"S01,CNSHA-NLRTM,2026-03,2026-03-05T23:00:00Z,LT,2026-03-05T22:30:00Z,ACT,ON_TIME"
    )
    with as_tenant(acme.pk):
        assert AuditEntry.objects.filter(action="snapshot.downloaded", object_id=snapshot.public_id).count() == 2


def test_units_are_narrowed_by_verdict_and_lane_and_paged(acme) -> None:
    tier(acme, Tier.PREMIUM)
    made = world.month(acme, on_time=60, late=3)
    snapshot = world.close(acme)
    browser = as_person(acme.member)
    first = browser.get(f"/snapshots/{snapshot.public_id}").content.decode()
    assert made[0].ref in first
    assert made[59].ref not in first
    assert "95.2" in first
    late = browser.get(f"/snapshots/{snapshot.public_id}?outcome=LATE&lane=CNSHA-NLRTM").content.decode()
    assert made[62].ref in late
    assert made[0].ref not in late
    with as_tenant(acme.pk):
        page, older, newer = selectors.unit_page(snapshot, after=made[49].ref, size=50)
        assert (page[0].unit_id, older, newer) == (made[50].ref, None, made[50].ref)


def test_the_home_page_shows_the_running_month_as_provisional_and_the_last_closed_one(acme) -> None:
    tier(acme, Tier.PREMIUM)
    world.month(acme, on_time=17, late=3)
    world.close(acme)
    with clock.set_to(datetime(2026, 4, 10, tzinfo=UTC)):
        page = sign_in(Client(), acme.member).get("/").content.decode()
    assert "provisional" in page
    assert "March 2026: 17 of 20" in page
    assert "85.0" in page
