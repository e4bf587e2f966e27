"""Tables of credits: charges, credit lines with their transitions, the double-entry ledger.

Amounts of charges are Decimal, everything owed is whole minor units of a currency.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from portal.lib.money import from_minor
from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from tiers.credits.state_rules import CreditState

BEFORE_APPROVAL = ("COMPUTED", "IN_REVIEW", "HELD_DATA", "HELD_CHARGES", "HELD_FX")


class ChargeLine(TenantOwned):
    """A line invoiced for a shipment or one of its containers; a credit note is a negative line (R6.6)."""

    append_only = True

    shipment = TenantForeignKey("tracking.Shipment", on_delete=models.PROTECT, related_name="+")
    container = code_field(16, blank=True, default="")
    code = code_field(32)
    amount = models.DecimalField(max_digits=18, decimal_places=4)
    currency = code_field(3)
    recorded_at = models.DateTimeField()
    source_key = code_field(120)  # names the invoice line in the system it came from

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "source_key"], name="charge_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "shipment", "id"], name="charge_by_shipment")]


class CreditLine(TenantOwned):
    """What one agreement version owes for one closed month, with everything needed to re-derive it (M6).

    Its state moves along 6.5 only and its figures stay as computed: both are kept by triggers.
    """

    public_id = public_id_field()
    agreement = TenantForeignKey("tiers.Agreement", on_delete=models.PROTECT, related_name="+")
    snapshot = TenantForeignKey("kpis.Snapshot", on_delete=models.PROTECT, related_name="+")
    period = code_field(7)
    agreement_code = code_field(40)
    agreement_version = models.PositiveIntegerField()
    lane = code_field(200)
    kpi = code_field(16)
    state = code_field(32, choices=[(s.value, s.value) for s in CreditState])
    status = code_field(32, blank=True, default="")  # what the assessment found (R6.11); empty while held
    in_breach = models.BooleanField(default=False)  # the next month's R6.5 asks for it
    num = models.PositiveIntegerField(default=0)
    den = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    grade = code_field(1, blank=True, default="")
    target = models.DecimalField(max_digits=9, decimal_places=4)
    pct = models.DecimalField(max_digits=7, decimal_places=2, null=True, blank=True)
    computed_minor = models.BigIntegerField(default=0)  # before stacking and account caps
    amount_minor = models.BigIntegerField(default=0)  # what is owed
    currency = code_field(3)
    inputs = models.JSONField(default=dict)
    steps = models.JSONField(default=list)
    held_until = models.DateTimeField(null=True, blank=True)
    assessed_at = models.DateTimeField()
    prepared_by = code_field(26, blank=True, default="")  # public id of who sent it to review
    prepared_label = models.CharField(max_length=200, blank=True, default="")
    approved_by = code_field(26, blank=True, default="")
    approved_label = models.CharField(max_length=200, blank=True, default="")
    approved_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=400, blank=True, default="")  # of a rejection or a hold

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "agreement", "snapshot"], name="credit_once"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="credit_not_negative"),
            models.CheckConstraint(
                condition=Q(approved_by="") | (~Q(approved_by=F("prepared_by")) & ~Q(prepared_by="")),
                name="credit_second_person",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["APPROVED", "ISSUED", "APPLIED"])
                | (~Q(approved_by="") & Q(approved_at__isnull=False)),
                name="credit_approved_by_somebody",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-period", "-id"], name="credit_newest"),
            models.Index(fields=["tenant", "agreement_code", "period"], name="credit_by_agreement"),
        ]

    @property
    def amount(self) -> Decimal:
        """What is owed, with exactly the currency's decimals."""
        return from_minor(self.amount_minor, self.currency)


class CreditTransition(TenantOwned):
    """One step of a credit line from state to state: when, by whom, why."""

    append_only = True

    credit = TenantForeignKey(CreditLine, on_delete=models.PROTECT, related_name="transitions")
    from_state = code_field(32, blank=True, default="")
    to_state = code_field(32)
    at = models.DateTimeField()
    actor = code_field(26, blank=True, default="")  # public id of the person; empty: the system
    actor_label = models.CharField(max_length=200)
    reason = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "credit", "id"], name="credit_history")]


class LedgerTransaction(TenantOwned):
    """A posted transaction of the tenant's ledger in one currency; immutable (6.5, M7)."""

    append_only = True

    public_id = public_id_field()
    key = code_field(200)  # the idempotency key
    kind = code_field(12)
    currency = code_field(3)
    minor = models.BigIntegerField()
    credit = TenantForeignKey(CreditLine, on_delete=models.PROTECT, null=True, related_name="postings")
    reverses = TenantForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    posted_at = models.DateTimeField()
    posted_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "key"], name="ledger_key_once"),
            models.UniqueConstraint(fields=["tenant", "reverses"], name="ledger_reversed_once"),
            models.CheckConstraint(condition=Q(minor__gt=0), name="ledger_amount_positive"),
        ]


class LedgerEntry(TenantOwned):
    """One leg: positive debits, negative credits. The legs of a transaction add up to 0, kept by a trigger."""

    append_only = True

    transaction = TenantForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = code_field(24)
    currency = code_field(3)
    minor = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "transaction", "account"], name="ledger_leg_once"),
        ]
