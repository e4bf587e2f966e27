"""What one agreement owes for one month: percentage, caps, one rounding, status, and the steps that led there (6.3).

Pure and exact: Decimal and Fraction, no floats, no database. Sharing between lines and restatement: sharing_rules.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from portal.lib.money import from_minor, half_up, to_minor

Exact = Decimal | Fraction | int
HUNDRED: Final = Decimal(100)


class CreditMode(StrEnum):
    """How a shortfall becomes money (R6.4)."""

    STEP = "STEP"
    SLOPE = "SLOPE"
    PER_UNIT = "PER_UNIT"


class Direction(StrEnum):
    """Which side of the target is better."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"


class CreditStatus(StrEnum):
    """What an assessment found (R6.2, R6.3, R6.11)."""

    NOT_ASSESSED_LOW_VOLUME = "NOT_ASSESSED_LOW_VOLUME"
    MET = "MET"
    BREACH = "BREACH"
    BREACH_NO_CREDIT = "BREACH_NO_CREDIT"
    BREACH_BELOW_MINIMUM = "BREACH_BELOW_MINIMUM"


@dataclass(frozen=True, slots=True)
class Band:
    """A step of the ladder. Higher is better: start <= v < end; lower is better: start < v <= end. None: open."""

    start: Decimal | None
    end: Decimal | None
    pct: Decimal

    def holds(self, value: Fraction, direction: Direction) -> bool:
        """Whether the exact value lies in the band."""
        start, end = self.start, self.end
        if direction == Direction.HIGHER:
            return (start is None or value >= Fraction(start)) and (end is None or value < Fraction(end))
        return (start is None or value > Fraction(start)) and (end is None or value <= Fraction(end))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTerms:
    """The part of an agreement's credit block that one month's arithmetic needs (6.2)."""

    target: Decimal  # percent, or the unit of the measured value
    mode: CreditMode = CreditMode.STEP
    direction: Direction = Direction.HIGHER
    bands: tuple[Band, ...] = ()
    slope_step: Decimal | None = None
    slope_pct: Decimal | None = None
    max_pct: Decimal = HUNDRED
    per_unit: Decimal | None = None
    min_volume: int = 20
    lane_cap_pct: Decimal | None = None
    lane_cap_abs: Decimal | None = None
    repeat_multiplier: Decimal = Decimal(1)
    min_payout: Decimal = Decimal(0)
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the calculation: what it is, what went in, what came out. All values are exact text."""

    code: str
    values: tuple[tuple[str, str], ...]
    result: str

    def plain(self) -> dict[str, object]:
        """JSON values."""
        return {"code": self.code, "values": dict(self.values), "result": self.result}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The result for one agreement and month, before stacking and account caps."""

    status: CreditStatus
    pct: Decimal | None  # after multiplier and maximum, before caps; None for PER_UNIT in breach
    amount: Decimal  # in the currency, with exactly its decimals
    minor: int
    in_breach: bool  # assessed and short of the target; next month's R6.5 asks for it
    lane_cap_minor: int | None  # the rounded lane cap, for stacking by SUM (R6.9)
    steps: tuple[Step, ...]


def exact_text(value: Exact) -> str:
    """An exact number as text: plain decimals where they end, else a fraction such as `94900/999`."""
    number = Fraction(value)
    rest, places = number.denominator, 0
    for factor in (2, 5):
        power = 0
        while rest % factor == 0:
            rest, power = rest // factor, power + 1
        places = max(places, power)
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    return f"{half_up(number, places):f}"


def _step(code: str, result: Exact | str, **values: Exact | str | None) -> Step:
    def text(value: Exact | str | None) -> str:
        return "" if value is None else value if isinstance(value, str) else exact_text(value)

    return Step(code, tuple((name, text(value)) for name, value in values.items()), text(result))


