"""Damaged messages for every reader: what may come, and what must hold of the answer whatever came (G7)."""

from __future__ import annotations

import json
import random

from tracking.canonical import event_from_json, event_to_json
from tracking.reasons import WHOLE_MESSAGE, Reason
from tracking.types import Kind, Parse, Parsed, Partner, Unreadable

WORDS = (
    "", " ", "x" * 300, "٣٤", "Ａ", "ß" * 20, "ßßßU1234567", "AB_U1234567", "\x00", "\x1f", "-1", "9" * 40, "20261345",
    "00000000", "99991231", "2575", "EQ", "BN", "UN", "LT", "99", "*", "~", ">", "ISA", "ST", "SE", "ST*315*1", "~~",
)  # fmt: skip


def damaged(raw: bytes, dice: random.Random, *, most: int = 3) -> bytes:
    """The bytes with one to `most` of them replaced, some left out, or the end cut off."""
    found = bytearray(raw)
    for _time in range(dice.randint(1, most)):
        if not found:
            break
        at = dice.randrange(len(found))
        act = dice.randrange(3)
        if act == 0:
            found[at] = dice.randrange(256)
        elif act == 1:
            del found[at : at + dice.randint(1, 40)]
        else:
            found = found[: at + 1]
    return bytes(found)


def answered(parse: Parse, raw: bytes, partner: Partner | None = None) -> Parsed | None:
    """What the reader makes of it; None for what is refused as a whole, with a reason of the list and in words."""
    try:
        return parse(raw) if partner is None else parse(raw, partner=partner)
    except Unreadable as fault:
        if not fault.detail or fault.code not in WHOLE_MESSAGE:
            raise
        return None


def holds(parsed: Parsed) -> None:
    """Each refusal has a reason and words that can be stored; each event can be stored and comes back the same."""
    for refusal in parsed.refusals:
        assert Reason(refusal.code)
        assert refusal.detail
        assert "\0" not in refusal.fragment
        refusal.fragment.encode()
    for event in parsed.events:
        plain = json.dumps(event_to_json(event))
        assert "\\u0000" not in plain
        assert event_from_json(json.loads(plain)) == event
        assert max(len(event.container or ""), len(event.place or ""), len(event.mode or "")) <= 16
        assert event.kind in Kind
