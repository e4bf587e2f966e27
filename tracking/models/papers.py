"""Documents of a shipment: kinds, versions, who reads them; what was uploaded is never changed or deleted (1.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.shipments import Shipment


class Document(TenantOwned):
    """One version of one kind of document; an upload of the same kind is the next version.

    Internal documents, which only the staff read, are counted apart: a gap in the numbers of the others would tell of
    them. What is withdrawn stays on record with the reason and is handed out no more.
    """

    public_id = public_id_field()
    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="documents")
    kind = code_field(24)  # a papers.PaperKind
    version = models.PositiveIntegerField()
    is_internal = models.BooleanField(default=False)
    name = models.CharField(max_length=120)  # a safe file name with its ending
    content_type = code_field(80)
    sha256 = code_field(64)
    size = models.PositiveIntegerField()
    note = models.CharField(max_length=200, blank=True, default="")
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=120)  # the person's name
    is_from_staff = models.BooleanField()
    shown_at = models.DateTimeField(null=True, blank=True)  # when an internal one was shown to the customer
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=120, blank=True, default="")
    withdrawn_why = models.CharField(max_length=250, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "shipment", "kind", "is_internal", "version"], name="document_version_once"
            ),
            # a customer's own is never hidden from the customer
            models.CheckConstraint(condition=Q(is_from_staff=True) | Q(is_internal=False), name="document_shown"),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | ~Q(withdrawn_why=""), name="document_withdrawn_says_why"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "shipment", "id"], name="document_of_shipment")]

    def __str__(self) -> str:
        return self.name


class DocumentFile(TenantOwned):
    """The bytes of a document, apart from what lists read."""

    append_only = True

    document = TenantForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "document"], name="documentfile_once"),
        ]
