"""Files that prove what people enter by hand: a photo, a signed delivery note; append-only (1.5, R1.12)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.shipments import Shipment


class Evidence(TenantOwned):
    """One file about one shipment. Photos are made anew before they are kept, so that nothing rides along in them."""

    append_only = True

    public_id = public_id_field()
    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="evidence")
    name = models.CharField(max_length=200)
    content_type = code_field(64)
    sha256 = code_field(64)
    size = models.PositiveIntegerField()
    body = models.BinaryField()
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=200)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "shipment", "id"], name="evidence_of_shipment")]

    def __str__(self) -> str:
        return self.name