def assess(
    terms: CreditTerms,
    *,
    num: int,
    den: int,
    base: Exact = 0,
    value: Decimal | None = None,
    prev_month_breach: bool = False,
) -> Assessment:
    """R6.2 to R6.7 and R6.11 for one agreement and month.

    `num`/`den`: contract counts of covered units (dwell: `den` visits). `base`: B in settlement currency, unrounded.
    `value`: the measured value in the target's unit; None means 100*num/den. Money is rounded once, at the end.
    """
    least = max(1, terms.min_volume)
    steps = [_step("VOLUME", "ENOUGH" if den >= least else "TOO_FEW", den=den, min_volume=least)]
    if den < least:
        return _nothing(CreditStatus.NOT_ASSESSED_LOW_VOLUME, terms, steps)
    measured = Fraction(100 * num, den) if value is None else Fraction(value)
    if value is None:
        steps.append(_step("RATE", measured, num=num, den=den))
    else:
        steps.append(_step("MEASURED", measured))
    target = Fraction(terms.target)
    short = target - measured if terms.direction == Direction.HIGHER else measured - target
    steps.append(_step("SHORTFALL", short, target=target, value=measured, direction=terms.direction))
    if short <= 0:
        return _nothing(CreditStatus.MET, terms, steps)
    held = max(Fraction(0), Fraction(base))
    pct: Fraction | None = None
    if terms.mode == CreditMode.PER_UNIT:
        raw = _per_unit(terms, num, den, steps)
    else:
        pct = _percentage(terms, measured, short, steps)
        pct = _repeat_and_limit(terms, pct, prev_month_breach, steps)
        raw = held * pct / 100
        steps.append(_step("RAW", raw, base=held, pct=pct))
    cap = _lane_cap(terms, held, steps)
    if cap is not None and raw > cap:
        raw = cap
        steps.append(_step("CAPPED", raw, cap=cap))
    return _rounded(terms, raw, pct, cap, steps)


def _nothing(status: CreditStatus, terms: CreditTerms, steps: Sequence[Step]) -> Assessment:
    return Assessment(
        status=status,
        pct=Decimal(0),
        amount=from_minor(0, terms.currency),
        minor=0,
        in_breach=False,
        lane_cap_minor=None,
        steps=tuple(steps),
    )


