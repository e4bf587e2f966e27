"""Whatever is asked, and whatever stood in a message: an answer of the standard, and never a fault of ours (W8, F)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracking import outward
from tests.tracking.dcsa_schema import check, check_event
from tests.tracking.outward import EVENTS, SUBSCRIPTIONS
from tracking.dcsaevents import About, Spot, Surroundings, Told, event_id, event_json, key_head
from tracking.dcsaquery import (
    DOCUMENTS,
    EQUIPMENT_CODES,
    SHIPMENT_CODES,
    TRANSPORT_CODES,
    QueryRefused,
    filters_of,
    query_of,
    subscription_of,
)

pytestmark = pytest.mark.req("W8", "W6", "T9")
_NAMES = [
    "eventType", "shipmentEventTypeCode", "documentTypeCode", "transportEventTypeCode", "equipmentEventTypeCode",
    "carrierBookingReference", "bookingReference", "transportDocumentReference", "transportCallID", "vesselIMONumber",
    "exportVoyageNumber", "carrierVoyageNumber", "carrierServiceCode", "UNLocationCode", "equipmentReference",
    "eventCreatedDateTime", "eventCreatedDateTime:gte", "eventCreatedDateTime:lt", "eventCreatedDateTime:xx", "limit",
    "cursor", "sort", "scheduleID", "tenant_id", "shipment__ref", "r.payload",
]  # fmt: skip
_VALUES = [
    "SHIPMENT", "TRANSPORT,EQUIPMENT", "GTIN", "DRFT,RECE", "ARRI", "TRD", "PLBK0001", "MSKU7000013", "9074729",
    "NLRTM",
    "2026-02-02T04:00:00Z", "2026-02-02T04:00:00+14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0",
    "1", "99999999999999999999", "-1", "1e3", "eventCreatedDateTime:DESC", "eventDateTime", "%", "%s", "';--", "\\",
    "a" * 300, "١٢٣", "ß", "\u202e", "{}", "[]", "null", ",", ":",
]  # fmt: skip
_value = st.one_of(st.sampled_from(_VALUES), st.text(max_size=40), st.datetimes().map(lambda at: f"{at.isoformat()}Z"))
_pairs = st.lists(st.tuples(st.one_of(st.sampled_from(_NAMES), st.text(max_size=12)), _value), max_size=6)
_quick = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_quick
@given(_pairs)
def test_any_question_is_answered_or_refused(pairs: list[tuple[str, str]]) -> None:
    world = outward.world()
    query = urlencode(pairs, quote_via=quote, errors="replace")
    response = world.client.get(f"{EVENTS}?{query}")
    assert response.status_code in (200, 400), (query, response.content)
    if response.status_code == 400:
        check("error", response.json())
    else:
        assert set(world.called(response.json())) <= set(world.ids)


@_quick
@given(_pairs)
def test_reading_a_question_ends_in_a_query_or_in_faults(pairs: list[tuple[str, str]]) -> None:
    faults, query = (), None
    try:
        query = query_of(pairs)
    except QueryRefused as refused:
        faults = refused.faults
    assert bool(faults) == (query is None)
    assert all(f.reason.isascii() and f.message.isprintable() for f in faults)
    if query is not None:
        assert query_of(query.asked).filters == query.filters  # what a cursor carries says the same


_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.sampled_from(_VALUES)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)),
    max_leaves=8,
)


@_quick
@given(st.one_of(_json, st.dictionaries(st.sampled_from([*_NAMES, "callbackUrl", "secret"]), _json, max_size=6)))
def test_any_body_of_a_subscription_is_taken_or_refused(body: Any) -> None:
    response = outward.world().client.post(SUBSCRIPTIONS, json.dumps(body), content_type="application/json")
    assert response.status_code == 400, response.content  # never an address that could be called
    check("error", response.json())
    try:
        asked = subscription_of(body, with_secret=True)
    except QueryRefused:
        return
    assert filters_of(asked.written) == asked.filters  # what is kept reads as it was read


# --- messages of any shape ---

_PARTS = [
    "transportCall", "eventLocation", "location", "vessel", "seals", "ISOEquipmentCode", "delayReasonCode",
    "documentID",
    "transportCallID", "carrierServiceCode", "exportVoyageNumber", "importVoyageNumber", "transportCallSequenceNumber",
    "facilityTypeCode", "facilityCodeListProvider", "otherFacility", "vesselFlag", "vesselOperatorCarrierCode",
    "vesselOperatorCarrierCodeListProvider", "sealNumber", "sealType", "sealSource", "latitude", "longitude",
]  # fmt: skip
_words = st.sampled_from(["POTE", "SMDG", "BIC", "KLP", "CUS", "DE", "22GP", "WEA", "x" * 60, " ", "NMFTA", "pote"])
_payload = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), _words),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(_PARTS), inner, max_size=6)),
    max_leaves=25,
)
_codes = {"TRANSPORT": TRANSPORT_CODES, "EQUIPMENT": EQUIPMENT_CODES, "SHIPMENT": SHIPMENT_CODES}
_text = st.text(max_size=60)


@st.composite
def _told(draw: Any) -> Told:
    kind = draw(st.sampled_from(sorted(_codes)))
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 500_000)))
    return Told(
        id=1, shipment_id=1, source="s", event_key="0f" * 32, kind=kind, code=draw(st.sampled_from(_codes[kind])),
        classifier=draw(st.sampled_from(["ACT", "EST", "PLN"])), event_time=at,
        source_offset=draw(st.one_of(st.none(), st.integers(-840, 840))),
        zone=draw(st.sampled_from(["", "Asia/Shanghai", "America/Argentina", "Asia/Kolkata"])),
        container=draw(st.sampled_from(["", "MSKU7000013", "X" * 16])),
        place=draw(st.sampled_from(["", "NLRTM", "DEPOT-9"])),
        facility=draw(st.sampled_from(["", "ECT", "TOO-LONG"])), laden=draw(st.sampled_from([None, True, False])),
        mode=draw(st.sampled_from(["VESSEL", "SEA", "ROAD", "RAIL", "BARGE"])), voyage=draw(st.text(max_size=50)),
        vessel=draw(st.text(max_size=80)), vessel_imo=draw(st.sampled_from(["", "9321483", "93214837"])),
        document_type=draw(st.sampled_from([*DOCUMENTS, "CUC", "BOK"])), reason=draw(st.text(max_size=250)),
        recorded_at=at + timedelta(minutes=draw(st.integers(0, 100))),
        payload=draw(st.dictionaries(st.sampled_from(_PARTS), _payload, max_size=6)),
        transport_call=draw(st.text(min_size=1, max_size=100)),
    )  # fmt: skip


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_told(), st.lists(st.tuples(st.sampled_from(["BOOKING", "MBL", "HBL", "PO"]), _text), max_size=4))
def test_whatever_stood_in_the_message_the_event_is_valid(told: Told, references: list[tuple[str, str]]) -> None:
    around = Surroundings(
        shipments={1: About(public_id="p", ref="R", references=tuple(references), boxes=("MSKU7000013",))},
        places={"NLRTM": Spot(name="Rotterdam", zone="Europe/Amsterdam")},
    )
    event = event_json(told, around)
    check_event(event)
    assert key_head(event_id("p", "s", told.event_key)) == told.event_key[:12]
    if told.kind != "SHIPMENT":
        assert datetime.fromisoformat(event["eventDateTime"]) == told.event_time
    assert datetime.fromisoformat(event["eventCreatedDateTime"]) == told.recorded_at
