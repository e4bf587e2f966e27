"""Intervals of long-run rates: Wilson for one, Newcombe for the difference of two (R7.7, R8.12, R9.2).

Floats are allowed here and nowhere else in kpis (R0.1): these are estimates, never a verdict on a target.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z: Final = 1.959963984540054
MIN_UNITS: Final = 30


def wilson(x: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of x of n as fractions; 0 and 1 exactly at the ends. ValueError without units."""
    if n < 1 or not 0 <= x <= n:
        raise ValueError("A Wilson interval needs 0 <= x <= n and n >= 1.")
    p, z2 = x / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return (0.0 if x == 0 else middle - half), (1.0 if x == n else middle + half)


@dataclass(frozen=True, slots=True)
class Difference:
    """Second period minus first, as fractions, with its interval."""

    diff: float
    low: float
    high: float
    confirmed: bool  # better for sure: the lower end is above 0 and both periods have 30 units (R9.2)


def newcombe(x1: int, n1: int, x2: int, n2: int) -> Difference:
    """Newcombe's interval for the difference of two independent rates, from their Wilson intervals."""
    p1, p2 = x1 / n1, x2 / n2
    (l1, u1), (l2, u2) = wilson(x1, n1), wilson(x2, n2)
    diff = p2 - p1
    low = diff - sqrt((p2 - l2) ** 2 + (u1 - p1) ** 2)
    high = diff + sqrt((u2 - p2) ** 2 + (p1 - l1) ** 2)
    return Difference(diff, low, high, confirmed=low > 0 and min(n1, n2) >= MIN_UNITS)
