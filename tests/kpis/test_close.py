"""A month closes once, at its cut, with the figures of the rules, and never changes again."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, connections

from kpis import selectors, services
from kpis.bundle import FactLine, KpiLine, facts_csv, file_entry, kpis_json, manifest
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from portal.lib.ids import digest
from portal.lib.periods import Month
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from tests.kpis.world import CUT, JOB, due, hear, numbers, utc, w1
from tests.tracking.messages import equipment, source
from tracking.services import ShipmentSpec, commitment_change, shipment_register
from tracking.types import FinalMilestone

pytestmark = [pytest.mark.walls]
MARCH = Month(2026, 3)


def close(account, at: datetime = JOB, month: Month = MARCH) -> Snapshot:
    with as_tenant(account.pk):
        return services.month_close(period=month, at=at)


@pytest.mark.req("R2.0", "R2.1", "R2.2", "R2.3", "R4.2", "M1")
def test_w1_closes_with_its_verdicts_and_bounds(acme) -> None:
    w1(acme)
    snapshot = close(acme)
    with as_tenant(acme.pk):
        outcomes = dict(SnapshotUnit.objects.filter(snapshot=snapshot).values_list("unit_id", "outcome"))
        row = SnapshotRow.objects.get(snapshot=snapshot, kpi="OTD", lane="")
        lanes = set(SnapshotRow.objects.filter(snapshot=snapshot).values_list("kpi", "lane"))
    assert outcomes == {
        "S01": "ON_TIME", "S02": "LATE", "S03": "ON_TIME", "S04": "LATE", "S05": "ON_TIME", "S06": "LATE_OPEN",
        "S07": "ON_TIME_INFERRED", "S08": "UNPROVEN", "S09": "EXCLUDED", "S10": "CARRIER_CANCELLED", "S12": "LATE",
    }  # fmt: skip
    assert (row.num, row.den, row.excluded, row.unknown) == (4, 10, 1, 1)
    assert (row.value, row.low, row.high) == ("0.400000", "0.400000", "0.500000")
    assert row.excluded_by_reason == {"CUSTOMER_CANCELLED": 1}
    assert lanes == {(kpi, lane) for kpi in ("OTD", "COMPLETENESS") for lane in ("", "CNSHA-NLRTM")}
    assert (snapshot.as_of, snapshot.published_at) == (CUT, CUT + timedelta(days=1))


@pytest.mark.req("R4.1", "M2", "M4")
def test_closing_again_returns_the_first_and_writes_nothing(acme) -> None:
    w1(acme)
    first = close(acme)
    again = close(acme, at=JOB + timedelta(days=30))
    assert first.pk == again.pk
    with as_tenant(acme.pk):
        assert Snapshot.objects.count() == 1
        assert OutboxRow.objects.filter(name="kpis.publish_snapshot").count() == 1


@pytest.mark.req("M4", "O6")
def test_two_workers_at_once_make_one_snapshot(acme) -> None:
    w1(acme)
    gate, made = threading.Barrier(3), []

    def work() -> None:
        try:
            gate.wait(10)
            made.append(close(acme).pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 3
    assert len(set(made)) == 1
    with as_tenant(acme.pk):
        assert SnapshotUnit.objects.count() == 11


@pytest.mark.req("R4.1")
def test_a_month_does_not_close_before_its_cut_and_a_quarter_of_an_hour(acme) -> None:
    w1(acme)
    with pytest.raises(services.MonthNotOver, match="2026-04-06T12:15:00Z"):
        close(acme, at=JOB - timedelta(seconds=1))


@pytest.mark.req("R2.2")
def test_a_unit_within_its_limit_keeps_the_month_open(acme) -> None:
    due(acme, "P1", due_date=date(2026, 3, 31), tol_days=30)
    with pytest.raises(services.MonthPending, match="P1"):
        close(acme)


@pytest.mark.req("X31", "R0.3")
def test_an_account_without_units_has_nothing_to_close(acme) -> None:
    with pytest.raises(services.NothingDue):
        close(acme)


@pytest.mark.req("X11", "R1.8", "I5", "M3")
def test_what_is_heard_after_the_cut_changes_nothing_of_the_closed_month(acme) -> None:
    made = w1(acme)
    snapshot = close(acme)
    line = source()
    hear(line, [equipment("DROP", n, "2026-03-30T10:00:00Z", place="NLRTM") for n in numbers(made["S06"])],
         CUT + timedelta(seconds=1))  # fmt: skip
    with as_tenant(acme.pk):
        shipment_register(
            spec=ShipmentSpec(ref="S99", final_milestone=FinalMilestone.DOOR, pol="CNSHA", pod="NLRTM",
                              final_place="NLRTM",
                              due_date=date(2026, 3, 20), confirmed_at=utc("01-10 00:00:00")),
            at=JOB + timedelta(days=3),  # registered late, dated early
        )  # fmt: skip
        found = selectors.snapshot_recompute(snapshot)
        assert (found.same, found.differences) == (True, ())
        assert list(selectors.invariant_breaches()) == []
        now = selectors.month_figures(MARCH, as_of=datetime(2026, 4, 20, tzinfo=UTC), known_at=JOB)
        assert {j.unit.unit_id: j.outcome.value for j in now.units}["S06"] == "ON_TIME"


@pytest.mark.req("X23", "X24", "X25", "R1.16")
def test_a_date_moved_in_time_by_the_customer_moves_the_month_too(acme) -> None:
    moved, late, ours = (due(acme, ref, due_date=date(2026, 3, 20)) for ref in ("M1", "M2", "M3"))
    with as_tenant(acme.pk):
        for s, at, asked in (
            (moved, utc("03-10 00:00:00"), True), (late, utc("03-25 00:00:00"), True),
            (ours, utc("03-10 00:00:00"), False),
        ):  # fmt: skip
            commitment_change(shipment=s, due_date=date(2026, 4, 10), asked_by_customer=asked, reason="later, please",
                              actor="ops", at=at)  # fmt: skip
    snapshot = close(acme)
    with as_tenant(acme.pk):
        assert set(SnapshotUnit.objects.filter(snapshot=snapshot).values_list("unit_id", flat=True)) == {"M2", "M3"}


@pytest.mark.req("P14", "R0.8")
def test_another_accounts_month_changes_nothing(acme, globex) -> None:
    w1(acme)
    w1(globex)
    one, other = close(acme), close(globex)
    assert one.facts_sha256 == other.facts_sha256
    with as_tenant(globex.pk):
        assert selectors.snapshot_get(one.public_id) is None


@pytest.mark.req("R4.1", "M2")
@pytest.mark.parametrize("table", ["kpis_snapshot", "kpis_snapshotrow", "kpis_snapshotunit"])
@pytest.mark.parametrize("statement", ["update {} set tenant_id = tenant_id", "delete from {}", "truncate {} cascade"])
@pytest.mark.parametrize("role", ["default", "owner"])
def test_the_database_refuses_any_change_of_a_closed_month(acme, table, statement, role) -> None:
    w1(acme)
    close(acme)
    with as_tenant(acme.pk), pytest.raises(DatabaseError), connections[role].cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.req("M2", "D3")
def test_the_database_refuses_a_second_snapshot_of_the_same_version(acme) -> None:
    w1(acme)
    close(acme)
    with as_tenant(acme.pk), pytest.raises(DatabaseError, match="snapshot_once"), connection.cursor() as cursor:
        cursor.execute(
            "insert into kpis_snapshot (tenant_id, public_id, period, version, as_of, closed_at, published_at, config,"
            " config_digest, reason, units, facts_sha256, kpis_sha256, manifest_digest, previous)"
            " select tenant_id, 'x', period, version, as_of, closed_at, published_at, config, config_digest, reason,"
            " units, facts_sha256, kpis_sha256, manifest_digest, previous from kpis_snapshot"
        )


@pytest.mark.req("O6")
def test_months_that_ended_long_ago_are_found_from_the_database(acme) -> None:
    w1(acme)
    with as_tenant(acme.pk):
        config = selectors.config_now()
        assert selectors.months_open(at=JOB - timedelta(minutes=1), config=config) == []
        assert selectors.months_open(at=JOB, config=config) == [MARCH]
        assert selectors.months_open(at=JOB + timedelta(days=90), config=config) == [MARCH, Month(2026, 4)]
        services.month_close(period=MARCH, at=JOB)
        assert selectors.months_open(at=JOB, config=config) == []


@pytest.mark.req("R4.9")
def test_each_manifest_names_the_one_before_it(acme) -> None:
    w1(acme)
    march, april = close(acme), close(acme, at=utc("05-20 00:00:00"), month=Month(2026, 4))
    assert march.previous == ""
    assert april.previous == march.manifest_digest


@pytest.mark.req("O7", "R3.1", "4.1")
def test_publication_is_told_once_with_a_sentence(acme) -> None:
    w1(acme)
    snapshot = close(acme)
    with as_tenant(acme.pk):
        for _n in range(2):
            services.snapshot_publish(public_id=snapshot.public_id, at=snapshot.published_at)
        told = OutboxRow.objects.get(name="kpis.snapshot_published")
    assert told.payload["summary"].startswith("10 units; on-time delivery is not published")


@pytest.mark.req("W11", "R4.7", "R4.8")
def test_the_files_of_w11_come_out_byte_for_byte() -> None:
    def line(unit: str, limit: str, op: str, final: str, outcome: str) -> FactLine:
        return FactLine(unit_id=unit, lane="CNSHA-NLRTM", due_period="2026-03", limit_utc=utc(limit), limit_op=op,
                        final_utc=utc(final), basis="ACT", outcome=outcome)  # fmt: skip

    facts = facts_csv([
        line("S03", "03-10 17:00:00", "LE", "03-10 17:00:00", "ON_TIME"),
        line("S01", "03-05 23:00:00", "LT", "03-05 22:30:00", "ON_TIME"),
        line("S02", "03-05 23:00:00", "LT", "03-05 23:00:00", "LATE"),
    ])  # fmt: skip
    kpis = kpis_json([
        KpiLine(kpi="OTD", kpi_version="1.0.0", dims={"lane": "CNSHA-NLRTM"}, period="2026-03", num=2, den=3,
                excluded=0, unknown=0, value="0.666667")
    ])  # fmt: skip
    signed = manifest(
        operator="demo", account="ACME", period="2026-03", version=1, as_of=CUT, previous=None,
        files=[file_entry("kpis.json", kpis, 1), file_entry("facts.csv", facts, 3)], kpi_definitions={"OTD": "1.0.0"},
        key_id="21fe31dfa154a261",
    )  # fmt: skip
    assert (len(facts), len(kpis), len(signed)) == (307, 147, 457)
    assert digest(signed) == "fb5528442218337e162d0ea7f9a2b54834b874949e12edbcdf9130507b36442a"
