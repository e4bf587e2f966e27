"""How ready a lane's data is: which critical milestones are missing, from whom, since when, wrong, late or by hand; and
whether there is history enough to compute and to promise (R2.4 to R2.6, R3.1, R3.2, R7.1).

Reads over accounts, inside a crossing; counted in the database from the derived milestones, two statements for any
number of lanes. The close judges each month for itself: this is what the desk can act on before it does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connections

from portal.lib.periods import local_date
from portal.tenancy.context import OPERATOR_ALIAS, scope
from portal.tenancy.selectors import installation, operator_zone
from tracking.milestones import chain, critical_five, final_of
from tracking.models import Source
from tracking.types import FinalMilestone, Milestone, Mode, SourceKind

WINDOW: Final = timedelta(days=90)
LATE_HOURS: Final = ("6", "24", "48", "72")  # that may be asked for
WHATS: Final = ("missing", "wrong", "late", "manual")
MOST_UNITS: Final = 200
MOST_LANES: Final = 300
MONTHS: Final = 12  # closed months of a history
LEAST_MONTHS: Final = 6
LEAST_UNITS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which units: of one account or all, of one lane or all; after how many hours an actual counts as late."""

    account: int | None = None  # tenant id
    lane: str = ""
    month: str = ""  # of the promise, YYYY-MM
    late_hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One critical milestone of one lane; the counts are of units (R2.4, R2.5)."""

    milestone: str
    required: int
    captured: int
    wrong: int  # captured, with a conflict between sources
    late: int  # captured, and heard later than asked
    manual: int  # captured by hand
    oldest: datetime | None  # since when the longest missing one is: it was expected, or a later one happened
    last_heard: datetime | None
    reporter: str  # the source that reports it most on this lane; empty: nobody does
    median: timedelta | None  # of recorded minus happened
    p90: timedelta | None

    @property
    def missing(self) -> int:
        """Required and not captured."""
        return self.required - self.captured


@dataclass(slots=True, kw_only=True)
class Lane:
    """One lane of the window with its critical milestones in chain order."""

    code: str
    slots: list[Slot] = field(default_factory=list)
    units: int = 0  # with at least one required milestone
    complete: int = 0
    months: int = 0  # of the last twelve ended ones, with units
    history: int = 0  # units of those months
    least: int = 10  # `min_n_percent`

    def total(self, name: str) -> int:
        """The sum of a count over its milestones."""
        return sum(getattr(s, name) for s in self.slots)

    @property
    def grade(self) -> str:
        """A, B or C by completeness and conflicts, as far as known before a close (R3.1); empty without units."""
        if not self.units:
            return ""
        wrong, captured = self.total("wrong"), self.total("captured")
        if 100 * self.complete >= 95 * self.units and 100 * wrong <= 2 * captured:
            return "A"
        return "B" if 100 * self.complete >= 85 * self.units else "C"

    @property
    def can_compute(self) -> bool:
        """Units enough for rates instead of counts (R0.6, R3.2), and data good enough to publish (R3.1)."""
        return self.units >= self.least and self.grade in ("A", "B")

    @property
    def can_promise(self) -> bool:
        """History enough for a target (R7.1)."""
        return self.months >= LEAST_MONTHS and self.history >= LEAST_UNITS


@dataclass(frozen=True, slots=True)
class Behind:
    """One unit behind a cell."""

    tenant_id: int
    shipment: str  # public id
    ref: str
    lane: str
    milestone: str
    since: datetime | None  # of a missing one
    happened: datetime | None
    heard: datetime | None
    source: str


# --- the question ---

# No two of these parts are joined with each other: the database cannot know how many rows a part has, and would try
# each with each. What a unit was told of is gathered in arrays instead, and looked up by the place in the chain.
_UNITS: Final = """
with steps as (
  select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bool[], %s::int[])
      as t(final, mode, slot, milestone, place, critical, last_place)
), units as (
  select tenant_id, id, public_id, ref, lane, final_milestone, mode from tracking_shipment
   where due_at >= %s and due_at < %s and status <> 'CANCELLED'
     and (%s::bigint is null or tenant_id = %s) and (%s = '' or lane = %s) and (%s = '' or due_period = %s)
), heard as (
  select u.tenant_id, u.id, t.place, min(u.public_id) as public_id, min(u.ref) as ref, min(u.lane) as lane,
         min(u.final_milestone) as final, min(u.mode) as mode,
         bool_or(t.place = t.last_place) as is_last, bool_or(t.slot = 'GATE_OUT_FULL') as is_gate_out,
         min(m.act_at) filter (where m.container = '') as act_at,
         min(m.act_source) filter (where m.container = '' and m.act_at is not null) as act_source,
         min(m.act_recorded_at) filter (where m.container = '') as recorded_at,
         bool_or(m.act_at is not null) as any_act,
         max(coalesce(m.est_at, m.pln_at)) filter (where m.container = '' and m.act_at is null) as expected_at,
         bool_or(m.is_conflict and m.container = '') as is_conflict
    from units u
    join tracking_milestonerow m on m.tenant_id = u.tenant_id and m.shipment_id = u.id
    join steps t on t.final = u.final_milestone and t.mode = u.mode and t.milestone = m.milestone
   group by u.tenant_id, u.id, t.place
), known as (
  select tenant_id, id, min(public_id) as public_id, min(ref) as ref, min(lane) as lane, min(final) as final,
         min(mode) as mode, max(place) filter (where any_act) as furthest,
         coalesce(bool_or(is_last and act_at is not null), false) as is_final,
         max(act_at) filter (where is_gate_out) as gone_at, array_agg(place) as places, array_agg(act_at) as acts,
         array_agg(act_source) as sources, array_agg(recorded_at) as recorded, array_agg(expected_at) as expected,
         array_agg(is_conflict) as conflicts
    from heard group by tenant_id, id
), judged as (
  select k.tenant_id, k.public_id, k.id, k.ref, k.lane, t.slot, t.place, t.last_place, k.furthest, k.is_final,
         k.places, k.acts, k.acts[n] as act_at, k.sources[n] as act_source, k.recorded[n] as recorded_at,
         k.acts[n] is not null as captured, k.conflicts[n] as is_conflict,
         coalesce(k.expected[n],
                  case when t.slot = 'EMPTY_RETURN' then k.gone_at + make_interval(days => %s) end) as due_at
    from known k
    join steps t on t.final = k.final and t.mode = k.mode and t.critical and t.milestone = t.slot
    cross join lateral (select array_position(k.places, t.place) as n) as at
), slots as (
  select tenant_id, public_id, id, ref, lane, slot, place, act_at, act_source, recorded_at, captured,
         captured and is_conflict as is_wrong,
         case when not captured then coalesce(
           due_at, (select min(a) from unnest(places, acts) as later(p, a) where p > place)) end as since_at,
         captured and recorded_at - act_at > make_interval(hours => %s) as is_late,
         captured and act_source = any(%s) as is_manual
    from judged
   where captured or furthest > place or (is_final and place <= last_place)
         or due_at + make_interval(hours => %s) <= %s
)
"""
_LANES: Final = """
, marked as (select *, bool_and(captured) over (partition by tenant_id, id) as is_whole from slots)
select lane, slot, min(place), count(*), count(*) filter (where captured), count(*) filter (where is_wrong),
       count(*) filter (where is_late), count(*) filter (where is_manual), min(since_at), max(recorded_at),
       coalesce(mode() within group (order by act_source) filter (where captured), ''),
       percentile_disc(0.5) within group (order by recorded_at - act_at) filter (where captured),
       percentile_disc(0.9) within group (order by recorded_at - act_at) filter (where captured),
       count(distinct id), count(distinct id) filter (where is_whole)
  from marked group by grouping sets ((lane, slot), (lane)) order by lane, min(place), slot nulls first
