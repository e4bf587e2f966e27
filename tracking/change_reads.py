"""What people changed about a shipment, from what each change leaves: promises, exceptions, the audit trail.

Reads the entered scope; for the staff also their own audit rows about the shipment, in the operator's scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry
from tracking.models import CommitmentRow, ExceptionStep, Shipment, StepKind

MOST_CHANGES: Final = 300
ACTIONS: Final = (
    "entry.recorded", "entry.withdrawn", "shipment.cutoff_set", "document.added", "document.shown",
    "document.withdrawn", "comment.withdrawn",
)  # fmt: skip
_STEPS: Final = (StepKind.ACKNOWLEDGED, StepKind.ASSIGNED, StepKind.RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that somebody did. `what` is an audit action, `promise`, or `exception.<step>`."""

    at: datetime
    who: str  # as recorded: a name with or without its address, or SYSTEM
    what: str
    details: Mapping[str, Any] = field(default_factory=dict)
    is_internal: bool = False


def changes_of(shipment: Shipment, *, staff: bool, alerts: bool) -> list[Change]:
    """The newest changes first. `alerts`: whether the reader sees exceptions (5.1)."""
    found = [*_promises(shipment), *_audited(shipment)]
    if alerts:
        found += _steps(shipment)
    if staff:
        with as_tenant(OPERATOR_ID):
            found += _audited(shipment, is_internal=True)
    return sorted(found, key=lambda c: c.at, reverse=True)[:MOST_CHANGES]


def _audited(shipment: Shipment, *, is_internal: bool = False) -> list[Change]:
    rows = AuditEntry.objects.filter(object_id=shipment.public_id, object_type="shipment", action__in=ACTIONS)
    return [
        Change(at=r.at, who=r.actor, what=r.action, details=r.details, is_internal=is_internal)
        for r in rows.order_by("-pk")[:MOST_CHANGES]
    ]


def _promises(shipment: Shipment) -> list[Change]:
    rows = list(CommitmentRow.objects.filter(shipment=shipment).order_by("pk"))
    return [
        Change(
            at=row.recorded_at, who=row.recorded_by, what="promise",
            details={"row": row, "before": before, "asked_by": row.asked_by, "reason": row.reason},
        )
        for before, row in pairwise(rows)
    ]  # fmt: skip


def _steps(shipment: Shipment) -> list[Change]:
    rows = ExceptionStep.objects.filter(case__shipment=shipment, kind__in=_STEPS).select_related("case")
    return [
        Change(
            at=r.at, who=r.actor, what=f"exception.{r.kind.lower()}",
            details={"code": r.case.code, "note": r.note if r.is_for_customer or r.kind == StepKind.ASSIGNED else ""},
        )
        for r in rows.order_by("-pk")[:MOST_CHANGES]
    ]  # fmt: skip
