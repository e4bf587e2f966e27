"""Completeness, exceptions, ETA, dwell and intervals beside the worked examples (R2.4 to R2.20, R7.7, R9.2)."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from kpis.completeness import slots, summed, unit_milestones
from kpis.dwell import cohort, dwell_cell, open_ages
from kpis.exceptions import Raised, UnitExceptions, exception_rate
from kpis.intervals import newcombe, wilson
from kpis.types import Better, Kpi
from portal.lib.periods import Month
from portal.lib.registry import Registry
from tests.tracking.sightings import at, journey, sighting, utc
from tracking.milestones import derive
from tracking.rules import Role, Visit, chargeable_days, hold_is_long, hold_seconds, pair_visits
from tracking.types import Classifier, FinalMilestone, Milestone

CY, DOOR = FinalMilestone.CY, FinalMilestone.DOOR
BOX = "MSKU1234565"


@pytest.mark.req("R2.4", "R2.5")
def test_a_cy_unit_is_complete_when_its_box_went_to_the_consignee_instead_of_the_depot() -> None:
    events = [
        sighting(1, "GTIN", 1, laden=True, place="CNSHA"),
        sighting(2, "DEPA", 2, place="CNSHA"),
        sighting(3, "ARRI", 3, place="NLRTM"),
        sighting(4, "AVPU", 4, place="NLRTM"),
        sighting(5, "GTOT", 5, laden=True, place="NLRTM"),
    ]
    trip = journey(CY)

    def found(rows: list, hours: float) -> tuple[int, int]:  # type: ignore[type-arg]
        facts = derive(rows, trip, as_of=at(hours))
        judged = slots(unit_milestones(facts, final=CY), close_at=at(hours), overdue_hours=48)
        return len(judged.captured), len(judged.required)

    assert found(events, 200) == (4, 4)
    assert found(events, 5 + 21 * 24 + 48 - 0.01) == (4, 4)
    assert found(events, 5 + 21 * 24 + 48) == (4, 5)
    delivered = sighting(6, "DROP", 30, laden=True, place="NLUTC")
    assert found([*events, delivered], 5 + 21 * 24 + 48) == (5, 5)


@pytest.mark.req("R2.4", "R1.13")
def test_one_missing_box_keeps_the_unit_incomplete() -> None:
    both = ("A", "B")
    events = [sighting(i, "DROP", 9, laden=True, place="NLUTC", container=c) for i, c in enumerate(both)]
    gate = sighting(7, "GTOT", 8, laden=True, place="NLRTM", container="A")
    facts = derive([*events, gate], journey(containers=both), as_of=at(99))
    judged = slots(unit_milestones(facts, final=DOOR), close_at=at(99), overdue_hours=48)
    assert Milestone.GATE_OUT_FULL in judged.required
    assert judged.captured == (Milestone.DELIVERED,)
    alone = slots(unit_milestones(facts, final=DOOR, container="A"), close_at=at(99), overdue_hours=48)
    assert alone.captured == (Milestone.GATE_OUT_FULL, Milestone.DELIVERED)


@pytest.mark.req("R2.4")
def test_nothing_is_required_before_anything_was_due() -> None:
    facts = derive([], journey(), as_of=at(0))
    judged = slots(unit_milestones(facts, final=DOOR), close_at=at(0), overdue_hours=48)
    assert judged.required == ()
    assert not judged.complete
    assert summed([judged]).units.den == 0
    late = sighting(1, "DEPA", 10, place="CNSHA", classifier=Classifier.EST)
    expired = derive([late], journey(), as_of=at(58))
    judged = slots(unit_milestones(expired, final=DOOR), close_at=at(58), overdue_hours=48)
    assert judged.required == (Milestone.VESSEL_DEPARTED,)


@pytest.mark.req("R2.15", "X41")
def test_an_exception_counts_once_and_not_when_dismissed_by_the_close() -> None:
    close = at(100)
    units = [
        UnitExceptions(unit="a", exceptions=[Raised("ROLLOVER", at(1)), Raised("ROLLOVER", at(2))]),
        UnitExceptions(unit="b", exceptions=[Raised("ROLLOVER", at(1), dismissed_at=close)]),
        UnitExceptions(unit="c", exceptions=[Raised("ROLLOVER", at(1), dismissed_at=close + timedelta(seconds=1))]),
        UnitExceptions(unit="d", exceptions=[Raised("STALE", at(1)), Raised("ROLLOVER", at(101))]),
    ]
    assert exception_rate(units, close_at=close).units == ("a", "c")


@pytest.mark.req("R2.10", "X33", "X34", "X35", "X36")
def test_visits_are_paired_and_open_ones_stay_open() -> None:
    found = pair_visits([(at(9), "LOAD"), (at(1), "GTIN"), (at(2), "GTOT"), (at(3), "GTIN"), (at(20), "DISC")])
    assert [(v.role, v.seconds) for v in found.closed] == [(Role.PASS, 3600), (Role.EXPORT, 6 * 3600)]
    assert found.open_entry == (at(20), "DISC")
    assert found.anomalies == 0
    assert pair_visits([(at(1), "GTOT")]).anomalies == 1
    with pytest.raises(ValueError, match="no move"):
        pair_visits([(at(1), "ARRI")])


@pytest.mark.req("R2.12", "R2.14")
def test_a_visit_belongs_to_the_month_of_its_local_exit() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    visit = Visit(utc("2026-01-01T00:00"), utc("2026-03-31T22:30"), Role.IMPORT)
    assert cohort([visit], month=Month(2026, 3), zone=zone, role=Role.IMPORT) == []
    assert cohort([visit], month=Month(2026, 4), zone=zone, role=Role.EXPORT) == []
    cell = dwell_cell(cohort([visit], month=Month(2026, 4), zone=zone, role=Role.IMPORT))
    assert cell.figures is not None
    assert cell.flagged == (visit,)
    assert open_ages([at(1), at(0)], at=at(2)) == [7200, 3600]


@pytest.mark.req("X39")
def test_holds_are_united_not_added() -> None:
    seconds = hold_seconds([(at(0), at(30)), (at(18), at(48))], now=at(999))
    assert seconds == 48 * 3600
    assert not hold_is_long(seconds, limit_hours=48)
    assert hold_is_long(hold_seconds([(at(0), None)], now=at(49)), limit_hours=48)
    assert chargeable_days(utc("2026-03-12T00:00").date(), utc("2026-03-10T00:00").date()) == 2


@pytest.mark.req("R7.7", "R9.2")
def test_intervals_close_at_their_ends_and_confirm_only_what_is_sure() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    assert not newcombe(285, 300, 294, 300).confirmed
    assert newcombe(570, 600, 588, 600).confirmed
    assert not newcombe(0, 29, 29, 29).confirmed
    with pytest.raises(ValueError, match="Wilson"):
        wilson(1, 0)


@pytest.mark.req("R4.3")
def test_every_kpi_is_declared_with_its_text_parameters_and_a_digest() -> None:
    declared = Registry("kpis.definitions", of=Kpi)
    assert sorted(declared.keys()) == ["COMPLETENESS", "DWELL", "ETA", "EXCEPTION", "OTD"]
    assert {k.key for k in declared if k.better == Better.LOWER} == {"EXCEPTION", "DWELL"}
    assert len({k.digest for k in declared}) == 5
    for kpi in declared:
        assert kpi.version == "1.0.0"
        assert len(str(kpi.says)) > 80
