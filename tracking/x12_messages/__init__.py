"""What X12 transactions say: one reader for every file, which goes by the type of each transaction (ST01).

A file may hold transactions of several types, so any of the adapters x12_315, x12_214 and x12_322 reads all of them,
each with the status list of its own type. A type that nobody reads is refused by name, that transaction alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import structs

from tracking import x12
from tracking.fields import Fault
from tracking.reasons import Reason
from tracking.types import PLAIN, CanonicalEvent, Parsed, Partner, Refusal
from tracking.x12_messages import ocean, rail, truck
from tracking.x12_messages.envelopes import envelopes

Said = Iterator[CanonicalEvent | Refusal]
READERS: Final[Mapping[str, Callable[[x12.Transaction, Partner], Said]]] = {
    "315": ocean.read,
    "214": truck.read,
    "322": rail.read,
}
# Whoever is told of these sends the transaction anew: nothing of it was taken.
_SYNTAX: Final = frozenset(
    {
        *(Reason.UNSUPPORTED_FORMAT, Reason.TRUNCATED_MESSAGE, Reason.BAD_ENVELOPE, Reason.ENVELOPE_REFUSED),
        *(Reason.BAD_SEGMENT, Reason.BAD_TEXT, Reason.TOO_LONG, Reason.TOO_MANY_ITEMS, Reason.MISSING_SEGMENT),
    }
)
_OURS: Final = frozenset({Reason.NOT_TRACKED, Reason.UNKNOWN_CODE})  # no fault of theirs: mapped here, then read


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """Each status of each transaction becomes one event or one refusal, in the order of the file.

    Positions are `$[transaction].TAG[segment]`, both counted from zero through the file. What does not fit in the
    envelope is a warning on the events of that transaction, group or interchange; for a partner who is strict about
    it, it refuses those transactions. Raises Unreadable for what is no X12, and for an interchange without any.
    """
    found = x12.read(raw)
    events: list[CanonicalEvent] = []
    refusals: list[Refusal] = []
    verdicts: dict[int, tuple[bool, tuple[Reason, ...]]] = {}
    for transaction in found.transactions:
        said = tuple(_read(transaction, partner))
        good = [item for item in said if isinstance(item, CanonicalEvent)]
        bad = [item for item in said if isinstance(item, Refusal)]
        events += good
        refusals += bad
        why = tuple(dict.fromkeys(Reason(r.code) for r in bad if r.code not in _OURS))
        verdicts[transaction.number] = (not good and not _SYNTAX.isdisjoint(why), why)
    return Parsed(events=tuple(events), refusals=tuple(refusals), envelopes=envelopes(found, verdicts))


def recognises(raw: bytes, type_: str) -> bool:
    """Whether the first transaction of an X12 file is of this type; what nobody reads is left to 315, to be named."""
    first = x12.first_type(raw)
    return first is not None and (first if first in READERS else "315") == type_


def _read(transaction: x12.Transaction, partner: Partner) -> Said:
    try:
        reader = _reader(transaction, partner)
        for item in reader(transaction, partner):
            if isinstance(item, CanonicalEvent) and transaction.warnings:
                yield structs.replace(item, warnings=tuple(dict.fromkeys((*item.warnings, *transaction.warnings))))
            else:
                yield item
    except Fault as fault:
        yield transaction.refusal(fault)


def _reader(transaction: x12.Transaction, partner: Partner) -> Callable[[x12.Transaction, Partner], Said]:
    if transaction.refused is not None:
        raise transaction.refused
    reader = READERS.get(transaction.type)
    if reader is None:
        more = f"It is a transaction {transaction.type[:6]!a}; {', '.join(READERS)} are read."
        raise Fault(Reason.UNSUPPORTED_FORMAT, transaction.at(transaction.head), more)
    wrong = [reason for reason in transaction.warnings if reason in x12.CONTROL]
    if wrong and partner.strict_envelope:
        more = f"What does not fit: {', '.join(wrong)}."
        raise Fault(Reason.ENVELOPE_REFUSED, transaction.at(transaction.head), more)
    return reader
