"""Versions, repeats, retractions, clock lead and day precision (R1.2 to R1.9)."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.tracking.sightings import at, sighting, utc
from tracking.effective import effective, live_versions, on_time_instant
from tracking.types import Classifier, Milestone, Precision


def ids(*rows: object, as_of: float = 999) -> list[int]:
    return [s.id for s in live_versions(rows, as_of=at(as_of))]  # type: ignore[arg-type]


@pytest.mark.req("R1.2", "X14")
def test_a_repeat_under_a_new_id_counts_once() -> None:
    first = sighting(1, "GTOT", 10, natural_key="same")
    again = sighting(2, "GTOT", 10, natural_key="same", recorded_at=at(50))
    assert ids(*[first] * 50, again) == [1]
    other_source = sighting(3, "GTOT", 10, natural_key="same", source="terminal")
    assert ids(first, again, other_source) == [1, 3]


@pytest.mark.req("R1.3", "X10", "X11")
def test_the_newest_version_is_live_from_its_own_recording_on() -> None:
    old = sighting(1, "GTOT", 10, event_key="k", source_created_at=at(10))
    new = sighting(2, "GTOT", 8, event_key="k", source_created_at=at(40), recorded_at=at(41))
    assert ids(new, old, as_of=40) == [1]
    assert ids(new, old, as_of=41) == [2]
    late_copy = sighting(3, "GTOT", 9, event_key="k", source_created_at=at(20), recorded_at=at(60))
    assert ids(late_copy, new, old) == [2]


@pytest.mark.req("R1.3")
def test_a_correction_that_no_longer_concerns_the_shipment_takes_the_event_away() -> None:
    old = sighting(1, "GTOT", 10, event_key="k")
    gone = sighting(2, "GTOT", 10, event_key="k", recorded_at=at(40), is_empty=True)
    assert ids(old, gone) == []


@pytest.mark.req("R1.4", "X12", "X13")
def test_a_retraction_kills_all_versions_of_its_own_source_only() -> None:
    target = sighting(1, "GTOT", 10, event_key="k")
    early = sighting(2, "", 2, retracts="k")
    assert ids(early, target) == []
    later_version = sighting(3, "GTOT", 12, event_key="k", recorded_at=at(70))
    assert ids(early, target, later_version) == []
    stranger = sighting(4, "", 2, retracts="k", source="terminal")
    assert ids(stranger, target) == [1]
    late = sighting(5, "", 30, retracts="k")
    assert ids(late, target, as_of=30) == [1]
    assert ids(late, target, as_of=31) == []
    of_the_retraction = sighting(6, "", 40, retracts="e5")
    assert ids(late, target, of_the_retraction) == []


@pytest.mark.req("R1.5", "X09")
def test_an_actual_too_far_ahead_is_never_used_and_replaces_nothing() -> None:
    before = sighting(1, "GTOT", 5, event_key="k")
    ahead = sighting(2, "GTOT", 20, event_key="k", recorded_at=at(20) - timedelta(minutes=15, seconds=1))
    lead = sighting(3, "GTOT", 20, event_key="m", recorded_at=at(20) - timedelta(minutes=15))
    assert ids(before, ahead, lead) == [1, 3]
    estimate = sighting(4, "GTOT", 90, event_key="n", classifier=Classifier.EST, recorded_at=at(6))
    assert ids(estimate) == [4]


@pytest.mark.req("R1.9", "X18")
def test_the_latest_actual_of_the_best_source_counts_but_the_first_arrival_and_return() -> None:
    events = [
        sighting(1, "X", 10), sighting(2, "X", 30),
        sighting(3, "X", 20, source="terminal"), sighting(4, "X", 25, source="terminal"),
    ]  # fmt: skip
    for milestone, expected in (
        (Milestone.DELIVERED, 25),
        (Milestone.GATE_OUT_FULL, 25),
        (Milestone.VESSEL_ARRIVED, 20),
        (Milestone.EMPTY_RETURN, 20),
    ):
        act = effective(events, milestone=milestone).act
        assert act is not None
        assert act.time == at(expected)


@pytest.mark.req("R1.7", "X03", "X04", "X05")
def test_a_bare_date_counts_as_the_last_second_of_its_local_day() -> None:
    amsterdam = ZoneInfo("Europe/Amsterdam")
    summer_time_starts = utc("2026-03-28T23:00")
    assert on_time_instant(summer_time_starts, Precision.DAY, amsterdam) == utc("2026-03-29T21:59:59")
    assert on_time_instant(summer_time_starts, Precision.MINUTE, amsterdam) == summer_time_starts


@pytest.mark.req("P4", "R1.15")
def test_holds_that_begin_together_stand_in_the_same_order_however_they_arrived() -> None:
    from tracking.effective import pair_holds

    def hold(number: int) -> object:
        return sighting(number, "HOLD", 10)

    one = pair_holds({"CUSTOMS": [hold(1)], "PAPER TRD": [hold(2)]}, {})
    two = pair_holds({"CUSTOMS": [hold(2)], "PAPER TRD": [hold(1)]}, {})
    assert [h.customs for h in one] == [h.customs for h in two] == [True, False]
