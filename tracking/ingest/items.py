"""One event of a message on its way, and the parts in which the events of a message are applied.

Values alone; what becomes of an item is decided in run.py and tenant_run.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking import matching
from tracking.models import Quarantined
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Refusal

_MOST_ROUNDS: Final = 10
PLACES: Final = "place"  # the list in which a place without a zone stands


@dataclass(slots=True)
class Item:
    """One event of a message on its way; `outcome` is set once it is known."""

    position: str
    event: CanonicalEvent | None = None
    at: datetime | None = None
    zone: str = ""
    recorded_at: datetime | None = None
    natural_key: str = ""
    event_key: str = ""
    refused: Refusal | None = None
    accepted: bool = False
    known: bool = False  # some tenant has this very version already
    named: Sequence[Set[tuple[str, str]]] = ()  # the references it names, the surest first
    all_refs: frozenset[tuple[str, str]] = frozenset()  # everything that could match it
    keys: tuple[str, ...] = ()  # its own key, and that of the event it withdraws

    @property
    def refs(self) -> set[str]:
        """The same as KIND:VALUE."""
        return {matching.ref_text(r) for r in self.all_refs}


def distinct_positions(rows: Iterable[Quarantined]) -> None:
    """Two faults at one position of one message both stay."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.position] += 1
        if seen[row.position] > 1:
            row.position = f"{row.position[:110]}#{seen[row.position]}"


def rounds(items: Sequence[Item]) -> list[list[Item]]:
    """The items in parts that hold no event twice for different shipments: the later version must find where the
    earlier one went. Ten parts at most, whatever a message holds.
    """
    parts: list[list[Item]] = [[]]
    seen: dict[str, tuple[int, frozenset[tuple[str, str]]]] = {}
    for item in items:
        number = 0
        for key in item.keys:
            before, refs = seen.get(key, (0, item.all_refs))
            number = max(number, before if refs == item.all_refs else min(before + 1, _MOST_ROUNDS - 1))
        for key in item.keys:
            seen[key] = (number, item.all_refs)
        parts.extend([] for _n in range(number + 1 - len(parts)))
        parts[number].append(item)
    return parts


def withdrawn(item: Item) -> set[str]:
    """What a waiting retraction waits for, beside its references."""
    return {f"EVENT:{matching.id_key(item.event.retracts)}"} if item.event and item.event.retracts else set()


def waits_for(item: Item) -> dict[str, str]:
    """What was not known, for the columns of its row: a code of a list, or the place that has no zone."""
    subject, event = item.refused.subject if item.refused else None, item.event
    if subject is not None:
        return {"listed": subject.listed[:16], "agency": subject.agency[:16], "code": subject.code[:40]}
    if item.refused is not None and item.refused.code == Reason.NO_ZONE and event is not None and event.place:
        return {"listed": PLACES, "agency": "", "code": event.place[:40]}
    return {"listed": "", "agency": "", "code": ""}
