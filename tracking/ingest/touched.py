"""Shipments that heard something new and are not derived yet: noted with what was stored, derived a little later.

Many notes about one shipment are worth one derivation. A note goes with the transaction that derives its shipments, so
whoever dies on the way leaves it to the next; the sightings are the record, a note is only work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from portal.lib.faults import declare, fault
from portal.outbox.services import enqueue
from tracking.derivation import rebuild, sightings_of
from tracking.models import Shipment, SightingRow, Touched
from tracking.telling import news_tell
from tracking.types import Sighting

PORTION: Final = 250  # shipments derived in one transaction: their locks are held for a part of a second
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

    False when notes are left. Any number of workers may do it at once: each takes notes that no other one holds, and
    waits for no shipment: what somebody else has locked is noted again.
    """
    for _n in range(portions):
        with transaction.atomic():
            found = _derive_portion(at)
            fault("touched.before_commit")
        if found is None:
            return True
    return False


def _derive_portion(at: datetime) -> int | None:
    """How many shipments were derived; None when no notes were there to take."""
    notes = list(Touched.objects.select_for_update(skip_locked=True).filter(is_portion=True).order_by("pk")[:1])
    if not notes:
        notes = list(Touched.objects.select_for_update(skip_locked=True).order_by("pk")[:_NOTES])
    if not notes:
        return None
    told = {pk for note in notes if not note.is_quiet for pk in note.shipments}
    wanted = sorted(told.union(*(note.shipments for note in notes)))
    free = Shipment.objects.select_for_update(no_key=True, skip_locked=True)
    shipments = list(free.filter(pk__in=wanted[:PORTION]).order_by("pk"))
    by_id, by_public_id = {s.pk: s for s in shipments}, {s.public_id: s.pk for s in shipments}
    # read after the locks: whoever stores something more from now on leaves a note of its own
    sightings = sightings_of([s.pk for s in shipments])
    quiet_first([s for s in shipments if s.pk in told], sightings, at=at)
    news = rebuild(shipments, sightings, at=at)
    _leave_portions(sorted(set(wanted) - by_id.keys() - _gone(wanted[:PORTION], by_id)), told, notes)
    Touched.objects.filter(pk__in=[note.pk for note in notes])._raw_delete("default")
    news_tell([fact for fact in news if by_public_id[getattr(fact, "shipment")] in told], at=at)  # noqa: B009 - all have
    return len(shipments)


def _gone(wanted: Sequence[int], locked: Mapping[int, Shipment]) -> set[int]:
    """Those of a portion that are there no more; the others are locked by somebody else."""
    missing = set(wanted) - locked.keys()
    there = Shipment.objects.filter(pk__in=missing).values_list("pk", flat=True) if missing else ()
    return missing.difference(there)


def _leave_portions(rest: list[int], told: set[int], notes: list[Touched]) -> None:
    """What is too much for one transaction becomes notes of one portion each, the told and the quiet ones apart."""
    for is_quiet in (False, True):
        own = [pk for pk in rest if (pk not in told) == is_quiet]
        Touched.objects.bulk_create(
            Touched(shipments=own[n : n + PORTION], is_quiet=is_quiet, is_portion=True, noted_at=notes[0].noted_at)
            for n in range(0, len(own), PORTION)
        )


def quiet_first(shipments: Sequence[Shipment], sightings: Mapping[int, Sequence[Sighting]], *, at: datetime) -> None:
    """Derives without a word what waiting history says of locked shipments, so that only what is new is told (R1.1)."""
    ids = [s.pk for s in shipments]
    notes = list(Touched.objects.filter(shipments__overlap=ids)) if ids else []
    quiet = {pk for note in notes if note.is_quiet for pk in note.shipments}.intersection(ids)
    if not quiet:
        return
    since: dict[int, datetime] = {}  # what was recorded from then on waits to be told
    for note in notes:
        if not note.is_quiet:
            since.update((pk, min(note.noted_at, since.get(pk, note.noted_at))) for pk in note.shipments)
    history = set(SightingRow.objects.filter(shipment_id__in=quiet, is_backfilled=True).values_list("pk", flat=True))
    before = {
        pk: [s for s in sightings.get(pk, ()) if s.id in history or s.recorded_at < since.get(pk, at)] for pk in quiet
    }
    rebuild([s for s in shipments if s.pk in quiet], before, at=at)


def touched_waits(*, until: datetime, since: datetime | None = None) -> bool:
    """Whether shipments of the entered tenant, noted by `until` (and after `since`), still wait to be derived."""
    notes = Touched.objects.filter(noted_at__lte=until)
    return (notes if since is None else notes.filter(noted_at__gt=since)).exists()
