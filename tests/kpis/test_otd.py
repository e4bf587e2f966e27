"""On time or not: limits, outcomes, what is left out (R1.16, R2.0 to R2.3, X01 to X29)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.otd import counts, leading_reason, outcome, verdict
from kpis.types import HITS, Arrival, Outcome, Reason
from portal.lib.periods import Month
from tests.tracking.sightings import utc
from tracking.rules import Commitment, CommitmentChange, LimitOp, binding, due_period, limit_of

MANY = settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
CLOSE = utc("2026-04-06T12:00")
DAY = Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 20))
INSTANT = Commitment(zone=AMSTERDAM, due_at=utc("2026-03-10T15:00"), tol_hours=2)
O = Outcome  # noqa: E741 - the table's own column


def judged(commitment: Commitment, *arrivals: Arrival, close_at: datetime = CLOSE, **given_: object) -> Outcome:
    return outcome(limit_of(commitment), arrivals, close_at=close_at, **given_)  # type: ignore[arg-type]


@pytest.mark.req("R2.1", "X01", "X02", "X03", "X04")
@pytest.mark.parametrize(
    ("commitment", "final", "expected"),
    [
        (INSTANT, "2026-03-10T17:00:00", O.ON_TIME),
        (INSTANT, "2026-03-10T17:00:01", O.LATE),
        (DAY, "2026-03-20T22:59:59", O.ON_TIME),
        (DAY, "2026-03-20T23:00:00", O.LATE),
        (Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 20), tol_days=2), "2026-03-22T22:59:59", O.ON_TIME),
        (Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 20), early_hours=12), "2026-03-19T11:00:00", O.ON_TIME),
        (Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 20), early_hours=12), "2026-03-19T10:59:59", O.EARLY),
        (DAY, "2026-01-01T00:00:00", O.ON_TIME),
    ],
)
def test_the_limit_is_exact_to_the_second(commitment: Commitment, final: str, expected: Outcome) -> None:
    assert judged(commitment, Arrival(final=utc(final))) == expected


@pytest.mark.req("X05")
def test_a_day_of_23_hours_ends_at_its_own_midnight() -> None:
    limit = limit_of(Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 29)))
    assert (limit.utc, limit.op) == (utc("2026-03-29T22:00"), LimitOp.LT)


@pytest.mark.req("X06", "R2.0")
def test_the_month_is_that_of_the_local_date_at_the_final_place() -> None:
    angeles = ZoneInfo("America/Los_Angeles")
    promised = Commitment(zone=angeles, due_date=date(2026, 3, 31))
    found = verdict(promised, [Arrival(final=utc("2026-04-01T06:59:59"))], close_at=CLOSE)
    assert (found.period, found.outcome) == (Month(2026, 3), O.ON_TIME)
    assert due_period(Commitment(zone=angeles, due_at=utc("2026-04-01T06:59:59"))) == Month(2026, 3)


@pytest.mark.req("R2.2", "X20", "X29")
def test_the_first_matching_outcome_wins() -> None:
    in_time, late = Arrival(final=utc("2026-03-19T10:00")), Arrival(final=utc("2026-03-24T10:00"))
    inferred, after = Arrival(later=utc("2026-03-19T10:00")), Arrival(later=utc("2026-03-24T08:00"))
    nothing, heard = Arrival(), utc("2026-03-30T12:00")
    assert judged(DAY, late, excluded=True, carrier_cancelled=True) == O.EXCLUDED
    assert judged(DAY, in_time, carrier_cancelled=True) == O.CARRIER_CANCELLED
    assert judged(DAY, in_time, late) == O.LATE
    assert judged(DAY, late, nothing) == O.LATE
    assert judged(DAY, in_time, inferred) == O.ON_TIME_INFERRED
    assert judged(DAY, in_time, after) == O.UNPROVEN
    assert judged(DAY, in_time, nothing, last_recorded_at=heard) == O.LATE_OPEN
    assert judged(DAY, in_time, nothing, last_recorded_at=heard - timedelta(seconds=1)) == O.SILENT
    assert judged(DAY, nothing, close_at=utc("2026-03-20T12:00")) == O.PENDING
    assert judged(DAY) == O.SILENT
    early = Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 20), early_hours=24)
    assert judged(early, inferred) == O.UNPROVEN


@pytest.mark.req("R2.0a", "X26")
def test_one_unit_has_one_reason_the_first_in_order() -> None:
    both = [Reason.CUSTOMER_CAUSED, Reason.FORCE_MAJEURE]
    assert leading_reason(both, contract=True) == Reason.FORCE_MAJEURE
    assert leading_reason(both, contract=False) is None
    assert leading_reason([*both, Reason.DUPLICATE], contract=False) == Reason.DUPLICATE


@pytest.mark.req("R1.16", "X23", "X24", "X25")
def test_only_the_customer_rebinds_and_only_before_the_limit() -> None:
    original = CommitmentChange(commitment=DAY, recorded_at=utc("2026-02-01T00:00"))
    moved = Commitment(zone=AMSTERDAM, due_date=date(2026, 4, 2))

    def change(recorded_at: str, by_customer: bool = True, reason: str = "customer's mail") -> CommitmentChange:
        return CommitmentChange(
            commitment=moved,
            recorded_at=utc(recorded_at),
            asked_by_customer=by_customer,
            recorded_by="ana",
            reason=reason,
        )

    assert binding(original, [change("2026-03-20T22:59:59")]).commitment == moved
    assert binding(original, [change("2026-03-20T23:00:00")]) == original
    assert binding(original, [change("2026-03-01T00:00", by_customer=False)]) == original
    assert binding(original, [change("2026-03-01T00:00", reason="")]) == original
    twice = replace(change("2026-04-02T10:00"), commitment=DAY)
    assert binding(original, [twice, change("2026-03-01T00:00")]) == twice


when = st.one_of(st.none(), st.integers(-200, 200).map(lambda h: utc("2026-03-20T12:00") + timedelta(hours=h)))
boxes = st.lists(st.builds(Arrival, when, when), min_size=1, max_size=3)


@pytest.mark.req("P5", "P6", "P12")
@pytest.mark.slow
@MANY
@given(units=st.lists(boxes, min_size=1, max_size=4), heard=when, tolerance=st.integers(0, 2))
def test_a_wider_tolerance_never_lowers_on_time(units: list[list[Arrival]], heard: datetime, tolerance: int) -> None:
    def found(days: int) -> list[Outcome]:
        promised = Commitment(zone=AMSTERDAM, due_date=date(2026, 3, 20), tol_days=days)
        return [judged(promised, *unit, last_recorded_at=heard) for unit in units]

    tight, wide = counts(found(tolerance)), counts(found(tolerance + 1))
    assert tight.num <= wide.num
    assert tight.den == wide.den == len(units)
    assert 0 <= tight.num <= tight.num + tight.unknown <= tight.den
    better, worse = counts([*found(tolerance), O.ON_TIME]), counts([*found(tolerance), O.LATE])
    assert better.num * tight.den >= tight.num * better.den
    assert worse.num * tight.den <= tight.num * worse.den
    assert all((o in HITS) == (counts([o]).num == 1) for o in found(tolerance))