def _percentage(terms: CreditTerms, measured: Fraction, short: Fraction, steps: list[Step]) -> Fraction:
    if terms.mode == CreditMode.SLOPE:
        if terms.slope_step is None or terms.slope_pct is None:
            raise ValueError("SLOPE needs slope_step and slope_pct.")
        started = -(-short // Fraction(terms.slope_step))  # every started step counts
        pct = started * Fraction(terms.slope_pct)
        steps.append(
            _step(
                "SLOPE",
                pct,
                shortfall=short,
                slope_step=terms.slope_step,
                started=started,
                slope_pct=terms.slope_pct,
            )
        )
        return pct
    band = next((b for b in terms.bands if b.holds(measured, terms.direction)), None)
    pct = Fraction(band.pct) if band else Fraction(0)
    steps.append(_step("BAND", pct, value=measured, start=band.start if band else None, end=band.end if band else None))
    return pct


def _repeat_and_limit(terms: CreditTerms, pct: Fraction, again: bool, steps: list[Step]) -> Fraction:
    """R6.5: the multiplier first, then the maximum."""
    if again and terms.repeat_multiplier != 1:
        product = pct * Fraction(terms.repeat_multiplier)
        steps.append(_step("REPEAT", product, pct=pct, multiplier=terms.repeat_multiplier))
        pct = product
    if pct > Fraction(terms.max_pct):
        steps.append(_step("MAX_PCT", terms.max_pct, pct=pct, max_pct=terms.max_pct))
        pct = Fraction(terms.max_pct)
    return pct


def _per_unit(terms: CreditTerms, num: int, den: int, steps: list[Step]) -> Fraction:
    """Each failure beyond what the target allows. For a rate where lower is better, `num` counts the failures."""
    if terms.per_unit is None:
        raise ValueError("PER_UNIT needs per_unit.")
    lower = terms.direction == Direction.LOWER
    share = Fraction(terms.target) if lower else 100 - Fraction(terms.target)
    allowed = share * den // 100
    failed = num if lower else den - num
    over = max(0, failed - allowed)
    raw = over * Fraction(terms.per_unit)
    steps.append(_step("ALLOWED", allowed, target=terms.target, den=den))
    steps.append(_step("PER_UNIT", raw, failed=failed, allowed=allowed, over=over, per_unit=terms.per_unit))
    return raw


def _lane_cap(terms: CreditTerms, base: Fraction, steps: list[Step]) -> Fraction | None:
    caps: list[Fraction] = []
    if terms.lane_cap_pct is not None:
        caps.append(base * Fraction(terms.lane_cap_pct) / 100)
        steps.append(_step("LANE_CAP_PCT", caps[-1], base=base, lane_cap_pct=terms.lane_cap_pct))
    if terms.lane_cap_abs is not None:
        caps.append(Fraction(terms.lane_cap_abs))
        steps.append(_step("LANE_CAP_ABS", caps[-1]))
    return min(caps, default=None)


def _rounded(
    terms: CreditTerms, raw: Fraction, pct: Fraction | None, cap: Fraction | None, steps: list[Step]
) -> Assessment:
    """R6.7, R6.11: round once, half-up; then look at nothing and at the minimum payout."""
    minor = to_minor(raw, terms.currency)
    steps.append(_step("ROUND", f"{from_minor(minor, terms.currency):f}", raw=raw, currency=terms.currency))
    status = CreditStatus.BREACH if minor > 0 else CreditStatus.BREACH_NO_CREDIT
    if 0 < Fraction(from_minor(minor, terms.currency)) < Fraction(terms.min_payout):
        steps.append(_step("MIN_PAYOUT", "0", amount=from_minor(minor, terms.currency), min_payout=terms.min_payout))
        status, minor = CreditStatus.BREACH_BELOW_MINIMUM, 0
    return Assessment(
        status=status,
        pct=None if pct is None else half_up(pct, 2),
        amount=from_minor(minor, terms.currency),
        minor=minor,
        in_breach=True,
        lane_cap_minor=None if cap is None else to_minor(cap, terms.currency),
        steps=tuple(steps),
    )


# --- base and FX (R6.6, R6.8) ---


class MissingRate(LookupError):
    """A charge's currency has no rate in the month's table: the line is HELD_FX."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        super().__init__(currency)


def credit_base(
    lines: Iterable[tuple[Decimal, str]], *, rates: Mapping[str, Decimal], settlement: str
) -> tuple[Fraction, tuple[Step, ...]]:
    """B and how it came about: sums per currency, credit notes taken off, converted unrounded, never below 0.

    Raises MissingRate.
    """
    sums: dict[str, Fraction] = {}
    for amount, currency in lines:
        sums[currency] = sums.get(currency, Fraction(0)) + Fraction(amount)
    total = Fraction(0)
    steps: list[Step] = []
    for currency, held in sorted(sums.items()):
        if currency != settlement and currency not in rates:
            raise MissingRate(currency)
        rate = Decimal(1) if currency == settlement else rates[currency]
        part = held * Fraction(rate)
        total += part
        steps.append(_step("CHARGES", part, amount=held, currency=currency, rate=rate, settlement=settlement))
    base = max(Fraction(0), total)
    steps.append(_step("BASE", base, sum=total))
    return base, tuple(steps)


# --- exclusions (R2.0a, R6.13) ---


@dataclass(frozen=True, slots=True)
class ContractCounts:
    """Counts after the units of approved windows left, on time and late alike."""

    num: int
    den: int


def contract_counts(*, num: int, den: int, scope_on_time: int, scope_late: int) -> ContractCounts:
    """Takes all units in scope out of the gross counts, whatever their outcome."""
    return ContractCounts(num - scope_on_time, den - scope_on_time - scope_late)


# --- pooled quarter (R6.2, POOL_QUARTER) ---


@dataclass(frozen=True, slots=True)
class MonthCounts:
    """One month of a quarter."""

    num: int
    den: int
    base: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledQuarter:
    """Each month on its own, and the low-volume ones together."""

    each: tuple[Assessment, ...]
    num: int
    den: int
    base: Decimal
    pooled: Assessment


def pool_quarter(terms: CreditTerms, months: Sequence[MonthCounts]) -> PooledQuarter:
    """Adds the low-volume months of a quarter and assesses them once; below the minimum they stay unassessed."""
    each = tuple(assess(terms, num=m.num, den=m.den, base=m.base) for m in months)
    low = [m for m, a in zip(months, each, strict=True) if a.status == CreditStatus.NOT_ASSESSED_LOW_VOLUME]
    num, den, base = sum(m.num for m in low), sum(m.den for m in low), sum((m.base for m in low), Decimal(0))
    return PooledQuarter(each=each, num=num, den=den, base=base, pooled=assess(terms, num=num, den=den, base=base))


def in_currency(terms: CreditTerms, currency: str) -> CreditTerms:
    """The same terms settled in another currency."""
    return replace(terms, currency=currency)
