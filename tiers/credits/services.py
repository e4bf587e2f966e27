"""Writes of credits: charges, and the review of a line by two people (6.5). Assessment and ledger stand beside it.

Each step is one transaction in the entered tenant's scope, under a lock, with an audit row (M7, L1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import Forbidden, PortalError
from portal.lib.faults import declare, fault
from portal.outbox.services import emit
from portal.tenancy.models import Member, Role
from tiers.credits import selectors
from tiers.credits.assessment_services import ChargesStillOpen, credit_assess, credit_release
from tiers.credits.facts import CreditApproved
from tiers.credits.ledger_rules import PostingKind
from tiers.credits.ledger_services import NothingOwed, ledger_post, ledger_reverse, posting_key
from tiers.credits.models import ChargeLine, CreditLine
from tiers.credits.state_rules import CreditState, is_second_person
from tiers.credits.state_services import WrongState, move

__all__ = [
    "ChargeSpec",
    "ChargesStillOpen",
    "NothingOwed",
    "ReasonMissing",
    "SamePerson",
    "WrongState",
    "charges_record",
    "credit_apply",
    "credit_approve",
    "credit_assess",
    "credit_issue",
    "credit_reject",
    "credit_release",
    "credit_reverse",
    "credit_send_to_review",
]

declare("credit.after_move", "a credit is approved, its amount not posted; nothing is committed")
declare("credit.before_commit", "a credit is approved, posted and told, not committed")

PREPARERS: Final = frozenset({Role.ACCOUNT_MANAGER.value, Role.FINANCE.value})
APPROVERS: Final = frozenset({Role.FINANCE.value})


class SamePerson(PortalError):
    """The second person is the first (6.5)."""

    code, status = "same_person", 409
    message = _("Who sent a credit to review cannot decide about it; another person of finance has to.")


class ReasonMissing(PortalError):
    """A rejection or reversal says why; the customer reads it."""

    code, status = "reason_missing", 422
    message = _("Say why; the customer reads it.")


# --- charges ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSpec:
    """An invoice line. `source_key` names it in the system it came from; sent twice it counts once."""

    shipment_id: int
    code: str
    amount: Decimal
    currency: str
    recorded_at: datetime
    source_key: str
    container: str = ""


@transaction.atomic
def charges_record(*, specs: Sequence[ChargeSpec]) -> int:
    """Stores charge lines of the entered tenant; known ones are left alone. Returns how many were named."""
    rows = [
        ChargeLine(
            shipment_id=s.shipment_id,
            container=s.container,
            code=s.code.upper(),
            amount=s.amount,
            currency=s.currency.upper(),
            recorded_at=s.recorded_at,
            source_key=s.source_key,
        )
        for s in specs
    ]
    ChargeLine.objects.bulk_create(rows, ignore_conflicts=True, batch_size=2_000)
    return len(rows)


# --- review (6.5) ---


def _locked(public_id: str, expected: CreditState) -> CreditLine:
    line = CreditLine.objects.select_for_update(of=("self",)).select_related("snapshot").get(public_id=public_id)
    if line.state != expected.value:
        raise WrongState(state=line.state)
    return line


def _only(actor: Member, roles: frozenset[str]) -> None:
    if actor.role not in roles:
        raise Forbidden


@transaction.atomic
def credit_send_to_review(*, public_id: str, actor: Member, at: datetime) -> CreditLine:
    """The first person: an account manager or finance sends a computed line to review."""
    _only(actor, PREPARERS)
    line = _locked(public_id, CreditState.COMPUTED)
    if line.amount_minor <= 0:
        raise NothingOwed
    line.prepared_by, line.prepared_label = actor.public_id, actor.label
    move(line, CreditState.IN_REVIEW, at=at, actor=actor, reason="")
    return line


def _second_person(line: CreditLine, actor: Member) -> None:
    if not is_second_person(preparer=line.prepared_by, approver=actor.public_id):
        raise SamePerson


@transaction.atomic
def credit_approve(*, public_id: str, actor: Member, at: datetime) -> CreditLine:
    """The second person, of finance: approves a line in review and posts it. Tells the account's managers.

    Raises Forbidden, WrongState, SamePerson, NothingOwed.
    """
    _only(actor, APPROVERS)
    line = _locked(public_id, CreditState.IN_REVIEW)
    _second_person(line, actor)
    if line.amount_minor <= 0:
        raise NothingOwed
    line.approved_by, line.approved_label, line.approved_at = actor.public_id, actor.label, at
    move(line, CreditState.APPROVED, at=at, actor=actor, reason="")
    fault("credit.after_move")
    ledger_post(
        key=posting_key(line, PostingKind.APPROVE),
        kind=PostingKind.APPROVE,
        minor=line.amount_minor,
        currency=line.currency,
        credit=line,
        at=at,
        actor=actor.label,
    )
    emit(
        CreditApproved(
            occurred_at=at,
            credit=line.public_id,
            amount=f"{line.amount:,f}",
            currency=line.currency,
            lane=line.lane,
            period=line.period,
            path=f"/credits/{line.public_id}",
        ),
        at=at,
    )
    fault("credit.before_commit")
    return line


@transaction.atomic
def credit_reject(*, public_id: str, actor: Member, reason: str, at: datetime) -> CreditLine:
    """The second person turns a line in review down; the customer reads the reason."""
    _only(actor, APPROVERS)
    line = _locked(public_id, CreditState.IN_REVIEW)
    _second_person(line, actor)
    if not reason.strip():
        raise ReasonMissing
    line.reason = reason.strip()[:400]
    move(line, CreditState.REJECTED, at=at, actor=actor, reason=line.reason)
    return line


@transaction.atomic
def credit_issue(*, public_id: str, actor: Member, at: datetime) -> CreditLine:
    """Finance gives an approved credit to the customer."""
    _only(actor, APPROVERS)
    line = _locked(public_id, CreditState.APPROVED)
    move(line, CreditState.ISSUED, at=at, actor=actor, reason="")
    return line


@transaction.atomic
def credit_apply(*, public_id: str, actor: Member, at: datetime) -> CreditLine:
    """Finance sets an issued credit off against what the customer owes."""
    _only(actor, APPROVERS)
    line = _locked(public_id, CreditState.ISSUED)
    move(line, CreditState.APPLIED, at=at, actor=actor, reason="")
    ledger_post(
        key=posting_key(line, PostingKind.APPLY),
        kind=PostingKind.APPLY,
        minor=line.amount_minor,
        currency=line.currency,
        credit=line,
        at=at,
        actor=actor.label,
    )
    return line


@transaction.atomic
def credit_reverse(*, public_id: str, actor: Member, reason: str, at: datetime) -> CreditLine:
    """Finance takes back what was posted for a line, with a reason; every posting gets its mirror image."""
    _only(actor, APPROVERS)
    if not reason.strip():
        raise ReasonMissing
    line = CreditLine.objects.select_for_update(of=("self",)).select_related("snapshot").get(public_id=public_id)
    line.reason = reason.strip()[:400]
    move(line, CreditState.REVERSED, at=at, actor=actor, reason=line.reason)
    for posting in selectors.postings_of(line):
        if posting.kind != PostingKind.REVERSE:
            ledger_reverse(key=posting.key, at=at, actor=actor.label)
    return line
