"""Postings of the ledger: double entry, once per key, reversed at most once (6.5, P26).

What is decided about a key stands in ledger_rules.py; here it is locked and stored.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.tenancy.services import audit
from tiers.credits import ledger_rules
from tiers.credits.ledger_rules import Answer, PostingKind
from tiers.credits.models import CreditLine, LedgerEntry, LedgerTransaction
from tiers.credits.state_services import lock


class IdempotencyConflict(PortalError):
    """The same key with other content."""

    code, status = "idempotency_conflict", 409
    message = _("The ledger has another posting under this key.")


class NothingToReverse(PortalError):
    """No such posting, or a reversal itself."""

    code, status = "nothing_to_reverse", 409
    message = _("There is no posting that could be reversed.")


class NothingOwed(PortalError):
    """A line of 0.00 needs no approval."""

    code, status = "nothing_owed", 409
    message = _("This line owes nothing, so there is nothing to approve.")


def posting_key(line: CreditLine, kind: PostingKind) -> str:
    """The idempotency key: tenant, agreement, period, snapshot version, kind (the tenant is the table's own)."""
    agreement = f"{line.agreement_code}/{line.agreement_version}"
    return f"{agreement}|{line.period}|v{line.snapshot.version}|{kind.value}"


def _known(key: str) -> tuple[LedgerTransaction | None, ledger_rules.Transaction | None]:
    row = LedgerTransaction.objects.filter(key=key).prefetch_related("entries").first()
    if row is None:
        return None, None
    legs = tuple(ledger_rules.Entry(ledger_rules.Account(e.account), e.minor) for e in row.entries.all())
    return row, ledger_rules.Transaction(
        key=row.key,
        kind=PostingKind(row.kind),
        minor=row.minor,
        entries=legs,
        reverses=row.reverses.key if row.reverses else None,
    )


@transaction.atomic
def ledger_post(
    *,
    key: str,
    kind: PostingKind,
    minor: int,
    currency: str,
    at: datetime,
    actor: str,
    credit: CreditLine | None = None,
) -> tuple[Answer, LedgerTransaction]:
    """Posts an approval or application in the entered tenant's ledger; the same again is the first answer (C30).

    Raises IdempotencyConflict for the same key with other content, NothingOwed for an amount that is not positive.
    """
    lock("ledger")
    row, known = _known(key)
    answer, posted = ledger_rules.post(known, key=key, kind=kind, minor=minor)
    if answer == Answer.AMOUNT_NOT_POSITIVE:
        raise NothingOwed
    if answer == Answer.IDEMPOTENCY_CONFLICT or (row is not None and row.currency != currency):
        raise IdempotencyConflict
    if row is not None:
        return Answer.REPLAY, row
    assert posted is not None
    return answer, _post(posted, currency=currency, credit=credit, reverses=None, at=at, actor=actor)


@transaction.atomic
def ledger_reverse(*, key: str, at: datetime, actor: str) -> tuple[Answer, LedgerTransaction]:
    """Posts the mirror image of a transaction, at most once. Raises NothingToReverse."""
    lock("ledger")
    original, known = _known(key)
    before, mirrored = _known(ledger_rules.reversal_key(key))
    answer, posted = ledger_rules.reverse(known, mirrored)
    if answer == Answer.NOTHING_TO_REVERSE or original is None or posted is None:
        raise NothingToReverse
    if before is not None:
        return Answer.REPLAY, before
    return answer, _post(
        posted, currency=original.currency, credit=original.credit, reverses=original, at=at, actor=actor
    )


def _post(
    posted: ledger_rules.Transaction, *, currency: str, credit: CreditLine | None, reverses: LedgerTransaction | None,
    at: datetime, actor: str,
) -> LedgerTransaction:  # fmt: skip
    row = LedgerTransaction.objects.create(
        key=posted.key,
        kind=posted.kind.value,
        currency=currency,
        minor=posted.minor,
        credit=credit,
        reverses=reverses,
        posted_at=at,
        posted_by=actor,
    )
    LedgerEntry.objects.bulk_create([
        LedgerEntry(transaction=row, account=leg.account.value, currency=currency, minor=leg.minor)
        for leg in posted.entries
    ])  # fmt: skip
    audit(
        action="ledger.posted",
        actor=actor,
        at=at,
        object_type="ledger",
        object_id=row.public_id,
        details={"key": row.key, "kind": row.kind, "minor": row.minor, "currency": currency},
    )
    return row
