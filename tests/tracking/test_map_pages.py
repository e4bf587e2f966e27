"""The map of a shipment and the live map: what they draw, what they say, whom they are for, what they ask."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import NOW, tiered
from tracking.models import Container, MilestoneRow, Place, SeaRoute, Shipment
from tracking.services import searoutes_find

SAILED = [("DEPA", "2026-02-10T00:00:00Z", "CNSHA", "ACT"), ("ARRI", "2026-03-22T00:00:00Z", "NLRTM", "EST")]


@pytest.fixture(scope="module", autouse=True)
def _ways() -> None:
    """The one way that these tests draw, as the night would have worked it out."""
    if not SeaRoute.objects.filter(one="CNSHA", other="NLRTM").exists():
        with as_tenant(cast.account("WAYS").pk):
            searoutes_find(pairs=["CNSHA NLRTM"], at=NOW)


@pytest.fixture
def priority():
    return tiered(cast.account("MAPS"), "PRIORITY")


def sailing(account, events=SAILED, **more) -> Shipment:
    made = shipment(account, **more)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    line, number = source(), number_of(made)
    for code, at, place, cls in events:
        when = datetime.fromisoformat(at)
        said = equipment(code, number, at, place=place, cls=cls) if code in ("GTIN", "DISC", "LOAD") else vessel(
            code, booking, at, place=place, cls=cls)  # fmt: skip
        take(line, [said], at=min(when, NOW) if cls == "ACT" else datetime(2026, 2, 11, tzinfo=UTC))
    return made


def page(account, path: str, at: datetime = NOW, **client):
    with clock.set_to(at):
        return client_of(account.member).get(path, **client)


def card(account, made, at: datetime = NOW) -> str:
    html = page(account, f"/shipments/{made.public_id}", at).content.decode()
    found = re.search(r'<section class="card" aria-labelledby="map-h">(.*?)</section>', html, re.DOTALL)
    return found[1] if found else ""


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# --- a shipment's map ---


def test_under_way_it_is_estimated_from_the_schedule_and_says_so(priority) -> None:
    shown = card(priority, sailing(priority), datetime(2026, 3, 2, tzinfo=UTC))  # 20 of 40 days
    assert 'class="ship-about"' in shown
    assert "way-done is-sea" in shown
    assert "way-ahead is-sea" in shown
    said = words(shown)
    assert re.search(r"Between Shanghai and Rotterdam: about (9,[6-9]|10,[0-3])00 of (19,[0-9]|20,[0-5])00 km\.", said)
    assert re.search(r"Estimated from schedule, last heard from src-\w+ \(carrier\) \d+ days ago\.", said)
    assert "Expected at Rotterdam 22 Mar 01:00 CET ." in said


def test_at_a_place_it_is_where_the_last_actual_event_was(priority) -> None:
    waits = card(priority, sailing(priority, [("GTIN", "2026-02-01T02:00:00Z", "CNSHA", "ACT")]))
    assert "At Shanghai since 1 Feb 10:00 CST ." in words(waits)
    assert 'class="ship-here"' in waits
    assert "Estimated" not in waits
    landed = card(priority, sailing(priority, [SAILED[0], ("ARRI", "2026-03-12T06:00:00Z", "NLRTM", "ACT")]))
    assert "At Rotterdam since 12 Mar 07:00 CET ." in words(landed)
    assert "way-ahead" not in landed


def test_overdue_it_stays_before_the_port_and_says_that_nothing_was_heard(priority) -> None:
    made = sailing(priority)
    soon, late = (card(priority, made, datetime(2026, 3, day, tzinfo=UTC)) for day in (22, 29))
    assert "Expected at Rotterdam 22 Mar 01:00 CET , nothing heard." in words(late)
    assert "It is drawn before the port until its arrival is heard." in words(late)
    place = re.compile(r'class="ship" cx="([\d.]+)%" cy="([\d.]+)%"')
    assert place.search(soon).groups() == place.search(late).groups()


def test_what_nobody_knows_is_said_and_not_drawn(priority) -> None:
    fresh = card(priority, shipment(priority))
    assert "Nothing was heard yet that says where it is." in words(fresh)
    assert "ship" not in re.findall(r'class="([\w-]+)"', fresh)
    left = card(priority, sailing(priority, SAILED[:1]))
    assert "Left Shanghai 10 Feb 08:00 CST , under way to Rotterdam." in words(left)
    assert "No arrival is estimated, so nobody can say how far it has come." in words(left)
    assert 'class="ship"' not in left


def test_a_standard_account_sees_the_way_and_no_estimated_position() -> None:
    standard = tiered(cast.account("STDMAP"), "STANDARD")
    shown = card(standard, sailing(standard), datetime(2026, 3, 2, tzinfo=UTC))
    assert 'class="ship"' not in shown
    assert "How far it has come is part of live tracking" in shown
    assert "is-sea" in shown


def test_a_way_that_is_not_worked_out_yet_is_straight_says_so_and_is_asked_for(priority) -> None:
    made = sailing(priority, [("DEPA", "2026-02-10T00:00:00Z", "PAMIT", "ACT")], pol="PAMIT")
    SeaRoute.objects.filter(one="NLRTM", other="PAMIT").delete()
    shown = card(priority, made)
    assert "is-waits" in shown
    assert "The way by sea is being worked out; until then a straight line stands for it." in shown
    with as_tenant(priority.pk), transaction.atomic():
        (row,) = OutboxRow.objects.filter(name="tracking.sea_routes")
        assert row.payload == {"pairs": ["NLRTM PAMIT"]}


def test_places_whose_position_is_not_known_are_named_beside_the_map(priority) -> None:
    Place.objects.get_or_create(code="ZZMAP", defaults={"name": "Somewhere", "zone": "UTC"})
    shown = card(priority, shipment(priority, final_place="ZZMAP"))
    assert "Not on the map, for its position is not known to us: Somewhere." in shown
    assert "Shanghai</text>" in shown


def test_a_cancelled_shipment_has_no_map(priority) -> None:
    assert card(priority, shipment(priority, cancelled_at=NOW, cancelled_by="CUSTOMER")) == ""


# --- the live map ---


def labels(html: str) -> list[str]:
    return re.findall(r'<a href="[^"]*" aria-label="([^"]*)">', html)


def afloat(account, count: int, *, boxes: int = 1, **more) -> list[Shipment]:
    """Rows as derivation leaves them: `count` shipments that left Shanghai in February."""
    values = {
        "final_milestone": "DOOR", "pol": "CNSHA", "pod": "NLRTM", "final_place": "NLRTM", "lane": "CNSHA-NLRTM",
        "created_at": NOW, "status": "UNDER_WAY", "eta_at": NOW + timedelta(days=9), "last_heard_at": NOW,
        "due_at": NOW + timedelta(days=12), "due_date": date(2026, 3, 27), "due_period": "2026-03",
    }  # fmt: skip
    with as_tenant(account.pk):
        start = Shipment.objects.count()
        made = Shipment.objects.bulk_create(
            Shipment(ref=f"A{start + n:05d}", **{**values, **more}) for n in range(count)
        )
        Container.objects.bulk_create(
            Container(shipment=s, number=f"MSKU{n:06d}{b}") for n, s in enumerate(made) for b in range(boxes)
        )
        MilestoneRow.objects.bulk_create(
            [
                row
                for n, s in enumerate(made)
                for row in (
                    MilestoneRow(shipment=s, milestone="VESSEL_DEPARTED", node=s.pol,
                                 act_at=NOW - timedelta(days=1 + n % 30)),
                    MilestoneRow(shipment=s, milestone="VESSEL_ARRIVED", node=s.pod, est_at=NOW + timedelta(days=8)),
                )
            ],
            batch_size=5_000,
        )  # fmt: skip
    return made


def test_the_live_map_clusters_what_is_close_and_lists_the_same(priority) -> None:
    afloat(priority, 40, boxes=2)
    sailing(priority, [("GTIN", "2026-02-01T02:00:00Z", "CNSHA", "ACT")])
    html = page(priority, "/map").content.decode()
    assert "In transit: 41 shipments, 81 containers." in html
    counts = [int(m) for m in re.findall(r"(\d+) shipments, \d+ containers: ", " ".join(labels(html)))]
    assert sum(counts) + sum("shipment" not in label for label in labels(html)) == 41
    assert "1 to 25 of 41" in html
    assert "Shanghai → Rotterdam, " in html
    zoom = re.findall(r'<a href="(/map\?area=[^"#]+)#', html)[0]
    inside = page(priority, zoom).content.decode()
    assert "In this part: " in inside
    assert "Everything" in inside


def test_a_mark_that_cannot_be_taken_apart_leads_to_its_list(priority) -> None:
    for _n in range(2):
        sailing(priority, [("GTIN", "2026-02-01T02:00:00Z", "CNSHA", "ACT")])
    html = page(priority, "/map").content.decode()
    assert labels(html) == ["2 shipments, 2 containers: at Shanghai"]
    href = re.search(r'<a href="(/map\?area=[^"]+#boxes)"', html)[1]
    assert page(priority, href).content.decode().count("at Shanghai") >= 2


def test_every_mark_leads_closer_until_its_list_does(priority) -> None:
    afloat(priority, 60)
    seen, todo = set(), ["/map"]
    while todo:
        html = page(priority, path := todo.pop()).content.decode()
        for href in re.findall(r'<a href="(/map[^"]+)" aria-label', html):
            if href.endswith("#map") and href not in seen:
                assert href.partition("#")[0] != path
                todo.append(href.partition("#")[0])
            elif href.endswith("#boxes"):
                assert "shipments, " in re.search(r'id="map-h"[^>]*>([^<]*)<', page(priority, href).content.decode())[1]
            seen.add(href)
    assert len(seen) < 100


def test_filters_stand_in_the_address_and_say_what_they_are(priority) -> None:
    afloat(priority, 3)
    afloat(priority, 2, due_at=NOW - timedelta(days=1))
    assert "In transit: 2 shipments, 2 containers. 2 late." in page(priority, "/map?standing=late").content.decode()
    assert "No such shipment is in transit." in page(priority, "/map?lane=CNSHA-USLAX").content.decode()
    assert "5 shipments" in page(priority, "/map?eta_from=2026-03-20&eta_to=2026-03-31").content.decode()
    odd = page(priority, "/map?area=1,2,3&lane=CNSHA-NLRTM&colour=red").content.decode()
    assert "“1,2,3” is no part of the world; it was left out." in odd
    assert "“colour” is no filter of this list; it was left out." in odd
    answer = page(priority, "/map?lane=CNSHA-NLRTM&standing=&eta_from=&eta_to=&area=1,2,30,40")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/map?lane=CNSHA-NLRTM&area=1,2,30,40")


def test_what_has_not_begun_or_has_ended_is_not_in_transit(priority) -> None:
    afloat(priority, 1, status="BOOKED")
    afloat(priority, 1, status="DONE", final_at=NOW)
    afloat(priority, 1, status="CANCELLED")
    assert "No such shipment is in transit." in page(priority, "/map").content.decode()


def test_it_is_sent_again_only_when_it_changed(priority) -> None:
    made = afloat(priority, 3)
    first = page(priority, "/map/live")
    tag = first.headers["ETag"]
    assert first.content.decode().startswith("\n") or "In transit: 3 shipments" in first.content.decode()
    again = page(priority, "/map/live", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert page(priority, "/map/live?standing=late", headers={"if-none-match": tag}).status_code == 200
    later = page(priority, "/map/live", NOW + timedelta(minutes=6), headers={"if-none-match": tag})
    assert later.status_code == 200  # the estimates moved on
    with as_tenant(priority.pk):
        Shipment.objects.filter(pk=made[0].pk).update(last_heard_at=NOW + timedelta(seconds=1))
    assert page(priority, "/map/live", headers={"if-none-match": tag}).status_code == 200


def test_it_is_for_those_who_have_live_tracking_and_for_the_staff(priority, globex) -> None:
    standard = tiered(cast.account("STDLIVE"), "STANDARD")
    afloat(priority, 1)
    assert page(standard, "/map").status_code == 403
    assert "/map" not in page(standard, "/shipments").content.decode()
    assert 'href="/map"' in page(priority, "/shipments").content.decode()
    ops = client_of(cast.person(OPERATOR_ID, Role.OPS))
    with clock.set_to(NOW):
        seen = ops.get(f"/ops/accounts/{priority.tenant.public_id}/map").content.decode()
    assert "In transit: 1 shipment, 1 container." in seen
    assert "data-live" not in seen  # each look of the staff is kept; a script that looks every half minute is none
    other = tiered(globex, "PRIORITY")
    assert "No such shipment is in transit." in page(other, "/map").content.decode()


def test_five_thousand_shipments_cost_the_queries_of_five(priority) -> None:
    def asked(path: str) -> tuple[int, bytes]:
        with CaptureQueriesContext(connections["default"]) as own:
            body = page(priority, path).content
        return len(own.captured_queries), body

    afloat(priority, 5)
    asked("/map")
    few, _body = asked("/map")
    afloat(priority, 4_995)
    many, body = asked("/map")
    assert many == few <= 26  # with those of every page, and of the scope
    assert b"In transit: 5,000 shipments, 5,000 containers." in body
    assert len(body) < 150_000


# --- the API ---


def test_a_system_reads_the_same_position(priority) -> None:
    made = sailing(priority)
    client = client_of(None, key=key_of(priority))
    with clock.set_to(datetime(2026, 3, 2, tzinfo=UTC)):
        told = client.get(f"/api/v1/shipments/{made.public_id}/position").json()
    assert (told["where"], told["place"]["code"], told["towards"]["code"]) == ("UNDER_WAY", "CNSHA", "NLRTM")
    assert (told["is_estimate"], told["line"], told["expected_at"]) == (True, "SEA", "2026-03-22T00:00:00Z")
    assert told["km_covered"] * 2 == pytest.approx(told["km_total"], abs=2)
    assert re.match(r"^-?\d+\.\d\d$", told["latitude"])
