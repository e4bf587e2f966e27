"""Which milestone an event captures, and what a shipment has reached (sections 1.1 to 1.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tracking.sightings import at, journey, sighting
from tracking.milestones import bind, chain, critical_five, derive
from tracking.types import Classifier, FinalMilestone, Journey, Kind, Milestone, Mode, Precision, Sighting

M = Milestone
CY, DOOR, CFS = FinalMilestone.CY, FinalMilestone.DOOR, FinalMilestone.CFS
BOX = "MSKU1234565"


def hold(number: int, code: str, hours: float, document: str, **given: Any) -> Sighting:
    """A hold or its release, on the whole shipment."""
    return sighting(number, code, hours, kind=Kind.SHIPMENT, document_type=document, container=None, **given)


@pytest.mark.req("R1.13")
def test_chains_and_critical_five_are_those_of_the_table() -> None:
    assert chain(DOOR)[-2:] == (M.DELIVERED, M.EMPTY_RETURN)
    assert critical_five(DOOR) == (
        M.GATE_IN_FULL, M.VESSEL_DEPARTED, M.VESSEL_ARRIVED, M.GATE_OUT_FULL, M.DELIVERED,
    )  # fmt: skip
    assert critical_five(CY)[-1] == M.EMPTY_RETURN
    assert critical_five(CFS)[-1] == M.CFS_AVAILABLE
    assert M.CY_AVAILABLE not in chain(CFS)
    assert critical_five(DOOR, Mode.AIR) == (M.DELIVERED,)
    assert chain(DOOR, Mode.AIR) == (M.DELIVERED, M.EMPTY_RETURN)
    for final in FinalMilestone:
        assert set(critical_five(final)) <= set(chain(final))


BINDINGS: list[tuple[str, Journey, dict[str, Any], Milestone | None]] = [
    ("laden gate-in at the load port", journey(), {"code": "GTIN", "laden": True, "place": "CNSHA"}, M.GATE_IN_FULL),
    ("laden gate-in at an inland ramp", journey(), {"code": "GTIN", "laden": True, "place": "CNSZH"}, None),
    ("gate-in without laden or empty", journey(), {"code": "GTIN", "place": "CNSHA"}, None),
    ("empty gate-in at a depot", journey(), {"code": "GTIN", "laden": False, "place": "NLMOE"}, M.EMPTY_RETURN),
    ("empty gate-in at origin", journey(), {"code": "GTIN", "laden": False, "place": "CNSHA"}, None),
    ("departure by sea", journey(), {"code": "DEPA", "place": "CNSHA", "mode": "VESSEL"}, M.VESSEL_DEPARTED),
    ("departure of a truck there", journey(), {"code": "DEPA", "place": "CNSHA", "mode": "TRUCK"}, None),
    ("departure elsewhere", journey(), {"code": "DEPA", "place": "SGSIN", "mode": "VESSEL"}, None),
    ("departure by stated role alone", journey(), {"code": "DEPA", "place_role": "POL"}, M.VESSEL_DEPARTED),
    ("departure nowhere", journey(), {"code": "DEPA"}, None),
    ("arrival at the discharge port", journey(), {"code": "ARRI", "place": "NLRTM"}, M.VESSEL_ARRIVED),
    ("arrival at a transhipment port", journey(), {"code": "ARRI", "place": "SGSIN"}, None),
    ("loading", journey(), {"code": "LOAD", "place": "CNSHA"}, M.LOADED),
    ("loading on the second leg", journey(), {"code": "LOAD", "place": "SGSIN", "is_transshipment": True}, M.TS_LOADED),
    (
        "discharge at a planned transhipment port",
        journey(transhipments=("SGSIN",)), {"code": "DISC", "place": "SGSIN"}, M.TS_DISCHARGED,
    ),
    ("discharge", journey(), {"code": "DISC", "place": "NLRTM"}, M.DISCHARGED),
    ("discharge elsewhere", journey(), {"code": "DISC", "place": "BEANR"}, None),
    ("laden gate-out", journey(), {"code": "GTOT", "laden": True, "place": "NLRTM"}, M.GATE_OUT_FULL),
    ("empty pick-up", journey(), {"code": "GTOT", "laden": False, "place": "CNSHA"}, None),
    ("available at the agreed CY", journey(CY), {"code": "AVPU", "place": "NLRTM"}, M.CY_AVAILABLE),
    ("available at another CY", journey(CY, final_place="DEDUI"), {"code": "AVPU", "place": "NLRTM"}, None),
    ("available at the CFS", journey(CFS), {"code": "AVPU", "place": "NLRTM"}, M.CFS_AVAILABLE),
    ("drop at the door", journey(), {"code": "DROP", "laden": True, "place": "NLUTC"}, M.DELIVERED),
    ("drop by truck", journey(), {"code": "DROP", "laden": True, "place": "NLUTC", "mode": "TRUCK"}, M.DELIVERED),
    ("empty drop", journey(), {"code": "DROP", "laden": False, "place": "NLUTC"}, None),
    ("drop at another door", journey(), {"code": "DROP", "laden": True, "place": "NLAMS"}, None),
    ("drop by the consignee of a CY box", journey(CY), {"code": "DROP", "laden": True, "place": "NLUTC"}, M.DELIVERED),
    ("air drop", journey(mode=Mode.AIR), {"code": "DROP", "laden": True, "place": "NLUTC"}, M.DELIVERED),
    ("air departure", journey(mode=Mode.AIR), {"code": "DEPA", "place": "CNSHA"}, None),
    ("customs scan", journey(), {"code": "CUSS", "place": "NLRTM"}, M.CUSTOMS_HOLD),
    ("customs release", journey(), {"code": "CUSR", "place": "NLRTM"}, M.CUSTOMS_RELEASED),
    ("truck arrival at the door", journey(), {"code": "ARRI", "place": "NLUTC", "mode": "TRUCK"}, None),
    ("seal inspection", journey(), {"code": "INSP", "place": "NLRTM"}, None),
]  # fmt: skip


@pytest.mark.req("R1.9", "R2.5")
@pytest.mark.parametrize(("what", "trip", "given", "milestone"), BINDINGS, ids=[b[0] for b in BINDINGS])
def test_an_event_captures_a_milestone_only_at_its_place(
    what: str, trip: Journey, given: dict[str, Any], milestone: Milestone | None
) -> None:
    bound = bind(sighting(1, given["code"], 1, **{k: v for k, v in given.items() if k != "code"}), trip)
    assert (bound[0] if bound else None) == milestone


def test_a_feed_that_reports_anchorage_never_reports_arrival() -> None:
    trip = journey(arrival_is_anchorage=frozenset({"carrier"}))
    bound = bind(sighting(1, "ARRI", 1, place="NLRTM"), trip)
    assert bound == (M.AT_ANCHOR, "NLRTM")


@pytest.mark.req("R1.13")
def test_a_shipment_reaches_a_milestone_with_its_last_live_box() -> None:
    trip = journey(containers=("A", "B"))
    first = sighting(1, "DROP", 10, container="A", laden=True, place="NLUTC")
    second = sighting(2, "DROP", 30, container="B", laden=True, place="NLUTC")
    swapped = sighting(3, "DROP", 99, container="OLD", laden=True, place="NLUTC")
    partly = derive([first, swapped], trip, as_of=at(200))
    assert partly.reached_at(M.DELIVERED) is None
    assert partly.captured(M.DELIVERED) == 1
    assert derive([first, second, swapped], trip, as_of=at(200)).reached_at(M.DELIVERED) == at(30)


def test_a_vessel_departure_reaches_every_live_box() -> None:
    facts = derive([sighting(1, "DEPA", 5, place="CNSHA")], journey(containers=("A", "B")), as_of=at(9))
    assert facts.captured(M.VESSEL_DEPARTED) == 2


@pytest.mark.req("R1.13")
def test_a_shipment_without_containers_counts_as_one_unit() -> None:
    facts = derive([sighting(1, "DROP", 5, laden=True, place="NLUTC")], journey(containers=()), as_of=at(9))
    assert [c.container for c in facts.containers] == [None]
    assert facts.reached_at(M.DELIVERED) == at(5)


@pytest.mark.req("R1.15", "X57")
def test_availability_waits_for_a_line_hold() -> None:
    events = [
        sighting(1, "AVPU", 10, place="NLRTM"),
        hold(2, "HOLD", 4, "TRD"),
        hold(3, "RELS", 16, "TRD"),
    ]
    facts = derive(events, journey(CY), as_of=at(99))
    available = facts.containers[0].get(M.CY_AVAILABLE)
    assert available.act is not None
    assert (available.act.time, available.basis) == (at(16), "RELEASE")
    assert derive(events, journey(CY), as_of=at(12)).reached(M.CY_AVAILABLE) is None


@pytest.mark.req("R1.15")
def test_the_last_of_several_holds_counts_and_one_lifted_before_does_not() -> None:
    events = [
        sighting(1, "AVPU", 10, place="NLRTM"),
        hold(2, "HOLD", 4, "TRD"), hold(3, "RELS", 14, "TRD"),
        hold(4, "HOLD", 12, "SRM"), hold(5, "RELS", 20, "SRM"),
        hold(6, "HOLD", 1, "CAS"), hold(7, "RELS", 2, "CAS"),
        hold(8, "HOLD", 30, "CAS"),
    ]  # fmt: skip
    assert derive(events, journey(CY), as_of=at(99)).reached_at(M.CY_AVAILABLE) == at(20)


@pytest.mark.req("R1.15", "X58")
@pytest.mark.parametrize(("by_us", "expected"), [(False, 10), (True, 34)])
def test_a_customs_hold_delays_only_what_we_clear(by_us: bool, expected: int) -> None:
    events = [
        sighting(1, "AVPU", 10, place="NLRTM"),
        sighting(2, "CUSS", 8, place="NLRTM"),
        sighting(3, "CUSR", 34, place="NLRTM"),
    ]
    facts = derive(events, journey(CY, customs_by_us=by_us), as_of=at(99))
    assert facts.reached_at(M.CY_AVAILABLE) == at(expected)


@pytest.mark.req("X30")
def test_discharge_stands_in_where_the_terminal_never_sends_availability() -> None:
    discharge = sighting(1, "DISC", 10, place="NLRTM")
    assert derive([discharge], journey(CY), as_of=at(99)).reached(M.CY_AVAILABLE) is None
    silent = journey(CY, sends_avpu=False)
    found = derive([discharge], silent, as_of=at(99)).containers[0].get(M.CY_AVAILABLE)
    assert found.act is not None
    assert (found.act.time, found.basis) == (at(10), "DISC")
    told = derive([discharge, sighting(2, "AVPU", 12, place="NLRTM")], silent, as_of=at(99)).containers[0]
    assert told.get(M.CY_AVAILABLE).act == told.get(M.CY_AVAILABLE).best
    assert told.get(M.CY_AVAILABLE).basis == ""


@pytest.mark.req("R1.12", "X19")
def test_a_manual_delivery_without_evidence_is_shown_and_counts_for_nothing() -> None:
    typed = sighting(
        1, "DROP", 10, laden=True, place="NLUTC", source="manual", source_kind="manual", has_evidence=False
    )
    found = derive([typed], journey(), as_of=at(99)).containers[0].get(M.DELIVERED)
    assert found.act is None
    assert found.unproven_act is not None
    gate = sighting(2, "GTOT", 9, laden=True, place="NLRTM", source="manual", source_kind="manual", has_evidence=False)
    assert derive([gate], journey(), as_of=at(99)).captured(M.GATE_OUT_FULL) == 1


@pytest.mark.req("R1.10", "X17")
def test_an_estimate_recorded_after_the_actual_changes_nothing() -> None:
    act = sighting(1, "ARRI", 10, place="NLRTM")
    est = sighting(2, "ARRI", 40, place="NLRTM", classifier=Classifier.EST, recorded_at=at(20))
    best = derive([act, est], journey(), as_of=at(99)).best(M.VESSEL_ARRIVED)
    assert best is not None
    assert best.time == at(10)


@pytest.mark.req("R1.11", "X16")
@pytest.mark.parametrize(("hours", "flagged"), [(6, False), (6.01, True)])
def test_sources_far_apart_raise_a_conflict_and_the_better_one_wins(hours: float, flagged: bool) -> None:
    terminal = sighting(1, "GTOT", 9, laden=True, place="NLRTM", source="terminal")
    carrier = sighting(2, "GTOT", 9 + hours, laden=True, place="NLRTM")
    facts = derive([carrier, terminal], journey(), as_of=at(99), priority=("terminal", "carrier"))
    assert facts.reached_at(M.GATE_OUT_FULL) == at(9)
    assert facts.conflicts == int(flagged)


@pytest.mark.req("R2.2")
def test_a_booking_confirmation_is_not_news_of_the_shipment() -> None:
    confirmed = sighting(1, "CONF", 50, kind=Kind.SHIPMENT, document_type="BKG", container=None)
    moved = sighting(2, "DEPA", 5, place="SGSIN")
    assert derive([confirmed], journey(), as_of=at(99)).last_recorded_at is None
    assert derive([confirmed, moved], journey(), as_of=at(99)).last_recorded_at == at(6)


@pytest.mark.req("R1.7")
def test_day_precision_is_carried_to_the_fact() -> None:
    day = sighting(1, "DROP", 10, laden=True, place="NLUTC", precision=Precision.DAY)
    reached = derive([day], journey(), as_of=at(99)).reached(M.DELIVERED)
    assert reached is not None
    assert reached.precision == Precision.DAY
