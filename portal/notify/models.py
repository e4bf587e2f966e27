"""One row for each fact, person and channel, from the moment it is due to its end; and who wants none.

How a mail is handed over stands in sending.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.tenancy.models import Member
from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field


class Channel(models.TextChoices):
    """How somebody is told."""

    MAIL = "MAIL", _("Mail")


class Phase(models.TextChoices):
    """Where a delivery stands (O7). After HANDED_OVER nobody can know without an answer: hence UNCERTAIN."""

    QUEUED = "QUEUED", _("Queued")
    CLAIMED = "CLAIMED", _("Being sent")
    HANDED_OVER = "HANDED_OVER", _("Handed over")
    SENT = "SENT", _("Sent")
    UNCERTAIN = "UNCERTAIN", _("Uncertain")
    FAILED = "FAILED", _("Failed")
    SUPPRESSED = "SUPPRESSED", _("Not sent")


ENDED = (Phase.SENT, Phase.FAILED, Phase.SUPPRESSED)


class Delivery(TenantOwned):
    """A notification of one person on one channel; unique by its key, so it is due once (O7)."""

    public_id = public_id_field()
    key = code_field(64)  # SHA-256 of tenant, fact key, object key, recipient, channel
    fact_key = code_field(64)
    fact = models.JSONField(default=dict)  # its plain form; emptied at the end when it carries a secret link
    recorded_at = models.DateTimeField()  # when the fact was recorded
    member = TenantForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    email = models.EmailField()
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.MAIL)
    phase = models.CharField(max_length=12, choices=Phase.choices, default=Phase.QUEUED)
    reason = models.CharField(max_length=500, blank=True, default="")
    message_id = code_field(200)  # derived from the key: equal on every attempt (O8)
    subject = models.CharField(max_length=300, blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "key"], name="delivery_key_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "phase", "-id"], name="delivery_by_phase"),
            models.Index(fields=["tenant", "member", "-id"], name="delivery_of_member"),
        ]

    def __str__(self) -> str:
        return f"{self.fact_key} to {self.email}"


class NoticePreference(TenantOwned):
    """A person's word about one kind of notice on one channel; without a row it is on.

    A key that ends in `.followed` holds the wish to hear of followed shipments only; without a row it is off.
    """

    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    fact_key = code_field(64)
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.MAIL)
    wanted = models.BooleanField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "member", "fact_key", "channel"], name="preference_once"),
        ]


class SuppressedAddress(TenantOwned):
    """An address that mail must not go to any more: it bounced, or complained (O10)."""

    email = models.EmailField()  # lower case
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "email"], name="suppressed_once"),
        ]
