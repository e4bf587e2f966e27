"""Our events in the words of DCSA Track & Trace 2.2.0: every filter, page and refusal as its document says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import fastjsonschema
import pytest
from django.conf import settings

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create, key_revoke
from tests import cast
from tests.contracts.test_query_counts import asked
from tests.doors import client_of
from tests.servers import ROOT
from tests.tracking import outward
from tests.tracking.dcsa_schema import DOCUMENT, check, check_event
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.outward import EVENTS, GOLDEN
from tests.tracking.pages import NOW, many, tiered
from tracking import dcsaquery, published
from tracking.derivation import sightings_of
from tracking.effective import live_versions
from tracking.models import MilestoneRow, SightingRow
from tracking.services import source_setting_set

pytestmark = pytest.mark.req("T9", "W6", "W8", "W9")
QUERIES = json.loads((GOLDEN / "queries.json").read_text())


def pages_of(response: Any) -> list[str]:
    return sorted(name for name in response.headers if name.endswith("-Page"))


def page(client: Any, address: str) -> list[dict[str, Any]]:
    """The events at an address, each against the standard's schema."""
    response = client.get(address)
    assert response.status_code == 200, response.content
    events = response.json()
    for event in events:
        check_event(event)
    return events


def by_name(name: str) -> dict[str, Any]:
    world = outward.world()
    (event,) = [e for e in page(world.client, EVENTS) if e["eventID"] == world.ids[name]]
    return event


# --- questions and answers ---


@pytest.mark.parametrize("case", [q for q in QUERIES if q["status"] == 200], ids=lambda q: q["says"])
def test_a_question_is_answered_as_the_document_says(case: dict[str, Any]) -> None:
    world = outward.world()
    response = world.client.get(f"{EVENTS}?{case['query']}")
    assert response.status_code == 200, response.content
    assert (response.headers["API-Version"], response.headers["Content-Type"]) == ("2.2.0", "application/json")
    assert world.called(response.json()) == case["events"]
    assert pages_of(response) == case["pages"]
    for event in response.json():
        check_event(event)
    for step in case.get("follow", "").split():
        assert response.headers[step].startswith(settings.PUBLIC_URL)
        response = world.client.get(response.headers[step].removeprefix(settings.PUBLIC_URL))
    if "then" in case:
        assert world.called(response.json()) == case["then"]["events"]
        assert pages_of(response) == case["then"]["pages"]


@pytest.mark.parametrize("case", [q for q in QUERIES if q["status"] != 200], ids=lambda q: q["says"])
def test_what_cannot_be_answered_is_refused_in_the_standards_own_body(case: dict[str, Any]) -> None:
    with clock.set_to(NOW):
        response = outward.world().client.get(f"{EVENTS}?{case['query']}")
    assert response.status_code == case["status"]
    assert response.headers["API-Version"] == "2.2.0"
    body = response.json()
    check("error", body)
    assert (body["httpMethod"], body["statusCodeText"]) == ("GET", "Bad Request")
    assert body["requestUri"] == f"{settings.PUBLIC_URL}{EVENTS}?{case['query']}"
    assert body["errorDateTime"] == "2026-03-15T12:00:00Z"
    assert [e["reason"] for e in body["errors"]] == [e["reason"] for e in case["errors"]]
    for said, wanted in zip(body["errors"], case["errors"], strict=True):
        assert wanted["message_holds"] in said["message"]


def test_every_parameter_of_the_document_is_known_and_tried() -> None:
    named = set(DOCUMENT["operations"]["GET /v2/events"]["parameters"])
    tried = {pair.partition("=")[0].partition(":")[0] for q in QUERIES for pair in q["query"].split("&") if pair}
    assert named - tried == set()
    for name in named - {"cursor"}:
        with pytest.raises(dcsaquery.QueryRefused) as refused:
            dcsaquery.query_of([(name, "")])
        assert {f.reason for f in refused.value.faults} <= {"invalidValue", "invalidSort", "deprecatedParameter"}


