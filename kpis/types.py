"""Frozen records and vocabularies of the KPIs: what is declared, what is counted, what a unit came to.

No models, no clock, no arithmetic beyond adding counts; figures.py has that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.utils import translation
from django.utils.functional import Promise

from portal.lib.ids import digest
from portal.lib.jsontext import canonical_bytes
from portal.lib.periods import Month
from tracking.rules import Limit


class Better(StrEnum):
    """Which side of a target is the good one."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"


class Shape(StrEnum):
    """What a figure is made of."""

    RATIO = "RATIO"  # two counts
    DURATION = "DURATION"  # seconds: average and P90


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """A declared KPI: one file in kpis/definitions (R4.3). A new meaning is a new version, from a month's start."""

    key: str
    version: str
    label: str | Promise
    says: str | Promise  # the definition as customers read it
    better: Better
    shape: Shape
    month_of: str | Promise  # which local date decides the month
    missing: str | Promise  # what happens to missing data
    parameters: Mapping[str, str] = field(default_factory=dict)  # name -> default of section 12, as text

    def plain(self) -> dict[str, object]:
        """The definition as plain JSON values, in English."""
        with translation.override("en"):
            return {
                "key": self.key,
                "version": self.version,
                "label": str(self.label),
                "says": str(self.says),
                "better": str(self.better),
                "shape": str(self.shape),
                "month_of": str(self.month_of),
                "missing": str(self.missing),
                "parameters": dict(self.parameters),
            }

    @property
    def digest(self) -> str:
        """SHA-256 of the definition's canonical JSON, stored with each closed month (R4.2)."""
        return digest(canonical_bytes(self.plain()))


class Outcome(StrEnum):
    """What a unit came to at the close (R2.2)."""

    EXCLUDED = "EXCLUDED"
    CARRIER_CANCELLED = "CARRIER_CANCELLED"
    LATE = "LATE"
    EARLY = "EARLY"
    ON_TIME = "ON_TIME"
    ON_TIME_INFERRED = "ON_TIME_INFERRED"
    PENDING = "PENDING"
    LATE_OPEN = "LATE_OPEN"
    SILENT = "SILENT"
    UNPROVEN = "UNPROVEN"


HITS: Final = frozenset({Outcome.ON_TIME, Outcome.ON_TIME_INFERRED})
UNKNOWNS: Final = frozenset({Outcome.SILENT, Outcome.UNPROVEN})


class Reason(StrEnum):
    """Why a unit is left out. One unit has one reason, the first in this order (R2.0a)."""

    TEST_DATA = "TEST_DATA"
    DUPLICATE = "DUPLICATE"
    CUSTOMER_CANCELLED = "CUSTOMER_CANCELLED"
    FORCE_MAJEURE = "FORCE_MAJEURE"
    CUSTOMER_CAUSED = "CUSTOMER_CAUSED"


GROSS_REASONS: Final = frozenset({Reason.TEST_DATA, Reason.DUPLICATE, Reason.CUSTOMER_CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Exact counts of a cell; disjoint groups merge by adding (P1)."""

    num: int = 0
    den: int = 0
    excluded: int = 0
    unknown: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            num=self.num + other.num,
            den=self.den + other.den,
            excluded=self.excluded + other.excluded,
            unknown=self.unknown + other.unknown,
        )

    @classmethod
    def merged(cls, groups: Iterable[Counts]) -> Counts:
        """The counts of all groups together."""
        return sum(groups, start=cls())


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of one live container's agreed final milestone, as on-time instants (R1.7), aware UTC."""

    final: datetime | None = None  # effective ACT
    later: datetime | None = None  # earliest effective ACT of a milestone later in the chain


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitVerdict:
    """A unit of P(m) with its outcome and everything a row of facts.csv needs (R4.7)."""

    outcome: Outcome
    period: Month
    limit: Limit
    final_utc: datetime | None  # when the last container reached the final milestone; None while one has not
