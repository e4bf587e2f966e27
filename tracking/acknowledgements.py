"""What is answered to an interchange: CONTRL, the EDIFACT report of what was accepted and what was refused (G8).

Pure: an envelope in, bytes out; whether a partner wants it and how it gets there are decided elsewhere. It speaks of
the envelope and the syntax alone: an event that nobody could use is no fault of the interchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Final

from tracking.edifact.syntax import charset_of
from tracking.reasons import Reason
from tracking.types import Envelope, EnvelopePart

_ACCEPTED: Final = "7"  # this level is acknowledged, and what is below it unless it is rejected by name
_REJECTED: Final = "4"  # this level and all below it
_UNSPECIFIED: Final = "18"
_ERRORS: Final[Mapping[str, str]] = {  # code list 0085
    Reason.UNKNOWN_CODE: "12", Reason.NO_CONTROL_TRAILER: "13", Reason.TRUNCATED_MESSAGE: "13",
    Reason.MISSING_SEGMENT: "13", Reason.MISSING_FIELD: "13", Reason.UNSUPPORTED_FORMAT: "14", Reason.BAD_TEXT: "21",
    Reason.DUPLICATE_INTERCHANGE: "26", Reason.CONTROL_REFERENCE: "28", Reason.CONTROL_COUNT: "29",
    Reason.TOO_LONG: "39",
}  # fmt: skip
_LEVELS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SPECIAL: Final = "?+:'"


def wants_contrl(envelope: Envelope) -> bool:
    """Whether it may be answered: an interchange of acknowledgements never is, or two systems would go on for ever."""
    return envelope.syntax == "EDIFACT" and any(part.type != "CONTRL" for part in envelope.parts)


def contrl(envelope: Envelope, *, at: datetime, reference: str) -> bytes:
    """A CONTRL interchange that answers this one, made at an instant, under a reference of our own.

    The interchange is rejected when all of its messages are; otherwise it is acknowledged and every message is named
    with its outcome. `reference` is the control reference of our interchange, at most 14 characters. The answer is
    written in the character set in which the interchange came.
    """
    level, version = _syntax(envelope)
    parts = [part for part in envelope.parts if part.type != "CONTRL"]
    body = [_segment("UNH", ["1"], ["CONTRL", "4", "1", "UN"] if version == "4" else ["CONTRL", "D", "3", "UN"])]
    body.append(_interchange_outcome(envelope, parts))
    for group, members in groupby(parts, key=lambda part: part.group):
        listed = list(members)
        if group:
            refused = all(part.is_refused for part in listed)
            error = [[_error(f for part in listed for f in (*part.group_faults, *part.faults))]] if refused else []
            body.append(_segment("UCF", [group], [], [], [_REJECTED if refused else _ACCEPTED], *error))
        body += [_message_outcome(part) for part in listed]
    body.append(_segment("UNT", [str(len(body) + 1)], ["1"]))
    day = f"{at:%Y%m%d}" if version == "4" else f"{at:%y%m%d}"
    opening = _segment(
        "UNB",
        [level, version],
        [envelope.receiver, envelope.receiver_qualifier],
        [envelope.sender, envelope.sender_qualifier],
        [day, f"{at:%H%M}"],
        [reference],
        *([[], [], [], [], [], ["1"]] if envelope.is_test else []),
    )
    closing = _segment("UNZ", ["1"], [reference])
    return _encoded("".join((opening, *body, closing)), level)


def _interchange_outcome(envelope: Envelope, parts: list[EnvelopePart]) -> str:
    rejected = not parts or all(part.is_refused for part in parts)
    faults = (*envelope.faults, *(f for part in parts for f in (*part.faults, *part.group_faults)))
    return _segment(
        "UCI",
        [envelope.reference],
        [envelope.sender, envelope.sender_qualifier],
        [envelope.receiver, envelope.receiver_qualifier],
        [_REJECTED if rejected else _ACCEPTED],
        *([[_error(faults)]] if rejected else []),
    )


def _message_outcome(part: EnvelopePart) -> str:
    return _segment(
        "UCM",
        [part.reference],
        [part.type, *part.version.split(":")],
        [_REJECTED if part.is_refused else _ACCEPTED],
        *([[_error((*part.faults, *part.group_faults))]] if part.is_refused else []),
    )


def _error(faults: Iterable[str]) -> str:
    """The first fault that the standard has a code for."""
    return next((_ERRORS[fault] for fault in faults if fault in _ERRORS), _UNSPECIFIED)


def _syntax(envelope: Envelope) -> tuple[str, str]:
    """Code level and version of the answer: those of what is answered, where they can be."""
    level, _colon, version = envelope.character_set.upper().partition(":")
    known = len(level) == 4 and level.startswith("UNO") and level[3] in _LEVELS
    return (level if known else "UNOC"), (version if version in ("1", "2", "3", "4") else "3")


def _segment(tag: str, *elements: list[str]) -> str:
    """A segment in the usual separators; empty elements and components at its end are left out."""
    written = [":".join(_escaped(value) for value in _trimmed(element)) for element in elements]
    return "+".join((tag, *_trimmed(written))) + "'"


def _trimmed(values: list[str]) -> list[str]:
    kept = len(values)
    while kept and not values[kept - 1]:
        kept -= 1
    return values[:kept]


def _escaped(text: str) -> str:
    return "".join(f"?{c}" if c in _SPECIAL else c for c in text if c.isprintable())


def _encoded(text: str, level: str) -> bytes:
    """The bytes in the declared set; what it does not hold becomes a full stop, which means nothing in the syntax."""
    charset = charset_of(level)
    return b"".join(c.encode(charset) if _fits(c, charset) else b"." for c in text)


def _fits(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