def test_the_schema_can_say_no() -> None:
    event = by_name("gate-in@one")
    for name in ("emptyIndicatorCode", "eventDateTime"):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check_event({k: v for k, v in event.items() if k != name})
    with pytest.raises(fastjsonschema.JsonSchemaException):
        check_event(event | {"equipmentEventTypeCode": "AVPU"})


def test_what_the_document_of_ours_shows_is_true() -> None:
    """docs/dcsa.md: its event fits the schema, its parameters are those that are read."""
    page_of_ours = (ROOT / "docs" / "dcsa.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", page_of_ours, flags=re.DOTALL)
    check_event(json.loads(shown))
    table = page_of_ours.split("## Events", 1)[1].split("### What an event says", 1)[0]
    for name in set(DOCUMENT["operations"]["GET /v2/events"]["parameters"]):
        assert f"`{name}`" in table, name


# --- how an event is written ---

_WRITTEN = json.loads((GOLDEN / "events.json").read_text())


@pytest.mark.parametrize("name", sorted(_WRITTEN))
def test_an_event_is_written_from_the_record(name: str) -> None:
    event = by_name(name)
    assert {k: v for k, v in event.items() if k != "eventID"} == _WRITTEN[name]


@pytest.mark.req("T13", "R1.0")
def test_nothing_of_others_is_given_out() -> None:
    world = outward.world()
    told = world.client.get(EVENTS).content.decode()
    foreign = [s.key for s in world.sources.values()] + ["OTHERS99", "4711-OF-ANOTHER", "PLBK0009", "PL-0009"]
    assert [word for word in foreign if word in told] == []
    other = client_of(None, key=world.keys["anothers"])
    assert world.called(other.get(EVENTS).json()) == ["of-another@strange"]


def test_one_event_is_found_by_its_id_and_by_nobody_else() -> None:
    world = outward.world()
    for event in page(world.client, EVENTS):
        assert world.client.get(f"{EVENTS}/{event['eventID']}").json() == event
    other = client_of(None, key=world.keys["anothers"])
    unknown = [
        other.get(f"{EVENTS}/{world.ids['gate-in@one']}"), world.client.get(f"{EVENTS}/not-a-uuid"),
        world.client.get(f"{EVENTS}/00000000-0000-8000-8000-000000000000"),
        world.client.get(f"{EVENTS}/{world.ids['out-by-mistake@three']}"),  # withdrawn
        world.client.get(f"{EVENTS}/{world.ids['available@one']}"),  # 2.2.0 has no word for it
    ]  # fmt: skip
    assert [r.status_code for r in unknown] == [404] * 5
    for response in unknown:
        check("error", response.json())
        assert response.json()["errors"] == [{"reason": "notFound", "message": "There is nothing at this address."}]


@pytest.mark.req("R1.2", "R1.3", "R1.4")
def test_what_counts_is_what_the_rules_call_live(acme) -> None:
    """Corrections, withdrawals, repeats, in an unlucky order: the same as effective.live_versions says."""
    tiered(acme, "PRIORITY")
    made, line = shipment(acme), source()
    number, at = number_of(made), datetime(2026, 2, 10, tzinfo=UTC)

    def told(n: int, name: str, when: str, created: str, **more: Any) -> None:
        event = equipment("GTIN", number, when, id=name, created=created, **more)
        take(line, [event], at=at + timedelta(minutes=n))

    told(1, "moved", "2026-02-01T10:00:00+08:00", "2026-02-01T10:00:00Z")
    told(2, "moved", "2026-02-01T12:00:00+08:00", "2026-02-03T10:00:00Z")
    told(3, "moved", "2026-02-01T11:00:00+08:00", "2026-02-02T10:00:00Z")  # an older version that comes late
    told(4, "first", "2026-02-01T15:00:00+08:00", "2026-02-04T10:00:00Z")
    told(5, "again", "2026-02-01T15:00:00+08:00", "2026-02-05T10:00:00Z")  # the same happening
    told(6, "older", "2026-02-01T15:00:00+08:00", "2026-02-03T10:00:00Z")  # and told before, heard after
    sheet = source(format="csv")
    head = "source_event_id,container,code,classifier,event_time,place,laden,retracts\n"
    take(sheet, f"{head}gone,{number},GTOT,ACT,2026-02-02T10:00:00Z,NLRTM,true,\n".encode(), at=at)
    take(sheet, f"{head}back,{number},,,,,,gone\n".encode(), at=at + timedelta(minutes=7))
    take(
        sheet, f"{head}gone,{number},GTOT,ACT,2026-02-02T11:00:00Z,NLRTM,true,\n".encode(), at=at + timedelta(minutes=8)
    )

    with as_tenant(acme.pk):
        live = live_versions(sightings_of([made.pk])[made.pk], as_of=NOW)
        stored = {r.pk: r for r in SightingRow.objects.filter(shipment=made)}
    wanted = sorted((stored[s.id].source_event_id, s.event_time, s.recorded_at) for s in live)
    assert [name for name, *_rest in wanted] == ["moved", "older"]
    assert len(stored) == 9
    given = page(client_of(None, key=outward.key_of(acme)), EVENTS)
    found = sorted((datetime.fromisoformat(e["eventDateTime"]), datetime.fromisoformat(e["eventCreatedDateTime"]))
                   for e in given)  # fmt: skip
    assert found == sorted((when, recorded) for _name, when, recorded in wanted)


