"""JSON made to hurt: nested, huge, ambiguous; each is refused or read in time and memory that do not depend on luck."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.tracking.adapters.test_dcsa_3 import event as event_3
from tests.tracking.messages import equipment, number_of, shipment
from tests.tracking.test_door_fuzz import Door
from tracking import strictjson
from tracking.fields import LARGEST
from tracking.reasons import Reason
from tracking.registry import adapter_for, recognised
from tracking.types import Partner, Unreadable

pytestmark = [pytest.mark.req("W8", "G7")]
N = strictjson.DOOR.bytes - 100
PATIENCE = 20  # seconds; what is quadratic would take hours
BOMBS: dict[str, tuple[Callable[[], bytes], Reason | None]] = {
    "white space in a string": (lambda: b'["\n' + b" " * 60_000 + b'x"]', Reason.NOT_JSON),
    "white space around": (lambda: b" " * (N // 2) + b"[]" + b" " * (N // 2), None),
    "closing brackets": (lambda: b"[" + b"]" * N, Reason.NOT_JSON),
    "colons": (lambda: b"{" + b":" * N, Reason.NOT_JSON),
    "short strings": (lambda: b"[" + b'"",' * (N // 3), Reason.TOO_MANY_ITEMS),
    "backslashes": (lambda: b'["' + b"\\" * N, Reason.TRUNCATED_JSON),
    "a digit after the other": (lambda: b"[" + b"9" * N + b"]", Reason.BAD_NUMBER),
    "an exponent": (lambda: b"[1e" + b"9" * N + b"]", Reason.BAD_NUMBER),
    "a fraction": (lambda: b"[0." + b"9" * N + b"]", Reason.BAD_NUMBER),
    "lists in lists": (lambda: b"[" * 400_000, Reason.TOO_DEEP),
    "objects in objects": (lambda: b'{"a":' * 400_000, Reason.TOO_DEEP),
    "more lists than values may be": (lambda: b"[" * N, Reason.TOO_MANY_ITEMS),
    "small objects": (lambda: b"[" + b"{}," * (N // 3) + b"{}]", Reason.TOO_MANY_ITEMS),
    "a long list": (lambda: b"[" + b"1," * 400_000 + b"1]", Reason.TOO_MANY_ITEMS),
    "a long list further in": (lambda: b'{"a":{"b":[' + b"1," * 400_000 + b"1]}}", Reason.TOO_MANY_ITEMS),
    "one key again and again": (lambda: b"{" + b'"a":1,' * 400_000 + b'"a":1}', Reason.DUPLICATE_KEY),
    "a key that was written otherwise": (lambda: b'{"a":1,"\\u0061":2}', Reason.DUPLICATE_KEY),
    "many keys": (lambda: b"{" + b",".join(b'"%d":1' % n for n in range(400_000)) + b"}", None),
    "a long string": (lambda: b'["' + b"x" * N + b'"]', None),
    "a long string cut off": (lambda: b'[{"a":"' + b"x" * N, Reason.TRUNCATED_JSON),
    "a long list cut off": (lambda: b"[" + b'{"a":1},' * 200_000 + b'{"a":', Reason.TRUNCATED_JSON),
    "more than a door takes": (lambda: b" " * (N + 200), Reason.TOO_LARGE),
}


@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused_or_read_in_bounded_time(name: str) -> None:
    make, reason = BOMBS[name]
    raw, said, detail = make(), None, ""
    started = time.monotonic()
    recognised(raw)
    try:
        strictjson.loads(raw, limits=strictjson.DOOR)
    except Unreadable as fault:
        said, detail = fault.code, fault.detail
    assert (said, len(detail) < 400) == (reason, True)
    assert time.monotonic() - started < PATIENCE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["short strings", "many keys", "small objects", "a long list", "a long string"])
def test_it_takes_memory_by_its_size_and_no_more(name: str) -> None:
    raw = BOMBS[name][0]()
    tracemalloc.start()
    try:
        recognised(raw)
        with pytest.raises(Unreadable):
            strictjson.loads(raw, limits=strictjson.Limits(bytes=len(raw), items=500_000, length=0, depth=1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150 * 1024 * 1024


def large(kind: Any) -> Any:
    """An event with far more beside it than any event has."""
    return {**kind, "extra": ["x" * 1_000] * (LARGEST // 1_000 + 1)}


@pytest.mark.parametrize(
    ("declared", "event"),
    [
        ("dcsa", equipment("GTIN", "CSQU3054383", "2026-01-28T09:30:00+08:00")),
        ("dcsa_3", event_3("EQUIPMENT", "GATED_IN", "2026-01-28T09:30:00+08:00")),
    ],
)
def test_one_event_is_no_hiding_place(declared: str, event: Any) -> None:
    """What an event holds is stored with each shipment it concerns; only what it refers to may be long."""
    listed = {"documentReferences": [{"documentReferenceType": "BKG", "documentReferenceValue": f"B{n}"}
                                     for n in range(2_000)]}  # fmt: skip
    papers = {"shipmentDetails": {"additionalDocumentReferences": [{"type": "BOOKING", "reference": f"B{n}"}
                                                                   for n in range(2_000)]}}  # fmt: skip
    raw = json.dumps([event, large(event), {**event, **(listed if declared == "dcsa" else papers)}]).encode()
    parsed = adapter_for(declared).parse(raw)
    assert [e.position for e in parsed.events] == ["$[0].eventDateTime", "$[2].eventDateTime"]
    assert (parsed.refusals[0].code, parsed.refusals[0].position) == (Reason.TOO_LONG, "$[1]")


def test_a_mapped_message_holds_no_more_events_than_are_allowed_however_they_are_nested() -> None:
    mapping = {"events": "[*].e", "fields": {"event": "a", "time": "b", "container": "c"}}
    raw = json.dumps([{"e": [1] * 4_000}] * 13).encode()
    with pytest.raises(Unreadable) as fault:
        adapter_for("json").parse(raw, partner=Partner(mapping=mapping))
    assert fault.value.code == Reason.TOO_MANY_ITEMS


def test_a_message_whose_parts_name_each_other_is_read_once() -> None:
    """JSON:API lets every resource name every other; each event is read once, each link looked up."""
    links = {f"r{n}": {"data": [{"type": "event", "id": str(m)} for m in range(400)]} for n in range(40)}
    mapping = {
        "envelope": "json_api", "event_types": ["event"],
        "fields": {"event": "attributes.e", "time": "t", "container": "@box.no"},
    }  # fmt: skip
    included = [{"type": "event", "id": str(n), "relationships": {"box": {}}} for n in range(400)]
    value = {"data": {"type": "note", "id": "1", "relationships": links}, "included": included}
    started = time.monotonic()
    parsed = adapter_for("json").parse(json.dumps(value).encode(), partner=Partner(mapping=mapping))
    assert parsed.received == 400
    assert time.monotonic() - started < PATIENCE


@pytest.mark.slow
def test_the_door_says_no_and_goes_on(acme) -> None:
    made = shipment(acme)
    post = Door()
    for name, (make, reason) in BOMBS.items():
        answer = post(make())
        if reason is None:
            assert answer.status_code in (200, 400), name
        else:
            assert answer.status_code == (413 if reason == Reason.TOO_LARGE else 400), name
            assert answer.json()["detail"]
    answer = post(json.dumps([equipment("GTIN", number_of(made), "2026-01-28T09:30:00+08:00")]).encode())
    assert answer.json()["accepted"] == 1
