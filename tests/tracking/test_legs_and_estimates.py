"""Legs as they went, and how estimates moved: pure, as a reader saw them then (R1.14, R2.17)."""

from __future__ import annotations

import pytest

from tests.tracking.sightings import at, journey, sighting
from tracking.estimates import estimates
from tracking.legs import PlannedLeg, legs_as_they_went
from tracking.types import Classifier, Milestone

EST, M = Classifier.EST, Milestone
PLAN = [
    PlannedLeg(sequence=1, origin="CNSHA", destination="SGSIN", mode="VESSEL", voyage="601W", vessel_imo="9321483"),
    PlannedLeg(sequence=2, origin="SGSIN", destination="NLRTM", mode="VESSEL"),
    PlannedLeg(sequence=3, origin="NLRTM", destination="NLUTC"),
]


@pytest.mark.req("R1.14")
def test_each_leg_takes_the_calls_at_its_own_ends() -> None:
    calls = [
        sighting(1, "DEPA", 10, place="CNSHA", mode="VESSEL", voyage="601W", vessel_imo="9321483"),
        sighting(2, "ARRI", 90, place="SGSIN", mode="VESSEL", classifier=EST),
        sighting(3, "ARRI", 95, place="SGSIN", mode="VESSEL"),
        sighting(4, "DEPA", 120, place="SGSIN", mode="VESSEL", voyage="77E", vessel_imo="9778129"),
        sighting(5, "DEPA", 700, place="NLRTM", mode="TRUCK"),
    ]
    first, second, third = legs_as_they_went(PLAN, calls)
    assert (first.departure.act.time, first.arrival.act.time, first.arrival.est.time) == (at(10), at(95), at(90))
    assert (second.departure.act.time, second.arrival.best, second.voyage) == (at(120), None, "77E")
    assert (second.vessel_imo, third.departure.act.time) == ("9778129", at(700))


def test_a_truck_leaving_the_port_is_no_departure_of_the_vessel() -> None:
    (leg,) = legs_as_they_went(PLAN[:1], [sighting(1, "DEPA", 10, place="CNSHA", mode="TRUCK")])
    assert leg.departure.best is None


def test_the_plan_stands_where_nothing_was_heard() -> None:
    (leg,) = legs_as_they_went(PLAN[:1], [])
    assert (leg.voyage, leg.vessel_imo, leg.departure.best, leg.arrival.best) == ("601W", "9321483", None, None)


@pytest.mark.req("R2.17")
def test_an_estimate_is_published_with_the_event_that_made_it_effective() -> None:
    told = [
        sighting(1, "ARRI", 500, place="NLRTM", classifier=EST, recorded_at=at(10)),
        sighting(2, "ARRI", 524, place="NLRTM", classifier=EST, recorded_at=at(200)),
        sighting(3, "ARRI", 524, place="NLRTM", classifier=EST, recorded_at=at(300)),
        sighting(4, "ARRI", 530, place="NLRTM", recorded_at=at(531)),
    ]
    moves = estimates(told, journey(), milestones=[M.VESSEL_ARRIVED], as_of=at(900))
    assert [(m.published_at, m.heard.time) for m in moves] == [(at(10), at(500)), (at(200), at(524))]
    assert [m.published_at for m in estimates(told, journey(), milestones=[M.VESSEL_ARRIVED], as_of=at(50))] == [at(10)]


@pytest.mark.req("R1.4")
def test_a_withdrawn_estimate_gives_way_to_the_one_before_it() -> None:
    told = [
        sighting(1, "ARRI", 500, place="NLRTM", classifier=EST, recorded_at=at(10)),
        sighting(2, "ARRI", 600, place="NLRTM", classifier=EST, recorded_at=at(20)),
        sighting(3, "ARRI", 600, retracts="e2", recorded_at=at(30)),
    ]
    moves = estimates(told, journey(), milestones=[M.VESSEL_ARRIVED], as_of=at(90))
    assert [(m.published_at, m.heard.time) for m in moves] == [(at(10), at(500)), (at(20), at(600)), (at(30), at(500))]


@pytest.mark.req("R1.13")
def test_when_one_box_is_there_the_others_are_what_is_expected() -> None:
    trip = journey(containers=("MSKU1234565", "TCLU1234568"))
    told = [
        sighting(1, "DISC", 600, place="NLRTM", classifier=EST, recorded_at=at(10)),
        sighting(2, "DISC", 500, place="NLRTM", classifier=EST, container="TCLU1234568", recorded_at=at(11)),
        sighting(3, "DISC", 590, place="NLRTM", recorded_at=at(591)),
    ]
    moves = estimates(told, trip, milestones=[M.DISCHARGED], as_of=at(900))
    assert [(m.published_at, m.heard.time) for m in moves] == [(at(10), at(600)), (at(591), at(500))]
