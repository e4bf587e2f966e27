"""What people keep of the list of shipments: views under a name, shipments they follow, files they asked for."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.models import Member
from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.shipments import Shipment


class DefaultFor(models.TextChoices):
    """Whom a view opens for when the list is asked for nothing."""

    NOBODY = "", _("Nobody")
    OWNER = "OWNER", _("Only me")
    ACCOUNT = "ACCOUNT", _("Everybody in the account")


class SavedView(TenantOwned):
    """A list that somebody named: nothing but the query part of its address, checked when kept and when opened."""

    public_id = public_id_field()
    owner = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=4_000, blank=True)
    is_shared = models.BooleanField(default=False)  # everybody in the account sees it; only managers share
    default_for = models.CharField(max_length=8, choices=DefaultFor.choices, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "owner", "name"], name="savedview_name_once"),
            models.UniqueConstraint(
                fields=["tenant", "owner"], condition=Q(default_for="OWNER"), name="savedview_one_own_default"
            ),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(default_for="ACCOUNT"), name="savedview_one_account_default"
            ),
            models.CheckConstraint(
                condition=~Q(default_for="ACCOUNT") | Q(is_shared=True), name="savedview_account_default_is_shared"
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "is_shared"], name="savedview_shared")]

    def __str__(self) -> str:
        return self.name


class Follow(TenantOwned):
    """A person follows a shipment: finds it again in one click, and may be told of it alone."""

    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    shipment = TenantForeignKey(Shipment, on_delete=models.CASCADE, related_name="+")
    since_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "member", "shipment"], name="follow_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "shipment"], name="follow_of_shipment")]


class ExportState(models.TextChoices):
    """Where a file that is made in the background stands."""

    WAITING = "WAITING", _("Waiting")
    RUNNING = "RUNNING", _("Being made")
    DONE = "DONE", _("Ready")
    FAILED = "FAILED", _("Not made")


class Export(TenantOwned):
    """A workbook of a view that was too large to be made while somebody waits; its person's alone, gone after a day."""

    public_id = public_id_field()
    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    query = models.CharField(max_length=4_000, blank=True)
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.WAITING)
    run = models.PositiveIntegerField(default=0)  # an overtaken run writes nothing more
    rows = models.PositiveIntegerField(default=0)  # written so far
    total = models.PositiveIntegerField()  # counted when it was asked for
    reason = models.CharField(max_length=300, blank=True, default="")
    size = models.PositiveIntegerField(default=0)
    sha256 = code_field(64, blank=True, default="")
    body = models.BinaryField(null=True, blank=True)
    made_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "member", "-made_at"], name="export_newest"),
            models.Index(fields=["tenant", "expires_at"], name="export_by_end"),
        ]

    def __str__(self) -> str:
        return self.public_id
