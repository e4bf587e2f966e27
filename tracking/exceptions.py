"""What can go wrong with a shipment on its way: the codes of 8.1, their limits, what is found, how severe it is.

Pure. The rules that look for them are in detection.py and voyages.py; cases, owners and messages are kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from tracking.estimates import Estimate
from tracking.freetime import Term
from tracking.legs import LegFacts, PlannedLeg
from tracking.milestones import ShipmentFacts
from tracking.risk import Delay, RiskLimits
from tracking.types import Journey, Milestone, Sighting
from tracking.visits import Stay

MOMENT: Final = timedelta(microseconds=1)  # strictly beyond a limit begins here
HOUR: Final = timedelta(hours=1)
_UTC: Final = ZoneInfo("UTC")


class Code(StrEnum):
    """The exceptions of 8.1; stored, so never renamed."""

    CUTOFF_RISK = "CUTOFF_RISK"
    LATE_GATE_IN = "LATE_GATE_IN"
    ROLLOVER = "ROLLOVER"
    MISSED_CONNECTION = "MISSED_CONNECTION"
    CUSTOMS_HOLD_LONG = "CUSTOMS_HOLD_LONG"
    ETA_SLIP = "ETA_SLIP"
    AT_RISK = "AT_RISK"
    STALE = "STALE"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    LONG_DWELL = "LONG_DWELL"
    PORT_CHANGE = "PORT_CHANGE"
    DATA_CONFLICT = "DATA_CONFLICT"


class Severity(IntEnum):
    """In the order of lists."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


