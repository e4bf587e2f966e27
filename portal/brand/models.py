"""The picture of the installation's logo; what else makes its look stands on its own row (tenancy)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q


class Logo(models.Model):
    """The one operator's logo, a PNG drawn anew by us; holds nothing of any customer and is shown to everybody."""

    body = models.BinaryField()

    class Meta:
        constraints: ClassVar[list[Any]] = [models.CheckConstraint(condition=Q(id=1), name="logo_is_one")]

    def __str__(self) -> str:
        return "logo"
