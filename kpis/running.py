"""The running month of on-time delivery, as far as its promises have come due: provisional, never signed (4.1).

Counted from derived columns, so that it costs the same on every page. The close judges each unit from its events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q

from kpis.figures import Graded, Trust, trust_grade
from kpis.otd import HEARD_WITHIN
from portal.lib.periods import Month
from tracking.milestones import chain, final_of
from tracking.models import Shipment
from tracking.readiness import so_far
from tracking.types import FinalMilestone, Milestone

_BEYOND = Q(*[  # the latest milestone stands after the final one
    Q(final_milestone=f.value, milestone__in=chain(f)[chain(f).index(final_of(f)) + 1 :]) for f in FinalMilestone
], _connector=Q.OR)  # fmt: skip
_BEFORE_DEPARTURE = ("", Milestone.GATE_IN_FULL, Milestone.CFS_RECEIVED, Milestone.LOADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """On time out of those due so far, with the grade of their data; `due` are all of the month."""

    month: Month
    den: int
    unknown: int
    due: int
    arrived: int  # of those due so far, on time
    arrived_late: int
    open: int  # not arrived, or not heard to be
    inferred: int  # of the open ones, those that count as on time
    graded: Graded

    @property
    def num(self) -> int:
        """Those that count as on time."""
        return self.arrived + self.inferred


def running(month: Month, *, at: datetime) -> Running:
    """The entered account's units of the month whose limit has passed by `at` (R2.0, R2.1); two statements.

    Late and missing ones stay in. A unit that arrived early waits for its limit like the others: else the figure would
    begin each month with its successes. Those silent for seven days, and those of which only a later milestone is
    heard, are unknown; the latter are on time where that milestone was reached within the limit (R2.2).
    """
    withdrawn = Q(status="CANCELLED", cancelled_by="CUSTOMER", milestone__in=_BEFORE_DEPARTURE)  # R2.0a
    due = Shipment.objects.filter(due_period=str(month)).exclude(withdrawn)
    passed, live, unheard = Q(due_at__lte=at), ~Q(status="CANCELLED"), Q(final_at__isnull=True)
    inferred = unheard & _BEYOND & Q(milestone_at__lt=F("due_at"))
    silent = Q(last_heard_at__isnull=True) | Q(last_heard_at__lt=at - HEARD_WITHIN)
    counted = due.aggregate(
        due=Count("id"), den=Count("id", filter=passed),
        arrived=Count("id", filter=passed & live & Q(punctuality="ON_TIME")),
        inferred=Count("id", filter=passed & live & inferred),
        arrived_late=Count("id", filter=passed & live & Q(punctuality="LATE", final_at__isnull=False)),
        open=Count("id", filter=passed & live & unheard),
        unknown=Count("id", filter=passed & live & unheard & ~inferred & (_BEYOND | silent)),
    )  # fmt: skip
    data = so_far(str(month), at=at)
    graded = trust_grade(
        Trust(
            complete=data.complete, units=data.units, unknown=counted["unknown"], den=counted["den"],
            conflicts=data.wrong, captured=data.captured,
        )
    )  # fmt: skip
    return Running(month=month, graded=graded, **counted)
