"""Double entry for credits: which accounts a step moves, and when a request is a replay or a contradiction (6.5).

Pure; storing the rows and locking are services' business. Amounts are whole minor units of one currency of one tenant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Account(StrEnum):
    """The ledger's accounts; debits are positive."""

    CREDIT_COST = "CREDIT_COST"
    CREDITS_PAYABLE = "CREDITS_PAYABLE"
    RECEIVABLE = "RECEIVABLE"


class PostingKind(StrEnum):
    """What a transaction records."""

    APPROVE = "APPROVE"
    APPLY = "APPLY"
    REVERSE = "REVERSE"


class Answer(StrEnum):
    """What became of a request to post."""

    POSTED = "POSTED"
    REPLAY = "REPLAY"  # same key, same content: the first answer again
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    AMOUNT_NOT_POSITIVE = "AMOUNT_NOT_POSITIVE"
    NOTHING_TO_REVERSE = "NOTHING_TO_REVERSE"


_SIDES: Final[Mapping[PostingKind, tuple[Account, Account]]] = {  # debit, credit
    PostingKind.APPROVE: (Account.CREDIT_COST, Account.CREDITS_PAYABLE),
    PostingKind.APPLY: (Account.CREDITS_PAYABLE, Account.RECEIVABLE),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg of a transaction; `minor` is positive for a debit, negative for a credit."""

    account: Account
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A posted transaction; immutable. Its entries add up to 0."""

    key: str  # the whole idempotency key
    kind: PostingKind
    minor: int
    entries: tuple[Entry, ...]
    reverses: str | None = None  # key of the original


def entries_for(kind: PostingKind, minor: int) -> tuple[Entry, Entry]:
    """The two legs of an approval or an application; ValueError for a reversal, which mirrors its original."""
    if kind not in _SIDES:
        raise ValueError("A reversal mirrors its original.")
    debit, credit = _SIDES[kind]
    return Entry(debit, minor), Entry(credit, -minor)


def mirrored(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The same legs with the sides changed."""
    return tuple(Entry(e.account, -e.minor) for e in entries)


def reversal_key(key: str) -> str:
    """The key of the one reversal that a transaction can have."""
    return f"{key}|REVERSE"


def post(found: Transaction | None, *, key: str, kind: PostingKind, minor: int) -> tuple[Answer, Transaction | None]:
    """Decides about a request whose key holds `found` so far; gives the transaction that answers it, if any."""
    if minor <= 0:
        return Answer.AMOUNT_NOT_POSITIVE, None
    if found is not None:
        same = found.kind == kind and found.minor == minor
        return (Answer.REPLAY, found) if same else (Answer.IDEMPOTENCY_CONFLICT, found)
    return Answer.POSTED, Transaction(key=key, kind=kind, minor=minor, entries=entries_for(kind, minor))


def reverse(original: Transaction | None, found: Transaction | None) -> tuple[Answer, Transaction | None]:
    """Decides about a reversal of `original`; `found` is the reversal posted so far. At most once (6.5)."""
    if original is None or original.kind == PostingKind.REVERSE:
        return Answer.NOTHING_TO_REVERSE, None
    if found is not None:
        return Answer.REPLAY, found
    return Answer.POSTED, Transaction(
        key=reversal_key(original.key),
        kind=PostingKind.REVERSE,
        minor=original.minor,
        entries=mirrored(original.entries),
        reverses=original.key,
    )


@dataclass(frozen=True, slots=True)
class Book:
    """The transactions of one tenant and currency by key, in posting order."""

    posted: Mapping[str, Transaction]

    @classmethod
    def empty(cls) -> Book:
        """A book in which nothing stands yet."""
        return cls({})

    def post(self, *, key: str, kind: PostingKind, minor: int) -> tuple[Answer, Book]:
        """The answer to an approval or application, and the book afterwards."""
        answer, transaction = post(self.posted.get(key), key=key, kind=kind, minor=minor)
        return answer, self._with(answer, transaction)

    def reverse(self, *, key: str) -> tuple[Answer, Book]:
        """The answer to the reversal of the transaction of this key, and the book afterwards."""
        answer, transaction = reverse(self.posted.get(key), self.posted.get(reversal_key(key)))
        return answer, self._with(answer, transaction)

    def _with(self, answer: Answer, transaction: Transaction | None) -> Book:
        if answer != Answer.POSTED or transaction is None:
            return self
        return Book({**self.posted, transaction.key: transaction})

    def balances(self) -> dict[Account, int]:
        """Balance of every account that was touched; the balances always add up to 0 (P26)."""
        totals: dict[Account, int] = {}
        for transaction in self.posted.values():
            for entry in transaction.entries:
                totals[entry.account] = totals.get(entry.account, 0) + entry.minor
        return totals
