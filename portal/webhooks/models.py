"""Endpoints of an account, their secrets, what was and is to be sent to them, and every attempt.

How something is sent stands in sending.py.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field


class EndpointState(models.TextChoices):
    """Whether anything is sent to an endpoint."""

    UNVERIFIED = "UNVERIFIED", _("Not checked yet")
    ACTIVE = "ACTIVE", _("Active")
    DISABLED = "DISABLED", _("Off")


class OffReason(models.TextChoices):
    """Why an endpoint is off."""

    NONE = "", ""
    PERSON = "PERSON", _("Switched off by a person")
    GONE = "GONE", _("It answered that it is gone (410)")
    FAILING = "FAILING", _("It failed for five days")


class WebhookEndpoint(TenantOwned):
    """An address of the account that signed messages go to, once it has answered a ping (H7)."""

    public_id = public_id_field()
    label = models.CharField(max_length=80)
    url = models.CharField(max_length=2_000)
    kinds = ArrayField(models.CharField(max_length=64), default=list)  # keys of the facts it wants
    state = models.CharField(max_length=12, choices=EndpointState.choices, default=EndpointState.UNVERIFIED)
    off_reason = models.CharField(max_length=12, choices=OffReason.choices, blank=True, default="")
    off_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)  # the first failure since the last success
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_ms = models.PositiveIntegerField(default=0)  # how long the last answer took
    last_failure = models.CharField(max_length=300, blank=True, default="")
    hold_until = models.DateTimeField(null=True, blank=True)  # it asked us to wait (Retry-After)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    changed_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)  # kept for its log

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(state=EndpointState.ACTIVE, verified_at__isnull=False) | ~Q(state=EndpointState.ACTIVE),
                name="webhook_active_was_checked",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "label"], condition=Q(removed_at=None), name="webhook_endpoint_kept"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def host(self) -> str:
        """The host alone: the rest of an address may hold a password."""
        return urlsplit(self.url).hostname or ""


class WebhookSecret(TenantOwned):
    """What an endpoint's messages are signed with; two at a time while one replaces the other."""

    public_id = public_id_field()
    endpoint = TenantForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="+")
    sealed = models.TextField()
    hint = models.CharField(max_length=8)  # its last characters, to tell two apart
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "endpoint", "created_at"], name="webhook_secret_of"),
        ]

    def __str__(self) -> str:
        return f"…{self.hint}"


class DeliveryState(models.TextChoices):
    """Where a message to an endpoint stands; what ended may be sent again by hand, with the same id and body."""

    WAITING = "WAITING", _("Waiting")
    SENDING = "SENDING", _("Being sent")
    DONE = "DONE", _("Delivered")
    FAILED = "FAILED", _("Failed")
    UNSENT = "UNSENT", _("Not sent")


OPEN_STATES = (DeliveryState.WAITING, DeliveryState.SENDING)


class WebhookDelivery(TenantOwned):
    """One fact for one endpoint: its id and its bytes are the same on every attempt (H2)."""

    public_id = public_id_field()
    endpoint = TenantForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="+")
    key = code_field(64)  # SHA-256 of tenant, endpoint, fact key, object key
    message_id = code_field(48)  # the header webhook-id
    fact_key = code_field(64)
    needs = ArrayField(models.CharField(max_length=64), default=list)  # entitlements, asked for when sending (O9)
    about = models.CharField(max_length=80, blank=True, default="")
    body = models.BinaryField()
    is_test = models.BooleanField(default=False)  # tried once, and says nothing about the account
    occurred_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    reason = models.CharField(max_length=300, blank=True, default="")  # a code of wording.py, or how it last failed
    attempts = models.PositiveSmallIntegerField(default=0)  # all of them
    tries = models.PositiveSmallIntegerField(default=0)  # since it was last sent by hand
    next_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "key"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_STATES, ended_at=None)
                | (~Q(state__in=OPEN_STATES) & Q(ended_at__isnull=False)),
                name="webhook_ended_has_time",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-id"], name="webhook_delivery_newest"),
            models.Index(fields=["tenant", "endpoint", "-id"], name="webhook_delivery_of"),
            models.Index(
                fields=["tenant", "endpoint", "state"], condition=Q(state__in=OPEN_STATES), name="webhook_open"
            ),
            models.Index(fields=["tenant", "created_at"], name="webhook_delivery_age"),
        ]

    def __str__(self) -> str:
        return self.message_id


class WebhookAttempt(TenantOwned):
    """One try to deliver, as it ended; kept for thirty days (H7)."""

    delivery = TenantForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # empty: no answer came
    why = models.CharField(max_length=300, blank=True, default="")
    excerpt = models.TextField(blank=True, default="")  # the beginning of the reply, as plain text

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "delivery", "number"], name="webhook_attempt_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "at"], name="webhook_attempt_age")]