"""
_SO_FAR: Final = """
, marked as (select id, bool_and(captured) as is_whole, count(*) filter (where captured) as captured,
                    count(*) filter (where is_wrong) as wrong from slots group by id)
select count(*), count(*) filter (where is_whole), coalesce(sum(wrong), 0), coalesce(sum(captured), 0) from marked
"""
_BEHIND: Final = """
select tenant_id, public_id, ref, lane, slot, since_at, act_at, recorded_at, coalesce(act_source, '')
  from slots
 where (%s = '' or slot = %s)
   and case %s when 'missing' then not captured when 'wrong' then is_wrong when 'late' then is_late else is_manual end
 order by coalesce(since_at, act_at), tenant_id, id limit %s
"""
_HISTORY: Final = """
select lane, count(distinct due_period), count(*) from tracking_shipment
 where due_period >= %s and due_period < %s and status <> 'CANCELLED'
   and (%s::bigint is null or tenant_id = %s) and (%s = '' or lane = %s)
 group by lane
"""


def _steps() -> list[list[Any]]:
    """The chains of every kind of shipment as columns; a milestone that may stand for a slot has a line of its own."""
    rows: list[tuple[Any, ...]] = []
    for final in FinalMilestone:
        for mode in Mode:
            order, critical = chain(final, mode), critical_five(final, mode)
            last = order.index(final_of(final))
            for place, slot in enumerate(order):
                stand_in = final == FinalMilestone.CY and slot == Milestone.EMPTY_RETURN
                for milestone in (slot, Milestone.DELIVERED) if stand_in else (slot,):
                    rows.append((final.value, mode.value, slot.value, milestone.value, place, slot in critical, last))
    return [list(column) for column in zip(*rows, strict=True)]


def _parameters(asked: Asked, at: datetime) -> list[Any]:
    manual = list(Source.objects.filter(kind=SourceKind.MANUAL).values_list("key", flat=True))
    return _with_sources(asked, at, manual)


def _with_sources(asked: Asked, at: datetime, manual: list[str]) -> list[Any]:
    found = installation()
    own = found.parameters if found else {}
    return [
        *_steps(), at - WINDOW, at, *_narrowed(asked), asked.month, asked.month,
        int(own.get("empty_return_days", 21)), asked.late_hours,
        manual, int(own.get("overdue_hours", 48)), at,
    ]  # fmt: skip


def _narrowed(asked: Asked) -> list[Any]:
    return [asked.account, asked.account, asked.lane, asked.lane]


def _ask(sql: str, parameters: Sequence[Any], *, alias: str = OPERATOR_ALIAS) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


# --- the answers ---


def lanes(asked: Asked, *, at: datetime) -> list[Lane]:
    """The lanes of the window, those with the most missing first; the staff's own look over accounts (R7.9)."""
    found = installation()
    own = found.parameters if found else {}
    least = int(own.get("min_n_percent", 10))
    made: dict[str, Lane] = {}
    for row in _ask(_UNITS + _LANES, _parameters(asked, at)):
        lane = made.setdefault(row[0], Lane(code=row[0], least=least))
        if row[1] is None:  # the lane as a whole
            lane.units, lane.complete = row[13], row[14]
            continue
        lane.slots.append(
            Slot(
                milestone=row[1], required=row[3], captured=row[4], wrong=row[5], late=row[6], manual=row[7],
                oldest=row[8], last_heard=row[9], reporter=row[10], median=row[11], p90=row[12],
            )
        )  # fmt: skip
    first, last = _months(at)
    for code, months, units in _ask(_HISTORY, [first, last, *_narrowed(asked)]):
        if code in made:
            made[code].months, made[code].history = months, units
    return sorted(made.values(), key=lambda lane: (-lane.total("missing"), lane.code))


