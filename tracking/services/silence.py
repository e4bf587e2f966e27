"""Noticing that a source has fallen silent, and that it speaks again: told once each time (event standards 6)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, Q

from portal.outbox.services import emit
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import operator_zone
from tracking.facts import SourceHeardAgain, SourceSilent
from tracking.freshness import Freshness, freshness_of, span
from tracking.models import Source
from tracking.rhythm import LEAST_LIMIT
from tracking.types import SourceKind

_PATH: Final = "/ops/sources"


@transaction.atomic
def silence_note(*, at: datetime) -> int:
    """Compares the entered scope's sources with their rhythm and tells the staff; says how many changed.

    A silence begins with the last message: `silent_since` keeps it once it was told, so it is told once.
    """
    spoke = Source.objects.filter(silent_since__isnull=False, last_heard_at__gt=F("silent_since"))
    changed = sum(_heard_again(source, at) for source in spoke)
    quiet = Q(last_heard_at__lt=at - LEAST_LIMIT) | Q(last_heard_at__isnull=True)
    perhaps = Source.objects.filter(
        Q(silent_after_minutes__isnull=False) | quiet, is_active=True, silent_since__isnull=True
    ).exclude(kind=SourceKind.MANUAL)
    found = freshness_of(perhaps, at=at).values()
    return changed + sum(_fallen_silent(fresh, at) for fresh in found if fresh.is_silent and _is_awaited(fresh))


def _is_awaited(fresh: Freshness) -> bool:
    """A source that never spoke may have come with history alone: it is waited for once somebody has said how long."""
    return fresh.heard_at is not None or fresh.source.silent_after_minutes is not None


def _fallen_silent(fresh: Freshness, at: datetime) -> bool:
    source, since = fresh.source, fresh.heard_at or fresh.source.created_at
    # the first of two that look at the same moment tells it
    if not Source.objects.filter(pk=source.pk, silent_since__isnull=True).update(silent_since=since):
        return False
    with as_tenant(OPERATOR_ID):
        emit(
            SourceSilent(
                occurred_at=since + fresh.limit, source=source.key, name=source.name, since=_local(since),
                began=since.isoformat(), was_heard=fresh.heard_at is not None, limit=span(fresh.limit),
                usual=span(fresh.rhythm.median) if fresh.rhythm.median else "", path=_PATH,
            ),
            at=at,
        )  # fmt: skip
    return True


def _heard_again(source: Source, at: datetime) -> bool:
    began, heard = source.silent_since, source.last_heard_at
    if began is None or heard is None:
        return False
    if not Source.objects.filter(pk=source.pk, silent_since=began).update(silent_since=None):
        return False
    with as_tenant(OPERATOR_ID):
        emit(
            SourceHeardAgain(
                occurred_at=heard, source=source.key, name=source.name, heard=_local(heard), began=began.isoformat(),
                silent_for=span(heard - began), path=_PATH,
            ),
            at=at,
        )  # fmt: skip
    return True


def _local(at: datetime) -> str:
    """In the operator's zone, as the notices write it."""
    there = at.astimezone(operator_zone())
    return f"{there:%d %b %Y %H:%M} {there.tzname()}"
