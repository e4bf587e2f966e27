"""Interchanges of a message: noted once each, warned about when a reference comes again, acknowledged (G8).

What an acknowledgement says is written by tracking.acknowledgements (CONTRL) and tracking.x12_ack (997), both pure.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from msgspec import structs

from portal.lib import ids
from portal.outbox.services import enqueue_outgoing
from tracking.acknowledgements import contrl
from tracking.matching import payload_digest
from tracking.models import Acknowledgement, AcknowledgementKind, InboundMessage, Interchange
from tracking.reasons import Reason, sentence
from tracking.types import Envelope, Parsed, Refusal
from tracking.x12_ack import acknowledge_997

_WHICH: Final = re.compile(r"\$\[(\d+)\]")
_SYNTAX: Final = {AcknowledgementKind.CONTRL.value: "EDIFACT", AcknowledgementKind.X12_997.value: "X12"}
_ANSWERS: Final = frozenset({"CONTRL", "997", "999"})
_TRIES: Final = 20

_log = logging.getLogger("plimsoll.ingest")


def acknowledge(message: InboundMessage, parsed: Parsed, at: datetime) -> Parsed:
    """Notes the interchanges of a message and acknowledges them where its source wants that, in its transaction.

    The events of an interchange whose reference came before with other contents are marked; a strict source's refused.
    """
    if not parsed.envelopes:
        return parsed
    in_line = sorted(enumerate(parsed.envelopes), key=lambda one: (one[1].syntax, one[1].sender, one[1].reference))
    doubles = {  # in one order for all, so that two messages never wait for each other
        place for place, envelope in in_line if not _is_first(message, envelope, _digest(parsed, place))
    }
    parsed = _marked(parsed, doubles, strict=message.source.strict_envelope)
    if any(_SYNTAX.get(message.source.acknowledges) == envelope.syntax for envelope in parsed.envelopes):
        _answer(message, parsed.envelopes, at)
    return parsed


def _is_first(message: InboundMessage, envelope: Envelope, digest: str) -> bool:
    """False when the reference came before with other contents; the same contents again are a mere repeat."""
    if not envelope.reference or (envelope.parts and all(part.is_refused for part in envelope.parts)):
        return True  # what was rejected whole is sent again under its own reference
    sender = ":".join(filter(None, (envelope.sender_qualifier, envelope.sender)))
    named = {
        "source": message.source, "syntax": envelope.syntax[:8], "reference": _storable(envelope.reference)[:40],
        "sender": _storable(sender)[:80],
    }  # fmt: skip
    # whoever comes second waits here for the first one's commit, and sees it then
    Interchange.objects.bulk_create([Interchange(**named, message=message, digest=digest)], ignore_conflicts=True)
    return str(Interchange.objects.values_list("digest", flat=True).get(**named)) == digest


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _digest(parsed: Parsed, place: int) -> str:
    """Of what one interchange says, in whatever file and beside whatever others it comes."""
    said = [
        f"{payload_digest(e.payload)} {e.code} {e.container} {e.local}"
        for e in parsed.events if _place_of(parsed.envelopes, e.position) == place
    ]  # fmt: skip
    said += [r.fragment for r in parsed.refusals if _place_of(parsed.envelopes, r.position) == place]
    said += [f"{part.reference} {part.type}" for part in parsed.envelopes[place].parts]
    return ids.digest(json.dumps(said))


def _place_of(envelopes: Sequence[Envelope], position: str) -> int:
    found = _WHICH.match(position)
    number, before = int(found[1]) if found else 0, 0
    for place, envelope in enumerate(envelopes):
        before += len(envelope.parts)
        if number < before:
            return place
    return max(0, len(envelopes) - 1)


def _marked(parsed: Parsed, doubles: set[int], *, strict: bool) -> Parsed:
    if not doubles:
        return parsed
    reason, events, refusals = Reason.DUPLICATE_INTERCHANGE, [], list(parsed.refusals)
    for event in parsed.events:
        if _place_of(parsed.envelopes, event.position) not in doubles:
            events.append(event)
        elif strict:
            refusals.append(
                Refusal(code=Reason.ENVELOPE_REFUSED, position=event.position, detail=str(sentence(reason)))
            )
        else:
            events.append(structs.replace(event, warnings=tuple(dict.fromkeys((*event.warnings, reason)))))
    envelopes = tuple(
        replace(
            envelope, faults=(*envelope.faults, reason),
            parts=tuple(replace(part, is_refused=strict or part.is_refused) for part in envelope.parts),
        ) if place in doubles else envelope
        for place, envelope in enumerate(parsed.envelopes)
    )  # fmt: skip
    return Parsed(events=tuple(events), refusals=tuple(refusals), envelopes=envelopes)


# --- acknowledgements ---


def _answer(message: InboundMessage, envelopes: Sequence[Envelope], at: datetime) -> None:
    kind = message.source.acknowledges
    for place, envelope in enumerate(envelopes):
        if _SYNTAX[kind] == envelope.syntax and _is_answered(envelope):
            _write(message, kind, place, envelope, at)
    if message.channel == "INBOX" and message.source.inbox and settings.INBOX_DIR:
        # a file leaves the house: through the outbox, and not while sending is paused (O1, P5)
        enqueue_outgoing("tracking.put_acknowledgements", keys={message.public_id: {"message": message.public_id}},
                         at=at)  # fmt: skip


def _is_answered(envelope: Envelope) -> bool:
    """An interchange of nothing but acknowledgements never is, or two systems would answer each other for ever."""
    return any(part.type not in _ANSWERS for part in envelope.parts)


def _write(message: InboundMessage, kind: str, place: int, envelope: Envelope, at: datetime) -> None:
    """With the next number of its source: two that take the same one at a time do so one after the other."""
    for _n in range(_TRIES):
        taken = Acknowledgement.objects.filter(source=message.source).aggregate(last=Max("number"))["last"] or 0
        try:
            body = written(kind, envelope, at=at, number=taken + 1)
        except Exception:  # a defect of ours must not keep the message from being applied (G7)
            _log.exception("no acknowledgement could be written for message %s", message.public_id)
            return
        try:
            with transaction.atomic():
                Acknowledgement.objects.create(
                    source=message.source, message=message, kind=kind, place=place, number=taken + 1, body=body,
                    is_refused=any(part.is_refused for part in envelope.parts), made_at=at,
                )  # fmt: skip
        except IntegrityError:
            continue
        return
    _log.error("no number was free for the acknowledgement of message %s", message.public_id)


def written(kind: str, envelope: Envelope, *, at: datetime, number: int) -> bytes:
    """The bytes of an acknowledgement; its control number has nine digits and begins anew after them."""
    short = (number - 1) % 999_999_999 + 1
    if kind == AcknowledgementKind.CONTRL.value:
        return contrl(envelope, at=at, reference=f"{short:09d}")
    return acknowledge_997(envelope, at=at, control_number=short)
