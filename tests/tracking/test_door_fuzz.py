"""Hundreds of damaged messages at the ingest door: never a fault of ours, and every event is counted once (G6, G7)."""

from __future__ import annotations

import copy
import json
import random
import secrets
from collections import Counter
from itertools import islice
from typing import Any

import pytest
from django.test import Client

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from tests.tracking.adapters.mutate import NAMES, VALUES, spots, stream
from tests.tracking.messages import box, equipment, number_of, shipment, source, vessel
from tracking.adapters.manual import MANUAL
from tracking.models import InboundMessage, MessageState, Quarantined, Source

pytestmark = [pytest.mark.slow, pytest.mark.walls, pytest.mark.req("G6", "G7")]
MESSAGES = 500
ALL_FORMATS = 200


def _damage(event: Any, dice: random.Random) -> Any:
    """One event with one to three values replaced, taken away or added."""
    event = copy.deepcopy(event)
    for _n in range(dice.randint(1, 3)):
        listed = spots(event)
        if not listed or not isinstance(event, dict):
            return event
        *way, last = dice.choice(listed)
        holder = event
        for step in way:
            holder = holder[step]
        done = dice.random()
        if done < 0.7:
            holder[last] = copy.deepcopy(dice.choice(VALUES))
        elif done < 0.8:
            del holder[last]
        else:
            event[dice.choice(NAMES)] = copy.deepcopy(dice.choice(VALUES))
    return event


def _bytes(events: list[Any], dice: random.Random) -> bytes:
    """The message on the wire; one in eight is damaged there too."""
    raw = json.dumps(events, ensure_ascii=dice.random() < 0.7).encode("utf-8", "surrogatepass")
    if dice.random() >= 0.125:
        return raw
    cut = dice.randrange(len(raw))
    return dice.choice((raw[:cut], raw[:cut] + bytes([dice.randrange(256)]) + raw[cut + 1 :], raw[:cut] + b"\0"))


class Door:
    """The ingest door of a fresh source; called with raw bytes it sends them there."""

    def __init__(self, *, mapping: Any = None, **more: Any) -> None:
        self.source = source(**more)
        with as_tenant(OPERATOR_ID):
            Source.objects.filter(pk=self.source.pk).update(mapping=mapping or {})
            _key, key = key_create(label="feed", at=clock.now(), scope="events:write", source_key=self.source.key)
        self.client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {key}"})

    def __call__(self, raw: bytes, kind: str = "application/json") -> Any:
        return self.client.post(f"/ingest/{self.source.key}", data=raw, content_type=kind)


@pytest.fixture
def line() -> Door:
    """The door of a source that sends DCSA."""
    return Door()


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


def _counted(answer: Any, raw: bytes) -> None:
    """Applied with every event counted once, or refused before it is kept; never a fault of ours."""
    assert answer.status_code in (200, 400), (answer.status_code, raw[:2_000])
    if answer.status_code == 200:
        told = answer.json()
        assert told["state"] == MessageState.APPLIED
        assert told["received"] == told["accepted"] + told["duplicate"] + told["quarantined"], raw[:2_000]
        assert sum(told["quarantined_by_reason"].values()) == told["quarantined"]
        assert "parser_failed" not in told["quarantined_by_reason"], raw[:2_000]


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
        _counted(answer, raw)
    assert seen[200] > MESSAGES * 0.7
    assert "Traceback" not in caplog.text


def test_damaged_messages_of_every_format_are_counted(acme, caplog) -> None:
    """The golden messages, about a shipment that is there, damaged and sent through the doors of their sources."""
    made = shipment(acme, booking="FUZZ" + secrets.token_hex(4).upper())
    number = number_of(made).encode()
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written.encode()
    doors: dict[tuple[str, str], Door] = {}
    seen: Counter[str] = Counter()
    # what people enter by hand has no door for systems
    messages = ((sample, raw) for sample, raw in stream(random.Random(20260316)) if sample.key != MANUAL.key)
    for sample, raw in islice(messages, ALL_FORMATS):
        family = (sample.key, sample.path.stem.partition("-")[0] if sample.mapping else "")
        if family not in doors:
            doors[family] = Door(format=sample.key, mapping=sample.mapping)
        ours = raw.replace(b"CSQU3054383", number).replace(b"ABC709951", booking)
        kind = "application/json" if ours.lstrip()[:1] in (b"[", b"{") else "application/octet-stream"
        answer = doors[family](ours, kind)
        _counted(answer, ours)
        seen[str(answer.status_code)] += 1
        seen[sample.key] += answer.json()["accepted"] if answer.status_code == 200 else 0
    assert seen["200"] > ALL_FORMATS * 0.7
    assert {"dcsa_3", "json"} <= seen.keys()
    assert min(seen["dcsa_3"], seen["json"]) > 0, "some of it reached the shipment"
    assert "Traceback" not in caplog.text


def test_every_damage_in_every_place_is_told(acme, line) -> None:
    """Not by chance: each hostile value once in each place of each template, in batches."""
    events = []
    for template in _templates(acme):
        for *way, last in spots(template):
            for value in VALUES:
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
        ours = InboundMessage.objects.filter(source__key=line.source.key)
        assert {message.state for message in ours} == {MessageState.APPLIED}
        assert Quarantined.objects.filter(message__in=ours, reason="bad_text").exists()
