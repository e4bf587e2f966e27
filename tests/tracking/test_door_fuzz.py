"""Hundreds of damaged messages at the ingest door: never a fault of ours, and every event is counted once (G6, G7)."""

from __future__ import annotations

import copy
import json
import random
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from tests.tracking.messages import box, equipment, number_of, shipment, source, vessel
from tracking.models import InboundMessage, MessageState, Quarantined

pytestmark = [pytest.mark.slow, pytest.mark.walls, pytest.mark.req("G6", "G7")]
MESSAGES = 500

# What a careless or hostile sender may put where a value stands.
HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 10**39, 1.5, 1e308, -0.0, "", " ", "\u0000", "a\u0000b", "\ud800", "a\udfff", "\u202e", "\ufeff",
    "\U0001f6a2" * 40, "x" * 16, "x" * 33, "x" * 513, "x" * 5_000,
    # letters that grow when they are written in upper case
    "ß" * 5, "ß" * 15, "ß" * 16, "ß" * 32, "ß" * 64, "ß" * 100, "ŉ" * 15, "ΐ" * 64, "ﬃ" * 50,
    "MSKU123456789012", "' or 1=1 --", "=cmd|' /C calc'!A0", "../../etc/passwd", "%s%n{0}", "٣٤٥", "CN SHA", "cnsha",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "0001-01-01",
    "2026-02-30", "0000-00-00", "2026-03-29T02:30:00",
    "2026-03-01", "2026-03-01T24:00:00Z", "1e400", "NaN", "SHIPMENT", "TRANSPORT", "EQUIPMENT", "ACT", "VOID", "LADEN",
    [], {}, [[]], {"": ""}, [None], {"x": {"x": {"x": [1.5, {"y": "\ud800"}]}}}, ["\u0000"], {"\u0000": 1},
)  # fmt: skip
ADDED = (
    "transportCall", "eventLocation", "references", "documentReferences", "reason", "changeRemark", "facilityCode",
    "documentID", "documentTypeCode", "shipmentEventTypeCode", "isTransshipmentMove", "delayReasonCode", "events",
    "carrierBookingReference", "metadata", "payload", "eventClassification", "isRetracted", "seals", "x" * 300,
    "\u0000",
)  # fmt: skip


def _spots(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of every value inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, part in inner for path in ((*at, key), *_spots(part, (*at, key)))]


def _damage(event: Any, dice: random.Random) -> Any:
    """One event with one to three values replaced, taken away or added."""
    event = copy.deepcopy(event)
    for _n in range(dice.randint(1, 3)):
        spots = _spots(event)
        if not spots or not isinstance(event, dict):
            return event
        *way, last = dice.choice(spots)
        holder = event
        for step in way:
            holder = holder[step]
        done = dice.random()
        if done < 0.7:
            holder[last] = copy.deepcopy(dice.choice(HOSTILE))
        elif done < 0.8:
            del holder[last]
        else:
            event[dice.choice(ADDED)] = copy.deepcopy(dice.choice(HOSTILE))
    return event


def _bytes(events: list[Any], dice: random.Random) -> bytes:
    """The message on the wire; one in eight is damaged there too."""
    raw = json.dumps(events, ensure_ascii=dice.random() < 0.7).encode("utf-8", "surrogatepass")
    if dice.random() >= 0.125:
        return raw
    cut = dice.randrange(len(raw))
    return dice.choice((raw[:cut], raw[:cut] + bytes([dice.randrange(256)]) + raw[cut + 1 :], raw[:cut] + b"\0"))


@pytest.fixture
def line() -> Callable[..., Any]:
    """Sends raw bytes to a fresh source's door."""
    made = source()
    with as_tenant(OPERATOR_ID):
        _key, key = key_create(label="feed", at=clock.now(), scope="events:write", source_key=made.key)
    client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {key}"})
    return lambda raw, kind="application/json": client.post(f"/ingest/{made.key}", data=raw, content_type=kind)


def _templates(account: Any) -> list[dict[str, Any]]:
    made = shipment(account, booking="FUZZ" + secrets.token_hex(4).upper())
    number = number_of(made)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    paper = {
        "eventID": secrets.token_hex(8), "eventType": "SHIPMENT", "eventClassifierCode": "ACT",
        "eventDateTime": "2026-01-12T09:30:00Z", "eventCreatedDateTime": "2026-01-12T09:30:00Z",
        "shipmentEventTypeCode": "CONF", "documentTypeCode": "BKG", "documentID": booking, "reason": "as booked",
    }  # fmt: skip
    full = vessel("ARRI", booking, "2026-02-20T22:00:00", place="NLRTM", cls="EST")
    full["references"] = [{"referenceType": "EQ", "referenceValue": number}]
    full["transportCall"] |= {
        "facilityCode": "NLRTMDDE",
        "facilityCodeListProvider": "BIC",
        "importVoyageNumber": "602E",
        "location": {"UNLocationCode": "NLRTM", "locationName": "Rotterdam", "latitude": "51.9"},
    }
    return [
        equipment("GTIN", number, "2026-01-28T09:30:00+08:00"),
        equipment("LOAD", box(), "2026-01-29T09:30:00+08:00", transportCall=copy.deepcopy(full["transportCall"])),
        full,
        paper,
    ]


def test_damaged_messages_are_counted_and_never_a_fault(acme, line, caplog) -> None:
    dice = random.Random(20260315)
    seen: dict[int, int] = {}
    for n in range(MESSAGES):
        if n % 25 == 0:  # a shipment of which everything was said a hundred times takes its time
            templates = _templates(acme)
        events = [_damage(e, dice) for e in dice.sample(templates, dice.randint(1, 3))]
        for e in events:
            if isinstance(e, dict) and isinstance(e.get("eventID"), str) and dice.random() < 0.8:
                e["eventID"] = f"{e['eventID'][:400]}{n}"  # else one event in many versions
        raw = _bytes(events, dice)
        answer = line(raw, dice.choice(("application/json", "text/plain", "application/octet-stream")))
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        assert answer.status_code in (200, 400), (answer.status_code, raw[:2_000])
        if answer.status_code == 200:
            told = answer.json()
            assert told["state"] == MessageState.APPLIED
            assert told["received"] == told["accepted"] + told["duplicate"] + told["quarantined"], raw[:2_000]
            assert sum(told["quarantined_by_reason"].values()) == told["quarantined"]
            assert "parser_failed" not in told["quarantined_by_reason"], raw[:2_000]
    assert seen[200] > MESSAGES * 0.7
    assert "Traceback" not in caplog.text


def test_every_damage_in_every_place_is_told(acme, line) -> None:
    """Not by chance: each hostile value once in each place of each template, in batches."""
    events = []
    for template in _templates(acme):
        for *way, last in _spots(template):
            for value in HOSTILE:
                event = copy.deepcopy(template)
                holder: Any = event
                for step in way:
                    holder = holder[step]
                holder[last] = value
                if last != "eventID":
                    event["eventID"] = secrets.token_hex(8)
                events.append(event)
    for start in range(0, len(events), 500):
        part = events[start : start + 500]
        answer = line(json.dumps(part).encode())
        assert answer.status_code == 200, (start, answer.content[:500])
        told = answer.json()
        assert told["received"] == len(part) == told["accepted"] + told["duplicate"] + told["quarantined"]
        assert "parser_failed" not in told["quarantined_by_reason"]
    with as_tenant(OPERATOR_ID):
        assert not InboundMessage.objects.filter(state=MessageState.RECEIVED, source__key__startswith="src-").exists()
        assert Quarantined.objects.filter(reason="bad_text").exists()
