"""Changes of what was promised (R1.16)."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from portal.lib.periods import zone_named
from portal.tenancy.services import audit
from tracking.derivation import rebuild, sightings_of
from tracking.models import CommitmentRow, Shipment
from tracking.rules import Commitment, CommitmentChange, binding
from tracking.services.shipments import bind
from tracking.telling import news_tell


@transaction.atomic
def commitment_change(
    *,
    shipment: Shipment,
    due_date: date | None = None,
    due_at: datetime | None = None,
    asked_by_customer: bool,
    reason: str,
    actor: str,
    at: datetime,
) -> CommitmentRow:
    """Records a change of the promise; it binds only when the customer asked for it, in time, with a reason (R1.16)."""
    shipment = Shipment.objects.select_for_update().get(pk=shipment.pk)
    rows = list(shipment.commitments.order_by("id"))
    first = rows[0]
    changes = [_change(r) for r in rows[1:]]
    own = Commitment(
        zone=zone_named(first.zone), due_date=due_date, due_at=due_at, tol_days=first.tol_days,
        tol_hours=first.tol_hours, early_hours=first.early_hours,
    )  # fmt: skip
    change = CommitmentChange(
        commitment=own, recorded_at=at, asked_by_customer=asked_by_customer, recorded_by=actor, reason=reason
    )
    held = binding(_change(first), [*changes, change])
    row = CommitmentRow.objects.create(
        shipment=shipment, made_at=at, recorded_at=at, milestone=first.milestone, place=first.place, zone=first.zone,
        due_date=due_date, due_at=due_at, tol_days=first.tol_days, tol_hours=first.tol_hours,
        early_hours=first.early_hours, asked_by="CUSTOMER" if asked_by_customer else "OPERATOR", recorded_by=actor,
        reason=reason, is_binding=held is change,
    )  # fmt: skip
    audit(action="shipment.promise_changed", actor=actor, at=at, object_type="shipment", object_id=shipment.public_id,
          details={"due": str(due_date or due_at), "binds": held is change, "why": reason})  # fmt: skip
    if held is change:
        bind(shipment, own)
        shipment.save()
        news_tell(rebuild([shipment], sightings_of([shipment.pk]), at=at), at=at)
    return row


def _change(row: CommitmentRow) -> CommitmentChange:
    return CommitmentChange(
        commitment=Commitment(
            zone=zone_named(row.zone), due_date=row.due_date, due_at=row.due_at, tol_days=row.tol_days,
            tol_hours=row.tol_hours, early_hours=row.early_hours,
        ),
        recorded_at=row.recorded_at, asked_by_customer=row.asked_by == "CUSTOMER", recorded_by=row.recorded_by,
        reason=row.reason,
    )  # fmt: skip
