"""What is derived of an account's shipments, as comparable values: stored, and worked out anew from the sightings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from portal.tenancy.context import as_tenant
from tests.cast import Account
from tracking.derivation import rebuild, sightings_of
from tracking.exceptions import PASSING
from tracking.itinerary import FIELDS
from tracking.models import ExceptionCase, MilestoneRow, Shipment

STATE = ("milestone", "milestone_at", "status", "eta_at", "final_at", "punctuality", "last_event_at", "last_heard_at")
ROW = (
    "container", "milestone", "node", "act_at", "act_source", "act_recorded_at", "est_at", "est_source",
    "est_recorded_at", "pln_at", "precision", "basis", "is_conflict",
)  # fmt: skip
CASE = ("code", "node", "occurrence", "state", "started_at", "cleared_at", "severity", "delay_seconds")


def derived(account: Account, *refs: str) -> dict[str, Any]:
    """By shipment reference (all, or those named): its state, and its milestones."""
    with as_tenant(account.pk):
        shipments = Shipment.objects.filter(ref__in=refs) if refs else Shipment.objects.all()
        found: dict[str, Any] = {s.ref: ([getattr(s, name) for name in STATE], []) for s in shipments.order_by("ref")}
        rows = MilestoneRow.objects.select_related("shipment").filter(shipment__in=shipments)
        for row in rows.order_by("container", "milestone", "node"):
            found[row.shipment.ref][1].append(tuple(getattr(row, name) for name in ROW))
        for model, names in FIELDS.items():
            beside = [n for n in names if not n.endswith("sighting")]  # ids are given in the order of arrival
            listed = model.objects.select_related("shipment").filter(shipment__in=shipments)
            for row in sorted(listed, key=lambda r: [str(getattr(r, n)) for n in beside]):
                found[row.shipment.ref][1].append((model.__name__, *(getattr(row, n) for n in beside)))
        # what began and ended while nobody looked, and what turned out never to have been, hang on when one looked
        cases = ExceptionCase.objects.select_related("shipment").filter(shipment__in=shipments)
        for case in cases.exclude(state="WITHDRAWN").order_by("code", "node", "occurrence"):
            if case.state == "OPEN" or case.code not in PASSING:
                values = tuple(getattr(case, n) for n in CASE)
                found[case.shipment.ref][1].append(("ExceptionCase", *values))
    return found


def derived_anew(account: Account, *refs: str, at: datetime) -> dict[str, Any]:
    """The same after a full derivation; what is stored stays as it was."""
    with as_tenant(account.pk), transaction.atomic():
        wanted = Shipment.objects.filter(ref__in=refs) if refs else Shipment.objects.all()
        shipments = list(wanted.select_for_update().order_by("pk"))
        rebuild(shipments, sightings_of([s.pk for s in shipments]), at=at)
        found = derived(account, *refs)
        transaction.set_rollback(True)
    return found
