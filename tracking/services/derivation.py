"""What is derived, compared with a full derivation from the record, and mended where it differs (1.5, P4)."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from django.db import transaction

from portal.lib.facts import Fact
from portal.outbox.services import emit_all
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import tenant_current
from tracking.derivation import rebuild, sightings_of, stale
from tracking.facts import DerivationDiffered
from tracking.models import Shipment
from tracking.telling import news_tell

log = logging.getLogger("plimsoll.tracking")
PAGE: Final = 500
_NAMED: Final = 20


def derivation_mend(*, at: datetime) -> list[str]:
    """Compares every shipment of the entered account, page by page; returns the references of those it mended.

    Each page is a transaction of its own, and only what differs is locked. The staff is told once a run.
    """
    mended: list[str] = []
    last = 0
    while page := list(Shipment.objects.filter(pk__gt=last).order_by("pk")[:PAGE]):
        last = page[-1].pk
        doubtful = [s.pk for s in stale(page, at=at)]
        if doubtful:
            mended += _mend(doubtful, at)
    if mended:
        log.error("derived state of %s shipments differed from the record and was mended", len(mended))
        account = tenant_current().code
        fact = DerivationDiffered(occurred_at=at, account=account, count=len(mended),
                                  references=", ".join(mended[:_NAMED]), path="/ops")  # fmt: skip
        with as_tenant(OPERATOR_ID), transaction.atomic():
            emit_all([fact], at=at)
    return mended


@transaction.atomic
def _mend(shipment_ids: list[int], at: datetime) -> list[str]:
    """Looks again under the locks: something may have been stored between the two reads."""
    held = list(Shipment.objects.select_for_update().filter(pk__in=shipment_ids).order_by("pk"))
    wrong = stale(held, at=at)
    news: list[Fact] = rebuild(wrong, sightings_of([s.pk for s in wrong]), at=at) if wrong else []
    news_tell(news, at=at)
    return [s.ref for s in wrong]
