"""Every rule of 8.1 at its limit: one moment before it there is nothing, one moment beyond there is, with its start."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.tracking.sightings import at, journey, sighting
from tracking.detection import exceptions_of
from tracking.exceptions import MOMENT, Code, Found, Severity, Situation, Thresholds, severity_of
from tracking.itinerary import itinerary_of
from tracking.legs import PlannedLeg
from tracking.milestones import derive
from tracking.types import Classifier, FinalMilestone, Journey, Kind, Sighting

pytestmark = pytest.mark.req("8.1")
LEG = PlannedLeg(sequence=1, origin="CNSHA", destination="NLRTM", mode="VESSEL", voyage="601W", vessel_imo="9321483")
BOX, OTHER = "MSKU1234565", "MSKU7654320"


def situation(sightings: Sequence[Sighting], now: datetime, trip: Journey | None = None, **more: Any) -> Situation:
    """What derivation would put to the rules."""
    trip = trip or journey()
    booked = more.pop("booked", (LEG,))
    way = itinerary_of(list(sightings), trip, booked, as_of=now)
    known = [s for s in sightings if s.recorded_at <= now]
    return Situation(
        at=now, journey=trip, facts=derive(known, trip, as_of=now), live=way.live, sightings=known,
        heard=sorted({s.recorded_at for s in known}), booked=booked, legs=way.legs, stays=way.stays.visits,
        moves=way.moves, **more,
    )  # fmt: skip


def found(code: Code, sightings: Sequence[Sighting], now: datetime, trip: Journey | None = None,
          **more: Any) -> list[Found]:  # fmt: skip
    return [f for f in exceptions_of(situation(sightings, now, trip, **more)).found if f.code == code]


def look(sightings: Sequence[Sighting], now: datetime, trip: Journey | None = None, **more: Any) -> datetime | None:
    return exceptions_of(situation(sightings, now, trip, **more)).next_look(now)


def spans(listed: Sequence[Found]) -> list[tuple[datetime, datetime | None]]:
    return [(f.started_at, f.cleared_at) for f in listed]


def gate_in(hours: float, **more: Any) -> Sighting:
    return sighting(more.pop("number", 1), "GTIN", hours, place="CNSHA", laden=True, **more)


def departs(number: int, hours: float, *, port: str = "CNSHA", voyage: str = "601W", imo: str = "9321483",
            **more: Any) -> Sighting:  # fmt: skip
    return sighting(number, "DEPA", hours, place=port, voyage=voyage, vessel_imo=imo, **more)


def eta(number: int, told: float, hours: float, *, code: str = "ARRI", **more: Any) -> Sighting:
    """An estimate of the arrival (or of the delivery), told at one time for another."""
    place = "NLRTM" if code == "ARRI" else "NLUTC"
    fields = {"classifier": Classifier.EST, "place": place, "recorded_at": at(told), "source_created_at": at(told)}
    return sighting(number, code, hours, **{**fields, **({"laden": True} if code == "DROP" else {}), **more})


# --- the gate ---


def test_the_cutoff_is_at_risk_from_twelve_hours_before_it_on() -> None:
    cut = at(100)
    assert found(Code.CUTOFF_RISK, [], at(88) - MOMENT, cutoff_at=cut) == []
    assert look([], at(80), cutoff_at=cut) == at(88)
    assert spans(found(Code.CUTOFF_RISK, [], at(88), cutoff_at=cut)) == [(at(88), None)]
    in_time = [gate_in(90)]
    assert spans(found(Code.CUTOFF_RISK, in_time, at(95), cutoff_at=cut)) == [(at(88), at(90))]
    assert found(Code.CUTOFF_RISK, [gate_in(88)], at(95), cutoff_at=cut) == []
    assert found(Code.CUTOFF_RISK, [], at(95)) == [], "without a known cut-off nothing can be said"


def test_at_the_cutoff_is_in_time_and_a_moment_later_is_late() -> None:
    cut = at(100)
    assert found(Code.LATE_GATE_IN, [], cut, cutoff_at=cut) == []
    assert look([], cut, cutoff_at=cut) == cut + MOMENT
    assert spans(found(Code.LATE_GATE_IN, [], cut + MOMENT, cutoff_at=cut)) == [(cut, None)]
    assert found(Code.LATE_GATE_IN, [gate_in(100)], at(110), cutoff_at=cut) == []
    late = [gate_in(100 + 1 / 3600)]
    assert spans(found(Code.LATE_GATE_IN, late, at(110), cutoff_at=cut)) == [(cut, None)]
    loaded = [*late, sighting(2, "LOAD", 105, place="CNSHA")]
    assert spans(found(Code.LATE_GATE_IN, loaded, at(110), cutoff_at=cut)) == [(cut, at(105))]
    unheard = [sighting(2, "LOAD", 99, place="CNSHA")]
    assert found(Code.LATE_GATE_IN, unheard, at(110), cutoff_at=cut) == [], "what is on the ship passed the gate"


# --- ships ---


@pytest.mark.req("X40")
def test_a_box_is_rolled_when_its_ship_left_and_no_loading_is_known_twelve_hours_later() -> None:
    left = [gate_in(5), departs(2, 20)]
    assert found(Code.ROLLOVER, left, at(32)) == []
    assert look(left, at(31)) == at(32) + MOMENT
    rolled = found(Code.ROLLOVER, left, at(32) + MOMENT)
    assert spans(rolled) == [(at(32), None)]
    assert rolled[0].severity == Severity.HIGH
    late_news = sighting(3, "LOAD", 18, place="CNSHA", recorded_at=at(40))
    assert found(Code.ROLLOVER, [*left, late_news], at(50)) == [], "it was aboard, we only heard late"
    new_ship = departs(4, 60, voyage="602W", imo="9999999")
    assert spans(found(Code.ROLLOVER, [*left, new_ship], at(70))) == [(at(32), at(60))]
    beyond = sighting(5, "DISC", 700, place="NLRTM")
    assert found(Code.ROLLOVER, [gate_in(5), departs(2, 20), beyond], at(710)) == [], "a gap in the record"


@pytest.mark.req("X40", "X41")
def test_another_voyage_is_a_rollover_only_beyond_a_day_and_another_hull_is_none() -> None:
    plan = departs(9, 20, classifier=Classifier.PLN, recorded_at=at(-100), source_created_at=at(-100))

    def with_ship(hours: float, **ship: str) -> list[Found]:
        return found(Code.ROLLOVER, [plan, gate_in(5), aboard, departs(2, hours, **ship)], at(200))

    aboard = sighting(4, "LOAD", 18, place="CNSHA")  # on which ship nobody said
    assert with_ship(44, voyage="602W") == []
    later = with_ship(44 + 1 / 3600, voyage="602W")
    assert spans(later) == [(at(44), at(44 + 1 / 3600))]
    assert with_ship(26, voyage="601W", imo="9999999") == [], "the hull was substituted, six hours later"
    assert with_ship(120, voyage="0601w") == [], "the same number, written otherwise"
    loaded = sighting(5, "LOAD", 30, place="CNSHA", voyage="602W")
    expected = departs(6, 90, voyage="602W", classifier=Classifier.EST, recorded_at=at(29))
    assert spans(found(Code.ROLLOVER, [plan, gate_in(5), loaded, expected], at(31))) == [(at(30), None)]


def test_the_booking_is_the_reference_and_not_the_latest_plan() -> None:
    first = departs(9, 20, classifier=Classifier.PLN, recorded_at=at(-100), source_created_at=at(-100))
    moved = replace(first, id=10, event_key="later", natural_key="later", event_time=at(70),
                    recorded_at=at(0), source_created_at=at(0))  # fmt: skip
    gone = departs(2, 60, voyage="602W")
    rolled = found(Code.ROLLOVER, [first, moved, gate_in(5), gone], at(200), confirmed_at=at(-50))
    assert spans(rolled) == [(at(44), at(60))]


def test_a_connection_is_missed_at_the_port_where_ships_are_changed() -> None:
    trip = journey(transhipments=("SGSIN",))
    legs = (LEG, PlannedLeg(sequence=2, origin="SGSIN", destination="NLRTM", mode="VESSEL", voyage="77E"))
    came = [gate_in(5), sighting(2, "LOAD", 18, place="CNSHA"), departs(3, 20),
            sighting(4, "DISC", 120, place="SGSIN"), departs(5, 130, port="SGSIN")]  # fmt: skip
    assert found(Code.MISSED_CONNECTION, came, at(135), trip, booked=legs) == [], "the ship it came with sails on"
    missed = [*came, departs(6, 140, port="SGSIN", voyage="77E", imo="9000001")]
    assert found(Code.MISSED_CONNECTION, missed, at(152), trip, booked=legs) == []
    assert spans(found(Code.MISSED_CONNECTION, missed, at(152) + MOMENT, trip, booked=legs)) == [(at(152), None)]
    onward = [*missed, sighting(7, "LOAD", 200, place="SGSIN", voyage="78E"),
              departs(8, 210, port="SGSIN", voyage="78E", imo="9000002")]  # fmt: skip
    one = found(Code.MISSED_CONNECTION, onward, at(220), trip, booked=legs)
    assert [(f.node, f.started_at, f.cleared_at) for f in one] == [("SGSIN", at(152), at(210))]
    assert found(Code.ROLLOVER, onward, at(220), trip, booked=legs) == []


@pytest.mark.req("X28")
def test_another_port_of_discharge_is_a_change_until_the_box_is_there() -> None:
    on_the_way = [gate_in(5), departs(2, 20)]
    diverted = sighting(3, "ARRI", 600, place="BEANR", place_role="POD", classifier=Classifier.EST, recorded_at=at(300))
    change = found(Code.PORT_CHANGE, [*on_the_way, diverted], at(310))
    assert [(f.node, f.started_at, f.cleared_at) for f in change] == [("BEANR", at(300), None)]
    there = [*on_the_way, diverted, sighting(4, "DISC", 610, place="BEANR", place_role="POD")]
    assert spans(found(Code.PORT_CHANGE, there, at(620))) == [(at(300), at(610))]
    silent = [*on_the_way, sighting(4, "DISC", 610, place="BEANR")]
    assert [f.node for f in found(Code.PORT_CHANGE, silent, at(620))] == ["BEANR"]
    changed_ship = [*silent, sighting(5, "LOAD", 650, place="BEANR")]
    assert found(Code.PORT_CHANGE, changed_ship, at(660)) == [], "a change of ships that nobody planned"
    by_rail = [*on_the_way, sighting(3, "DISC", 600, place="NLRTM"), sighting(4, "DISC", 640, place="DEDUI")]
    assert found(Code.PORT_CHANGE, by_rail, at(650)) == [], "unloaded from a train, which nobody said"
    back = eta(6, 320, 640, place_role="POD")
    assert spans(found(Code.PORT_CHANGE, [*on_the_way, diverted, back], at(330))) == [(at(300), at(320))]
    late = replace(diverted, source_created_at=at(300), recorded_at=at(340))
    assert found(Code.PORT_CHANGE, [*on_the_way, late, back], at(350)) == [], "taken back before it was heard"


# --- customs ---


def hold(number: int, start: float, end: float | None, box: str = BOX) -> list[Sighting]:
    rows = [sighting(number, "CUSI", start, place="NLRTM", container=box, source=f"c{number}")]
    return rows if end is None else [*rows, sighting(number + 1, "CUSR", end, place="NLRTM", container=box)]


@pytest.mark.req("X39")
def test_a_hold_of_exactly_the_limit_is_not_long_and_a_second_more_is() -> None:
    assert found(Code.CUSTOMS_HOLD_LONG, hold(1, 0, 48), at(100)) == []
    long = found(Code.CUSTOMS_HOLD_LONG, hold(1, 0, 48 + 1 / 3600), at(100))
    assert spans(long) == [(at(48), at(48 + 1 / 3600))]
    assert found(Code.CUSTOMS_HOLD_LONG, hold(1, 0, None), at(48)) == []
    assert look(hold(1, 0, None), at(47)) == at(48) + MOMENT
    assert spans(found(Code.CUSTOMS_HOLD_LONG, hold(1, 0, None), at(48) + MOMENT)) == [(at(48), None)]


def test_holds_add_up_for_one_box_and_never_over_two() -> None:
    twice = [*hold(1, 0, 30), *hold(3, 100, 130)]
    assert spans(found(Code.CUSTOMS_HOLD_LONG, twice, at(200))) == [(at(118), at(130))]
    apart = [*hold(1, 0, 30), *hold(3, 100, 130, OTHER)]
    assert found(Code.CUSTOMS_HOLD_LONG, apart, at(200), journey(containers=(BOX, OTHER))) == []


def test_a_country_may_have_its_own_limit() -> None:
    limits = Thresholds(customs_hold_hours_by_country={"NL": 72})
    assert found(Code.CUSTOMS_HOLD_LONG, hold(1, 0, 60), at(100), limits=limits) == []
    assert found(Code.CUSTOMS_HOLD_LONG, hold(1, 0, 73), at(100), limits=limits) != []


# --- estimates ---


def test_an_estimate_slips_once_for_each_day() -> None:
    told = [eta(1, 10, 500), eta(2, 20, 524), eta(3, 30, 524 + 1 / 60), eta(4, 40, 540), eta(5, 50, 549)]
    slips = found(Code.ETA_SLIP, told, at(60))
    assert spans(slips) == [(at(30), at(50)), (at(50), None)]
    assert [f.severity for f in slips] == [Severity.LOW, Severity.LOW]
    assert spans(found(Code.ETA_SLIP, told[:2], at(60))) == [], "exactly a day is no slip"


def test_a_slip_beyond_three_days_is_high_and_an_arrival_ends_it() -> None:
    assert [f.severity for f in found(Code.ETA_SLIP, [eta(1, 10, 500), eta(2, 20, 572)], at(60))] == [Severity.LOW]
    told = [eta(1, 10, 500), eta(2, 20, 572 + 1 / 60)]
    assert [f.severity for f in found(Code.ETA_SLIP, told, at(60))] == [Severity.HIGH]
    arrived = [*told, sighting(3, "ARRI", 580, place="NLRTM")]
    assert spans(found(Code.ETA_SLIP, arrived, at(600))) == [(at(20), at(581))]


def test_an_estimate_that_improved_is_what_is_committed_to_then() -> None:
    told = [eta(1, 10, 500), eta(2, 20, 430), eta(3, 30, 500)]
    assert spans(found(Code.ETA_SLIP, told, at(60))) == [(at(30), None)]


@pytest.mark.req("R8.2", "R8.4")
def test_at_risk_is_as_severe_as_the_delay_that_was_predicted() -> None:
    for hours, severity in ((24, None), (25, Severity.MEDIUM), (72, Severity.MEDIUM), (73, Severity.HIGH),
                            (168, Severity.HIGH), (169, Severity.CRITICAL)):  # fmt: skip
        told = [eta(1, 10, 500 + hours, code="DROP")]
        risks = found(Code.AT_RISK, told, at(20), due_at=at(500))
        assert [f.severity for f in risks] == ([severity] if severity else [])
    rising = [eta(1, 10, 530, code="DROP"), eta(2, 50, 600, code="DROP"), eta(3, 90, 540, code="DROP")]
    worst = found(Code.AT_RISK, rising, at(100), due_at=at(500))
    assert [(f.severity, f.delay_seconds) for f in worst] == [(Severity.HIGH, 100 * 3600)], "it never falls again"


@pytest.mark.req("R8.2")
def test_severity_only_rises_and_each_limit_is_strict() -> None:
    day = 24 * 3600
    assert severity_of(Severity.LOW, None) == Severity.LOW
    assert severity_of(Severity.LOW, day) == Severity.LOW
    assert severity_of(Severity.LOW, day + 1) == Severity.MEDIUM
    assert severity_of(Severity.HIGH, day + 1) == Severity.HIGH
    assert severity_of(Severity.LOW, 3 * day + 1) == Severity.HIGH
    assert severity_of(Severity.HIGH, 7 * day + 1) == Severity.CRITICAL


# --- silence ---


@pytest.mark.parametrize(
    ("heard", "hours"),
    [
        ([gate_in(5)], 72),
        ([gate_in(5), sighting(6, "LOAD", 18, place="CNSHA"), departs(2, 20)], 120),
        ([gate_in(5), departs(2, 20), sighting(3, "DISC", 500, place="NLRTM")], 48),
        ([gate_in(5), departs(2, 20), sighting(4, "GTOT", 600, place="NLRTM", laden=True)], 72),
    ],
    ids=["before departure", "at sea", "at the terminal", "after gate-out"],
)
def test_silence_is_stale_after_as_long_as_the_part_of_the_journey_allows(heard: list[Sighting], hours: int) -> None:
    last = max(s.recorded_at for s in heard)
    crossed = last + timedelta(hours=hours)
    assert [f for f in found(Code.STALE, heard, crossed) if f.cleared_at is None] == []
    assert look(heard, last) == crossed + MOMENT
    stale = [f for f in found(Code.STALE, heard, crossed + MOMENT) if f.cleared_at is None]
    assert spans(stale) == [(crossed, None)]
    again = [*heard, eta(9, (crossed - at(0)) / timedelta(hours=1) + 5, 2_000)]
    ended = found(Code.STALE, again, crossed + timedelta(hours=6))
    assert (crossed, crossed + timedelta(hours=5)) in spans(ended)


def test_what_has_not_begun_or_is_over_is_never_stale() -> None:
    assert found(Code.STALE, [], at(1_000)) == []
    done = [gate_in(5), sighting(3, "DROP", 50, place="NLUTC", laden=True)]
    assert found(Code.STALE, done, at(1_000)) == []
    assert look(done, at(60)) is None


# --- the last mile, the terminal, the record ---


@pytest.mark.req("X18")
def test_each_failed_attempt_is_one_whoever_tells_it_and_delivery_ends_them() -> None:
    told = [
        sighting(1, "DELIVERY_FAILED", 10, place="NLUTC"),
        sighting(2, "DELIVERY_FAILED", 10, place="NLUTC", source="terminal", source_kind="terminal"),
        sighting(3, "DELIVERY_FAILED", 30, place="NLUTC"),
    ]
    attempts = found(Code.DELIVERY_FAILED, told, at(40))
    assert spans(attempts) == [(at(10), None), (at(30), None)]
    delivered = [*told, sighting(4, "DROP", 60, place="NLUTC", laden=True)]
    assert spans(found(Code.DELIVERY_FAILED, delivered, at(70))) == [(at(10), at(60)), (at(30), at(60))]


def test_an_open_visit_is_long_a_day_beyond_what_is_usual_there() -> None:
    stay = [sighting(1, "DISC", 0, place="NLRTM")]
    usual = {("NLRTM", "", "DISC"): 10 * 50 * 3600}
    assert found(Code.LONG_DWELL, stay, at(74), p90_tenths=usual) == []
    assert look(stay, at(60), p90_tenths=usual) == at(74) + MOMENT or look(stay, at(60), p90_tenths=usual) < at(74)
    long = found(Code.LONG_DWELL, stay, at(74) + MOMENT, p90_tenths=usual)
    assert spans(long) == [(at(74), None)]
    assert found(Code.LONG_DWELL, stay, at(500)) == [], "too few visits to know what is usual"
    standing = {long[0].key: at(74)}
    slower = {("NLRTM", "", "DISC"): 10 * 500 * 3600}
    assert spans(found(Code.LONG_DWELL, stay, at(80), p90_tenths=slower, standing=standing)) == [(at(74), None)]
    gone = [*stay, sighting(2, "GTOT", 90, place="NLRTM", laden=True)]
    assert spans(found(Code.LONG_DWELL, gone, at(95), p90_tenths=usual, standing=standing)) == [(at(74), at(90))]
    assert found(Code.LONG_DWELL, gone, at(95), p90_tenths=usual) == []


@pytest.mark.req("R1.11", "X16")
def test_two_sources_further_apart_than_six_hours_contradict_each_other() -> None:
    one = sighting(1, "DISC", 10, place="NLRTM")

    def against(hours: float) -> list[Found]:
        other = sighting(2, "DISC", hours, place="NLRTM", source="terminal", source_kind="terminal")
        return found(Code.DATA_CONFLICT, [one, other], at(100))

    assert against(16) == []
    conflict = against(16 + 1 / 60)
    assert [(f.node, f.occurrence, f.started_at) for f in conflict] == [("NLRTM", "DISCHARGED", at(17 + 1 / 60))]


def test_nothing_that_hinders_a_box_outlasts_its_delivery() -> None:
    told = [eta(1, 10, 500), eta(2, 20, 600), *hold(3, 30, None), sighting(6, "DROP", 60, place="NLUTC", laden=True)]
    assert spans(found(Code.CUSTOMS_HOLD_LONG, told, at(200))) == [], "delivered before the limit"
    late = [*told[:-1], sighting(6, "DROP", 90, place="NLUTC", laden=True)]
    assert spans(found(Code.CUSTOMS_HOLD_LONG, late, at(200))) == [(at(78), at(90))]
    assert spans(found(Code.ETA_SLIP, late, at(200))) == [(at(20), at(91))], "it must have arrived"
    assert look(late, at(200)) is None


def test_a_cancelled_shipment_has_nothing_open() -> None:
    told = exceptions_of(situation([gate_in(5), departs(2, 20)], at(300), cancelled_at=at(100)))
    assert told.found
    assert {f.cleared_at for f in told.found} == {at(100)}
    assert told.next_look(at(300)) is None


def test_other_modes_than_sea_have_no_ships_to_miss() -> None:
    from tracking.types import Mode

    road = journey(FinalMilestone.DOOR, mode=Mode.ROAD)
    codes = {f.code for f in exceptions_of(situation([departs(2, 20)], at(3_000), road, cutoff_at=at(1))).found}
    assert codes <= {Code.STALE}


@pytest.mark.req("R8.1")
def test_any_order_of_the_same_sightings_finds_the_same() -> None:
    trip = journey(transhipments=("SGSIN",), containers=(BOX, OTHER))
    rows = [
        gate_in(5), departs(2, 20), departs(3, 70, voyage="602W", imo="9999999"), *hold(4, 600, 660),
        eta(6, 30, 500, code="DROP"), eta(7, 40, 640, code="DROP"), eta(8, 41, 500), eta(9, 55, 700),
        sighting(10, "DELIVERY_FAILED", 690, place="NLUTC"), sighting(11, "DISC", 610, place="BEANR", place_role="POD"),
        sighting(12, "DISC", 590, place="NLRTM"),
        sighting(13, "DISC", 610, place="NLRTM", source="terminal", source_kind="terminal"),
        sighting(14, "LOAD", 60, place="CNSHA", voyage="602W", kind=Kind.EQUIPMENT),
    ]  # fmt: skip
    dice, told = random.Random(7), set()
    for _turn in range(60):
        dice.shuffle(rows)
        listed = exceptions_of(situation([replace(s, id=n) for n, s in enumerate(rows, 1)], at(800), trip,
                                         due_at=at(520), cutoff_at=at(4))).found  # fmt: skip
        told.add(tuple((f.key, f.started_at, f.cleared_at, f.severity, f.worse) for f in listed))
    assert len(told) == 1
    assert {f.code for f in listed} >= {
        Code.LATE_GATE_IN, Code.ROLLOVER, Code.CUSTOMS_HOLD_LONG, Code.ETA_SLIP, Code.AT_RISK, Code.DELIVERY_FAILED,
        Code.PORT_CHANGE, Code.DATA_CONFLICT,
    }  # fmt: skip
