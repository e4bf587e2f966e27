"""The DCSA reader: raw messages against their outcome, the limits, and whatever may come."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.adapters.mutations import answered, damaged, holds
from tracking import strictjson
from tracking.adapters import dcsa
from tracking.management.commands.canonical import _lines
from tracking.matching import all_refs
from tracking.reasons import Reason
from tracking.types import Unreadable

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "dcsa"
MESSAGES = sorted(p for p in GOLDEN.glob("*.json") if not p.name.endswith(".expected.json"))


@pytest.mark.req("G6", "R1.6", "X07", "X08")
@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_a_raw_message_says_what_stands_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    lines = list(_lines(path.read_bytes(), "dcsa"))
    shown = [{name: line.get(name) for name in want} for line, want in zip(lines, expected, strict=True)]
    assert shown == expected


def test_a_departure_names_every_booking_and_box_that_it_concerns() -> None:
    event = json.loads((GOLDEN / "accepted.json").read_text())[9]
    event["references"] = [{"referenceType": "EQ", "referenceValue": f"MSKU000001{n}"} for n in range(3)]
    found = dcsa.parse(json.dumps([event]).encode()).events[0]
    assert {("BOOKING", "B1"), ("BOOKING", "B2"), ("MBL", "T1"), ("CONTAINER", "MSKU0000012")} <= all_refs(found)
    assert found.equipment == ("MSKU0000010", "MSKU0000011", "MSKU0000012")


def test_the_payload_is_the_event_as_it_was_sent() -> None:
    raw = (GOLDEN / "sample-events.json").read_bytes()
    assert [e.payload for e in dcsa.parse(raw).events] == json.loads(raw)


@pytest.mark.req("W8")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", Reason.EMPTY),
        (b"  \n", Reason.EMPTY),
        (b"\xff\xfe[\x00", Reason.NOT_UTF8),
        (b'[{"eventType": "TRANS', Reason.TRUNCATED_JSON),
        (b"[1, 2", Reason.TRUNCATED_JSON),
        (b'[{"a": tr', Reason.TRUNCATED_JSON),
        ('[{"a": "ø'.encode()[:-1], Reason.TRUNCATED_JSON),
        (b"[1] [2]", Reason.NOT_JSON),
        (b"{'a': 1}", Reason.NOT_JSON),
        (b"UNB+UNOA:1+A+B'", Reason.NOT_JSON),
        (b"<xml/>", Reason.NOT_JSON),
        (b'[{"a": 1, "a": 2}]', Reason.DUPLICATE_KEY),
        (b"[NaN]", Reason.BAD_NUMBER),
        (b"[-Infinity]", Reason.BAD_NUMBER),
        (b"[1e999]", Reason.BAD_NUMBER),
        (b"[" + b"9" * 5_000 + b"]", Reason.BAD_NUMBER),
        (b"[" * 40 + b"]" * 40, Reason.TOO_DEEP),
        (b"[" * 400_000, Reason.TOO_DEEP),
        (b'[{"a":' * 100_000, Reason.TOO_DEEP),
        (b"7", Reason.WRONG_TOP_LEVEL),
        (b'"text"', Reason.WRONG_TOP_LEVEL),
        (b"null", Reason.WRONG_TOP_LEVEL),
        (b"{}", Reason.WRONG_TOP_LEVEL),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_refused_with_its_reason(raw: bytes, code: Reason) -> None:
    with pytest.raises(Unreadable) as fault:
        dcsa.parse(raw)
    assert (fault.value.code, bool(fault.value.detail)) == (code, True)


@pytest.mark.req("W8")
def test_a_door_takes_no_more_than_it_can_apply() -> None:
    with pytest.raises(Unreadable, match="5001 items"):
        strictjson.loads(b"[" + b"1," * 5_000 + b"1]", limits=strictjson.DOOR)
    with pytest.raises(Unreadable, match="5001 items"):
        strictjson.loads(b'{"events": [' + b"1," * 5_000 + b"1]}", limits=strictjson.DOOR)
    assert len(strictjson.loads(b"[" + b"1," * 4_999 + b"1]", limits=strictjson.DOOR)) == 5_000
    with pytest.raises(Unreadable) as fault:
        strictjson.loads(b" " * 100, limits=strictjson.Limits(bytes=99))
    assert fault.value.code == Reason.TOO_LARGE


def test_a_message_that_was_cut_off_says_where_it_ends() -> None:
    raw = (GOLDEN / "sample-events.json").read_bytes()
    places = {}
    for length in (700, 4_000, 9_470):
        with pytest.raises(Unreadable) as fault:
            dcsa.parse(raw[:length])
        places[length] = fault.value.position
        assert f"byte {length}" in fault.value.detail
    assert places[700] == "$[0].transportCall.facilityTypeCode"
    assert places[4_000].startswith("$[2].")
    assert places[9_470] == "$[6].references[1]"


def test_an_unclosed_string_of_quotes_takes_no_longer_than_its_length() -> None:
    raw = b'["' + b'\\"' * 1_000_000
    with pytest.raises(Unreadable) as fault:
        dcsa.parse(raw)
    assert fault.value.code == Reason.TRUNCATED_JSON


# --- whatever may come (G7) ---

VALUES: list[Any] = [
    None, True, 0, -1, 1.5, "", " ", "x" * 300, "\0", "\ud800", "٣٤", "Ａ", [], {}, [[]], [None], {"a": None},
    "2026-13-45T99:99:99Z", "0000-00-00T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-01-01T00:00:00+99:99", "2026-01-01T24:00:00Z", "2026-01-01T23:59:60Z", "２０２６-01-01T00:00:00Z",
    "EQ", "BKG", "ßßßU1234567", "AB_U1234567", 10**30, "NaN", "EQUIPMENT", "REQ",
]  # fmt: skip


def _spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, part in inner for spot in _spots(part, (*path, key)))]


def _mutated(message: Any, dice: random.Random) -> Any:
    """A copy with one to four values replaced, removed, doubled or renamed."""
    copy = json.loads(json.dumps(message))
    for _time in range(dice.randint(1, 4)):
        spot = dice.choice([s for s in _spots(copy) if s])
        holder = copy
        for key in spot[:-1]:
            holder = holder[key]
        act = dice.randrange(4)
        if act == 0:
            holder[spot[-1]] = dice.choice(VALUES)
        elif act == 1:
            del holder[spot[-1]]
        elif act == 2 and isinstance(holder, list):
            holder.insert(0, dice.choice(VALUES))
        elif isinstance(holder, dict):
            holder[dice.choice([*holder, "metadata", "payload", "isRetracted"])] = holder.get(spot[-1])
        if not copy:
            break
    return copy


def _read(raw: bytes) -> None:
    """Never a surprise; each item becomes one event or one refusal with a reason; what is read can be stored."""
    parsed = answered(dcsa.parse, raw)
    if parsed is None:
        return
    value = json.loads(raw)
    items = value if isinstance(value, list) else value["events"] if isinstance(value.get("events"), list) else [value]
    assert parsed.received == len(items)
    numbers = [item.position.partition("]")[0] for item in (*parsed.events, *parsed.refusals)]
    assert sorted(numbers) == sorted(f"$[{n}" for n in range(len(items)))
    holds(parsed)


@pytest.mark.req("G6", "G7")
@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_message_gives_an_event_or_a_reason_for_every_item(seed: int) -> None:
    dice = random.Random(seed)
    messages = [json.loads((GOLDEN / f"{name}.json").read_text()) for name in ("sample-events", "accepted", "faults")]
    for _run in range(350):
        _read(json.dumps(_mutated(dice.choice(messages), dice)).encode())


@pytest.mark.req("G7")
@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_give_a_reason(seed: int) -> None:
    dice = random.Random(seed)
    raw = json.dumps(json.loads((GOLDEN / "accepted.json").read_text())[:3]).encode()
    for _run in range(250):
        parsed = answered(dcsa.parse, damaged(raw, dice))
        assert parsed is None or all(Reason(r.code) and r.detail for r in parsed.refusals)
