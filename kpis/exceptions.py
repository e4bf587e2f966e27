"""Exception rate: which units of a month had a major exception (R2.15).

Pure. Detection is tracking's business; which codes are major stands in tracking.rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kpis.types import Counts
from tracking.rules import MAJOR


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of a unit. Instants are aware UTC."""

    code: str
    started_at: datetime
    dismissed_at: datetime | None = None  # dismissed as false


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitExceptions:
    """A unit of P(m) with all its exceptions, of whichever container."""

    unit: str
    exceptions: Sequence[Raised] = ()
    excluded: bool = False


def counts_as_major(raised: Raised, *, close_at: datetime) -> bool:
    """Major, begun by the close, and not dismissed as false by then."""
    dismissed = raised.dismissed_at is not None and raised.dismissed_at <= close_at
    return raised.code in MAJOR and raised.started_at <= close_at and not dismissed


@dataclass(frozen=True, slots=True)
class ExceptionRate:
    """The counts and the units behind the numerator, in input order."""

    counts: Counts
    units: tuple[str, ...]


def exception_rate(units: Iterable[UnitExceptions], *, close_at: datetime) -> ExceptionRate:
    """Units with at least one major exception of all units that are not excluded; several on one unit count once."""
    listed = list(units)
    staying = [u for u in listed if not u.excluded]
    hit = tuple(u.unit for u in staying if any(counts_as_major(r, close_at=close_at) for r in u.exceptions))
    return ExceptionRate(Counts(num=len(hit), den=len(staying), excluded=len(listed) - len(staying)), hit)
