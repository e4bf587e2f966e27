"""Free time: the terms that hold for a box, its last free day, how it stands against it (R8.9).

Pure: terms and visits in, days out. Days are local to the terminal's place. The arithmetic of one day is in rules.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from portal.lib.periods import local_date, local_midnight
from tracking.rules import FreeTimeStart, chargeable_days, last_free_day
from tracking.visits import Stay

MOST_FREE_DAYS: Final = 365
_IMPORT_ENTRY: Final = "DISC"
_IMPORT_EXIT: Final = "GTOT"


class FreeKind(StrEnum):
    """What is charged when the days are over; stored, so never renamed."""

    DEMURRAGE = "DEMURRAGE"  # the full box stands at the terminal of import: from its discharge to the gate
    DETENTION = "DETENTION"  # the box is out: from the gate until it is brought back empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What was agreed for a place, or one terminal there, for clocks that begin from `first_day` to `last_day`."""

    kind: FreeKind
    place: str
    facility: str = ""  # empty: every terminal of the place
    free_days: int
    start: FreeTimeStart = FreeTimeStart.NEXT_DAY
    working_days: bool = False
    holidays: frozenset[date] = frozenset()
    first_day: date
    last_day: date | None = None  # inclusive; None: until further notice

    def holds(self, kind: FreeKind, place: str, day: date) -> bool:
        """Whether it is about clocks of this kind that begin at the place on the day."""
        return (
            (self.kind, self.place) == (kind, place)
            and self.first_day <= day
            and (self.last_day is None or day <= self.last_day)
        )

    def last_free(self, day: date) -> date:
        """The last day without charge of a clock that begins on the day."""
        return last_free_day(
            day, free_days=self.free_days, start=self.start, working_days=self.working_days, holidays=self.holidays
        )


def term_for(terms: Iterable[Term], *, kind: FreeKind, place: str, facility: str, day: date) -> Term | None:
    """The term that holds: the terminal's own before the place's; of several the one that began last."""
    fitting = [t for t in terms if t.holds(kind, place, day) and t.facility in (facility, "")]
    return max(fitting, key=lambda t: (t.facility != "", t.first_day), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeTime:
    """The clock of one box. `ended` is the local day on which it stopped; None while it runs."""

    kind: FreeKind
    container: str
    place: str
    facility: str
    began: date
    last_free: date
    ended: date | None
    term: Term = field(compare=False, repr=False)

    def days_left(self, today: date) -> int:
        """Whole days until the last free one while it runs; negative once it has passed."""
        return (self.last_free - today).days

    @property
    def charged_days(self) -> int | None:
        """Days beyond free time of a clock that has stopped (R8.9); None while it runs."""
        return None if self.ended is None else chargeable_days(self.ended, self.last_free)


def is_import(stay: Stay, pod: str | None) -> bool:
    """Whether a visit is that of a box that was discharged at the port of import."""
    return stay.place == pod and stay.entry_code == _IMPORT_ENTRY and stay.role != "TRANSHIP"


def demurrage(stay: Stay, terms: Sequence[Term], zone: ZoneInfo) -> FreeTime | None:
    """The clock of a visit at the terminal of import; None where nothing was agreed."""
    began = local_date(stay.entry_at, zone)
    term = term_for(terms, kind=FreeKind.DEMURRAGE, place=stay.place, facility=stay.facility, day=began)
    if term is None:
        return None
    return FreeTime(
        kind=FreeKind.DEMURRAGE, container=stay.container, place=stay.place, facility=stay.facility, began=began,
        last_free=term.last_free(began), ended=local_date(stay.exit_at, zone) if stay.exit_at else None, term=term,
    )  # fmt: skip


def detention(stay: Stay, terms: Sequence[Term], zone: ZoneInfo, returned: datetime | None) -> FreeTime | None:
    """The clock of a box that left that terminal by the gate, until it is brought back empty."""
    if stay.exit_at is None or stay.exit_code != _IMPORT_EXIT:
        return None
    began = local_date(stay.exit_at, zone)
    term = term_for(terms, kind=FreeKind.DETENTION, place=stay.place, facility=stay.facility, day=began)
    if term is None:
        return None
    ended = local_date(returned, zone) if returned is not None and returned >= stay.exit_at else None
    return FreeTime(
        kind=FreeKind.DETENTION, container=stay.container, place=stay.place, facility=stay.facility, began=began,
        last_free=term.last_free(began), ended=ended, term=term,
    )  # fmt: skip


def free_times(
    stays: Iterable[Stay], *, pod: str | None, terms: Sequence[Term], zone: ZoneInfo,
    returned: Mapping[str, datetime],
) -> dict[str, list[FreeTime]]:  # fmt: skip
    """The clocks of each box, of its newest visit to the port of import; boxes without any are left out.

    `returned` tells when a box was brought back empty.
    """
    newest: dict[str, Stay] = {}
    for stay in sorted((s for s in stays if is_import(s, pod)), key=lambda s: s.entry_at):
        newest[stay.container] = stay
    found = {}
    for box, stay in newest.items():
        clocks = (demurrage(stay, terms, zone), detention(stay, terms, zone, returned.get(box)))
        if own := [c for c in clocks if c is not None]:
            found[box] = own
    return found


def warned_at(clock: FreeTime, stay: Stay, zone: ZoneInfo, *, hours: int) -> datetime:
    """From when on so little is left that somebody must act: so many hours before the last free day ends (8.1)."""
    ends = local_midnight(clock.last_free + timedelta(days=1), zone)
    return max(stay.entry_at, ends - timedelta(hours=hours))
