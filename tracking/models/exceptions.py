"""What goes wrong on the way: cases with owners and history, what was told of them, who owns what (8.1 to R8.5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tracking.models.shipments import Shipment


class CaseState(models.TextChoices):
    """Where a case stands."""

    OPEN = "OPEN", _("Open")
    CLEARED = "CLEARED", _("Cleared")  # what ends it was heard
    RESOLVED = "RESOLVED", _("Resolved")  # a person ended it
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")  # later evidence: it never was


class Resolution(models.TextChoices):
    """How a person ended a case."""

    DEALT_WITH = "DEALT_WITH", _("Dealt with")
    FALSE_ALARM = "FALSE_ALARM", _("A false alarm")  # not counted as an exception (R2.15)


class ExceptionCase(TenantOwned):
    """An exception of a shipment (8.1): what the record says of it is derived, what people do about it is kept.

    One row for one (code, node or leg, occurrence): later evidence changes it, and may close or reopen it (R8.1).
    """

    public_id = public_id_field()
    shipment = TenantForeignKey(Shipment, on_delete=models.PROTECT, related_name="exceptions")
    code = code_field(24)
    node = code_field(32, blank=True, default="")
    occurrence = code_field(32, default="1")

    # derived
    state = models.CharField(max_length=12, choices=CaseState.choices, default=CaseState.OPEN)
    started_at = models.DateTimeField()  # when it truly began, whenever we heard
    cleared_at = models.DateTimeField(null=True, blank=True)
    severity = models.PositiveSmallIntegerField()  # 1 low to 4 critical (R8.2)
    delay_seconds = models.BigIntegerField(
        null=True, blank=True
    )  # largest predicted beyond the promise while it lasted
    about = models.JSONField(default=dict)
    worsenings = models.PositiveSmallIntegerField(default=0)  # how often it was told again (R8.5)
    openings = models.PositiveSmallIntegerField(default=1)
    noticed_at = models.DateTimeField()  # when we first saw it
    changed_at = models.DateTimeField()

    # people's
    owner = code_field(26, blank=True, default="")  # public id of one of the staff; empty: the operator's desk
    owner_name = models.CharField(max_length=120, blank=True, default="")
    owner_step = code_field(8, default="DESK")  # which rule of R8.3 named the owner; HAND: a person did
    respond_by = models.DateTimeField(null=True, blank=True)  # first response is due; empty: none is promised
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, blank=True, default="")
    resolution = models.CharField(max_length=12, choices=Resolution.choices, blank=True, default="")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "shipment", "code", "node", "occurrence"], name="exception_once"),
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True) | Q(cleared_at__gte=F("started_at")), name="exception_runs_forward"
            ),
            models.CheckConstraint(
                condition=~Q(state=CaseState.OPEN) | Q(cleared_at__isnull=True), name="exception_open_has_no_end"
            ),
            models.CheckConstraint(
                condition=Q(state=CaseState.RESOLVED, resolved_at__isnull=False)
                | (~Q(state=CaseState.RESOLVED) & Q(resolved_at__isnull=True)),
                name="exception_resolved_has_time",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["tenant", "severity", "started_at", "id"], condition=Q(state=CaseState.OPEN),
                name="exception_open",
            ),
            models.Index(fields=["tenant", "state", "started_at", "id"], name="exception_by_start"),
            models.Index(
                fields=["tenant", "respond_by"],
                condition=Q(state=CaseState.OPEN, acknowledged_at__isnull=True, respond_by__isnull=False),
                name="exception_unanswered",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.code} {self.node}"


class StepKind(models.TextChoices):
    """What happened to a case."""

    REOPENED = "REOPENED", _("Reopened")
    WORSENED = "WORSENED", _("Got worse")
    CLEARED = "CLEARED", _("Cleared")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")
    ACKNOWLEDGED = "ACKNOWLEDGED", _("Acknowledged")
    ASSIGNED = "ASSIGNED", _("Assigned")
    ESCALATED = "ESCALATED", _("Passed on")
    COMMENTED = "COMMENTED", _("Note")
    RESOLVED = "RESOLVED", _("Resolved")


class ExceptionStep(TenantOwned):
    """What was done about a case, and what became of it; append-only."""

    append_only = True

    case = TenantForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=12, choices=StepKind.choices)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    note = models.CharField(max_length=1000, blank=True, default="")
    is_for_customer = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "case", "id"], name="exceptionstep_history")]


class Told(models.TextChoices):
    """How a change was told (R8.5)."""

    WAITING = "WAITING", _("Waiting")
    HELD = "HELD", _("Held for a group")
    SINGLY = "SINGLY", _("Singly")
    GROUPED = "GROUPED", _("In a group")
    DROPPED = "DROPPED", _("Not told")  # overtaken before anybody was told of it


class ExceptionNotice(TenantOwned):
    """A change of a case that the account is told of, noted with the change; how is decided a moment later (R8.5)."""

    case = TenantForeignKey(ExceptionCase, on_delete=models.PROTECT, related_name="+")
    fact_key = code_field(64)
    fact = models.JSONField()  # its plain form
    call = code_field(100)  # the vessel call or node that many may speak of at once
    noted_at = models.DateTimeField()
    told = models.CharField(max_length=8, choices=Told.choices, default=Told.WAITING)
    told_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)  # of the group it is held for

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(
                fields=["tenant", "id"], condition=Q(told__in=(Told.WAITING, Told.HELD)), name="exceptionnotice_waiting"
            ),
            models.Index(fields=["tenant", "call", "told_at"], name="exceptionnotice_by_call"),
            models.Index(fields=["tenant", "case", "id"], name="exceptionnotice_of_case"),
        ]


class OwnerKind(models.TextChoices):
    """Whose cases: the first that fits owns a case (R8.3)."""

    ACCOUNT = "ACCOUNT", _("An account")
    LANE = "LANE", _("A lane")
    BRANCH = "BRANCH", _("A branch")


class OwnerRule(TenantOwned):
    """Which of the staff owns the exceptions of an account, a lane or a branch, from when to when (R8.3).

    An account's rule lives in its own scope, the others in the operator's. A deputy stands in who is no longer active.
    """

    public_id = public_id_field()
    kind = models.CharField(max_length=8, choices=OwnerKind.choices)
    about = code_field(64, blank=True, default="")  # lane or branch
    owner = code_field(26)  # public id of one of the staff
    owner_name = models.CharField(max_length=120)
    deputy = code_field(26, blank=True, default="")
    deputy_name = models.CharField(max_length=120, blank=True, default="")
    valid_from = models.DateField()  # local days of the operator, half-open
    valid_to = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="ownerrule_runs_forward"
            ),
            models.UniqueConstraint(
                fields=["tenant", "kind", "about"], condition=Q(valid_to__isnull=True), name="ownerrule_one_in_force"
            ),
        ]


class DwellNorm(TenantOwned):
    """How long nine of ten of a tenant's own visits at a node took in twelve months (R2.13); renewed each night."""

    place = code_field(16)
    facility = code_field(32, blank=True, default="")
    entry_code = code_field(8)  # how such visits begin: an open one has no role yet
    p90_tenths = models.BigIntegerField()  # of a second: exact (R0.1)
    visits = models.PositiveIntegerField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "place", "facility", "entry_code"], name="dwellnorm_once"),
        ]
