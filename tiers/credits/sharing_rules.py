"""Sharing money exactly: charges over containers, KPIs of one lane, lanes of one account, restatement (R6.6 to R6.14).

Pure, whole minor units only; parts always add up, and the order of the input never matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

KPI_ORDER: Final = ("OTD", "ETA", "DWELL", "EXCEPTION", "COMPLETENESS")
K = TypeVar("K")


class Stacking(StrEnum):
    """What happens when several KPIs of one lane month owe a credit (R6.9)."""

    HIGHEST_ONLY = "HIGHEST_ONLY"
    SUM = "SUM"


class Downward(StrEnum):
    """What happens to a credit that a later version finds too high, once issued (R6.14)."""

    KEEP = "KEEP"
    OFFSET_NEXT = "OFFSET_NEXT"


def charge_split(minor: int, containers: int) -> tuple[int, ...]:
    """A shipment-level charge in equal parts by container number; spare units go to the first ones (R6.6).

    A credit note (negative) splits as its mirror image.
    """
    if containers < 1:
        raise ValueError("A charge needs at least one container to be split over.")
    part, spare = divmod(abs(minor), containers)
    sign = -1 if minor < 0 else 1
    return tuple(sign * (part + (1 if i < spare else 0)) for i in range(containers))


def largest_remainder(claims: Mapping[K, int], cap: int, *, order: Callable[[K], Any]) -> dict[K, int]:
    """Shares `cap` among the claims in proportion; spare units go by largest remainder, ties by `order`.

    Claims within the cap are left whole. All amounts are minor units, claims never negative.
    """
    if any(claim < 0 for claim in claims.values()):
        raise ValueError("A claim is never negative.")
    total, cap = sum(claims.values()), max(0, cap)
    if total <= cap:
        return dict(claims)
    shares = {key: divmod(claim * cap, total) for key, claim in claims.items()}
    spare = cap - sum(whole for whole, _ in shares.values())
    ranked = sorted(claims, key=lambda key: (-shares[key][1], order(key)))
    lucky = set(ranked[:spare])
    return {key: shares[key][0] + (key in lucky) for key in claims}


def allocate(lines: Mapping[str, int], cap: int | None) -> dict[str, int]:
    """Rounded credits by lane code under the account cap K; ties to the smaller lane code (R6.10). None: no cap."""
    return dict(lines) if cap is None else largest_remainder(lines, cap, order=lambda lane: lane)


def account_room(*, month_cap: int | None, year_cap: int | None, issued_this_year: int) -> int | None:
    """K: the smaller of the month cap and what the year cap leaves, never below 0; None without either (R6.10)."""
    limits = [month_cap] if month_cap is not None else []
    if year_cap is not None:
        limits.append(year_cap - issued_this_year)
    return max(0, min(limits)) if limits else None


@dataclass(frozen=True, slots=True)
class Stacked:
    """What each KPI of a lane month is paid, and which are suppressed, in the fixed order."""

    amounts: Mapping[str, int]
    suppressed: tuple[str, ...]

    @property
    def total(self) -> int:
        """The sum paid."""
        return sum(self.amounts.values())


def stack(policy: Stacking, lines: Mapping[str, int], *, lane_cap: int | None = None) -> Stacked:
    """R6.9: the largest alone (ties in the KPI order), or the sum under the rounded lane cap."""
    if policy == Stacking.SUM:
        shared = dict(lines) if lane_cap is None else largest_remainder(lines, lane_cap, order=KPI_ORDER.index)
        return Stacked(shared, ())
    ranked = sorted(lines, key=lambda kpi: (-lines[kpi], KPI_ORDER.index(kpi)))
    kept = ranked[:1]
    suppressed = tuple(sorted((k for k in lines if k not in kept), key=KPI_ORDER.index))
    return Stacked({kpi: lines[kpi] if kpi in kept else 0 for kpi in lines}, suppressed)


def restate(
    *, issued: Mapping[str, int], recomputed: Mapping[str, int], headroom: int | None, policy: Downward
) -> dict[str, int]:
    """The difference to post for each lane once version 1 is issued (R6.14).

    Rises are limited to what the caps leave, in lane-code order; falls are kept (0) or offset against the next credit.
    """
    left = None if headroom is None else max(0, headroom)
    deltas: dict[str, int] = {}
    for lane in sorted(issued.keys() | recomputed.keys()):
        delta = recomputed.get(lane, 0) - issued.get(lane, 0)
        if delta > 0 and left is not None:
            delta = min(delta, left)
            left -= delta
        elif delta < 0 and policy == Downward.KEEP:
            delta = 0
        deltas[lane] = delta
    return deltas


def repost(*, approved: Mapping[str, int], recomputed: Mapping[str, int]) -> dict[str, int]:
    """The difference for each lane before ISSUED: reversed and posted anew, so rises and falls both count."""
    lanes: Sequence[str] = sorted(approved.keys() | recomputed.keys())
    return {lane: recomputed.get(lane, 0) - approved.get(lane, 0) for lane in lanes}


def net(deltas: Iterable[int], reversals: Iterable[int] = ()) -> int:
    """Issued total: approved differences less reversals (P27)."""
    return sum(deltas) - sum(reversals)
