"""Up to when a person has seen what is new."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from portal.tenancy.models import Member
from portal.tenancy.owned import TenantForeignKey, TenantOwned


class NewsSeen(TenantOwned):
    """When a person last opened the home page, and the end of the visit before: shown to nobody else."""

    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    opened_at = models.DateTimeField()
    since_at = models.DateTimeField(null=True, blank=True)  # empty during the first visit

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "member"], name="newsseen_once"),
        ]
