"""Damage for messages, and what must hold of a reader whatever comes: shared by the tests of all formats."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tracking.canonical import event_from_json, event_to_json
from tracking.reasons import WHOLE_MESSAGE, Reason
from tracking.types import Kind, Parsed, Unreadable


def parsed_or_refused(parse: Callable[[bytes], Parsed], raw: bytes) -> Parsed | None:
    """None for what is refused as a whole, with a reason of the list; anything else that is raised stays raised."""
    try:
        return parse(raw)
    except Unreadable as fault:
        if not fault.detail or fault.code not in WHOLE_MESSAGE:
            raise
        return None


def holds(parsed: Parsed) -> None:
    """Every refusal has its reason and can be stored; every event can be stored and comes back as it was."""
    for refusal in parsed.refusals:
        assert Reason(refusal.code)
        assert refusal.detail
        assert "\0" not in refusal.fragment + refusal.detail + refusal.position
        refusal.fragment.encode()
    for event in parsed.events:
        plain = json.dumps(event_to_json(event))
        assert "\\u0000" not in plain
        assert event_from_json(json.loads(plain)) == event
        assert max(len(event.container or ""), len(event.place or ""), len(event.mode or "")) <= 16
        assert len(event.position) <= 120
        assert max(len(event.source_event_id or ""), len(event.retracts or "")) <= 512
        assert max(len(event.facility or ""), len(event.voyage or "") - 18, len(event.vessel_imo or "") * 4) <= 32
        assert event.kind in Kind


def damaged(raw: bytes, dice: random.Random, *, marks: bytes = b"") -> bytes:
    """The bytes with one to four of them flipped, cut out, doubled, cut off after, or marks exchanged."""
    out = bytearray(raw)
    for _time in range(dice.randint(1, 4)):
        if not out:
            break
        at, act = dice.randrange(len(out)), dice.randrange(6 if marks else 5)
        if act == 0:
            out[at] = dice.randrange(256)
        elif act == 1:
            del out[at : at + dice.randint(1, 40)]
        elif act == 2:
            out[at:at] = out[at : at + dice.randint(1, 60)]
        elif act == 3:
            out = out[: at + 1]
        elif act == 4:
            out[at:at] = bytes(dice.randrange(256) for _n in range(dice.randint(1, 4)))
        else:
            one, other = dice.choice(marks), dice.choice(marks)
            out = bytearray(bytes(out).replace(bytes([one]), bytes([other]), dice.choice((1, 3, -1))))
    return bytes(out)
