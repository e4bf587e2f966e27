"""Systems read of closed months what customers read on the pages, and what stays shut there stays shut here."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from kpis.services import month_close
from portal.lib import clock
from portal.lib.ids import digest
from portal.lib.periods import Month
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry
from tests.apiworld import key_of
from tests.cast import START
from tests.doors import client_of
from tests.kpis.world import JOB, w1
from tests.tiers import world
from tiers.promises.services import subscription_change, subscription_open
from tiers.promises.types import Tier

MONTHS, KPIS = "/api/v1/snapshots", "/api/v1/kpis"


def tier(account, name: Tier, since: date = date(2026, 1, 1)) -> None:
    with as_tenant(account.pk):
        subscription_open(tier=name, valid_from=since, at=START)


def march(account) -> Any:
    with as_tenant(account.pk):
        return month_close(period=Month(2026, 3), at=JOB)


def system(account) -> Any:
    return client_of(None, key=key_of(account))


@pytest.mark.req("R3.1", "R0.3")
def test_a_figure_that_the_data_cannot_carry_is_not_told(acme) -> None:
    tier(acme, Tier.PREMIUM)
    w1(acme)
    snapshot = march(acme)
    client = system(acme)
    for figure in client.get(KPIS).json()["items"]:
        assert (figure["state"], figure["grade"]) == ("NOT_PUBLISHED", "C")
        assert [figure[name] for name in ("value", "low", "high", "numerator", "unknown")] == [None] * 5
        assert figure["denominator"] in (9, 10)
        assert figure["grade_reasons"]
    whole = client.get(f"{MONTHS}/{snapshot.public_id}").json()
    assert {f["state"] for f in whole["figures"] + whole["lanes"]} == {"NOT_PUBLISHED"}


@pytest.mark.req("R0.6")
def test_few_units_are_counted_and_not_rated(acme) -> None:
    tier(acme, Tier.PREMIUM)
    world.month(acme, on_time=7, late=1)
    world.close(acme)
    otd = system(acme).get(KPIS, {"kpi": "OTD", "whole": "true"}).json()["items"]
    told = [(f["state"], f["value"], f["numerator"], f["denominator"], f["lane"]) for f in otd]
    assert told == [("FEW_UNITS", None, 7, 8, None)]


def test_figures_stand_by_month_the_account_before_its_lanes_and_are_narrowed(acme) -> None:
    tier(acme, Tier.PREMIUM)
    for month in (Month(2026, 2), Month(2026, 3)):
        world.month(acme, on_time=17, late=3, month=month)
        world.close(acme, month)
    client = system(acme)
    rows = client.get(KPIS).json()["items"]
    assert [(r["month"], r["lane"], r["kpi"]) for r in rows] == [
        (month, lane, kpi)
        for month in ("2026-03", "2026-02")
        for lane in (None, "CNSHA-NLRTM")
        for kpi in ("OTD", "COMPLETENESS")
    ]
    assert (rows[0]["value"], rows[0]["state"]) == ("0.850000", "PUBLISHED")
    assert {r["month"] for r in client.get(KPIS, {"month": "2026-02"}).json()["items"]} == {"2026-02"}
    assert {r["lane"] for r in client.get(KPIS, {"lane": "CNSHA-NLRTM"}).json()["items"]} == {"CNSHA-NLRTM"}
    assert client.get(KPIS, {"lane": "CNSHA-NLRTM", "whole": "true"}).json()["items"] == client.get(
        KPIS, {"whole": "true"}
    ).json()["items"]  # fmt: skip
    seen, cursor = [], None
    while True:
        page = client.get(KPIS, {"limit": 3, "order": "month", **({"cursor": cursor} if cursor else {})}).json()
        seen, cursor = seen + page["items"], page["next"]
        if cursor is None:
            break
    assert seen == rows[4:] + rows[:4]


@pytest.mark.req("R5.1", "R5.3")
def test_a_month_published_while_entitled_stays_open_while_the_api_does(acme) -> None:
    """The API itself is asked for now; of months, whether they were included when they were published."""
    from tiers.promises.models import EntitlementOverride

    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    with as_tenant(acme.pk):
        subscription_change(tier=Tier.STANDARD, at=datetime(2026, 5, 10, tzinfo=UTC))
        june = month_close(period=Month(2026, 4), at=datetime(2026, 6, 20, tzinfo=UTC))  # published as Standard
    client = system(acme)
    assert client.get(MONTHS).status_code == 403
    with as_tenant(acme.pk):
        EntitlementOverride.objects.create(
            key="read_api", value=True, valid_from=date(2026, 1, 1), created_at=START, created_by="test"
        )
    assert [row["id"] for row in client.get(MONTHS).json()["items"]] == [snapshot.public_id]
    assert client.get(f"{MONTHS}/{snapshot.public_id}").status_code == 200
    for address in ("", "/units", "/files/facts.csv"):
        assert client.get(f"{MONTHS}/{june.public_id}{address}").status_code == 404
    assert {row["snapshot"] for row in client.get(KPIS).json()["items"]} == {snapshot.public_id}


@pytest.mark.req("T6")
def test_anothers_month_answers_like_none(acme, globex) -> None:
    for account in (acme, globex):
        tier(account, Tier.PREMIUM)
    world.month(globex, on_time=17, late=3)
    theirs = world.close(globex)
    client = system(acme)
    for address in ("", "/units", "/files/facts.csv", "/files/kpis.json"):
        other = client.get(f"{MONTHS}/{theirs.public_id}{address}")
        none = client.get(f"{MONTHS}/{'0' * 20}{address}")
        assert (other.status_code, none.status_code) == (404, 404)
        bodies = [{k: v for k, v in a.json().items() if k != "correlation_id"} for a in (other, none)]
        assert bodies[0] == bodies[1]
    assert client.get(MONTHS).json()["items"] == client.get(KPIS).json()["items"] == []


@pytest.mark.req("4.1")
def test_a_month_is_told_from_its_publication_on(acme) -> None:
    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    key = key_of(acme)
    for at, status in ((datetime(2026, 4, 7, 11, 59, tzinfo=UTC), 404), (datetime(2026, 4, 7, 12, tzinfo=UTC), 200)):
        with clock.set_to(at):
            client = client_of(None, key=key)
            assert client.get(f"{MONTHS}/{snapshot.public_id}").status_code == status
            assert len(client.get(MONTHS).json()["items"]) == (status == 200)
            assert len(client.get(KPIS).json()["items"]) == (4 if status == 200 else 0)


@pytest.mark.req("R4.7", "L1")
def test_the_files_are_the_closed_bytes_and_each_download_names_the_key(acme) -> None:
    tier(acme, Tier.PRIORITY)
    w1(acme)
    snapshot = march(acme)
    client = system(acme)
    told = client.get(f"{MONTHS}/{snapshot.public_id}").json()["files"]
    assert {f["name"]: f["sha256"] for f in told} == {
        "facts.csv": snapshot.facts_sha256, "kpis.json": snapshot.kpis_sha256,
    }  # fmt: skip
    for file in told:
        answer = client.get(file["href"])
        assert digest(answer.content) == file["sha256"]
        name = f"{acme.tenant.code}-2026-03-v1-{file['name']}"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    with as_tenant(acme.pk):
        rows = AuditEntry.objects.filter(action="snapshot.downloaded", object_id=snapshot.public_id)
        assert set(rows.values_list("actor", flat=True)) == {"key system"}
        assert rows.count() == 2


def test_the_units_of_a_month_are_narrowed_and_paged_as_on_its_page(acme) -> None:
    tier(acme, Tier.PREMIUM)
    made = world.month(acme, on_time=17, late=3)
    snapshot = world.close(acme)
    client, address = system(acme), f"{MONTHS}/{snapshot.public_id}/units"
    late = client.get(address, {"outcome": "LATE", "lane": "CNSHA-NLRTM"}).json()["items"]
    assert [u["unit_id"] for u in late] == [s.ref for s in made[17:]]
    assert [u["shipment"] for u in late] == [s.public_id for s in made[17:]]
    assert client.get(address, {"lane": "SGSIN-NLRTM"}).json()["items"] == []
    first = client.get(address, {"limit": 12}).json()
    second = client.get(address, {"limit": 12, "cursor": first["next"]}).json()
    assert [u["unit_id"] for u in first["items"] + second["items"]] == [s.ref for s in made]
    assert (first["previous"], second["next"]) == (None, None)
    assert client.get(address, {"limit": 12, "cursor": second["previous"]}).json()["items"] == first["items"]
