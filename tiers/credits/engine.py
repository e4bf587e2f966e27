"""From a closed month and an agreement to what is owed: coverage, counts, base, gates, and the arithmetic of rules.py.

Pure: units, charges and terms come in as frozen records. Sharing over lines and caps is done by `share`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from kpis import otd
from kpis.figures import Grade, Graded, Trust, trust_grade
from kpis.types import HITS, Counts, Outcome
from portal.lib.money import from_minor
from tiers.credits import rules
from tiers.credits.rules import Assessment, CreditStatus, CreditTerms, Direction, MissingRate, Step, exact_text
from tiers.credits.sharing_rules import Stacking, account_room, allocate, stack
from tiers.credits.state_rules import CreditState, first_state
from tiers.promises.rules import Lane, Term, is_covered
from tiers.promises.types import CreditBlock
from tiers.promises.validation_rules import LOWER

GATED: Final = frozenset({"OTD", "ETA"})  # poor data holds a credit and never cancels it (R3.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthUnit:
    """A unit of the closed month as credits see it."""

    unit_id: str
    shipment_id: int
    origin: str
    destination: str
    mode: str
    final: str
    made_at: datetime  # of the first binding commitment
    outcome: Outcome
    required: int
    captured: int
    conflicts: int
    slots: int

    @property
    def excluded(self) -> bool:
        """Left out of the contract figure."""
        return self.outcome == Outcome.EXCLUDED

    def hits(self, kpi: str) -> bool:
        """Whether it counts for the promise."""
        return self.outcome in HITS if kpi == "OTD" else self.captured == self.required > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge line, net of nothing: credit notes are lines of their own."""

    shipment_id: int
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """An agreement version as this engine needs it. `term` and `premium` are local dates of `zone`."""

    key: int  # the agreement's row
    code: str
    version: int
    lane: Lane
    kpi: str
    target: Decimal
    term: Term
    premium: tuple[Term, ...]
    zone: ZoneInfo
    block: CreditBlock

    @property
    def terms(self) -> CreditTerms:
        """The part that the arithmetic needs."""
        b = self.block
        return CreditTerms(
            target=self.target,
            mode=rules.CreditMode(b.mode),
            direction=Direction.LOWER if self.kpi in LOWER else Direction.HIGHER,
            bands=tuple(rules.Band(start, end, pct) for start, end, pct in b.bands),
            slope_step=b.slope_step,
            slope_pct=b.slope_pct,
            max_pct=b.max_pct,
            per_unit=b.per_unit,
            min_volume=b.min_volume,
            lane_cap_pct=b.lane_cap_pct,
            lane_cap_abs=b.lane_cap_abs,
            repeat_multiplier=b.repeat_multiplier,
            min_payout=b.min_payout,
            currency=b.currency,
        )

    def covers(self, unit: MonthUnit) -> bool:
        """R1.17: on the lane, and promised while both the agreement and Premium were in force."""
        on_lane = self.lane.holds(origin=unit.origin, destination=unit.destination, mode=unit.mode, final=unit.final)
        return (
            on_lane
            and is_covered(unit.made_at, zone=self.zone, terms=[self.term])
            and is_covered(unit.made_at, zone=self.zone, terms=self.premium)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an assessment came to, before sharing: a state, and the figures unless it is held."""

    deal: Deal
    state: CreditState
    counts: Counts
    graded: Graded
    assessment: Assessment | None = None
    base: Fraction = Fraction(0)
    steps: tuple[Step, ...] = ()
    hold: str = ""  # why it is held
    minor: int = 0  # what is owed after sharing
    inputs: Mapping[str, Any] | None = None

    @property
    def status(self) -> str:
        """What the arithmetic found; empty while held."""
        return self.assessment.status.value if self.assessment else ""


def counts_of(kpi: str, units: Sequence[MonthUnit]) -> Counts:
    """Contract counts of the covered units (R6.1)."""
    if kpi == "OTD":
        return otd.counts(u.outcome for u in units)
    counted = [u for u in units if not u.excluded and u.required]
    return Counts(num=sum(u.hits(kpi) for u in counted), den=len(counted), excluded=sum(u.excluded for u in units))


def grade_of(kpi: str, units: Sequence[MonthUnit], counts: Counts) -> Graded:
    """The trust gate over the covered units (R3.1, R3.3)."""
    staying = [u for u in units if not u.excluded]
    counted = [u for u in staying if u.required]
    return trust_grade(
        Trust(
            complete=sum(u.captured == u.required for u in counted),
            units=len(counted),
            unknown=counts.unknown,
            den=counts.den,
            conflicts=sum(u.conflicts for u in staying),
            captured=sum(u.slots for u in staying),
        )
    )


def assess(
    deal: Deal,
    units: Sequence[MonthUnit],
    charges: Iterable[Charge],
    *,
    prev_month_breach: bool,
    data_final: bool,
    charges_final: bool,
) -> Result:
    """R6.1 to R6.7 for one agreement version. `units`: those it covers; `charges`: theirs, up to the cut-off.

    `data_final`, `charges_final`: the hold for data, or for missing invoices, is over; what is known now counts.
    """
    counts = counts_of(deal.kpi, units)
    graded = grade_of(deal.kpi, units, counts)
    result = Result(deal=deal, state=CreditState.COMPUTED, counts=counts, graded=graded)

    def arithmetic(base: Fraction) -> Assessment:
        return rules.assess(deal.terms, num=counts.num, den=counts.den, base=base, prev_month_breach=prev_month_breach)

    dry = arithmetic(Fraction(0))
    low = dry.status == CreditStatus.NOT_ASSESSED_LOW_VOLUME
    if not low and graded.grade == Grade.C and not data_final:
        return replace(result, state=CreditState.HELD_DATA, hold=" ".join(graded.reasons))
    if low or dry.status == CreditStatus.MET:
        return replace(result, state=first_state(dry), assessment=dry, steps=dry.steps)
    scope = _in_scope(deal, units)
    listed = [c for c in charges if c.shipment_id in scope]
    unbilled = _unbilled(deal, units, scope, listed)
    if unbilled and not charges_final:
        return replace(result, state=CreditState.HELD_CHARGES, hold=" ".join(unbilled[:20]))
    try:
        base, made = rules.credit_base(
            [(c.amount, c.currency) for c in listed], rates={}, settlement=deal.block.currency
        )
    except MissingRate as missing:
        return replace(result, state=CreditState.HELD_FX, hold=missing.currency)
    found = arithmetic(base)
    return replace(
        result,
        state=first_state(found),
        assessment=found,
        base=base,
        steps=(*made, *found.steps),
        minor=found.minor,
    )


def _in_scope(deal: Deal, units: Iterable[MonthUnit]) -> set[int]:
    """Shipments whose charges make the base; an excluded unit takes its charges along (R6.6, P28)."""
    failed_only = deal.block.base_scope == "FAILED_UNITS"
    return {u.shipment_id for u in units if not u.excluded and not (failed_only and u.hits(deal.kpi))}


def _unbilled(deal: Deal, units: Iterable[MonthUnit], scope: set[int], charges: Iterable[Charge]) -> list[str]:
    """Units whose freight is not invoiced yet (X52); a booking the carrier cancelled never will be."""
    if deal.block.mode == "PER_UNIT":
        return []
    billed = {c.shipment_id for c in charges}
    waiting = [u for u in units if u.shipment_id in scope and u.outcome != Outcome.CARRIER_CANCELLED]
    return sorted(u.unit_id for u in waiting if u.shipment_id not in billed)


# --- sharing over the lines of one account month (R6.9, R6.10) ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What other lines hold of the caps, in minor units: of the same month, and of the contract year without it."""

    month: int = 0
    year: int = 0


def share(results: Sequence[Result], *, used: Used, month_cap: int | None, year_cap: int | None) -> list[Result]:
    """Suppresses what a higher credit of the same lane covers, then shares the account's caps; one sharing only."""
    stacked = _stack(results)
    room = account_room(
        month_cap=None if month_cap is None else max(0, month_cap - used.month),
        year_cap=None if year_cap is None else year_cap - used.month,
        issued_this_year=used.year,
    )
    claims = {_line_key(r): r.minor for r in stacked if r.minor > 0}
    shares = allocate(claims, room)
    return [_shared(r, shares.get(_line_key(r), r.minor), room) for r in stacked]


def _line_key(result: Result) -> str:
    return f"{result.deal.lane.code}|{result.deal.code}|{result.deal.version:06d}|{result.deal.kpi}"


def _stack(results: Sequence[Result]) -> list[Result]:
    lanes: dict[str, list[Result]] = {}
    for result in results:
        lanes.setdefault(result.deal.lane.code, []).append(result)
    done: list[Result] = []
    for own in lanes.values():
        owing = {r.deal.kpi: r for r in own if r.minor > 0}
        if len(owing) < 2:
            done += own
            continue
        policy = Stacking.SUM if all(r.deal.block.stacking == "SUM" for r in owing.values()) else Stacking.HIGHEST_ONLY
        caps = [r.assessment.lane_cap_minor for r in owing.values() if r.assessment and r.assessment.lane_cap_minor]
        amounts = {kpi: r.minor for kpi, r in owing.items()}
        found = stack(policy, amounts, lane_cap=min(caps, default=None))
        for result in own:
            kpi = result.deal.kpi
            if owing.get(kpi) is not result or found.amounts[kpi] == result.minor:
                done.append(result)
                continue
            paid = found.amounts[kpi]
            state = CreditState.SUPPRESSED if kpi in found.suppressed else result.state
            done.append(_with_amount(replace(result, state=state), "STACKING", paid, policy=policy.value))
    return done


def _shared(result: Result, minor: int, room: int | None) -> Result:
    if minor == result.minor or room is None:
        return result
    currency = result.deal.block.currency
    return _with_amount(result, "ACCOUNT_CAP", minor, room=f"{from_minor(room, currency):f}")


def _with_amount(result: Result, code: str, minor: int, **values: str) -> Result:
    currency = result.deal.block.currency
    claimed = f"{from_minor(result.minor, currency):f}"
    step = Step(code, (("claimed", claimed), *values.items()), f"{from_minor(minor, currency):f}")
    assessment = result.assessment
    if assessment is not None and minor == 0:
        assessment = replace(assessment, status=CreditStatus.BREACH_NO_CREDIT)
    return replace(result, minor=minor, assessment=assessment, steps=(*result.steps, step))


def base_text(base: Fraction) -> str:
    """The base as exact text."""
    return exact_text(base)
