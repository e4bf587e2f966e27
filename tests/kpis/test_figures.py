"""How figures are worked out and shown: exact, rounded once, free of contradiction (R0, R2.13, R3.1)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.figures import (
    Grade,
    Trust,
    bounds,
    display_pct,
    durations,
    failures_left,
    meets,
    percentile,
    ratio6,
    stands,
    trust_grade,
)
from kpis.types import Counts

MANY = settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
parts = st.tuples(st.integers(0, 3000), st.integers(0, 3000)).map(lambda p: (min(p), max(p)))
targets = st.integers(1, 1000).map(lambda t: Decimal(t) / 10)


@pytest.mark.req("R0.3", "X31")
def test_no_value_comes_from_nothing() -> None:
    assert ratio6(0, 0) is None
    assert display_pct(0, 0, [Decimal(95)]) is None
    assert durations([]) is None
    assert not meets(0, 0, Decimal(0))
    assert bounds(Counts()) == (None, None)


@pytest.mark.req("R0.6", "X32")
def test_a_small_group_does_not_stand_as_a_percentage() -> None:
    assert not stands(8, min_n=10)
    assert stands(10, min_n=10)
    assert not stands(0, min_n=0)


@pytest.mark.req("R0.5", "X43")
def test_a_miss_is_never_shown_as_the_target() -> None:
    assert display_pct(949, 999, [Decimal(95)]) == "94.99"
    assert display_pct(949, 999) == "95.0"
    assert display_pct(2499, 2500) == "99.96"
    assert display_pct(1, 1_000_000) == "0.0001"


@pytest.mark.req("R0.5", "P13")
@pytest.mark.slow
@MANY
@given(part=parts, target=targets)
def test_what_is_shown_stands_on_the_side_where_the_value_stands(part: tuple[int, int], target: Decimal) -> None:
    num, den = part
    shown = display_pct(num, den, [target])
    if den == 0:
        assert shown is None
        return
    assert shown is not None
    exact = Fraction(100 * num, den)
    for mark in (Fraction(0), Fraction(100), Fraction(target)):
        assert (Fraction(shown) < mark, Fraction(shown) > mark) == (exact < mark, exact > mark)
    places = len(shown.partition(".")[2])
    assert Decimal(shown) == (Decimal(100 * num) / den).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    assert meets(num, den, target) == (exact >= Fraction(target))


@pytest.mark.req("P1", "P3")
@pytest.mark.slow
@MANY
@given(groups=st.lists(st.tuples(parts, st.integers(0, 50)), max_size=4))
def test_merging_adds_and_keeps_the_order_of_the_bounds(groups: list[tuple[tuple[int, int], int]]) -> None:
    cells = [Counts(num=n, den=d + u, unknown=u, excluded=u) for (n, d), u in groups]
    merged = Counts.merged(cells)
    assert merged.num == sum(c.num for c in cells)
    assert merged == Counts.merged(reversed(cells))
    assert 0 <= merged.num <= merged.num + merged.unknown <= merged.den
    low, high = bounds(merged)
    assert (low is None) == (merged.den == 0)
    assert low is None or Decimal(low) <= Decimal(high or 0)


@pytest.mark.req("P8", "R2.13")
@pytest.mark.slow
@MANY
@given(values=st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30), more=st.integers(0, 10_000))
def test_the_p90_lies_inside_rises_with_its_values_and_ignores_their_order(values: list[int], more: int) -> None:
    p90 = percentile(values)
    assert min(values) <= p90 <= max(values)
    assert percentile(values[::-1]) == p90
    assert percentile([values[0] + more, *values[1:]]) >= p90
    ordered, rank = sorted(values), Fraction(9 * (len(values) - 1), 10)
    below = ordered[int(rank)]
    above = ordered[min(int(rank) + 1, len(values) - 1)]
    assert p90 == below + (rank - int(rank)) * (above - below)


@pytest.mark.req("P9", "W03")
def test_a_merged_percentile_is_recomputed_never_averaged() -> None:
    a, b = [0, 0, 0, 10], [0, 0, 0, 0, 0, 0, 10]
    assert (percentile(a), percentile(b), percentile(a + b)) == (7, 4, 10)


@pytest.mark.req("R3.1")
@pytest.mark.parametrize(
    ("trust", "grade", "reasons"),
    [
        (Trust(complete=190, units=200, unknown=4, den=200, conflicts=20, captured=1000), Grade.A, ()),
        (Trust(complete=190, units=200, unknown=4, den=200, conflicts=21, captured=1000), Grade.B, ("CONFLICTS",)),
        (Trust(complete=169, units=200, den=200, captured=1000), Grade.C, ("COMPLETENESS",)),
        (Trust(complete=60, units=60, unknown=9, den=60, captured=300), Grade.C, ("SPREAD",)),
        (Trust(complete=0, units=0), Grade.C, ("COMPLETENESS", "SPREAD")),
        (Trust(complete=20, units=20, has_spread=False), Grade.A, ()),
    ],
)
def test_the_grade_says_what_kept_it_from_a_better_one(trust: Trust, grade: Grade, reasons: tuple[str, ...]) -> None:
    found = trust_grade(trust)
    assert (found.grade, found.reasons) == (grade, reasons)


@pytest.mark.req("R9.1")
def test_failures_left_never_goes_below_nothing() -> None:
    assert [failures_left(320, Decimal(97), f) for f in (4, 9, 12)] == [5, 0, 0]
