"""Working shipments out anew when a source or a place is believed otherwise: a rank, an anchorage, availability.

Asked for by whoever changes such a setting; done by the outbox, account by account, page by page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from portal.lib import ids
from portal.outbox.selectors import active_tenants
from portal.outbox.services import enqueue
from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from tracking.derivation import rebuild, sightings_of
from tracking.models import Shipment, SightingRow
from tracking.telling import news_tell

_PAGE: Final = 200


def rederivation_ask(*, at: datetime, source: str = "", place: str = "") -> None:
    """Enqueues the work for the entered account, or from the operator's scope for every one; in the transaction of the
    change.
    """
    mark = ids.public_id()
    for tenant_id in active_tenants() if scope() == OPERATOR_ID else [scope()]:
        if tenant_id != OPERATOR_ID:
            with as_tenant(tenant_id):
                enqueue("tracking.rederive", key=f"rederive:{mark}", at=at, source=source, place=place)


def shipments_rederive(*, at: datetime, source: str = "", place: str = "") -> int:
    """Works the entered account's shipments that the change concerns out anew; returns how many.

    A page is one transaction under the locks of its shipments; run twice it changes nothing.
    """
    done = last = 0
    while pks := list(
        _concerned(source, place).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_PAGE]
    ):
        last = pks[-1]
        with transaction.atomic():
            held = list(Shipment.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
            news_tell(rebuild(held, sightings_of(pks), at=at), at=at)
        done += len(held)
    return done


def _concerned(source: str, place: str) -> QuerySet[Shipment]:
    if source:
        told = SightingRow.objects.filter(shipment=OuterRef("pk"), source=source)
        return Shipment.objects.filter(Exists(told))
    return Shipment.objects.filter(Q(pod=place) | Q(final_place=place))
