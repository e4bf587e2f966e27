"""An EDIFACT file as canonical events: each message by the reader of its type, whatever types travel together.

There is one reader for all types: whichever adapter a source declares, every message of a mixed interchange is read,
and one of an unknown type is refused by its name while the others are read. The adapters differ only in what they
recognise, which is the type of the first message that is read at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from tracking.edifact import moves, status
from tracking.edifact.interchange import File, Interchange, Message, read
from tracking.edifact.syntax import LIMITS, segments
from tracking.fields import Fault
from tracking.reasons import Reason, sentence
from tracking.types import PLAIN, CanonicalEvent, Envelope, EnvelopePart, Parsed, Partner, Refusal, Unreadable

_READERS: Final = {"IFTSTA": status.read, "CODECO": moves.read, "COARRI": moves.read}
_ANSWERS: Final = frozenset({"CONTRL", "APERAK"})  # what partners say about messages of ours
_HEAD: Final = 64 * 1024  # bytes in which the first message is looked for
_FRAGMENT: Final = 2_000


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """The events and refusals of every message, in the order of the file, and its envelopes.

    A message that was cut off, cannot be read, or is of another type is one refusal. Counts and references that do not
    fit are warnings on the events of the messages concerned; for a partner that is strict about them they refuse these
    messages. Raises Unreadable for a file that is empty, too large, no EDIFACT, or without any message.
    """
    file = read(raw)
    refusals = [
        Refusal(code=s.reason, position=f"$[{s.before}].{s.segment.step}", detail=_outside(s.reason),
                fragment=_shown(s.segment.text))
        for s in file.strays
    ]  # fmt: skip
    if not file.messages:
        fault = file.strays[0] if file.strays else None
        raise Unreadable(
            Reason.TRUNCATED_MESSAGE if fault and fault.reason == Reason.TRUNCATED_MESSAGE else Reason.BAD_ENVELOPE,
            "The file holds no message.",
            position=refusals[0].position if refusals else "$",
        )
    events: list[CanonicalEvent] = []
    refused: dict[int, str] = {}
    for message in file.messages:
        found, reason = _message(message, partner)
        events += [item for item in found if isinstance(item, CanonicalEvent)]
        refusals += [item for item in found if isinstance(item, Refusal)]
        if len(events) + len(refusals) > LIMITS.events:
            raise Unreadable(
                Reason.TOO_MANY_ITEMS, f"The file holds more than {LIMITS.events} events; send it in parts."
            )
        if reason:
            refused[message.number] = reason
    return Parsed(events=tuple(events), refusals=tuple(refusals), envelopes=_envelopes(file, refused))


def speaks(raw: bytes, type_: str) -> bool:
    """Whether the first message that is read at all is of this type; never raises."""
    head = raw[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:3] not in (b"UNA", b"UNB", b"UNG", b"UNH"):
        return False
    types = (s.code(2) for s in segments(head) if s.tag == "UNH")
    return next((t for t in types if t in _READERS), "") == type_


def _message(message: Message, partner: Partner) -> tuple[list[CanonicalEvent | Refusal], str]:
    """What one message gives, and why it was refused as a whole; empty when it was not."""
    try:
        return list(islice(_read(message, partner), LIMITS.events + 1)), ""
    except Fault as fault:
        text = "\n".join(s.text for s in (message.opening, *message.segments[:40]))
        refusal = Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=_shown(text))
        return [refusal], "" if fault.reason == Reason.NOT_TRACKED else str(fault.reason)


def _read(message: Message, partner: Partner) -> Iterator[CanonicalEvent | Refusal]:
    if message.broken is not None:
        reason, segment = message.broken
        raise Fault(reason, message.at(segment))
    reader = _READERS.get(message.type)
    if reader is None:
        reason = Reason.NOT_TRACKED if message.type in _ANSWERS else Reason.UNSUPPORTED_FORMAT
        raise Fault(reason, message.at(message.opening), f"The message is {message.type[:20]!a}.")
    faults = message.faults
    if partner.strict_envelope and message.interchange.opening is None:
        raise Fault(Reason.ENVELOPE_REFUSED, message.at(message.opening), "There is no UNB.")
    if partner.strict_envelope and faults:
        reason, segment = faults[0]
        raise Fault(Reason.ENVELOPE_REFUSED, message.at(segment), str(sentence(reason)))
    for item in reader(message, partner, tuple(dict.fromkeys(reason for reason, _segment in faults))):
        yield item if isinstance(item, CanonicalEvent) else _storable(item)


def _storable(refusal: Refusal) -> Refusal:
    return Refusal(
        code=refusal.code, position=refusal.position, detail=refusal.detail, fragment=_shown(refusal.fragment)
    )


def _shown(text: str) -> str:
    return text[:_FRAGMENT].replace("\0", " ")


def _outside(reason: Reason) -> str:
    return f"{sentence(reason)} It stands outside every message."


# --- envelopes, for acknowledgements ---


def _envelopes(file: File, refused: Mapping[int, str]) -> tuple[Envelope, ...]:
    """The interchanges of the file; what came without UNB has none."""
    held: dict[int, list[Message]] = {id(interchange): [] for interchange in file.interchanges}
    for message in file.messages:
        held.setdefault(id(message.interchange), []).append(message)
    return tuple(_envelope(i, held[id(i)], refused) for i in file.interchanges)


def _envelope(interchange: Interchange, messages: Sequence[Message], refused: Mapping[int, str]) -> Envelope:
    return Envelope(
        syntax="EDIFACT",
        sender=interchange.get(2),
        sender_qualifier=interchange.get(2, 1),
        receiver=interchange.get(3),
        receiver_qualifier=interchange.get(3, 1),
        reference=interchange.get(5),
        character_set=":".join(filter(None, (interchange.get(1), interchange.get(1, 1)))),
        wants_acknowledgement=interchange.get(9) == "1",
        is_test=interchange.get(11) == "1",
        parts=tuple(_part(m, refused.get(m.number, "")) for m in messages),
        faults=tuple(dict.fromkeys(str(reason) for reason, _segment in interchange.faults)),
    )


def _part(message: Message, refused: str) -> EnvelopePart:
    """An event that nobody could use is no fault of its message: only what refused it as a whole is."""
    told = [str(reason) for reason, _segment in message.own_faults]
    group = message.group.opening if message.group else None
    return EnvelopePart(
        reference=message.opening.get(1),
        type=message.type,
        group=group.get(5) if group else "",
        group_type=group.get(1) if group else "",
        version=":".join(message.opening.get(2, n) for n in range(1, 4)),
        group_faults=tuple(dict.fromkeys(str(reason) for reason, _segment in message.group_faults)),
        faults=tuple(dict.fromkeys((*told, *([refused] if refused else [])))),
        is_refused=bool(refused),
    )
