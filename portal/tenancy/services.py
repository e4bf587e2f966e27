"""Writes of tenancy: the audit trail, tenants, the installation.

Sign-in, members and keys are changed by portal.account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from portal.tenancy.context import OPERATOR_ID, Crossing, as_tenant
from portal.tenancy.models import AuditEntry, Installation, Tenant, TenantKind

SYSTEM = "SYSTEM"


def audit(
    *,
    action: str,
    actor: str,
    at: datetime,
    object_type: str = "",
    object_id: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Writes one audit row in the entered scope, in the caller's transaction (L1)."""
    return AuditEntry.objects.create(
        action=action,
        actor=actor[:200],
        at=at,
        object_type=object_type,
        object_id=object_id,
        details=dict(details or {}),
    )


def audit_all(*, action: str, actor: str, at: datetime, object_type: str, object_ids: Iterable[str]) -> None:
    """The same of many objects, in one statement."""
    AuditEntry.objects.bulk_create([
        AuditEntry(action=action, actor=actor[:200], at=at, object_type=object_type, object_id=object_id, details={})
        for object_id in object_ids
    ])  # fmt: skip


def crossing_record(crossing: Crossing, at: datetime) -> None:
    """The audit row of a crossing, in the operator's own scope (T2, R0.8)."""
    with as_tenant(OPERATOR_ID), transaction.atomic():
        audit(action="tenancy.crossed", actor=crossing.actor, at=at, details={"reason": crossing.reason})


@transaction.atomic
def installation_create(*, name: str, code: str, zone: str, currency: str, at: datetime) -> Installation:
    """Sets up the one operator with its reserved scope; a second call changes nothing and returns the first."""
    found = Installation.objects.filter(pk=1).first()
    if found is not None:
        return found
    installation = Installation.objects.create(pk=1, name=name, code=code, zone=zone, currency=currency)
    with as_tenant(OPERATOR_ID):
        Tenant(pk=OPERATOR_ID, code=code.upper(), name=name, kind=TenantKind.OPERATOR, created_at=at).save(
            force_insert=True
        )
        audit(action="installation.created", actor=SYSTEM, at=at)
    return installation


@transaction.atomic
def tenant_create(*, code: str, name: str, at: datetime, zone: str = "", actor: str = SYSTEM) -> Tenant:
    """A new account; IntegrityError when its code is taken."""
    from portal.tenancy.selectors import next_tenant_id

    tenant = Tenant(pk=next_tenant_id(), code=code.upper(), name=name, zone=zone, created_at=at)
    with as_tenant(tenant.pk):
        tenant.full_clean(exclude=["code"])
        tenant.save(force_insert=True)
        audit(action="account.created", actor=actor, at=at, object_type="account", object_id=tenant.public_id)
    return tenant
