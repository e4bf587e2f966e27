"""The functional acknowledgement (997) of an X12 interchange: what was taken, group by group, and why the rest was not.

Pure: the bytes to send back. Who wants one, and sending it, are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from tracking.reasons import Reason
from tracking.types import Envelope, EnvelopePart

_ELEMENT, _TERMINATOR, _COMPONENT = "*", "~\n", ">"
_VERSION: Final = "004010"
_HIGHEST: Final = 999_999_999  # control numbers have nine digits at most

# Element 718: what was wrong with a transaction. Anything else is "one or more segments in error".
_TRANSACTION_ERRORS: Final[Mapping[str, str]] = {
    Reason.UNSUPPORTED_FORMAT: "1",
    Reason.NO_CONTROL_TRAILER: "2",
    Reason.TRUNCATED_MESSAGE: "2",
    Reason.CONTROL_REFERENCE: "3",
    Reason.CONTROL_COUNT: "4",
}
_SEGMENTS_IN_ERROR: Final = "5"
# Element 716: what was wrong with a group.
_GROUP_ERRORS: Final[Mapping[str, str]] = {
    Reason.NO_CONTROL_TRAILER: "3",
    Reason.CONTROL_REFERENCE: "4",
    Reason.CONTROL_COUNT: "5",
}
_MOST_ERRORS: Final = 5  # elements for them in AK5 and AK9


def acknowledge_997(envelope: Envelope, *, at: datetime, control_number: int) -> bytes:
    """The 997 that answers an interchange, as one of our own with sender and receiver exchanged.

    One transaction 997 answers each functional group. `at` is when it is made, in UTC; `control_number` numbers the
    interchange and its group, from 1 to 999999999. An interchange without groups is answered by an empty group.
    """
    if not 0 < control_number <= _HIGHEST:
        raise ValueError(f"The control number {control_number} does not lie between 1 and {_HIGHEST}.")
    made = at.astimezone(UTC)
    answers = [
        _transaction(number, tuple(parts))
        for number, (_group, parts) in enumerate(groupby(envelope.parts, key=lambda p: (p.group_type, p.group)), 1)
    ]
    sender, receiver = _clean(envelope.receiver, 15), _clean(envelope.sender, 15)
    lines = [
        _isa(envelope, sender, receiver, made, control_number),
        ("GS", "FA", sender, receiver, f"{made:%Y%m%d}", f"{made:%H%M}", str(control_number), "X", _VERSION),
        *(line for answer in answers for line in answer),
        ("GE", str(len(answers)), str(control_number)),
        ("IEA", "1", f"{control_number:09}"),
    ]
    return "".join(_ELEMENT.join(line).rstrip(_ELEMENT) + _TERMINATOR for line in lines).encode("ascii", "replace")


def _isa(envelope: Envelope, sender: str, receiver: str, made: datetime, control_number: int) -> tuple[str, ...]:
    own = (_clean(envelope.receiver_qualifier, 2) or "ZZ", sender.ljust(15))
    theirs = (_clean(envelope.sender_qualifier, 2) or "ZZ", receiver.ljust(15))
    return (
        "ISA", "00", " " * 10, "00", " " * 10, *own, *theirs, f"{made:%y%m%d}", f"{made:%H%M}", "U", "00401",
        f"{control_number:09}", "0", "T" if envelope.is_test else "P", _COMPONENT,
    )  # fmt: skip


def _transaction(number: int, parts: Sequence[EnvelopePart]) -> list[tuple[str, ...]]:
    """One group's answer, ST to SE."""
    first, reference = parts[0], f"{number:04}"
    lines: list[tuple[str, ...]] = [
        ("ST", "997", reference),
        ("AK1", _clean(first.group_type, 2), _clean(first.group, 9)),
    ]
    for part in parts:
        lines.append(("AK2", _clean(part.type, 3), _clean(part.reference, 9)))
        lines.append(("AK5", _verdict(part), *_codes(part.faults, _TRANSACTION_ERRORS, _SEGMENTS_IN_ERROR)))
    taken = sum(not part.is_refused for part in parts)
    included = len(parts) if first.group_count is None else first.group_count
    lines.append(
        ("AK9", _group_verdict(parts), str(included), str(len(parts)), str(taken),
         *_codes(first.group_faults, _GROUP_ERRORS, ""))
    )  # fmt: skip
    return [*lines, ("SE", str(len(lines) + 1), reference)]


def _verdict(part: EnvelopePart) -> str:
    if part.is_refused:
        return "R"
    return "E" if part.faults else "A"


def _group_verdict(parts: Sequence[EnvelopePart]) -> str:
    """Accepted, accepted with errors, partly accepted, rejected."""
    verdicts = {_verdict(part) for part in parts}
    if "R" in verdicts:
        return "R" if verdicts == {"R"} else "P"
    return "E" if "E" in verdicts or parts[0].group_faults else "A"


def _codes(faults: Iterable[str], known: Mapping[str, str], other: str) -> list[str]:
    """The codes of faults, each once. That it was refused for its envelope says nothing beside what was wrong there."""
    named = [known.get(fault, other) for fault in faults if fault != Reason.ENVELOPE_REFUSED]
    return list(dict.fromkeys(code for code in named if code))[:_MOST_ERRORS]


def _clean(text: str, most: int) -> str:
    """Nothing of others ends a segment or an element of ours."""
    return "".join(c for c in text if c.isascii() and c.isprintable() and c not in "*~>").strip()[:most]
