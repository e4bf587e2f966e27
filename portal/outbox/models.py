"""The outbox: every effect outside the transaction of its cause starts as a row here (O1).

What the rows mean to a reader of mail stands in portal.notify.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantOwned, code_field


class RowKind(models.TextChoices):
    """Something that happened, or something to do."""

    FACT = "FACT", _("Fact")
    WORK = "WORK", _("Work")


class RowState(models.TextChoices):
    """Where a row stands; DEAD waits for a person."""

    PENDING = "PENDING", _("Waiting")
    DONE = "DONE", _("Done")
    DEAD = "DEAD", _("Given up")


class OutboxRow(TenantOwned):
    """One fact or one piece of work, written in the transaction of its cause and run at least once, applied once.

    `lease_until`, `published_at` are the database's time; `due_at`, `created_at` are the caller's `at`.
    """

    key = code_field(200)
    kind = models.CharField(max_length=8, choices=RowKind.choices)
    name = code_field(64)  # a fact's key, or the name a handler is registered under
    payload = models.JSONField(default=dict)  # ids only for work; a fact's plain form for facts
    outgoing = models.BooleanField(default=False)  # leaves the house: waits while sending is paused (P5)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=RowState.choices, default=RowState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    published_at = models.DateTimeField(null=True, blank=True)
    publishes = models.PositiveSmallIntegerField(default=0)  # since it was last claimed
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)  # grows with every claim; only its holder may write the result (O3)
    reason = models.CharField(max_length=500, blank=True, default="")  # why it failed last, or why nothing followed
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "key"], name="outbox_key_once"),
            models.CheckConstraint(
                condition=Q(state=RowState.DONE, done_at__isnull=False)
                | (~Q(state=RowState.DONE) & Q(done_at__isnull=True)),
                name="outbox_done_has_time",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "due_at", "id"], condition=Q(state=RowState.PENDING), name="outbox_waiting"),
            models.Index(
                fields=["tenant", "published_at"],
                condition=Q(state=RowState.PENDING, published_at__isnull=False),
                name="outbox_in_flight",
            ),
            models.Index(fields=["tenant", "-id"], condition=Q(state=RowState.DEAD), name="outbox_dead"),
        ]

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """When a kind of process last said that it works (P1). Holds nothing of any customer."""

    process = code_field(32, unique=True)
    at = models.DateTimeField()
