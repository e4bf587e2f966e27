"""Damaged messages of any format, by dice: what careless, broken and hostile senders send, and what must hold of it.

JSON is damaged value by value, text by its cells and segments, everything also byte by byte.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tracking.adapters.golden import mapping_of, messages
from tracking.canonical import event_from_json, event_to_json
from tracking.models import Quarantined, SightingRow
from tracking.reasons import QUARANTINE, WARNINGS, WHOLE_MESSAGE, Reason
from tracking.registry import ADAPTERS, adapter_for
from tracking.types import CanonicalEvent, Parsed, Partner, Refusal, Unreadable

# What a careless or hostile sender may put where a value stands.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 10**39, 1.5, 1e308, -0.0, "", " ", "\0", "a\0b", "\ud800", "a\udfff", "\u202e",
    "\ufeff", "\U0001f6a2" * 40, "x" * 16, "x" * 33, "x" * 101, "x" * 300, "x" * 513, "x" * 5_000,
    # letters that grow when they are written in upper case
    "ß" * 5, "ß" * 15, "ß" * 16, "ß" * 32, "ß" * 64, "ß" * 100, "ŉ" * 15, "ΐ" * 64, "ﬃ" * 50, "ßßßU1234567",
    "MSKU123456789012", "AB_U1234567", "' or 1=1 --", "=cmd|' /C calc'!A0", "../../etc/passwd", "%s%n{0}", "٣٤٥", "Ａ",
    "CN SHA", "cnsha", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "0001-01-01",
    "2026-02-30", "0000-00-00", "0000-00-00T00:00:00Z", "2026-03-29T02:30:00", "2026-03-01", "2026-03-01T24:00:00Z",
    "2026-13-45T99:99:99Z", "2026-01-01T00:00:00+99:99", "2026-01-01T23:59:60Z", "２０２６-01-01T00:00:00Z",
    "2026-01-01T00:00:00,123456789012+00:00", "1e400", "NaN", "Europe/Amsterdam", "Etc/../../passwd", "/etc/passwd",
    "SHIPMENT", "TRANSPORT", "EQUIPMENT", "IOT", "ACT", "ACTUAL", "REQ", "VOID", "LADEN", "EQ", "BKG", "PFD",
    [], {}, [[]], {"": ""}, [None], {"a": None}, {"x": {"x": {"x": [1.5, {"y": "\ud800"}]}}}, ["\0"], {"\0": 1},
)  # fmt: skip
NAMES = (
    "transportCall", "eventLocation", "references", "documentReferences", "reason", "changeRemark", "facilityCode",
    "documentID", "documentTypeCode", "shipmentEventTypeCode", "isTransshipmentMove", "delayReasonCode", "events",
    "carrierBookingReference", "metadata", "payload", "eventClassification", "isRetracted", "seals", "shipmentDetails",
    "equipmentDetails", "transportDetails", "data", "included", "relationships", "x" * 300, "\0",
)  # fmt: skip
_SEPARATORS = {b"\n": re.compile(rb"([,;\t\"])"), b"'": re.compile(rb"([+:?])"), b"~": re.compile(rb"([*>^])")}
_TEXTS = [value for value in VALUES if isinstance(value, str)]
_HEAVY = 50  # a format that is read in a process of its own takes its time: one message in so many


@dataclass(frozen=True, slots=True)
class Sample:
    """A golden message of a format, with the mapping of its source."""

    key: str
    path: Path
    raw: bytes
    mapping: dict[str, Any]

    @property
    def partner(self) -> Partner:
        """The partner that sends it."""
        return Partner(mapping=self.mapping)


def samples(key: str = "") -> list[Sample]:
    """Every golden message of one format, or of all."""
    keys = [key] if key else ADAPTERS.keys()
    return [Sample(k, path, path.read_bytes(), mapping_of(path)) for k in keys for path in messages(k)]


def stream(dice: random.Random, *, key: str = "") -> Iterator[tuple[Sample, bytes]]:
    """Damaged messages without end, each format in its turn."""
    by_key: dict[str, list[Sample]] = {}
    for sample in samples(key):
        by_key.setdefault(sample.key, []).append(sample)
    while True:
        for listed in by_key.values():
            sample = dice.choice(listed)
            if not sample.raw.startswith(b"PK") or dice.randrange(_HEAVY) == 0:
                yield sample, mutated(sample.raw, dice)


def mutated(raw: bytes, dice: random.Random) -> bytes:
    """The message, damaged in one way or several."""
    if dice.random() < 0.25 or not raw:
        return damaged(raw, dice)
    if raw.lstrip()[:1] in (b"[", b"{"):
        try:
            value = mutated_value(json.loads(raw), dice)
        except ValueError:
            return damaged(raw, dice)
        made = json.dumps(value, ensure_ascii=dice.random() < 0.7).encode("utf-8", "surrogatepass")
    else:
        made = mutated_text(raw, dice)
    return damaged(made, dice) if dice.random() < 0.1 else made


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of every value inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [spot for key, part in inner for spot in ((*path, key), *spots(part, (*path, key)))]


def mutated_value(value: Any, dice: random.Random) -> Any:
    """A copy with one to four values replaced, removed, doubled, moved or renamed."""
    value = copy.deepcopy(value)
    for _time in range(dice.randint(1, 4)):
        listed = spots(value)
        if not listed:
            return dice.choice(VALUES)
        *way, last = dice.choice(listed)
        holder = value
        for step in way:
            holder = holder[step]
        act = dice.randrange(6)
        if act < 3:
            holder[last] = copy.deepcopy(dice.choice(VALUES))
        elif act == 3:
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(dice.randrange(len(holder) + 1), copy.deepcopy(dice.choice((*VALUES, holder[last]))))
        else:
            taken = holder[last] if act == 4 else holder.pop(last)
            holder[dice.choice((*NAMES, *holder))] = copy.deepcopy(taken)
    return value


def mutated_text(raw: bytes, dice: random.Random) -> bytes:
    """A copy with one to four lines or segments, or cells or elements of one, replaced, removed, doubled or moved."""
    mark = max(_SEPARATORS, key=raw.count)
    parts = raw.split(mark)
    for _time in range(dice.randint(1, 4)):
        at, act = dice.randrange(len(parts)), dice.randrange(8)
        if act == 0:
            parts.insert(dice.randrange(len(parts) + 1), parts[at])
        elif act == 1 and len(parts) > 1:
            del parts[at]
        elif act == 2:
            other = dice.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        else:
            cells = _SEPARATORS[mark].split(parts[at])
            cell = dice.randrange(len(cells))
            if act == 3:
                del cells[cell]
            elif act == 4:
                cells.insert(cell, dice.choice(cells))
            else:
                cells[cell] = dice.choice(_TEXTS).encode("utf-8", "surrogatepass")
            parts[at] = b"".join(cells)
    return mark.join(parts)


def damaged(raw: bytes, dice: random.Random) -> bytes:
    """A copy with one to three bytes changed, runs of bytes lost or doubled, or its end cut off."""
    made = bytearray(raw)
    for _time in range(dice.randint(1, 3)):
        at = dice.randrange(len(made) + 1)
        act = dice.randrange(5)
        if act == 0:
            made[at : at + 1] = bytes([dice.randrange(256)])
        elif act == 1:
            del made[at : at + dice.randint(1, 40)]
        elif act == 2:
            made[at:at] = made[at : at + dice.randint(1, 200)]
        elif act == 3:
            made[at:at] = dice.choice((b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\\u0000", b"\\ud800", b"[" * 50, b"\r"))
        elif dice.random() < 0.5:
            del made[at:]
    return bytes(made)


# --- what must hold of whatever came ---

_WIDTHS = {
    name: SightingRow._meta.get_field(column).max_length
    for name, column in {
        "code": "code", "container": "container", "place": "place", "facility": "facility", "place_role": "place_role",
        "mode": "mode", "voyage": "voyage", "vessel_imo": "vessel_imo", "document_type": "document_type",
        "source_event_id": "source_event_id", "retracts": "retracts", "zone": "zone",
    }.items()
}  # fmt: skip
_CODE = Quarantined._meta.get_field("reason").max_length


def parsed_or_refused(sample: Sample, raw: bytes) -> Parsed | None:
    """What the registry's reader makes of it; None when it is refused as a whole, for a reason of the list.

    A reader that falls over is caught by the registry, which keeps the message as `parser_failed`: here it is a fault.
    """
    try:
        parsed = adapter_for(sample.key).parse(raw, partner=sample.partner)
    except Unreadable as fault:
        if fault.code == Reason.PARSER_FAILED or fault.code not in WHOLE_MESSAGE or not fault.detail:
            raise
        fault.detail.encode()
        return None
    hold(parsed)
    return parsed


def hold(parsed: Parsed) -> None:
    """Whatever was read can be stored; whatever was refused has a reason of the list, a place and a sentence."""
    assert parsed.received == len(parsed.events) + len(parsed.refusals)
    for refusal in parsed.refusals:
        _hold_refusal(refusal)
    for event in parsed.events:
        _hold_event(event)


def _hold_refusal(refusal: Refusal) -> None:
    assert refusal.code in WHOLE_MESSAGE | QUARANTINE  # a part may be what the whole might have been
    assert refusal.code != Reason.PARSER_FAILED
    assert len(refusal.code) <= (_CODE or 0)
    assert refusal.position.startswith("$")
    assert refusal.detail
    text = refusal.position + refusal.detail + refusal.fragment
    assert "\0" not in text
    text.encode()


def _hold_event(event: CanonicalEvent) -> None:
    assert event.position.startswith("$[")
    plain = event_to_json(event)
    text = json.dumps(plain, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text.replace("\\\\u0000", "")
    assert event_from_json(json.loads(text)) == event
    assert set(event.warnings) <= WARNINGS
    for name, most in _WIDTHS.items():
        assert len(getattr(event, name) or "") <= (most or 0), name
    if event.retracts is None:
        assert event.code
        assert event.local
    assert event.time is None or event.time.utcoffset() is not None