BASE: Final[Mapping[Code, Severity]] = {
    Code.CUTOFF_RISK: Severity.MEDIUM, Code.LATE_GATE_IN: Severity.HIGH, Code.ROLLOVER: Severity.HIGH,
    Code.MISSED_CONNECTION: Severity.HIGH, Code.CUSTOMS_HOLD_LONG: Severity.HIGH, Code.ETA_SLIP: Severity.LOW,
    Code.AT_RISK: Severity.LOW, Code.STALE: Severity.LOW, Code.DELIVERY_FAILED: Severity.HIGH,
    Code.LONG_DWELL: Severity.MEDIUM, Code.PORT_CHANGE: Severity.HIGH, Code.DATA_CONFLICT: Severity.LOW,
}  # fmt: skip
# Found while they last, by the clock; one that was over before anybody looked is no case.
PASSING: Final = frozenset({Code.STALE, Code.LONG_DWELL})
# The desk's own affairs: shown, told to nobody.
SILENT: Final = frozenset({Code.STALE, Code.DATA_CONFLICT})
# News even when it is learned so late that it is over: the box goes, or went, another way than booked.
TOLD_AFTERWARDS: Final = frozenset({Code.ROLLOVER, Code.MISSED_CONNECTION, Code.PORT_CHANGE})
# Their end is no news of its own: the next estimate, or the arrival, says it.
ENDS_UNTOLD: Final = frozenset({Code.ETA_SLIP, Code.PORT_CHANGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The limits of 8.1 in force (docs/parameters.md); whole hours and minutes."""

    cutoff_warning_hours: int = 12
    load_known_hours: int = 12
    rollover_hours: int = 24
    customs_hold_hours: int = 48
    customs_hold_hours_by_country: Mapping[str, int] = field(default_factory=dict)
    eta_slip_hours: int = 24
    eta_slip_high_hours: int = 72
    stale_before_departure_hours: int = 72
    stale_at_sea_hours: int = 120
    stale_at_terminal_hours: int = 48
    stale_after_gate_out_hours: int = 72
    long_dwell_hours: int = 24
    free_day_hours: int = 48
    risk_raise_hours: int = 24
    risk_clear_hours: int = 12
    eval_minutes: int = 30

    @property
    def risk(self) -> RiskLimits:
        """Those of R8.4, in seconds."""
        return RiskLimits(
            raised=self.risk_raise_hours * 3600, clear=self.risk_clear_hours * 3600, every=self.eval_minutes * 60
        )

    @property
    def least_patience(self) -> timedelta:
        """No silence up to this is stale, whatever the part of the journey."""
        return HOUR * min(
            self.stale_before_departure_hours, self.stale_at_sea_hours, self.stale_at_terminal_hours,
            self.stale_after_gate_out_hours,
        )  # fmt: skip

    def customs_hold(self, port: str | None) -> int:
        """Hours for the country of a port, as its UN/LOCODE begins."""
        return self.customs_hold_hours_by_country.get((port or "")[:2], self.customs_hold_hours)


Key = tuple[str, str, str]  # code, node, occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An exception, [started_at, cleared_at), open while `cleared_at` is None. Instants are aware UTC."""

    code: Code
    started_at: datetime
    cleared_at: datetime | None = None
    node: str = ""  # place; of a leg the place where it begins
    occurrence: str = "1"
    severity: Severity = Severity.LOW
    delay_seconds: int | None = None  # the largest predicted beyond the promise while it lasted (R8.2)
    worse: tuple[datetime, ...] = ()  # when it is told again (R8.5)
    about: Mapping[str, str] = field(default_factory=dict)  # for words: instants in ISO 8601, codes

    @property
    def key(self) -> Key:
        """What makes it the same one (R8.1)."""
        return self.code.value, self.node, self.occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the rules look at of one shipment, as known at `at`."""

    at: datetime
    journey: Journey
    facts: ShipmentFacts
    live: Sequence[Sighting]
    sightings: Sequence[Sighting]  # all versions, those replaced too
    heard: Sequence[datetime]  # when something was recorded, in order, each once
    booked: Sequence[PlannedLeg] = ()  # the legs of the confirmed booking
    legs: Sequence[LegFacts] = ()
    stays: Sequence[Stay] = ()
    moves: Sequence[Estimate] = ()  # of the vessel's arrival and of the final milestone, by publication
    due_at: datetime | None = None
    confirmed_at: datetime | None = None
    cutoff_at: datetime | None = None
    cancelled_at: datetime | None = None
    p90_tenths: Mapping[tuple[str, str, str], int] = field(default_factory=dict)  # (place, facility, entry) -> 1/10 s
    terms: Sequence[Term] = ()  # what was agreed on free days
    pod_zone: ZoneInfo = _UTC  # in which they are counted
    standing: Mapping[Key, datetime] = field(default_factory=dict)  # open cases with their start
    limits: Thresholds = field(default_factory=Thresholds)

    def moves_of(self, milestone: Milestone) -> list[Estimate]:
        """How the estimate of a milestone moved, oldest first."""
        return [m for m in self.moves if m.milestone == milestone]

    @property
    def delays(self) -> list[Delay]:
        """How far beyond the promise the final milestone was expected, from when on."""
        if self.due_at is None:
            return []
        return [
            Delay(since=m.published_at, seconds=int((m.heard.time - self.due_at).total_seconds()))
            for m in self.moves_of(self.facts.final)
        ]

    @property
    def ends_at(self) -> datetime | None:
        """When the final milestone was heard, or the shipment cancelled: nothing is awaited after it."""
        done = self.facts.reached(self.facts.final)
        ends = [t for t in (done.recorded_at if done else None, self.cancelled_at) if t is not None]
        return min(ends, default=None)


@dataclass(slots=True)
class Findings:
    """What the rules found, and when the clock alone may change it next."""

    found: list[Found] = field(default_factory=list)
    looks: list[datetime] = field(default_factory=list)

    def next_look(self, at: datetime) -> datetime | None:
        """The first instant after `at` at which to look again."""
        return min((t for t in self.looks if t > at), default=None)


def severity_of(base: Severity, delay_seconds: int | None) -> Severity:
    """R8.2: up to 24 h the base stays; beyond 24 h at least medium, beyond 72 h high, beyond 168 h critical."""
    delay = delay_seconds or 0
    least = Severity.LOW
    for hours, severity in ((24, Severity.MEDIUM), (72, Severity.HIGH), (168, Severity.CRITICAL)):
        if delay > hours * 3600:
            least = severity
    return max(base, least)


def weighed(found: Found, delays: Sequence[Delay], base: Severity) -> Found:
    """With the largest delay that was predicted while it lasted, and the severity that follows."""
    in_force = [d for d in delays if d.since <= found.started_at][-1:]
    during = [d for d in delays if d.since > found.started_at and (found.cleared_at is None
                                                                 or d.since <= found.cleared_at)]  # fmt: skip
    delay = max((d.seconds for d in (*in_force, *during)), default=None)
    return replace(found, delay_seconds=delay, severity=severity_of(base, delay))


Span = tuple[datetime, datetime | None]  # [start, end), open while the end is None


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap or touch as one, in order."""
    joined: list[Span] = []
    for start, end in sorted(spans, key=lambda s: s[0]):
        if joined and (joined[-1][1] is None or start <= joined[-1][1]):
            before = joined[-1][1]
            joined[-1] = (joined[-1][0], None if before is None or end is None else max(before, end))
        else:
            joined.append((start, end))
    return joined