@dataclass(frozen=True, slots=True)
class SoFar:
    """How whole the data of an account's running month is (R2.4, R2.5, R3.1); the first two count units, the others
    milestones."""

    units: int  # with at least one required milestone
    complete: int
    wrong: int  # captured, with a conflict between sources
    captured: int


def so_far(month: str, *, at: datetime) -> SoFar:
    """Of the entered account's units of a month (YYYY-MM) whose promise has passed by `at`; one statement."""
    asked = Asked(account=scope(), month=month)
    ((units, complete, wrong, captured),) = _ask(_UNITS + _SO_FAR, _with_sources(asked, at, []), alias="default")
    return SoFar(units, complete, int(wrong), int(captured))


def _months(at: datetime) -> tuple[str, str]:
    """The twelve ended months, as [first, this one)."""
    today = local_date(at, operator_zone())
    return f"{today.year - 1}-{today.month:02d}", f"{today.year}-{today.month:02d}"


def reporters(found: Sequence[Lane]) -> dict[str, str]:
    """Milestone -> the source that reports it on most lanes, for lanes on which nobody does."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for lane in found:
        for slot in lane.slots:
            if slot.reporter:
                told[slot.milestone][slot.reporter] += slot.captured
    return {milestone: counts.most_common(1)[0][0] for milestone, counts in told.items()}


def behind(asked: Asked, *, milestone: str, what: str, at: datetime) -> list[Behind]:
    """The units behind a cell, the longest missing first; 200 at most."""
    rows = _ask(_UNITS + _BEHIND, [*_parameters(asked, at), milestone, milestone, what, MOST_UNITS])
    return [Behind(*row) for row in rows]
