"""What customer and operator say to each other about a shipment, and the operator's own notes; never changed (1.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.shipments import Shipment

LONGEST_COMMENT = 4_000


class Comment(TenantOwned):
    """One comment. An internal one is the staff's own and leaves their side by no door."""

    append_only = True

    public_id = public_id_field()
    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="comments")
    text = models.CharField(max_length=LONGEST_COMMENT)
    is_internal = models.BooleanField(default=False)
    is_from_staff = models.BooleanField()
    author = code_field(26)  # public id of the member; of the operator's scope when from the staff
    author_name = models.CharField(max_length=120)
    mentions = models.JSONField(default=list)  # names, as they stand behind an @ or were chosen
    posted_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=models.Q(is_from_staff=True) | models.Q(is_internal=False), name="comment_internal_is_staffs"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "shipment", "id"], name="comment_of_shipment")]


class CommentWithdrawal(TenantOwned):
    """A comment that is shown no more: taken back by its author within minutes, or by the desk with a reason."""

    append_only = True

    comment = TenantForeignKey(Comment, on_delete=models.PROTECT, related_name="withdrawals")
    at = models.DateTimeField()
    by = models.CharField(max_length=120)
    why = models.CharField(max_length=250, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "comment"], name="commentwithdrawal_once"),
        ]
