"""The DCSA reader: raw messages against their outcome, and the limits; whatever may come is in test_mutations.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
