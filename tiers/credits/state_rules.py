"""The way of a credit line from computed to applied, its side states, and who may take which step (6.5).

Pure; storing states and telling people are services' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from tiers.credits.rules import Assessment, CreditStatus


class CreditState(StrEnum):
    """Where a credit line stands."""

    COMPUTED = "COMPUTED"
    IN_REVIEW = "IN_REVIEW"
    APPROVED = "APPROVED"
    ISSUED = "ISSUED"
    APPLIED = "APPLIED"
    HELD_DATA = "HELD_DATA"
    HELD_CHARGES = "HELD_CHARGES"
    HELD_FX = "HELD_FX"
    NOT_ASSESSED_LOW_VOLUME = "NOT_ASSESSED_LOW_VOLUME"
    NOT_ASSESSED_DATA = "NOT_ASSESSED_DATA"
    MET = "MET"
    SUPPRESSED = "SUPPRESSED"
    LAPSED = "LAPSED"
    REJECTED = "REJECTED"
    DISPUTED = "DISPUTED"
    REVERSED = "REVERSED"


_S = CreditState
TRANSITIONS: Final[Mapping[CreditState, frozenset[CreditState]]] = {
    # MET: a line that was held, once what was missing shows that the target was met
    _S.COMPUTED: frozenset({_S.IN_REVIEW, _S.SUPPRESSED, _S.LAPSED, _S.DISPUTED, _S.MET}),
    _S.IN_REVIEW: frozenset({_S.APPROVED, _S.REJECTED, _S.DISPUTED, _S.COMPUTED}),
    _S.APPROVED: frozenset({_S.ISSUED, _S.REVERSED, _S.DISPUTED}),
    _S.ISSUED: frozenset({_S.APPLIED, _S.REVERSED, _S.DISPUTED}),
    _S.APPLIED: frozenset({_S.REVERSED}),
    _S.HELD_DATA: frozenset({_S.COMPUTED, _S.NOT_ASSESSED_DATA}),
    _S.HELD_CHARGES: frozenset({_S.COMPUTED}),
    _S.HELD_FX: frozenset({_S.COMPUTED}),
    _S.DISPUTED: frozenset({_S.COMPUTED, _S.IN_REVIEW, _S.APPROVED, _S.ISSUED, _S.REVERSED}),
}


def may_move(now: CreditState, then: CreditState) -> bool:
    """Whether a line may go from one state to the other."""
    return then in TRANSITIONS.get(now, frozenset())


def first_state(assessment: Assessment) -> CreditState:
    """Where a freshly assessed line starts; a breach starts as COMPUTED whatever it pays (R6.11)."""
    if assessment.status == CreditStatus.MET:
        return CreditState.MET
    if assessment.status == CreditStatus.NOT_ASSESSED_LOW_VOLUME:
        return CreditState.NOT_ASSESSED_LOW_VOLUME
    return CreditState.COMPUTED


def is_second_person(*, preparer: int | str, approver: int | str) -> bool:
    """Approval, and rejection, need a person other than the one who sent the line to review."""
    return preparer != approver


def is_lapsed(*, published_on: date, filed_on: date | None, today: date, claim_days: int) -> bool:
    """R6.12 for CLAIM mode: not filed within `claim_days` of publication, the last day included."""
    last = published_on + timedelta(days=claim_days)
    return filed_on > last if filed_on is not None else today > last
