"""Free-day terms of an account: stored by hand or from a file, and what follows for its shipments (R8.9).

A later term counts from its first day on, so nothing has to be ended by hand. Every change is in the audit trail.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.services import audit
from tracking.freetime import Term
from tracking.freetime_reads import term_of
from tracking.models import FreeTerm, Shipment

MOST_TERMS: Final = 2_000  # of one account


class TermTaken(PortalError):
    """Two terms of one kind and place would begin on the same day."""

    code, status = "term_taken", 409
    message = _("Another term of this kind and place begins on the same day: change that one.")


class TooManyTerms(PortalError):
    """An account has room for so many."""

    code, status = "too_many_terms", 409
    message = _("An account has room for %(most)d terms.")


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of a file: lines added, changed, and as they were."""

    added: int = 0
    changed: int = 0
    same: int = 0


def _key(term: Term) -> dict[str, Any]:
    return {"kind": term.kind.value, "place": term.place, "facility": term.facility, "first_day": term.first_day}


def _values(term: Term) -> dict[str, Any]:
    return {
        "free_days": term.free_days, "start": term.start.value, "working_days": term.working_days,
        "holidays": sorted(term.holidays), "last_day": term.last_day,
    }  # fmt: skip


@transaction.atomic
def free_term_set(*, term: Term, by: str, at: datetime, public_id: str = "") -> FreeTerm:
    """A new term, or another wording of the one with this public id. Raises NotFound, TermTaken, TooManyTerms."""
    before = FreeTerm.objects.select_for_update(of=("self",)).filter(public_id=public_id).first() if public_id else None
    if public_id and before is None:
        raise NotFound
    others = FreeTerm.objects.exclude(pk=before.pk) if before else FreeTerm.objects.all()
    if others.filter(**_key(term)).exists():
        raise TermTaken
    if before is None and FreeTerm.objects.count() >= MOST_TERMS:
        raise TooManyTerms(most=MOST_TERMS)
    if before is not None and term_of(before) == term:
        return before
    places = {term.place, *([before.place] if before else ())}
    row = before or FreeTerm()
    for name, value in {**_key(term), **_values(term), "changed_at": at, "changed_by": by[:200]}.items():
        setattr(row, name, value)
    row.save()
    _record("freeterm.changed" if before else "freeterm.added", row, by=by, at=at)
    _look_again(places, at=at)
    return row


@transaction.atomic
def free_terms_store(*, terms: Sequence[Term], by: str, at: datetime) -> Stored:
    """All terms of a file: one that begins on the same day as a stored one replaces it. Raises TooManyTerms."""
    stored = {tuple(_key(term_of(row)).values()): row for row in FreeTerm.objects.select_for_update(of=("self",))}
    fresh: list[FreeTerm] = []
    changed: list[FreeTerm] = []
    for term in terms:
        row = stored.get(tuple(_key(term).values()))
        if row is None:
            fresh.append(FreeTerm(**_key(term), **_values(term), changed_at=at, changed_by=by[:200]))
        elif term_of(row) != term:
            for name, value in {**_values(term), "changed_at": at, "changed_by": by[:200]}.items():
                setattr(row, name, value)
            changed.append(row)
    if len(stored) + len(fresh) > MOST_TERMS:
        raise TooManyTerms(most=MOST_TERMS)
    for row in (*fresh, *changed):
        row.save()
    if fresh or changed:
        audit(action="freeterm.imported", actor=by, at=at, object_type="freeterm",
              details={"added": len(fresh), "changed": len(changed)})  # fmt: skip
        _look_again({row.place for row in (*fresh, *changed)}, at=at)
    return Stored(len(fresh), len(changed), len(terms) - len(fresh) - len(changed))


@transaction.atomic
def free_term_remove(*, public_id: str, by: str, at: datetime) -> None:
    """Takes a term away; the one before it, if any, counts again. Raises NotFound."""
    row = FreeTerm.objects.select_for_update(of=("self",)).filter(public_id=public_id).first()
    if row is None:
        raise NotFound
    _record("freeterm.removed", row, by=by, at=at)
    row.delete()
    _look_again({row.place}, at=at)


def _record(action: str, row: FreeTerm, *, by: str, at: datetime) -> None:
    audit(
        action=action, actor=by, at=at, object_type="freeterm", object_id=row.public_id,
        details={"kind": row.kind, "place": row.place, "terminal": row.facility, "free_days": row.free_days,
                 "from": row.first_day.isoformat()},
    )  # fmt: skip


def _look_again(places: Collection[str], *, at: datetime) -> None:
    """What follows for shipments under way is worked out within minutes, with what the clock calls up."""
    open_there = Shipment.objects.filter(pod__in=places, final_at__isnull=True, cancelled_at__isnull=True)
    pks = list(open_there.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Shipment.objects.filter(pk__in=pks).update(look_at=at)
