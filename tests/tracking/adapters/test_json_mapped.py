"""JSON with a mapping: what it finds, what it refuses, and mappings that say in words what is wrong with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.adapters.golden import GOLDEN, mapping_of, messages, outcome
from tests.tracking.messages import number_of, shipment, source, take
from tests.tracking.test_ingest import counts, milestones, reasons
from tracking.adapters import json_mapped
from tracking.mappings import BadMapping, JsonMapping
from tracking.mappings import Path as Way
from tracking.models import PartnerCode, Quarantined, SightingRow, Source, ZoneRule
from tracking.reasons import Reason
from tracking.registry import adapter_for, recognised
from tracking.types import Classifier, Kind, Partner, StatusRule, Unreadable

MESSAGES = messages("json")
FOLDER = GOLDEN / "json"
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
SMALL: dict[str, Any] = {
    "fields": {"event": "what", "time": "at", "container": "box"},
    "codes": {"IN": {"code": "GTIN", "laden": "LADEN"}},
}  # fmt: skip


def parse(value: Any, mapping: dict[str, Any], **more: Any) -> Any:
    """What a mapping makes of a value."""
    return json_mapped.parse(json.dumps(value).encode(), partner=Partner(mapping=mapping, **more))


def mapped(family: str, **more: Any) -> Source:
    """A source of the operator with the mapping of a golden family."""
    made = source(format="json")
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=made.pk).update(mapping=mapping_of(FOLDER / f"{family}-x.json"), **more)
        return Source.objects.get(pk=made.pk)


@pytest.mark.req("G6", "R1.6", "X07", "X08")
@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_a_raw_message_says_what_stands_beside_it(path: Path) -> None:
    found, expected = outcome(path, "json")
    assert found == expected


def test_only_a_source_that_declares_it_is_read_by_its_mapping() -> None:
    raw = (FOLDER / "flat-journey.json").read_bytes()
    found = recognised(raw)
    assert found is not None
    assert found.key == "dcsa"
    partner = Partner(mapping=mapping_of(FOLDER / "flat-journey.json"))
    assert len(adapter_for("json", "application/json").parse(raw, partner=partner).events) == 9


def test_without_a_mapping_nothing_is_guessed() -> None:
    with pytest.raises(Unreadable) as fault:
        json_mapped.parse(b"[]")
    assert fault.value.code == Reason.NO_MAPPING
    with pytest.raises(Unreadable, match=r"fields\.time is missing") as fault:
        parse([], {"fields": {"event": "e", "container": "c"}})
    assert fault.value.code == Reason.BAD_MAPPING


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"field": {}}, "the word 'field', which is not known"),
        ({"fields": []}, "fields is []; an object is expected"),
        ({"fields": {"event": "what", "at": "at"}}, "fields has the word 'at'"),
        ({"fields": {"event": "what", "time": "a..b", "container": "c"}}, "fields.time is 'a..b'; a path"),
        ({"fields": {"event": "what", "time": 7, "container": "c"}}, "fields.time is 7; a path"),
        ({"fields": {"event": "what", "time": "", "container": "c"}}, "fields.time is empty"),
        ({"fields": {"event": "what", "time": "a[*]", "container": "c"}}, "a field is one value"),
        ({"fields": {"event": "what", "time": "at"}}, "no event finds a shipment"),
        ({"events": "@x.y"}, "events begins with ^ or @"),
        ({"envelope": "soap"}, "one of plain, json_api is expected"),
        ({"envelope": "json_api"}, "event_types is missing"),
        ({"times": "swiss"}, "one of offset, utc, local is expected"),
        ({"times": "local", "utc_without_zone_is_local": True}, "all of them are"),
        ({"utc_without_zone_is_local": "yes"}, "true or false is expected"),
        ({"constants": {"time": "now"}}, "constants has the word 'time'"),
        ({"constants": {"mode": ""}}, "constants.mode is ''; text is expected"),
        ({"constants": {"voyage": "1"}, "fields": {**SMALL["fields"], "voyage": "v"}}, "one of them is enough"),
        ({"codes": {"IN": "GTIN"}}, "codes.IN is 'GTIN'; an object is expected"),
        ({"codes": {"IN": {"code": "GATED"}}}, "a code such as GTIN or ARRI is expected"),
        ({"codes": {"IN": {"code": "HOLD"}}}, "codes.IN.document_type is missing; HOLD speaks of a document"),
        ({"codes": {"IN": {"code": "GTIN", "kind": "TRANSPORT"}}}, "codes.IN.kind is 'TRANSPORT'"),
        ({"codes": {"IN": {"code": "GTIN", "laden": True}}}, "one of LADEN, EMPTY is expected"),
        ({"codes": {"IN": {"code": "GTIN", "place_role": "HOME"}}}, "codes.IN.place_role is 'HOME'"),
        ({"codes": {f"C{n}": {"ignored": True} for n in range(2_001)}}, "2001 lines"),
        ({"classifiers": {"A": "REAL"}}, "one of PLN, EST, ACT is expected"),
        ({"laden": {"F": "FULL"}}, "one of LADEN, EMPTY is expected"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_used_says_why(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadMapping) as fault:
        JsonMapping.read({**SMALL, **change})
    assert said in str(fault.value)


@pytest.mark.parametrize("odd", [None, 7, [], "text", {}, {"fields": None}])
def test_what_is_no_mapping_at_all_says_so_too(odd: Any) -> None:
    with pytest.raises(BadMapping):
        JsonMapping.read(odd)


def test_paths_lead_out_of_the_event_and_no_further() -> None:
    value = {"name": "m", "list": [{"no": 1, "moves": [{"a": [{"b": "deep"}]}]}]}
    mapping = {
        "events": "list[*].moves", "codes": SMALL["codes"],
        "fields": {"event": "a[0].b", "time": "^.no", "container": "^^^^.x", "booking": "$.name", "bill": "a[9].b"},
    }  # fmt: skip
    (refusal,) = parse(value, mapping).refusals
    assert (refusal.code, refusal.position) == (Reason.UNKNOWN_CODE, "$[0].a[0].b")
    assert Way.read("@port.attributes.code", "x").steps == ("attributes", "code")


@pytest.mark.req("R1.0")
def test_the_partner_table_wins_over_the_mapping() -> None:
    status = {("json", "", "IN"): StatusRule(kind=Kind.EQUIPMENT, code="GTOT", classifier=Classifier.EST, laden=True)}
    value = [{"what": "in", "at": "2026-01-01T00:00:00Z", "box": "CSQU3054383"}]
    (event,) = parse(value, SMALL, status=status).events
    assert (event.code, event.classifier, event.rule) == ("GTOT", Classifier.EST, "partner table: json in")
    (event,) = parse(value, SMALL).events
    assert (event.code, event.rule) == ("GTIN", "mapping: json in")


def test_a_constant_is_held_to_the_same_length_and_is_no_part_of_the_event() -> None:
    value = [{"what": "in", "at": "2026-01-01T00:00:00Z", "box": "CSQU3054383"}]
    (event,) = parse(value, {**SMALL, "constants": {"facility": "dde"}}).events
    assert (event.facility, set(event.payload)) == ("DDE", {"event", "time", "container"})
    (refusal,) = parse(value, {**SMALL, "constants": {"voyage": "x" * 51}}).refusals
    assert refusal.code == Reason.TOO_LONG


def test_a_vessel_call_is_found_by_ship_and_voyage() -> None:
    mapping = {"fields": {"event": "e", "time": "t", "imo": "imo", "voyage": "v"}, "codes": {"D": {"code": "DEPA"}}}
    parsed = parse([{"e": "D", "t": "2026-01-01T00:00:00Z", "imo": 9321483, "v": "601W"},
                    {"e": "D", "t": "2026-01-01T00:00:00Z", "imo": 9321483}], mapping)  # fmt: skip
    assert len(parsed.events) == 1
    assert parsed.refusals[0].code == Reason.NO_REFERENCE


# --- through the door ---


def notification(name: str, number: str) -> Any:
    """A golden notification about a box of ours."""
    return json.loads((FOLDER / f"notification-{name}.json").read_text().replace("CSQU3054383", number))


@pytest.mark.req("R1.2", "G2")
def test_a_notification_moves_its_shipment_and_keeps_what_is_said_of_it_alone(acme) -> None:
    s, aggregator = shipment(acme), mapped("notification")
    told = notification("arrived", number_of(s))
    assert counts(take(aggregator, told, at=NOW)) == (1, 1, 0, 0)
    assert milestones(s) == {"VESSEL_ARRIVED": datetime(2026, 2, 24, 5, 20, tzinfo=UTC)}
    told["data"]["attributes"]["delivery_status"] = "retried"
    assert counts(take(aggregator, told, at=NOW)) == (1, 0, 1, 0)
    with as_tenant(acme.pk):
        row = SightingRow.objects.get(shipment=s)
    assert (row.zone, row.source_offset) == ("Europe/Amsterdam", 60)
    assert row.payload["container"] == number_of(s)
    assert "MSKU0000011" not in json.dumps(row.payload)


@pytest.mark.req("R1.6", "X08")
def test_local_time_labelled_utc_waits_until_its_zone_is_known(acme) -> None:
    s, aggregator = shipment(acme), mapped("notification")
    told = notification("unplaced", number_of(s))
    assert reasons(take(aggregator, told, at=NOW)) == ["no_zone"]
    assert milestones(s) == {}
    fixed = mapped("notification", zone_rule=ZoneRule.FIXED, zone="Europe/Amsterdam")
    take(fixed, told, at=NOW)
    with as_tenant(acme.pk):
        assert SightingRow.objects.get(shipment=s).event_time == datetime(2026, 2, 26, 8, 12, tzinfo=UTC)


@pytest.mark.req("G5")
def test_a_notification_without_its_event_says_that_a_further_call_is_needed(acme) -> None:
    aggregator = mapped("notification")
    message = take(aggregator, notification("nothing-included", "CSQU3054383"), at=NOW)
    with as_tenant(OPERATOR_ID):
        waiting = Quarantined.objects.get(message=message)
    assert waiting.position == "$[0].included"
    assert "A further call is needed: ask its sender for 'transport_event t-7'" in waiting.detail


def test_an_event_that_was_mapped_later_is_read_when_it_is_tried_again(acme) -> None:
    from tracking.services import quarantine_replay

    s, aggregator = shipment(acme), mapped("notification")
    message = take(aggregator, notification("unknown", number_of(s)), at=NOW)
    assert reasons(message) == ["unknown_code"]
    with as_tenant(OPERATOR_ID):
        PartnerCode.objects.create(
            source=aggregator, listed="json", code="container.transport.teleported", event_code="ARRI",
            kind="TRANSPORT", changed_at=NOW, changed_by="Olga", mode="VESSEL",
        )  # fmt: skip
        waiting = Quarantined.objects.get(message=message)
        assert quarantine_replay(public_id=waiting.public_id, at=NOW, actor="Olga").state == "REPLAYED"
    assert set(milestones(s)) == {"VESSEL_ARRIVED"}


def test_withdrawals_may_be_mapped(acme) -> None:
    s, own = shipment(acme), mapped("flat")
    told = json.loads((FOLDER / "flat-journey.json").read_text().replace("CSQU 305438-3", number_of(s)))
    told["data"]["bookingNumber"] = None
    message = take(own, told, at=NOW)
    assert (message.events_received, message.events_accepted) == (10, 8)
    assert sorted(reasons(message)) == ["no_zone", "not_tracked"]
    assert "VESSEL_DEPARTED" not in milestones(s)
    assert {"GATE_IN_FULL", "GATE_OUT_FULL", "EMPTY_RETURN"} <= set(milestones(s))
