"""Shipments that heard something new and are not derived yet: noted with what was stored, derived a little later.

Many notes about one shipment are worth one derivation. A note goes with the transaction that derives its shipments, so
whoever dies on the way leaves it to the next; the sightings are the record, a note is only work.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import transaction

from portal.lib.faults import declare, fault
from portal.outbox.services import emit_all, enqueue
from tracking.derivation import rebuild, sightings_of
from tracking.models import Shipment, Touched

PORTION: Final = 500  # shipments derived in one transaction: their locks are held for about half a second
_NOTES: Final = 1_000  # gathered at once
WORK: Final = "tracking.derive_touched"

declare("touched.before_commit", "noted shipments are derived, their notes cleared away, nothing is committed")


def touched_note(shipments: Collection[int], *, message: str, is_quiet: bool, at: datetime) -> None:
    """Notes shipments of the entered tenant, with the work that derives them, in the transaction that stored what they
    heard. `is_quiet`: history, told to nobody (R1.1).
    """
    Touched.objects.create(shipments=sorted(shipments), is_quiet=is_quiet, noted_at=at)
    enqueue(WORK, key=message, at=at)


def touched_derive(*, at: datetime, portions: int) -> bool:
    """Derives noted shipments of the entered tenant, oldest notes first, at most so many portions.

    False when notes are left. Any number of workers may do it at once: each takes notes that no other one holds.
    """
    for _n in range(portions):
        with transaction.atomic():
            if not _derive_portion(at):
                return True
            fault("touched.before_commit")
    return False


def _derive_portion(at: datetime) -> bool:
    notes = list(Touched.objects.select_for_update(skip_locked=True).filter(is_portion=True).order_by("pk")[:1])
    if not notes:
        notes = list(Touched.objects.select_for_update(skip_locked=True).order_by("pk")[:_NOTES])
    if not notes:
        return False
    told = {pk for note in notes if not note.is_quiet for pk in note.shipments}
    wanted = sorted(told.union(*(note.shipments for note in notes)))
    _leave_portions(wanted[PORTION:], told, notes)
    Touched.objects.filter(pk__in=[note.pk for note in notes])._raw_delete("default")
    shipments = list(Shipment.objects.select_for_update(no_key=True).filter(pk__in=wanted[:PORTION]).order_by("pk"))
    # read after the locks: whoever stores something more from now on leaves a note of its own
    news = rebuild(shipments, sightings_of([s.pk for s in shipments]), at=at)
    by_id = {s.public_id: s.pk for s in shipments}
    emit_all([fact for fact in news if by_id[fact.shipment] in told], at=at)
    return True


def _leave_portions(rest: list[int], told: set[int], notes: list[Touched]) -> None:
    """What is too much for one transaction becomes notes of one portion each, the told and the quiet ones apart."""
    for is_quiet in (False, True):
        own = [pk for pk in rest if (pk not in told) == is_quiet]
        Touched.objects.bulk_create(
            Touched(shipments=own[n : n + PORTION], is_quiet=is_quiet, is_portion=True, noted_at=notes[0].noted_at)
            for n in range(0, len(own), PORTION)
        )


def touched_waits(*, until: datetime, since: datetime | None = None) -> bool:
    """Whether shipments of the entered tenant, noted by `until` (and after `since`), still wait to be derived."""
    notes = Touched.objects.filter(noted_at__lte=until)
    return (notes if since is None else notes.filter(noted_at__gt=since)).exists()
