"""Frozen records and vocabularies of promises: tiers, switches, the credit block of an agreement.

No models, no clock, no database; entitlement declarations import this file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from django.utils.functional import Promise as Lazy


class Tier(StrEnum):
    """The service tiers, each including the ones before it (5.1)."""

    STANDARD = "STANDARD"
    PRIORITY = "PRIORITY"
    PREMIUM = "PREMIUM"

    @property
    def rank(self) -> int:
        """0 for the first; an upgrade goes to a higher one."""
        return list(Tier).index(self)


# What a tier promises where no lane is agreed (section 12); Premium has none: its targets are set per lane.
TIER_TARGETS: Final[Mapping[tuple[Tier, str], Decimal]] = {
    (Tier.STANDARD, "OTD"): Decimal(85),
    (Tier.PRIORITY, "OTD"): Decimal(90),
}


class Group(StrEnum):
    """How the matrix of entitlements is grouped."""

    TRACKING = "TRACKING"
    FIGURES = "FIGURES"
    SYSTEMS = "SYSTEMS"


@dataclass(frozen=True, kw_only=True)
class Switch:
    """An entitlement: one file in tiers/promises/entitlements. Admins override it for a tenant, dated (5.1)."""

    key: str
    label: str | Lazy
    says: str | Lazy
    group: Group
    default: Mapping[Tier, bool]
    notes: Mapping[Tier, str | Lazy] = field(default_factory=dict)  # what differs between tiers that have it


def from_tier(first: Tier) -> dict[Tier, bool]:
    """Switched on from this tier upwards."""
    return {tier: tier.rank >= first.rank for tier in Tier}


class CreditBlockFault(ValueError):
    """A credit block that cannot be read; `name` is the offending part."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBlock:
    """What a missed promise costs (6.2). Percentages are of 100; amounts in `currency`; `bands` (from, to, pct)."""

    mode: str = "STEP"  # STEP, SLOPE, PER_UNIT
    bands: tuple[tuple[Decimal | None, Decimal | None, Decimal], ...] = ()
    slope_step: Decimal | None = None
    slope_pct: Decimal | None = None
    per_unit: Decimal | None = None
    max_pct: Decimal = Decimal(100)
    min_volume: int = 20
    base_scope: str = "ALL_UNITS"  # ALL_UNITS, FAILED_UNITS
    charge_codes: tuple[str, ...] = ()
    lane_cap_pct: Decimal | None = None
    lane_cap_abs: Decimal | None = None
    account_month_cap: Decimal | None = None
    year_cap: Decimal | None = None
    stacking: str = "HIGHEST_ONLY"  # HIGHEST_ONLY, SUM
    repeat_multiplier: Decimal = Decimal(1)
    min_payout: Decimal = Decimal(0)
    currency: str = "USD"
    claim_mode: str = "AUTOMATIC"  # AUTOMATIC, CLAIM
    downward_after_issue: str = "KEEP"  # KEEP, OFFSET_NEXT

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> CreditBlock:
        """The block from its stored JSON, decimals as text; raises CreditBlockFault on anything unknown."""
        found: dict[str, Any] = {}
        for name, value in data.items():
            if name not in _READERS:
                raise CreditBlockFault(name)
            try:
                found[name] = _READERS[name](value)
            except (TypeError, ValueError, InvalidOperation):
                raise CreditBlockFault(name) from None
        return cls(**found)

    def plain(self) -> dict[str, Any]:
        """JSON values: decimals as text, absent parts as null."""

        def text(value: Decimal | None) -> str | None:
            return None if value is None else f"{value:f}"

        plain: dict[str, Any] = {}
        for name in _READERS:
            value = getattr(self, name)
            if name == "bands":
                value = [[text(a), text(b), text(pct)] for a, b, pct in self.bands]
            elif isinstance(value, Decimal):
                value = text(value)
            elif isinstance(value, tuple):
                value = list(value)
            plain[name] = value
        return plain


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool | float) or not isinstance(value, str | int | Decimal):
        raise TypeError("decimals are text")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def _decimal_or(value: Any) -> Decimal | None:
    return None if value is None or value == "" else _decimal(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool | float):
        raise TypeError("whole numbers only")
    return int(value)


def _bands(value: Any) -> tuple[tuple[Decimal | None, Decimal | None, Decimal], ...]:
    return tuple((_decimal_or(start), _decimal_or(end), _decimal(pct)) for start, end, pct in value)


def _codes(value: Any) -> tuple[str, ...]:
    return tuple(str(code).strip().upper() for code in value if str(code).strip())


def _of(*allowed: str) -> Any:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"one of {allowed}")
        return str(value)

    return read


_READERS: Mapping[str, Any] = {
    "mode": _of("STEP", "SLOPE", "PER_UNIT"),
    "bands": _bands,
    "slope_step": _decimal_or,
    "slope_pct": _decimal_or,
    "per_unit": _decimal_or,
    "max_pct": _decimal,
    "min_volume": _whole,
    "base_scope": _of("ALL_UNITS", "FAILED_UNITS"),
    "charge_codes": _codes,
    "lane_cap_pct": _decimal_or,
    "lane_cap_abs": _decimal_or,
    "account_month_cap": _decimal_or,
    "year_cap": _decimal_or,
    "stacking": _of("HIGHEST_ONLY", "SUM"),
    "repeat_multiplier": _decimal,
    "min_payout": _decimal,
    "currency": lambda value: str(value).strip().upper(),
    "claim_mode": _of("AUTOMATIC", "CLAIM"),
    "downward_after_issue": _of("KEEP", "OFFSET_NEXT"),
}
