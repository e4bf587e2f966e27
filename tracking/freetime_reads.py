"""The free-day terms of the entered account: a read that derivation and pages build on."""

from __future__ import annotations

from tracking.freetime import FreeKind, Term
from tracking.models import FreeTerm
from tracking.rules import FreeTimeStart


def term_of(row: FreeTerm) -> Term:
    """A stored term in the form of the pure rules."""
    return Term(
        kind=FreeKind(row.kind), place=row.place, facility=row.facility, free_days=row.free_days,
        start=FreeTimeStart(row.start), working_days=row.working_days, holidays=frozenset(row.holidays),
        first_day=row.first_day, last_day=row.last_day,
    )  # fmt: skip


def free_terms() -> list[Term]:
    """All terms of the entered account, in one query."""
    return [term_of(row) for row in FreeTerm.objects.all()]


def free_term_rows() -> list[FreeTerm]:
    """As they are listed: by place, terminal and kind, the newest first."""
    return list(FreeTerm.objects.order_by("place", "facility", "kind", "-first_day"))
