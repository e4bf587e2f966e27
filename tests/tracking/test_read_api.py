"""Systems read of shipments what the pages show, by the same filters, and no more than the tier includes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from portal.lib import clock
from portal.tenancy.context import as_tenant
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tests.tracking.pages import NOW, journey, many, refs, tiered
from tiers.promises.models import EntitlementOverride
from tracking.filters import ShipmentFilter
from tracking.models import Shipment
from tracking.selectors import CORE

LIST = "/api/v1/shipments"


@pytest.fixture(autouse=True)
def _fixed_day():
    with clock.set_to(NOW):
        yield


def system(account, tier: str = "PRIORITY"):
    """A system of the account in that tier."""
    if tier != "STANDARD":
        tiered(account, tier)
    return client_of(None, key=key_of(account))


def items(client, address: str, **asked) -> list[dict]:
    """The items of a list, which must answer."""
    answer = client.get(address, asked)
    assert answer.status_code == 200, answer.content
    return answer.json()["items"]


@pytest.mark.req("T6")
@pytest.mark.parametrize("page", ["", "/containers", "/milestones", "/events", "/events/1"])
def test_another_accounts_shipment_answers_like_an_unknown_one(acme, globex, page: str) -> None:
    theirs = journey(globex, source())
    client = system(acme)
    other = client.get(f"{LIST}/{theirs.public_id}{page}")
    none = client.get(f"{LIST}/{'0' * 20}{page}")
    assert other.status_code == none.status_code == 404
    bodies = [{k: v for k, v in a.json().items() if k != "correlation_id"} for a in (other, none)]
    assert bodies[0] == bodies[1]
    masked = ("X-Correlation-ID", "RateLimit-Remaining")
    heads = [[(k, v) for k, v in a.headers.items() if k not in masked] for a in (other, none)]
    assert heads[0] == heads[1]


def test_a_list_is_the_pages_list_whatever_is_asked(acme) -> None:
    client, browser = system(acme), client_of(acme.member)
    src = source()
    late = journey(acme, src, due_date=date(2026, 3, 12))
    journey(acme, src)
    done = journey(acme, src)
    take(src, [equipment("DROP", number_of(done), "2026-03-10T10:00:00Z", place="NLRTM")], at=NOW)
    many(acme, 8, undated=2)
    for asked in (
        {}, {"standing": "late"}, {"standing": "none"}, {"status": "DONE"}, {"lane": "CNSHA-NLRTM"},
        {"month": "2026-03"}, {"arriving": "7"}, {"unheard": "true"}, {"q": late.ref}, {"q": late.ref[:6]},
        {"standing": "late", "status": "UNDER_WAY"}, {"pol": "CNSHA"},
        {"due_from": "2026-03-01", "due_to": "2026-03-31"}, {"due": "past"}, {"milestone": "DELIVERED"},
    ):  # fmt: skip
        page = {**asked, **({"unheard": "1"} if "unheard" in asked else {})}
        page |= {"sort": "promised"} if "q" in asked else {}  # else one hit leads straight to its page
        shown = refs(browser.get("/shipments", page).content.decode())
        assert [row["reference"] for row in items(client, LIST, **asked)] == shown, asked
        assert shown, asked


def test_every_filter_of_the_page_is_one_of_the_api() -> None:
    from tracking.read_api import Shipments

    names = {p.name for p in Shipments.query.parameters}
    own = {"sort", "cols", "view", "problems", "followed"}  # how a person looks at it
    assert set(ShipmentFilter.__dataclass_fields__) - own <= names


@pytest.mark.parametrize("day", ["2026-02-30", "5662-56-80", "20260315", "2026-3-1", "0000-01-01", "2026-W11-1"])
def test_a_day_that_cannot_be_is_refused_by_name(acme, day: str) -> None:
    answer = system(acme).get(LIST, {"due_from": day})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "due_from")


def test_any_day_of_the_calendar_may_be_asked_for(acme) -> None:
    client = system(acme)
    made = journey(acme, source(), due_date=date(2026, 3, 12))
    for name in ("due_from", "due_to", "eta_from", "eta_to"):
        for day in ("0001-01-01", "2024-02-29", "9999-12-31"):
            assert client.get(LIST, {name: day}).status_code == 200, (name, day)
    assert [row["reference"] for row in items(client, LIST, eta_to="9999-12-31")] == [made.ref]
    assert items(client, LIST, due_from="2026-03-13", due_to="2026-03-11") == [], "nothing is both"


def test_a_search_says_what_it_did(acme) -> None:
    client = system(acme)
    made = shipment(acme)
    told = client.get(LIST, {"q": f"{made.ref}, NOTHERE99"}).json()
    assert [row["reference"] for row in told["items"]] == [made.ref]
    assert told["search"] == {"how": "exact", "unknown": ["NOTHERE99"], "has_more": False}
    assert client.get(LIST, {"q": made.ref[:6]}).json()["search"]["how"] == "starting"
    assert client.get(LIST, {"q": "ZZZZZZ"}).json()["search"] == {"how": None, "unknown": [], "has_more": False}
    assert client.get(LIST).json()["search"] is None


def test_a_row_tells_places_containers_and_how_it_stands(acme) -> None:
    client = system(acme)
    made = journey(acme, source(), containers=(box(), box()), due_date=date(2026, 3, 12))
    (row,) = items(client, LIST)
    whole = client.get(f"{LIST}/{made.public_id}").json()
    assert row["pol"] == {"code": "CNSHA", "name": "Shanghai", "zone": "Asia/Shanghai"}
    with as_tenant(acme.pk):
        assert row["containers"] == list(made.containers.order_by("number").values_list("number", flat=True))
    assert (row["standing"], row["status"], row["due_date"]) == ("late", "UNDER_WAY", "2026-03-12")
    assert row["due_at"] == "2026-03-12T23:00:00Z"
    assert (row["latest_milestone"], row["eta_at"]) == ("VESSEL_DEPARTED", "2026-03-18T09:00:00Z")
    assert {name: whole[name] for name in row} == row
    assert {"kind": "BOOKING", "value": f"BKG{made.ref[2:]}"} in whole["references"]
    assert whole["promises"][0]["is_binding"] is True


def test_what_is_unknown_is_null_and_never_nothing_else(acme) -> None:
    client = system(acme)
    with as_tenant(acme.pk):
        Shipment.objects.create(ref="BARE", final_milestone="DOOR", lane="?-?", created_at=NOW)
    (row,) = items(client, LIST)
    absent = ("pol", "pod", "final_place", "due_at", "due_date", "eta_at", "final_at", "last_heard_at",
              "latest_milestone", "latest_milestone_at")  # fmt: skip
    assert {name: row[name] for name in absent} == dict.fromkeys(absent)
    assert (row["containers"], row["standing"], row["carrier"]) == ([], "none", "")


def test_milestones_say_what_was_reached_and_what_is_missing(acme) -> None:
    client = system(acme)
    made = journey(acme, source())
    told = {row["milestone"]: row for row in items(client, f"{LIST}/{made.public_id}/milestones")}
    assert (told["GATE_IN_FULL"]["state"], told["GATE_IN_FULL"]["at"]) == ("actual", "2026-02-01T02:00:00Z")
    assert (told["VESSEL_ARRIVED"]["state"], told["VESSEL_ARRIVED"]["event"]) == ("missing", 4)
    assert (told["DELIVERED"]["state"], told["DELIVERED"]["is_final"]) == ("estimated", True)
    assert told["DISCHARGED"]["at"] is None


def test_containers_tell_each_its_own(acme) -> None:
    client = system(acme)
    src = source()
    made = shipment(acme, containers=(box(1), box(2)))
    take(src, [equipment("GTIN", box(2), "2026-02-01T10:00:00+08:00")], at=NOW)
    first, second = items(client, f"{LIST}/{made.public_id}/containers")
    assert (first["number"], first["milestones"], first["on_hold"]) == (box(1), [], False)
    assert [(m["milestone"], m["at"]) for m in second["milestones"]] == [("GATE_IN_FULL", "2026-02-01T02:00:00Z")]
    page = client.get(f"{LIST}/{made.public_id}/containers", {"limit": 1}).json()
    rest = items(client, f"{LIST}/{made.public_id}/containers", cursor=page["next"])
    assert [row["number"] for row in page["items"] + rest] == [box(1), box(2)]


@pytest.mark.req("R1.3", "R1.4")
def test_events_tell_corrections_and_withdrawals_beside_what_they_change(acme) -> None:
    client = system(acme)
    src = source()
    made = shipment(acme)
    number = number_of(made)
    first = equipment("GTIN", number, "2026-02-01T10:00:00+08:00", id="e-1")
    later = {**first, "eventDateTime": "2026-02-01T11:00:00+08:00", "eventCreatedDateTime": "2026-02-02T00:00:00Z"}
    take(src, [first], at=NOW - timedelta(hours=3))
    take(src, [later], at=NOW - timedelta(hours=2))
    events = items(client, f"{LIST}/{made.public_id}/events")
    assert [(e["number"], e["state"], e["at"]) for e in events] == [
        (1, "CORRECTED", "2026-02-01T02:00:00Z"), (2, "IN_FORCE", "2026-02-01T03:00:00Z"),
    ]  # fmt: skip
    assert [e["number"] for e in items(client, f"{LIST}/{made.public_id}/events", after=1)] == [2]
    assert [e["number"] for e in items(client, f"{LIST}/{made.public_id}/events", order="-number")] == [2, 1]
    one = client.get(f"{LIST}/{made.public_id}/events/2").json()
    assert one["payload"]["equipmentReference"] == number
    assert {name: one[name] for name in events[1]} == events[1]
    assert client.get(f"{LIST}/{made.public_id}/events/3").status_code == 404


@pytest.mark.req("R5.1")
def test_without_live_tracking_the_critical_five_are_told_and_nothing_between(acme) -> None:
    with as_tenant(acme.pk):  # the API bought for a Standard account
        EntitlementOverride.objects.create(
            key="read_api", value=True, valid_from=date(2026, 1, 1), created_at=NOW, created_by="test"
        )
    made = journey(acme, source())
    client = client_of(None, key=key_of(acme))
    (row,) = items(client, LIST)
    whole = client.get(f"{LIST}/{made.public_id}").json()
    milestones = items(client, f"{LIST}/{made.public_id}/milestones")
    (container,) = items(client, f"{LIST}/{made.public_id}/containers")
    events = items(client, f"{LIST}/{made.public_id}/events")
    every = {number: client.get(f"{LIST}/{made.public_id}/events/{number}").status_code for number in range(1, 8)}
    assert row["latest_milestone"] == "VESSEL_DEPARTED"
    assert (whole["eta_moves"], whole["has_conflict"], container["on_hold"]) == ([], None, None)
    assert {m["milestone"] for m in milestones} <= CORE
    assert {m["milestone"] for m in container["milestones"]} <= CORE
    assert {e["milestone"] for e in events} <= CORE
    shown = {e["number"] for e in events}
    assert every == {number: 200 if number in shown else 404 for number in every}
    assert "LOAD" not in {e["code"] for e in events}


def test_a_reader_that_keeps_its_last_number_misses_nothing(acme) -> None:
    client, src = system(acme), source()
    made = shipment(acme)
    heard: list[str] = []
    last = 0
    for day in range(1, 6):
        take(src, [equipment("GTIN", number_of(made), f"2026-02-0{day}T10:00:00+08:00", id=f"e-{day}")],
             at=datetime(2026, 2, day, 12, tzinfo=UTC))  # fmt: skip
        for event in items(client, f"{LIST}/{made.public_id}/events", after=last):
            heard.append(event["source_event_id"])
            last = event["number"]
    assert heard == [f"e-{day}" for day in range(1, 6)]
