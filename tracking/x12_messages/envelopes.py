"""Interchanges as an acknowledgement needs them: who wrote to whom, and what became of each transaction (G8)."""

from __future__ import annotations

from collections.abc import Mapping

from tracking import x12
from tracking.reasons import Reason
from tracking.types import Envelope, EnvelopePart

Verdicts = Mapping[int, tuple[bool, tuple[Reason, ...]]]


def envelopes(found: x12.Read, verdicts: Verdicts) -> tuple[Envelope, ...]:
    """The interchanges for acknowledgement; `verdicts`: by transaction, whether refused, and faults."""
    within: dict[int, list[EnvelopePart]] = {}  # by the number of the segment ISA
    for transaction in found.transactions:
        if transaction.interchange is not None and transaction.head.tag == "ST":
            part = _part(transaction, *verdicts.get(transaction.number, (False, ())))
            within.setdefault(transaction.interchange.head.number, []).append(part)
    return tuple(_envelope(i, tuple(within.get(i.head.number, ()))) for i in found.interchanges)


def _envelope(interchange: x12.Interchange, parts: tuple[EnvelopePart, ...]) -> Envelope:
    isa = interchange.head
    return Envelope(
        syntax="X12", sender=isa.get(6), receiver=isa.get(8), reference=isa.get(13), sender_qualifier=isa.get(5),
        receiver_qualifier=isa.get(7), wants_acknowledgement=isa.get(14) == "1", is_test=isa.get(15) == "T",
        parts=parts, faults=tuple(interchange.faults),
    )  # fmt: skip


def _part(transaction: x12.Transaction, is_refused: bool, why: tuple[Reason, ...]) -> EnvelopePart:
    group = transaction.group
    return EnvelopePart(
        reference=transaction.head.get(2), type=transaction.type,
        group=group.head.get(6) if group else "", group_type=group.head.get(1) if group else "",
        version=group.head.get(8) if group else "", group_count=group.stated if group else None,
        group_faults=tuple(group.faults) if group else (),
        faults=tuple(dict.fromkeys((*transaction.faults, *why))), is_refused=is_refused,
    )  # fmt: skip
