"""Stays at terminals from moves of several sources: paired by node and kind, the same in any order (R2.10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.sightings import at, sighting
from tracking.types import Classifier, Precision
from tracking.visits import Stay, stays

pytestmark = pytest.mark.req("R2.10")
BOX = "MSKU1234565"


def told(*moves: tuple[str, float], place: str = "NLRTM", **more: object) -> list:
    return [sighting(n, code, hours, place=place, **more) for n, (code, hours) in enumerate(moves, start=1)]


def shown(found: list[Stay] | tuple[Stay, ...]) -> list[tuple[str, str, str, int | None]]:
    return [(s.place, s.facility, s.role, s.seconds) for s in found]


@pytest.mark.req("X60")
def test_a_carriers_discharge_and_a_terminals_gate_are_one_visit() -> None:
    moves = [
        sighting(1, "DISC", 10, place="NLRTM", source="carrier"),
        sighting(2, "GTOT", 58, place="NLRTM", facility="APMII", source="terminal", source_kind="terminal"),
    ]
    assert shown(stays(moves, containers=(BOX,)).visits) == [("NLRTM", "APMII", "IMPORT", 48 * 3600)]


def test_with_two_terminals_in_the_port_a_bare_port_belongs_to_neither() -> None:
    moves = [
        sighting(1, "DISC", 10, place="NLRTM"),
        sighting(2, "GTOT", 20, place="NLRTM", facility="APMII"),
        sighting(3, "GTIN", 30, place="NLRTM", facility="ECTDD"),
    ]
    found = stays(moves, containers=(BOX,))
    assert [(s.facility, s.role) for s in found.visits] == [("", ""), ("ECTDD", "")]
    assert dict(found.anomalies or {}) == {(BOX, "NLRTM", "APMII"): 1}


@pytest.mark.req("X34")
def test_turned_away_at_the_gate_is_a_visit_of_its_own() -> None:
    found = stays(told(("GTIN", 8), ("GTOT", 9), ("GTIN", 30), ("LOAD", 80), place="CNSHA"), containers=(BOX,))
    assert [s.role for s in found.visits] == ["PASS", "EXPORT"]


@pytest.mark.req("X33", "X35")
def test_who_is_not_seen_leaving_is_still_there() -> None:
    found = stays(told(("DISC", 10)), containers=(BOX,))
    assert shown(found.visits) == [("NLRTM", "", "", None)]
    assert found.visits[0].exit_at is None


@pytest.mark.req("X36")
def test_each_transhipment_port_has_its_own_visit() -> None:
    moves = [
        *told(("DISC", 10), ("LOAD", 40), place="SGSIN"),
        *[sighting(n, code, h, place="LKCMB") for n, code, h in ((7, "DISC", 90), (8, "LOAD", 100))],
    ]
    assert [(s.place, s.role) for s in stays(moves, containers=(BOX,)).visits] == [
        ("LKCMB", "TRANSHIP"),
        ("SGSIN", "TRANSHIP"),
    ]


@pytest.mark.req("R1.7")
def test_moves_known_by_the_day_are_left_out_and_counted() -> None:
    moves = [*told(("DISC", 10)), sighting(5, "GTOT", 48, place="NLRTM", precision=Precision.DAY)]
    found = stays(moves, containers=(BOX,))
    assert found.imprecise == 1
    assert found.visits[0].exit_at is None


def test_estimates_and_vessel_times_are_no_moves() -> None:
    moves = [
        sighting(1, "ARRI", 9, place="NLRTM"),
        sighting(2, "DISC", 10, place="NLRTM", classifier=Classifier.EST),
    ]
    assert stays(moves, containers=(BOX,)).visits == ()


def test_for_each_kind_of_move_the_best_source_counts() -> None:
    moves = [
        sighting(1, "DISC", 10, place="NLRTM", source="carrier"),
        sighting(2, "GTOT", 50, place="NLRTM", source="carrier"),
        sighting(3, "GTOT", 40, place="NLRTM", source="gate", source_kind="terminal"),
    ]
    assert [s.exit_at for s in stays(moves, containers=(BOX,)).visits] == [at(40)]


def test_a_move_of_the_whole_shipment_is_one_of_each_box() -> None:
    moves = [sighting(1, "DISC", 10, place="NLRTM", container=None), sighting(2, "GTOT", 20, place="NLRTM")]
    found = stays(moves, containers=(BOX, "TCLU1234568"))
    assert [(s.container, s.role) for s in found.visits] == [(BOX, "IMPORT"), ("TCLU1234568", "")]


@given(st.permutations(range(8)))
def test_the_order_of_arrival_changes_nothing(order: list[int]) -> None:
    codes = ("GTIN", "GTIN", "LOAD", "DISC", "LOAD", "DISC", "GTOT", "GTIN")
    moves = [
        sighting(n, code, 10 * n, place="CNSHA" if n < 3 else "NLRTM", source=f"s{n % 2}", source_kind="carrier")
        for n, code in enumerate(codes)
    ]
    assert stays([moves[n] for n in order], containers=(BOX,)) == stays(moves, containers=(BOX,))
