"""Spreadsheets on their way in by hand: kept as a draft until somebody imports them or throws them away."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.sources import Source


class UploadDraft(TenantOwned):
    """A file as it was chosen, what its columns are said to mean, and which cells were corrected by whom.

    The bytes are never changed. An imported draft stays: it is the original of a table that was corrected (G1, G12).
    """

    public_id = public_id_field()
    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    sha256 = code_field(64)
    body = models.BinaryField()
    mapping = models.JSONField(default=dict)  # as in Source.mapping, perhaps unfinished
    is_remembered = models.BooleanField(default=False)  # the columns are those of last time
    corrections = models.JSONField(default=list)  # [{row, column, was, now, by, at}], in the order they were made
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    message = code_field(26, blank=True, default="")  # public id of what it became
    imported_at = models.DateTimeField(null=True, blank=True)
    imported_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "source", "-made_at"], name="uploaddraft_newest"),
        ]

    def __str__(self) -> str:
        return self.file_name
