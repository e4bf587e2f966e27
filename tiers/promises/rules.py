"""Which tier, agreement, target and switch holds for whom on which day (R1.17, R5.2 to R5.4).

Pure: rows go in as frozen records, days are local dates in the tenant's zone. No models, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from portal.lib.periods import local_date
from tiers.promises.types import Tier as Tier


@dataclass(frozen=True, slots=True)
class Term:
    """[start, end) in local dates; end None is open."""

    start: date
    end: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def meets(self, other: Term) -> bool:
        """Whether the two share a day."""
        return (other.end is None or self.start < other.end) and (self.end is None or other.start < self.end)


@dataclass(frozen=True, slots=True)
class Subscription:
    """An account's tier for a term (R5.2)."""

    tier: Tier
    term: Term


def tier_on(subscriptions: Iterable[Subscription], day: date) -> Tier:
    """The tier of a local day; gaps mean Standard (R5.2)."""
    return next((s.tier for s in subscriptions if day in s.term), Tier.STANDARD)


def first_overlap(subscriptions: Sequence[Subscription]) -> tuple[Subscription, Subscription] | None:
    """Two subscriptions that share a day (V01), None when there are none."""
    ordered = sorted(subscriptions, key=lambda s: s.term.start)
    for i, earlier in enumerate(ordered):
        for later in ordered[i + 1 :]:
            if earlier.term.meets(later.term):
                return earlier, later
    return None


def is_covered(made_at: datetime, *, zone: ZoneInfo, terms: Iterable[Term]) -> bool:
    """R1.17: whether the first binding commitment was made on a covered local day; it never moves afterwards.

    `terms`: when the account was Premium, or when an agreement held, in dates of `zone`.
    """
    day = local_date(made_at, zone)
    return any(day in term for term in terms)


# --- entitlements (5.1) ---


@dataclass(frozen=True, slots=True)
class Override:
    """A tenant's or an agreement's own value of a key, dated like a subscription."""

    key: str
    value: bool
    term: Term


def is_entitled(
    key: str,
    *,
    day: date,
    subscriptions: Iterable[Subscription],
    defaults: Mapping[Tier, bool],
    overrides: Iterable[Override] = (),
) -> bool:
    """Whether the key is switched on that local day: a dated override first, else the tier's default."""
    for override in overrides:
        if override.key == key and day in override.term:
            return override.value
    return defaults.get(tier_on(subscriptions, day), False)


# --- lanes and targets (R5.4) ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Sets of origin and destination places, by mode and agreed final milestone. Codes are text."""

    origins: frozenset[str]
    destinations: frozenset[str]
    mode: str = "SEA"
    final: str | None = None  # None: any final milestone

    @property
    def code(self) -> str:
        """`CNSHA-NLRTM`; several places of one end are joined by `+`, sorted."""
        return f"{'+'.join(sorted(self.origins))}-{'+'.join(sorted(self.destinations))}"

    def holds(self, *, origin: str, destination: str, mode: str, final: str) -> bool:
        """Whether a shipment travels on this lane."""
        fits = origin in self.origins and destination in self.destinations and mode == self.mode
        return fits and self.final in (None, final)

    def meets(self, other: Lane) -> bool:
        """Whether one shipment could travel on both (V02)."""
        return bool(
            self.origins & other.origins
            and self.destinations & other.destinations
            and self.mode == other.mode
            and (self.final is None or other.final is None or self.final == other.final)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """An agreement's target for one KPI on a lane or, where `lane` is None, on a whole trade."""

    kpi: str
    target: Decimal
    term: Term
    lane: Lane | None = None
    trade: str | None = None
    version: int = 1
    name: str = ""  # who reads it decides what it is: an agreement's code


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """What target look-up needs of a unit, frozen at the first binding commitment (R1.18)."""

    origin: str
    destination: str
    mode: str
    final: str
    trade: str | None
    day: date  # local day of the first binding commitment


@dataclass(frozen=True, slots=True)
class Target:
    """A target and where it comes from."""

    value: Decimal
    promise: Promise | None  # None: the tier's default


def promise_for(kpi: str, travel: Travel, promises: Iterable[Promise]) -> Promise | None:
    """The agreement that holds: account × lane, else account × trade; of several versions the newest (R5.4)."""
    held = [p for p in promises if p.kpi == kpi and travel.day in p.term]
    on_lane = [
        p
        for p in held
        if p.lane
        and p.lane.holds(origin=travel.origin, destination=travel.destination, mode=travel.mode, final=travel.final)
    ]
    on_trade = [p for p in held if p.lane is None and p.trade is not None and p.trade == travel.trade]
    found = on_lane or on_trade
    return max(found, key=lambda p: (p.version, p.name), default=None)


def target_for(
    kpi: str,
    travel: Travel,
    *,
    promises: Iterable[Promise],
    tier: Tier,
    defaults: Mapping[tuple[Tier, str], Decimal],
) -> Target | None:
    """The target that a unit is held against, None when nothing is promised (Premium has no tier default)."""
    promise = promise_for(kpi, travel, promises)
    if promise is not None:
        return Target(promise.target, promise)
    default = None if tier == Tier.PREMIUM else defaults.get((tier, kpi))
    return None if default is None else Target(default, None)
