"""Figures from counts and seconds: ratios, how they are shown, bounds, percentiles, trust grade (sections 0, 2, 3).

Exact throughout: integers, Decimal and Fraction; rounding is half-up and last (R0.1, R0.4). No floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from kpis.types import Counts
from portal.lib.money import half_up

DAY_SECONDS: Final = 86_400


def ratio6(num: int, den: int) -> str | None:
    """num/den with six decimals as text, half-up; None when there is no denominator (R0.3, R0.4)."""
    return f"{half_up(Fraction(num, den), 6):f}" if den else None


def display_pct(num: int, den: int, thresholds: Iterable[Decimal | int] = ()) -> str | None:
    """The percentage as people see it: the fewest decimals, 1 to 6, at which it does not contradict the exact value
    against 0, 100 and each target shown beside it (R0.5); None when there is no denominator."""
    if not den:
        return None
    exact = Fraction(100 * num, den)
    marks = [Fraction(0), Fraction(100), *(Fraction(t) for t in thresholds)]
    for places in range(1, 7):
        shown = half_up(exact, places)
        if all(_side(Fraction(shown), m) == _side(exact, m) for m in marks):
            break
    return f"{shown:f}"


def _side(value: Fraction, mark: Fraction) -> int:
    return (value > mark) - (value < mark)


def bounds(counts: Counts) -> tuple[str | None, str | None]:
    """R2.3: low = num/den, the published value; high = (num + unknown)/den. Both as ratio6."""
    return ratio6(counts.num, counts.den), ratio6(counts.num + counts.unknown, counts.den)


def stands(den: int, *, min_n: int) -> bool:
    """Whether the group is large enough for a percentage; below it, show "7 of 8" (R0.6, R3.2)."""
    return den >= max(1, min_n)


def meets(num: int, den: int, target_pct: Decimal) -> bool:
    """Whether 100*num/den reaches the target, cross-multiplied (R0.2). False for an empty denominator."""
    return den > 0 and 100 * num >= Fraction(target_pct) * den


# --- durations (R2.13) ---


def percentile(values: Sequence[int], *, tenths: int = 9) -> Fraction:
    """The linear-interpolation percentile of integers (`percentile_cont`), exact; `tenths` 9 is the P90."""
    if not values:
        raise ValueError("A percentile needs at least one value.")
    ordered = sorted(values)
    k, rest = divmod(tenths * (len(ordered) - 1), 10)
    following = ordered[min(k + 1, len(ordered) - 1)]
    return Fraction(10 * ordered[k] + rest * (following - ordered[k]), 10)


def p90_tenths(values: Sequence[int]) -> int:
    """The P90 in tenths of a second; it is exact there."""
    return int(percentile(values) * 10)


@dataclass(frozen=True, slots=True)
class Durations:
    """Average and P90 of a cohort of visits; never merged from parts, always from the raw seconds (P9)."""

    n: int
    sum_seconds: int
    p90_tenths: int

    @property
    def mean_seconds(self) -> Decimal:
        """Six decimals, half-up."""
        return half_up(Fraction(self.sum_seconds, self.n), 6)

    @property
    def p90_seconds(self) -> Decimal:
        """One decimal, exact."""
        return half_up(Fraction(self.p90_tenths, 10), 1)

    @property
    def mean_days(self) -> Decimal:
        """Days of 86,400 s with one decimal, rounded once from the exact mean."""
        return half_up(Fraction(self.sum_seconds, self.n * DAY_SECONDS), 1)

    @property
    def p90_days(self) -> Decimal:
        """Days of 86,400 s with one decimal."""
        return half_up(Fraction(self.p90_tenths, 10 * DAY_SECONDS), 1)


def durations(seconds: Sequence[int]) -> Durations | None:
    """The figures of a cohort of visits, None when there are none (R0.3)."""
    return Durations(len(seconds), sum(seconds), p90_tenths(seconds)) if seconds else None


# --- data-trust gate (R3.1) ---


class Grade(StrEnum):
    """How far a cell can be trusted."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the gate looks at, all exact counts of the cell's own units."""

    complete: int
    units: int  # with at least one required milestone
    unknown: int = 0
    den: int = 0
    conflicts: int = 0
    captured: int = 0
    has_spread: bool = True  # False for dwell


@dataclass(frozen=True, slots=True)
class Graded:
    """A grade and the codes of what kept it from a better one."""

    grade: Grade
    reasons: tuple[str, ...] = ()


def trust_grade(trust: Trust) -> Graded:
    """R3.1, thresholds inclusive and exact. Without units nothing is proven: C (R0.3)."""
    t = trust
    faults_a: list[str] = []
    faults_b: list[str] = []
    for pct, faults in ((95, faults_a), (85, faults_b)):
        if t.units == 0 or 100 * t.complete < pct * t.units:
            faults.append("COMPLETENESS")
    for points, faults in ((2, faults_a), (5, faults_b)):
        if t.has_spread and (t.den == 0 or 100 * t.unknown > points * t.den):
            faults.append("SPREAD")
    if 100 * t.conflicts > 2 * t.captured:
        faults_a.append("CONFLICTS")
    if not faults_a:
        return Graded(Grade.A)
    return Graded(Grade.C, tuple(faults_b)) if faults_b else Graded(Grade.B, tuple(faults_a))


# --- scoreboard (R9.1) ---


def failures_left(expected_den: int, target_pct: Decimal, failures: int) -> int:
    """How many more failures the month can bear before it breaches: max(0, floor(n*(1 - target)) - failures)."""
    allowed = expected_den * (100 - Fraction(target_pct)) / 100
    return max(0, allowed.numerator // allowed.denominator - failures)
