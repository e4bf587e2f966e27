"""Carriers whose events we fetch: where, how often, how far we have read; and what was wrong in a partner's folder."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field
from tracking.models.sources import Source


class SecretIn(models.TextChoices):
    """How a token end point wants to be shown who asks (RFC 6749, 2.3.1)."""

    BODY = "BODY", _("In the form")
    HEADER = "HEADER", _("In the Authorization header")


class Poll(TenantOwned):
    """How the events of one source are fetched from its DCSA 2.2 end point, and how far they were read.

    A window is everything created since `window_from`, less the overlap. `next_page` stands inside a window: it is
    moved in the transaction that stores the page before it. `window_from` moves when the last page is stored.
    """

    source = TenantForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    base_url = models.CharField(max_length=500)
    token_url = models.CharField(max_length=500, blank=True, default="")  # empty: no token is needed
    client_id = models.CharField(max_length=200, blank=True, default="")
    secret = models.TextField(blank=True, default="")  # sealed
    secret_in = code_field(8, choices=SecretIn.choices, default=SecretIn.BODY)
    scope = models.CharField(max_length=200, blank=True, default="")
    interval_minutes = models.PositiveIntegerField(default=15)
    overlap_minutes = models.PositiveIntegerField(default=120)
    page_size = models.PositiveIntegerField(default=100)
    filters = models.JSONField(default=dict)  # further parameters of GET /v2/events
    is_active = models.BooleanField(default=True)

    window_from = models.DateTimeField()  # newest eventCreatedDateTime safely read; before the first: where to begin
    next_page = models.TextField(blank=True, default="")  # its address, inside a window
    window_newest = models.DateTimeField(null=True, blank=True)  # of the pages of this window so far
    window_pages = models.PositiveIntegerField(default=0)
    window_events = models.PositiveIntegerField(default=0)
    window_began_at = models.DateTimeField(null=True, blank=True)
    token = models.TextField(blank=True, default="")  # sealed
    token_until = models.DateTimeField(null=True, blank=True)

    fence = models.BigIntegerField(default=0)  # grows with every run; an overtaken one stores nothing more (O3)
    next_at = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0)  # since it last went well
    needs_person = models.BooleanField(default=False)
    last_error = models.CharField(max_length=500, blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    runs = models.JSONField(default=list)  # the newest ones, for the page: when, pages, events, what was wrong
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source"], name="poll_once_per_source"),
            models.CheckConstraint(condition=Q(interval_minutes__gte=1), name="poll_has_a_pause"),
            models.CheckConstraint(condition=Q(page_size__gte=1), name="poll_page_holds_something"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "next_at"], name="poll_due", condition=Q(is_active=True))
        ]

    def __str__(self) -> str:
        return self.base_url


class InboxFault(models.TextChoices):
    """Why a file of a folder was not taken in."""

    EMPTY = "EMPTY", _("It is empty.")
    TOO_LARGE = "TOO_LARGE", _("It has more bytes than a message may have; send it in parts.")
    LINK = "LINK", _("It is a link and no file of its own.")
    NOT_A_FILE = "NOT_A_FILE", _("It is no ordinary file.")
    UNREADABLE = "UNREADABLE", _("The portal may not read it.")
    CANNOT_MOVE = "CANNOT_MOVE", _("It was taken in, and the portal may not move it away.")


class InboxRefusal(TenantOwned):
    """A file of a partner's folder that could not be taken in, said once; what it is called is text, never a path."""

    append_only = True

    source = TenantForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    mark = code_field(64)  # digest of name, size and times: the same file is not named twice
    size = models.BigIntegerField()
    reason = code_field(16, choices=InboxFault.choices)
    noticed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source", "mark"], name="inboxrefusal_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "source", "-noticed_at"], name="inboxrefusal_newest")
        ]