@pytest.mark.req("R1.3")
def test_a_correction_keeps_its_id_and_is_created_anew(acme) -> None:
    tiered(acme, "PRIORITY")
    made, line = shipment(acme), source()
    client, booking = client_of(None, key=outward.key_of(acme)), "x"
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written
    versions = []
    for day in (1, 2):
        take(line, [vessel("ARRI", booking, f"2026-03-1{day}T08:00:00+01:00", place="NLRTM", cls="EST", id="eta",
                           created=f"2026-02-0{day}T08:00:00Z")], at=datetime(2026, 2, day, 9, tzinfo=UTC))  # fmt: skip
        versions += page(client, EVENTS)
    first, second = versions
    assert first["eventID"] == second["eventID"]
    assert (first["eventDateTime"], second["eventDateTime"]) == (
        "2026-03-11T08:00:00+01:00",
        "2026-03-12T08:00:00+01:00",
    )
    assert first["eventCreatedDateTime"] < second["eventCreatedDateTime"] == "2026-02-02T09:00:00Z"


def test_an_arrival_that_means_the_anchorage_is_not_given_out_as_one_at_the_berth(acme) -> None:
    tiered(acme, "PRIORITY")
    made, line = shipment(acme), source()
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written
    take(line, [vessel("ARRI", booking, "2026-03-12T08:00:00+01:00", place="NLRTM")], at=NOW)
    client = client_of(None, key=outward.key_of(acme))
    assert len(page(client, EVENTS)) == 1
    with as_tenant(OPERATOR_ID):
        source_setting_set(key=line.key, name="arrival_is_anchorage", value=True, at=NOW, actor="test")
    assert page(client, EVENTS) == []


# --- there and back ---


