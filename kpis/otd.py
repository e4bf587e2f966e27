"""On-time delivery: the outcome of one unit at the close, and the counts of many (R2.0 to R2.3).

Pure; the close time is an argument. Limits and months come from tracking.rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from kpis.types import GROSS_REASONS, HITS, UNKNOWNS, Arrival, Counts, Outcome, Reason, UnitVerdict
from tracking.rules import Commitment, Limit, LimitOp, due_period, limit_of

__all__ = ["Commitment", "Limit", "LimitOp", "counts", "due_period", "leading_reason", "limit_of", "outcome", "verdict"]

HEARD_WITHIN: Final = timedelta(days=7)


def outcome(
    limit: Limit,
    arrivals: Sequence[Arrival],
    *,
    close_at: datetime,
    last_recorded_at: datetime | None = None,
    excluded: bool = False,
    carrier_cancelled: bool = False,
) -> Outcome:
    """The first outcome of table R2.2 that matches at `close_at`.

    `arrivals`: one for each live container, or one for a shipment without containers. `last_recorded_at`: the newest
    thing heard of the shipment up to `close_at`, None when nothing ever was.
    """
    boxes = arrivals or (Arrival(),)
    finals = [a.final for a in boxes if a.final is not None]
    if excluded:
        return Outcome.EXCLUDED
    if carrier_cancelled:
        return Outcome.CARRIER_CANCELLED
    if any(not limit.holds(final) for final in finals):
        return Outcome.LATE
    if any(limit.is_early(final) for final in finals):
        return Outcome.EARLY
    if len(finals) == len(boxes):
        return Outcome.ON_TIME
    if limit.early is None and all(a.final or (a.later and limit.holds(a.later)) for a in boxes):
        return Outcome.ON_TIME_INFERRED
    if all(a.final or a.later for a in boxes):
        return Outcome.UNPROVEN
    if limit.holds(close_at):
        return Outcome.PENDING
    heard = last_recorded_at is not None and last_recorded_at >= close_at - HEARD_WITHIN
    return Outcome.LATE_OPEN if heard else Outcome.SILENT


def verdict(
    commitment: Commitment,
    arrivals: Sequence[Arrival],
    *,
    close_at: datetime,
    last_recorded_at: datetime | None = None,
    excluded: bool = False,
    carrier_cancelled: bool = False,
) -> UnitVerdict:
    """The outcome of a unit with its month, its limit and when its last container arrived."""
    limit = limit_of(commitment)
    finals = [a.final for a in arrivals if a.final is not None]
    return UnitVerdict(
        outcome=outcome(
            limit,
            arrivals,
            close_at=close_at,
            last_recorded_at=last_recorded_at,
            excluded=excluded,
            carrier_cancelled=carrier_cancelled,
        ),
        period=due_period(commitment),
        limit=limit,
        final_utc=max(finals) if finals and len(finals) == len(arrivals) else None,
    )


def counts(outcomes: Iterable[Outcome]) -> Counts:
    """num, den, excluded and unknown of the outcomes (R2.2, R2.3); a PENDING unit is due and not yet a hit."""
    listed = list(outcomes)
    excluded = sum(o == Outcome.EXCLUDED for o in listed)
    return Counts(
        num=sum(o in HITS for o in listed),
        den=len(listed) - excluded,
        excluded=excluded,
        unknown=sum(o in UNKNOWNS for o in listed),
    )


def leading_reason(reasons: Iterable[Reason], *, contract: bool) -> Reason | None:
    """The one reason that excludes a unit from the gross or the contract figure, None when it stays (R2.0a)."""
    counted = [r for r in reasons if contract or r in GROSS_REASONS]
    order = list(Reason)
    return min(counted, key=order.index, default=None)
