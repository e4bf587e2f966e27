"""Links by which somebody without a sign-in sees one shipment (A8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import F, Q

from portal.tenancy.models import Member
from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field

LONGEST: Final = timedelta(days=90)


class ShareLink(TenantOwned):
    """A link to one shipment: for whom, how much of it, until when; its token is kept hashed and shown once.

    Of those who open it only their number and the last time are kept.
    """

    public_id = public_id_field()
    shipment = TenantForeignKey("tracking.Shipment", on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=80)  # whom it is for; never shown by the link itself
    token_hash = code_field(64)
    shows_containers = models.BooleanField(default=False)
    shows_references = models.BooleanField(default=False)
    made_by = TenantForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True, default="")
    views = models.PositiveBigIntegerField(default=0)
    last_viewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "token_hash"], name="sharelink_token_once"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")) & Q(expires_at__lte=F("created_at") + LONGEST),
                name="sharelink_ends_in_time",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "shipment", "-created_at"], name="sharelink_by_shipment"),
            models.Index(fields=["tenant", "-created_at", "-id"], name="sharelink_newest"),
        ]

    def __str__(self) -> str:
        return self.label