@pytest.mark.req("R1.15")
@pytest.mark.parametrize("size", [100, 4])
def test_what_we_give_out_gives_the_same_milestones_when_it_is_taken_in(acme, globex, size: int) -> None:
    """Two accounts with shipments of the same references: what one gives out is fed to a source of the other's own."""
    tiered(acme, "PRIORITY")
    boxes = (box(), box())
    here = shipment(acme, containers=boxes)
    with as_tenant(acme.pk):
        booking = here.references.get(kind="BOOKING").written
    line = source(tenant_id=acme.pk)
    events = [event for number in boxes for event in (
        equipment("GTIN", number, "2026-02-01T10:00:00+08:00"),
        equipment("LOAD", number, "2026-02-02T10:00:00+08:00"),
        equipment("DISC", number, "2026-03-03T10:00:00+01:00", place="NLRTM"),
        equipment("GTOT", number, "2026-03-04T10:00:00+01:00", place="NLRTM"),
        equipment("DROP", number, "2026-03-05T10:00:00+01:00", place="NLRTM"),
        equipment("GTIN", number, "2026-03-06T10:00:00+01:00", place="NLRTM", laden=False),
    )]  # fmt: skip
    events += [
        vessel("DEPA", booking, "2026-02-03T10:00:00+08:00", place="CNSHA"),
        vessel("ARRI", booking, "2026-03-01T10:00:00+01:00", place="NLRTM", cls="EST"),
        vessel("ARRI", booking, "2026-03-02T10:00:00+01:00", place="NLRTM"),
        vessel("DEPA", booking, "2026-02-20T10:00:00+08:00", place="SGSIN"),  # transhipped: no milestone of ours
    ]
    take(line, events, at=NOW)
    there = shipment(globex, containers=boxes, booking=booking)
    again = source(tenant_id=globex.pk)
    client, address, pages = client_of(None, key=outward.key_of(acme)), f"{EVENTS}?limit={size}", 0
    while address:
        response = client.get(address)
        take(again, response.content, at=NOW + timedelta(minutes=pages))
        address = response.headers.get("Next-Page", "").removeprefix(settings.PUBLIC_URL)
        pages += 1
    assert pages == -(-len(events) // size)
    fields = ("milestone", "node", "container", "act_at", "est_at", "pln_at")

    def milestones(one: Any) -> list[tuple[Any, ...]]:
        with as_tenant(one.tenant_id):
            return sorted(MilestoneRow.objects.filter(shipment=one).values_list(*fields), key=str)

    assert milestones(here) == milestones(there)
    reached = {m for m, _n, _c, act, *_r in milestones(here) if act}
    assert {"GATE_IN_FULL", "LOADED", "VESSEL_DEPARTED", "VESSEL_ARRIVED", "DISCHARGED", "GATE_OUT_FULL", "DELIVERED",
            "EMPTY_RETURN"} <= reached  # fmt: skip


# --- who may ask ---


@pytest.mark.req("A6", "T6")
def test_only_a_read_key_of_an_entitled_account_opens_it(acme, globex) -> None:
    tiered(acme, "PRIORITY")
    anonymous = client_of(None)
    key = outward.key_of(acme)
    with as_tenant(OPERATOR_ID):
        _row, source_key = key_create(label="feed", at=clock.now(), scope="events:write", source_key=source().key)
    cases = [
        (anonymous.get(EVENTS), 401, "keyRefused"),
        (client_of(acme.manager).get(EVENTS), 401, "keyRefused"),  # a person has pages
        (client_of(None, key=source_key).get(EVENTS), 401, "keyRefused"),
        (anonymous.get(f"{EVENTS}?eventType={key}"), 401, "keyRefused"),
        (client_of(None, key=outward.key_of(globex)).get(EVENTS), 403, "notEntitled"),
        (client_of(None, key=key).post(EVENTS), 405, "methodNotAllowed"),
    ]
    for response, status, reason in cases:
        assert (response.status_code, response.json()["errors"][0]["reason"]) == (status, reason)
        check("error", response.json())
        assert response.headers["API-Version"] == "2.2.0"
        assert key not in response.content.decode()
    assert cases[0][0].headers["WWW-Authenticate"] == "Bearer"
    assert cases[-1][0].headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.req("A7")
def test_a_revoked_key_opens_nothing_any_more(acme) -> None:
    tiered(acme, "PRIORITY")
    with as_tenant(acme.pk):
        row, key = key_create(label="TMS", at=clock.now())
    client = client_of(None, key=key)
    assert client.get(EVENTS).status_code == 200
    with as_tenant(acme.pk):
        key_revoke(public_id=row.public_id, at=clock.now(), actor="Ada")
    assert client.get(EVENTS).status_code == 401


def test_a_request_may_name_the_major_version_only() -> None:
    client = outward.world().client
    assert client.get(f"{EVENTS}?limit=1", headers={"API-Version": "2"}).status_code == 200
    for version in ("1", "2.2.0", ""):
        response = client.get(f"{EVENTS}?limit=1", headers={"API-Version": version})
        assert (response.status_code, response.json()["errors"][0]["reason"]) == (400, "unsupportedVersion")


# --- pages ---


def test_a_cursor_is_good_for_its_own_question_only() -> None:
    world = outward.world()
    first = world.client.get(f"{EVENTS}?eventType=TRANSPORT&limit=2")
    following = first.headers["Next-Page"].removeprefix(settings.PUBLIC_URL)
    repeated = world.client.get(f"{following}&eventType=TRANSPORT&limit=1")  # as 2.2 publishers' clients do
    assert world.called(repeated.json()) == ["eta@one"]
    other = world.client.get(f"{following}&eventType=SHIPMENT")
    assert other.json()["errors"][0]["reason"] == "invalidCursor"
    elsewhere = client_of(None, key=world.keys["anothers"]).get(following)
    assert elsewhere.json() == []  # a question and a place in time; whose events they are, the key says


@pytest.mark.parametrize("descending", [False, True])
def test_a_small_stretch_of_the_record_at_a_time_finds_the_same(monkeypatch, descending: bool) -> None:
    """A page looks through so much of the record and no more; pages may be empty, nothing is lost or told twice."""
    world = outward.world()
    order = "&sort=eventCreatedDateTime:DESC" if descending else ""
    whole = world.called(page(world.client, f"{EVENTS}?eventType=SHIPMENT,TRANSPORT{order}"))
    monkeypatch.setattr(published, "STRETCH", 3)
    address, found, sizes = f"{EVENTS}?eventType=SHIPMENT,TRANSPORT{order}", [], []
    while address:
        response = world.client.get(address)
        found += world.called(response.json())
        sizes.append(len(response.json()))
        address = response.headers.get("Next-Page", "").removeprefix(settings.PUBLIC_URL)
    assert found == whole
    assert 0 in sizes


def test_news_between_two_pages_moves_nothing(acme) -> None:
    tiered(acme, "PRIORITY")
    made, line = shipment(acme), source()
    number = number_of(made)
    for n in range(6):
        take(line, [equipment("GTIN", number, f"2026-02-0{n + 1}T10:00:00+08:00", id=f"e{n}")],
             at=datetime(2026, 2, 10, n, tzinfo=UTC))  # fmt: skip
    client = client_of(None, key=outward.key_of(acme))
    first = client.get(f"{EVENTS}?limit=2&sort=eventCreatedDateTime:DESC")
    take(
        line,
        [equipment("GTOT", number, "2026-02-08T10:00:00+08:00", laden=False)],
        at=datetime(2026, 2, 11, tzinfo=UTC),
    )
    second = client.get(first.headers["Next-Page"].removeprefix(settings.PUBLIC_URL))
    times = [e["eventDateTime"][:10] for r in (first, second) for e in r.json()]
    assert times == ["2026-02-06", "2026-02-05", "2026-02-04", "2026-02-03"]


@pytest.mark.req("W9")
@pytest.mark.parametrize("query", ["", "?carrierBookingReference=BKGX&equipmentReference=MSKU7000013", "?limit=1000"])
def test_it_asks_as_often_for_many_events_as_for_few(acme, globex, query: str) -> None:
    counts = []
    for account, boxes in ((acme, 2), (globex, 40)):
        tiered(account, "PRIORITY")
        many(account, 5)
        line = source(tenant_id=account.pk)
        made = [shipment(account, containers=(box(),)) for _n in range(boxes)]
        take(line, [equipment("GTIN", number_of(m), "2026-02-01T10:00:00+08:00") for m in made], at=NOW)
        client = client_of(None, key=outward.key_of(account))
        client.get(f"{EVENTS}{query}")
        counts.append(len(asked(client, f"{EVENTS}{query}")))
    assert counts[0] == counts[1]
    assert counts[0] <= 14


def test_the_cast_is_whole() -> None:
    """A question of queries.json speaks of events that the world really has."""
    world = outward.world()
    named = {name for q in QUERIES for name in (*q.get("events", ()), *q.get("then", {}).get("events", ()))}
    assert named <= set(world.ids)
    assert cast.operator().pk == OPERATOR_ID
