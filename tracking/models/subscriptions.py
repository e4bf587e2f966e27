"""Addresses of customers' systems to which events are sent as they come (DCSA 2.2 callbacks), and what was sent."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field


class EventSubscription(TenantOwned):
    """Which events of an account go to which address of its own; ends by itself when nobody answers there (H4).

    It lives as long as the key that made or last changed it: a key that is revoked sends nothing any more (A7).
    """

    subscription_id = models.UUIDField(default=uuid.uuid4, editable=False)
    callback_url = models.CharField(max_length=2_000)
    secret = models.TextField()  # sealed
    filters = models.JSONField(default=dict)  # in the standard's own words
    key = code_field(26)  # public id of the API key behind it
    made_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)  # the address took its first, empty callback (H7)

    is_active = models.BooleanField(default=True)
    ended_because = code_field(16, blank=True, default="")
    failures = models.PositiveIntegerField(default=0)  # since a callback was last taken
    failing_since = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True, default="")
    last_ok_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField()  # not before: after a failure, or when the other side asked for peace
    lease_until = models.DateTimeField(null=True, blank=True)  # somebody is sending
    fence = models.BigIntegerField(default=0)  # grows with every run and change; an overtaken run writes nothing (O3)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "subscription_id"], name="eventsubscription_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "next_at"], name="eventsubscription_due", condition=Q(is_active=True)),
        ]

    @property
    def address(self) -> str:
        """Where it sends to, as it may be shown: without the query, in which a receiver may have put a secret."""
        return self.callback_url.partition("?")[0]


class PushState(models.TextChoices):
    """Where a callback stands."""

    WAITING = "WAITING", _("Waiting")
    TAKEN = "TAKEN", _("Taken")
    SPLIT = "SPLIT", _("Sent in parts")  # the other side found it too large
    NOT_SENT = "NOT_SENT", _("Not sent")  # the account had no right to it any more


class EventPush(TenantOwned):
    """One callback to a subscription: its bytes, the same on every try, and how the last try went (H2, H7)."""

    subscription = TenantForeignKey(EventSubscription, on_delete=models.CASCADE, related_name="pushes")
    key = code_field(120)  # which message, and which part of it: the same events are put down once
    body = models.TextField()
    events = models.PositiveIntegerField()
    state = code_field(12, choices=PushState.choices, default=PushState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    status = models.PositiveIntegerField(null=True, blank=True)  # of the last answer
    answer = models.CharField(max_length=300, blank=True, default="")  # its beginning as text, or why there was none
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "subscription", "key"], name="eventpush_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["tenant", "subscription", "id"], name="eventpush_waiting", condition=Q(state=PushState.WAITING)
            ),
            models.Index(fields=["tenant", "ended_at"], name="eventpush_ended"),
        ]
