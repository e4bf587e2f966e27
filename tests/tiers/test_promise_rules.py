"""Tier, coverage, entitlement and target on a day (R1.17, R5.2 to R5.4)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.tracking.sightings import utc
from tiers.promises.rules import (
    Lane,
    Override,
    Promise,
    Subscription,
    Term,
    Tier,
    Travel,
    first_overlap,
    is_covered,
    is_entitled,
    target_for,
    tier_on,
)

SPRING = Term(date(2026, 3, 16), date(2026, 5, 1))
ALWAYS = Term(date(2020, 1, 1))
LANE = Lane(origins=frozenset({"CNSHA"}), destinations=frozenset({"NLRTM", "BEANR"}), final="DELIVERED")
TRIP = Travel(origin="CNSHA", destination="NLRTM", mode="SEA", final="DELIVERED", trade="AEW", day=date(2026, 4, 1))
DEFAULTS = {(Tier.STANDARD, "OTD"): Decimal(85), (Tier.PRIORITY, "OTD"): Decimal(90)}


@pytest.mark.req("R5.2")
def test_gaps_mean_standard_and_the_end_is_exclusive() -> None:
    rows = [Subscription(Tier.PREMIUM, SPRING)]
    assert tier_on(rows, date(2026, 3, 15)) == Tier.STANDARD
    assert tier_on(rows, date(2026, 3, 16)) == Tier.PREMIUM
    assert tier_on(rows, date(2026, 5, 1)) == Tier.STANDARD
    following = Subscription(Tier.PRIORITY, Term(date(2026, 5, 1)))
    assert first_overlap([following, *rows]) is None
    early = Subscription(Tier.PRIORITY, Term(date(2026, 4, 30)))
    assert first_overlap([early, *rows]) == (rows[0], early)


@pytest.mark.req("R1.17", "X44")
def test_coverage_is_decided_by_the_local_day_of_the_first_commitment() -> None:
    amsterdam = ZoneInfo("Europe/Amsterdam")
    assert not is_covered(utc("2026-03-15T22:59:59"), zone=amsterdam, terms=[SPRING])
    assert is_covered(utc("2026-03-15T23:00:00"), zone=amsterdam, terms=[SPRING])


def test_an_override_in_force_beats_the_tier() -> None:
    defaults = {Tier.STANDARD: False, Tier.PREMIUM: True}
    rows = [Subscription(Tier.PREMIUM, SPRING)]
    off = Override("qbr", False, Term(date(2026, 4, 1), date(2026, 4, 2)))

    def entitled(day: date) -> bool:
        return is_entitled("qbr", day=day, subscriptions=rows, defaults=defaults, overrides=[off])

    assert [entitled(date(2026, m, d)) for m, d in ((3, 1), (3, 31), (4, 1), (4, 2))] == [False, True, False, True]


@pytest.mark.req("R5.4")
def test_a_target_comes_from_the_lane_then_the_trade_then_the_tier() -> None:
    lane = Promise(kpi="OTD", target=Decimal(95), term=ALWAYS, lane=LANE)
    newer = Promise(kpi="OTD", target=Decimal(96), term=Term(date(2026, 4, 1)), lane=LANE, version=2)
    trade = Promise(kpi="OTD", target=Decimal(92), term=ALWAYS, trade="AEW")
    other = Promise(kpi="ETA", target=Decimal(70), term=ALWAYS, lane=LANE)

    def target(*promises: Promise, tier: Tier = Tier.PRIORITY) -> Decimal | None:
        found = target_for("OTD", TRIP, promises=promises, tier=tier, defaults=DEFAULTS)
        return found.value if found else None

    assert target(trade, lane, newer, other) == 96
    assert target(trade, lane) == 95
    assert target(trade, other) == 92
    assert target(other) == 90
    assert target(other, tier=Tier.PREMIUM) is None


@pytest.mark.req("R5.4")
def test_lanes_match_by_places_mode_and_final_milestone() -> None:
    assert LANE.code == "CNSHA-BEANR+NLRTM"
    assert LANE.holds(origin="CNSHA", destination="BEANR", mode="SEA", final="DELIVERED")
    assert not LANE.holds(origin="CNSHA", destination="BEANR", mode="AIR", final="DELIVERED")
    assert not LANE.holds(origin="CNSHA", destination="BEANR", mode="SEA", final="CY_AVAILABLE")
    assert LANE.meets(Lane(origins=frozenset({"CNSHA"}), destinations=frozenset({"NLRTM"})))
    assert not LANE.meets(Lane(origins=frozenset({"CNSHA"}), destinations=frozenset({"DEHAM"})))
