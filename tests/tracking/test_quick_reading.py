"""What is read the quick way is read as the careful way reads it, to the letter, and nothing passes that it refuses."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracking.adapters.mutate import VALUES, spots
from tests.tracking.messages import equipment, vessel
from tests.tracking.test_door_fuzz import _bytes, _damage
from tracking import instants, quickdcsa, strictjson
from tracking.adapters import dcsa
from tracking.dialects import Dialect, dialect_of
from tracking.fields import Fault, storable
from tracking.types import PLAIN, CanonicalEvent, Unreadable

GOLDEN = sorted(Path("tests/golden/dcsa").glob("*.json"))
MUTATED = 2_000


def carefully(item: Any, number: int) -> CanonicalEvent | None:
    """The event as the careful reader reads it; None when that refuses it."""
    try:
        return None if dialect_of(item) != Dialect.STABLE else dcsa._event(item, f"$[{number}]", PLAIN)
    except Fault:
        return None


def can_be_stored(item: Any) -> bool:
    """Whether it holds no NUL and no half of a pair: they come by escapes alone, and those are never read quickly."""
    try:
        storable(item, "$")
    except Fault:
        return False
    return True


def compared(items: list[Any]) -> int:
    """Reads each item both ways; returns how many were read the quick way."""
    quick = 0
    for number, item in enumerate(items):
        found = quickdcsa.event(item, number) if can_be_stored(item) else None
        if found is not None:
            quick += 1
            assert found == carefully(item, number), item
            assert [type(w) for w in found.warnings] == [type(w) for w in carefully(item, number).warnings]  # type: ignore[union-attr]
    return quick


def templates() -> list[dict[str, Any]]:
    """Events as carriers send them."""
    full = vessel("ARRI", "BK1", "2026-02-20T22:00:00+01:00", place="NLRTM", cls="EST")
    full["references"] = [{"referenceType": "EQ", "referenceValue": "MSKU1234565"},
                          {"referenceType": "PO", "referenceValue": "4711"}]  # fmt: skip
    full["transportCall"] |= {
        "facilityCode": "nlrtmdde", "facilityCodeListProvider": "BIC", "importVoyageNumber": "602E",
        "location": {"UNLocationCode": "NL RTM", "locationName": "Rotterdam", "facilityTypeCode": "ANCH"},
    }  # fmt: skip
    paper = {"documentReferenceType": "TRD (Transport)", "documentReferenceValue": " BL1 "}
    move = equipment("LOAD", "MSKU 123456-5", "2026-01-29T09:30:00Z") | {
        "isTransshipmentMove": True, "eventLocation": {"UNLocationCode": "SGSIN", "facilityCode": "X"},
        "documentReferences": [paper], "transportCall": copy.deepcopy(full["transportCall"]),
    }  # fmt: skip
    return [equipment("GTIN", "MSKU1234560", "2026-01-28T09:30:00+08:00", id="é"), move, full]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_golden_messages_are_read_alike(path: Path) -> None:
    raw = path.read_bytes()
    try:
        compared(dcsa._items(strictjson._careful(raw, strictjson.FILE)))
    except Unreadable:
        with pytest.raises(Unreadable):
            dcsa.parse(raw)


@pytest.mark.req("G6", "G7")
def test_two_thousand_damaged_events_are_read_alike() -> None:
    dice, items = random.Random(7), []
    for _n in range(MUTATED):
        items.append(_damage(dice.choice(templates()), dice))
    assert compared(items) > MUTATED // 20, "some damage leaves a usual event"


@pytest.mark.req("G6")
def test_each_hostile_value_in_each_place_is_read_alike() -> None:
    for template in templates():
        for *way, last in spots(template):
            for value in VALUES:
                item = copy.deepcopy(template)
                holder: Any = item
                for step in way:
                    holder = holder[step]
                holder[last] = value
                compared([item])


def test_the_usual_event_is_read_the_quick_way() -> None:
    assert compared(templates()) == len(templates())


def read_both(raw: bytes) -> bool:
    """Reads a document both ways; whether the quick way took it."""
    usual = strictjson._usual(raw, strictjson.DOOR)
    if usual is strictjson._UNUSUAL:
        return False
    assert json.dumps(usual) == json.dumps(strictjson._careful(raw, strictjson.DOOR))
    return True


@pytest.mark.req("W8", "G7")
def test_damaged_documents_are_read_alike_or_carefully() -> None:
    dice, quick = random.Random(11), 0
    for _n in range(MUTATED):
        quick += read_both(_bytes([_damage(dice.choice(templates()), dice)], dice))
    assert quick > MUTATED // 4


@pytest.mark.req("W8")
@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 2}', b'[{"a b": 1, "a b": 2}]', b"[1e400]", b"[NaN]", b"[1" + b"0" * 60 + b"]",
        b"[" * 40 + b"]" * 40, b'{"a":' * 33 + b"1" + b"}" * 33, b'["a\x00b"]', b"[1,]", b"", b"\xff",
        b'["a]"', b'"', b'["[","]', b"[" + b"1," * 5_000 + b"1]", b'{"a":1}{"b":2}', b"[01]", b"[1.]", b"[+1]",
    ],
)  # fmt: skip
def test_what_the_strict_reader_refuses_is_never_read_the_quick_way(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        strictjson._careful(raw, strictjson.DOOR)
    assert strictjson._usual(raw, strictjson.DOOR) is strictjson._UNUSUAL


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12,
)  # fmt: skip


@given(value=JSON, blank=st.sampled_from(["", " ", "\n\t"]), ascii_only=st.booleans())
@settings(max_examples=300, deadline=None, database=None)
def test_any_document_is_read_alike(value: Any, blank: str, ascii_only: bool) -> None:
    try:
        raw = json.dumps(value, ensure_ascii=ascii_only, separators=(f",{blank}", f":{blank}")).encode()
    except UnicodeEncodeError:
        return
    try:
        read_both(raw)
    except Unreadable:
        pytest.fail(f"the careful reader refuses what the quick one took: {raw!r}")


TIMES = st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|[+-][0-2][0-9]:[0-9]{2})", fullmatch=True)  # noqa: E501 # fmt: skip


@given(text=TIMES | st.sampled_from(["2026-W05-3T10:00:00Z", "2026-01-01T10:00:00z", "2026-01-01T10:00:00.5Z"]))
@settings(max_examples=1_000, deadline=None, database=None)
def test_a_usual_time_is_read_alike(text: str) -> None:
    quick = instants._usual(text)
    if quick is not None:
        assert quick == instants._carefully(text)
