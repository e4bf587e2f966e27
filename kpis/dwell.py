"""Dwell at nodes: the cohort of visits of a month and what is shown beside the figure (R2.11 to R2.14).

Pure. Pairing moves into visits is tracking's (tracking.rules); average and P90 are in figures.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from kpis.figures import DAY_SECONDS, Durations, durations
from portal.lib.periods import Month, local_date
from tracking.rules import Role, Visit

DWELL_FLAG_DAYS: Final = 60


def cohort(visits: Iterable[Visit], *, month: Month, zone: ZoneInfo, role: Role) -> list[Visit]:
    """Visits of one role whose exit falls on a local day of the month (R2.12)."""
    return [v for v in visits if v.role == role and Month.of(local_date(v.exit, zone)) == month]


@dataclass(frozen=True, slots=True)
class DwellCell:
    """The figure of one node, role and month, and the visits to look at again."""

    figures: Durations | None
    flagged: tuple[Visit, ...]  # kept, but longer than `dwell_flag_days` (R2.14)


def dwell_cell(visits: Sequence[Visit], *, flag_days: int = DWELL_FLAG_DAYS) -> DwellCell:
    """Average and P90 of a cohort; None figures when it is empty."""
    return DwellCell(
        durations([v.seconds for v in visits]),
        tuple(v for v in visits if v.seconds > flag_days * DAY_SECONDS),
    )


def open_ages(entries: Iterable[datetime], *, at: datetime) -> list[int]:
    """Ages in seconds of visits still open, longest first; published beside the figure, never averaged (R2.12)."""
    return sorted((int((at - entry).total_seconds()) for entry in entries), reverse=True)
