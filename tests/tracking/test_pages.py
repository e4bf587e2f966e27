"""The pages about shipments: nothing hidden, nothing of others, what a tier may see, what the desk can do."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import StreamingHttpResponse

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import NOW, journey, many, refs, tiered
from tracking.models import Quarantined, Shipment, Source


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def text_of(response) -> str:
    assert response.status_code == 200, response.content[-2000:]
    return response.content.decode()


def csv_rows(response) -> list[dict[str, str]]:
    assert isinstance(response, StreamingHttpResponse)
    return list(csv.DictReader(io.StringIO(b"".join(response).decode())))


# --- walls ---


@pytest.mark.req("T6")
@pytest.mark.parametrize("page", ["", "/events", "/events/1"])
def test_another_accounts_shipment_answers_like_an_unknown_one(acme, globex, page: str) -> None:
    for account in (acme, globex):
        tiered(account, "PREMIUM")
    theirs = journey(globex, source())
    client = client_of(acme.member)
    answers = []
    for public_id in (theirs.public_id, "0" * 20):
        answer = client.get(f"/shipments/{public_id}{page}")
        body = answer.content.decode().replace(public_id, "ID").replace(answer["X-Correlation-ID"], "CORRELATION")
        body = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "TOKEN", body)
        headers = {k: v for k, v in answer.items() if k not in ("X-Correlation-ID", "Content-Length")}
        answers.append((answer.status_code, body, headers))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.req("T1")
def test_a_list_holds_the_accounts_own_shipments_only(acme, globex) -> None:
    mine = {shipment(acme).ref for _ in range(3)}
    shipment(globex)
    client = client_of(acme.member)
    assert set(refs(text_of(client.get("/shipments")))) == mine
    assert {r["shipment"] for r in csv_rows(client.get("/shipments.csv"))} == mine


# --- the list ---


def walk(client, address: str, direction: str) -> list[list[str]]:
    """The pages from here to the end in one direction, as lists of references."""
    pages = []
    while address:
        text = text_of(client.get(f"/shipments{address}"))
        pages.append(refs(text))
        found = re.search(rf'rel="{direction}" href="([^"]+)"', text)
        address = found[1].replace("&amp;", "&") if found else ""
    return pages


@pytest.mark.parametrize("order", ["", "?sort=promised"])
def test_paging_shows_every_row_once_in_both_directions(acme, order: str) -> None:
    everything = many(acme, 173, undated=60)
    client = client_of(acme.member)
    forth = walk(client, order or "?", "next")
    seen = [r for page in forth for r in page]
    assert sorted(seen) == sorted(everything)
    assert [len(p) for p in forth] == [50, 50, 50, 23]
    last = text_of(client.get("/shipments" + order))
    address = order or "?"
    for _ in forth[1:]:
        address = re.search(r'rel="next" href="([^"]+)"', last)[1].replace("&amp;", "&")
        last = text_of(client.get(f"/shipments{address}"))
    back = walk(client, address, "prev")
    assert back == forth[::-1]
    assert seen == [r["shipment"] for r in csv_rows(client.get("/shipments.csv" + order))]


def test_newest_promise_comes_first_and_what_has_none_last(acme) -> None:
    many(acme, 20, undated=4)
    listed = refs(text_of(client_of(acme.member).get("/shipments")))
    assert listed[0] == "R0019"
    assert set(listed[-4:]) == {"R0000", "R0001", "R0002", "R0003"}


def test_a_cursor_tells_nothing_of_our_numbers(acme) -> None:
    many(acme, 60)
    text = text_of(client_of(acme.member).get("/shipments"))
    with as_tenant(acme.pk):
        ids = list(Shipment.objects.values_list("id", flat=True))
    cursor = re.search(r"older=([^&\"]+)", text)[1]
    assert not any(re.search(rf"(?<!\d){i}(?!\d)", cursor) for i in ids if i > 99)


def standing(account, ref: str) -> str:
    rows = csv_rows(client_of(account.member).get("/shipments.csv"))
    return next(r["standing_in_words"] for r in rows if r["shipment"] == ref)


def test_how_a_shipment_stands_is_said_in_words(acme) -> None:
    src = source()
    due = shipment(acme, due_date=date(2026, 3, 20))
    passed = shipment(acme, due_date=date(2026, 3, 12))
    risky = shipment(acme, due_date=date(2026, 3, 20))
    take(src, [equipment("DROP", number_of(risky), "2026-03-22T10:00:00+01:00", place="NLRTM", cls="EST")], at=NOW)
    there, tardy = shipment(acme, due_date=date(2026, 3, 20)), shipment(acme, due_date=date(2026, 3, 10))
    for one in (there, tardy):
        take(src, [equipment("DROP", number_of(one), "2026-03-13T10:00:00+01:00", place="NLRTM")], at=NOW)
    gone = shipment(acme, cancelled_at=NOW - timedelta(days=1), cancelled_by="CUSTOMER")
    assert standing(acme, due.ref) == "No estimate yet"
    assert standing(acme, passed.ref) == "Late by 3 days"
    assert standing(acme, risky.ref) == "At risk: expected 2 days late"
    assert standing(acme, there.ref) == "On time"
    assert standing(acme, tardy.ref) == "Late by 3 days"
    assert standing(acme, gone.ref) == "Cancelled"
    text = text_of(client_of(acme.member).get("/shipments"))
    assert "Delivered 13 Mar" in text


def test_time_alone_makes_a_shipment_late(acme) -> None:
    made = shipment(acme, due_date=date(2026, 3, 15))
    client = client_of(acme.member)
    assert refs(text_of(client.get("/shipments?standing=late"))) == []
    with clock.set_to(datetime(2026, 3, 15, 23, 30, tzinfo=UTC)):  # midnight in Rotterdam has passed
        assert refs(text_of(client_of(acme.member).get("/shipments?standing=late"))) == [made.ref]


def test_each_filter_link_shows_as_many_as_it_counts(acme) -> None:
    src = source()
    for _ in range(3):
        journey(acme, src)
    shipment(acme, due_date=date(2026, 3, 1))
    shipment(acme, due_date=date(2026, 4, 1), pol="SGSIN")
    client = client_of(acme.member)
    text = text_of(client.get("/shipments/counts"))
    chips = re.findall(r'<a class="chip" href="([^"]+)"[^>]*>[^<]*<span class="num">(\d+)</span>', text)
    assert chips
    for address, count in chips:
        assert len(refs(text_of(client.get(address.replace("&amp;", "&"))))) == int(count)
    menu = re.findall(r'<option value="([A-Z_]+)">[^<]* \((\d+)\)</option>', text_of(client.get("/shipments/filters")))
    assert len(menu) == 5
    for status, count in menu:
        assert len(refs(text_of(client.get(f"/shipments?status={status}")))) == int(count)
    assert len(refs(text_of(client.get("/shipments?lane=SGSIN-NLRTM")))) == 1
    assert len(refs(text_of(client.get("/shipments?month=2026-04")))) == 1
    assert len(refs(text_of(client.get("/shipments?arriving=7")))) == 3
    assert len(refs(text_of(client.get("/shipments?unheard=1")))) == 3  # arrival expected on the 10th, not heard


def test_the_csv_is_the_view_and_runs_no_formula(acme) -> None:
    shipment(acme, ref="=2+5", due_date=date(2026, 3, 1))
    shipment(acme, due_date=date(2026, 4, 1))
    client = client_of(acme.member)
    rows = csv_rows(client.get("/shipments.csv?standing=late"))
    assert [r["shipment"] for r in rows] == ["'=2+5"]
    assert rows[0]["standing"] == "late"
    assert rows[0]["promised_date"] == "2026-03-01"
    assert rows[0]["expected_utc"] == ""  # unknown, not a zero


# --- one shipment ---


def test_the_story_says_what_was_planned_heard_corrected_and_missed(acme) -> None:
    tiered(acme, "PRIORITY")
    src = source()
    made = journey(acme, src)
    with as_tenant(acme.pk):
        booking = made.references.get(kind="BOOKING").written
    take(
        src, [vessel("ARRI", booking, "2026-03-12T10:00:00+01:00", place="NLRTM", id="arr")], at=NOW - timedelta(days=2)
    )
    take(src, [vessel("ARRI", booking, "2026-03-12T16:00:00+01:00", place="NLRTM", id="arr",
                      created="2026-03-13T10:00:00Z")], at=NOW - timedelta(days=1))  # fmt: skip
    take(src, [equipment("GTOT", number_of(made), "2026-03-14T09:00:00+01:00", place="NLRTM")], at=NOW)
    text = text_of(client_of(acme.member).get(f"/shipments/{made.public_id}"))
    assert "12 Mar 2026 16:00 CET" in text
    assert re.search(r"<del><time[^>]*>12 Mar 2026 10:00 CET</time></del>.*corrected by", text)
    assert "No discharge heard" in text
    assert "Gate out, empty" in text  # an event that speaks of no milestone is shown too
    assert 'title="12 Mar 2026 15:00 UTC"' in text
    assert "20 Mar 2026" in text
    assert "18 Mar 2026 10:00 CET" in text


def test_what_is_withdrawn_stays_visible_and_counts_for_nothing(acme) -> None:
    tiered(acme, "PRIORITY")
    made, files = shipment(acme), source(format="csv")
    head = "source,source_event_id,shipment_ref,kind,code,classifier,event_time,place,laden,retracts\n"
    told = f"{files.key},e1,{made.ref},EQUIPMENT,DROP,ACT,2026-03-14T10:00:00+01:00,NLRTM,true,\n"
    take(files, (head + told).encode(), at=NOW - timedelta(hours=3))
    client = client_of(acme.member)
    assert "Delivered 14 Mar" in text_of(client.get(f"/shipments/{made.public_id}"))
    undone = f"{files.key},e2,{made.ref},EQUIPMENT,DROP,ACT,2026-03-14T10:00:00+01:00,NLRTM,true,e1\n"
    take(files, (head + undone).encode(), at=NOW)
    text = text_of(client.get(f"/shipments/{made.public_id}"))
    assert "Delivered 14 Mar" not in text
    assert re.search(r"<del><time[^>]*>14 Mar 2026 10:00 CET</time></del>.*withdrawn by", text)
    assert "Withdrawn" in text_of(client.get(f"/shipments/{made.public_id}/events"))


@pytest.mark.req("R5.1")
def test_standard_sees_the_critical_five_and_nothing_between(acme, globex) -> None:
    src = source()
    standard = journey(acme, src, voyage="701W")
    priority = journey(tiered(globex, "PRIORITY"), src, voyage="702W")
    told = {}
    for account, made in ((acme, standard), (globex, priority)):
        client = client_of(account.member)
        page = text_of(client.get(f"/shipments/{made.public_id}"))
        events = text_of(client.get(f"/shipments/{made.public_id}/events"))
        numbers = [n for n in range(1, 8) if client.get(f"/shipments/{made.public_id}/events/{n}").status_code == 200]
        told[account.pk] = (page, events, numbers, text_of(client.get("/shipments")))
    page, events, numbers, listed = told[acme.pk]
    assert "Loaded on the vessel" not in page
    assert "Gate out, empty" not in page + events
    assert "Loaded" not in events
    assert "Vessel departed" in page
    assert "Vessel departed" in listed
    assert len(numbers) == 4  # gate in, departure, estimated arrival, estimated delivery
    page, events, numbers, _listed = told[globex.pk]
    assert "Loaded on the vessel" in page
    assert "Gate out, empty" in page
    assert len(numbers) == 6


def test_an_event_shows_this_shipments_part_of_its_message_only(acme, globex) -> None:
    src = source()
    mine, theirs = shipment(tiered(acme, "PRIORITY")), shipment(globex)
    with as_tenant(globex.pk):
        other = theirs.references.get(kind="BOOKING").written
    with as_tenant(acme.pk):
        own = mine.references.get(kind="BOOKING").written
    event = vessel("DEPA", own, "2026-03-01T10:00:00+08:00", place="CNSHA")
    event["documentReferences"].append({"documentReferenceType": "BKG", "documentReferenceValue": other})
    take(src, [event], at=NOW)
    text = text_of(client_of(acme.member).get(f"/shipments/{mine.public_id}/events/1"))
    assert own in text
    assert other not in text
    assert "Whole message" not in text


def test_the_promise_shows_its_history_and_what_does_not_bind(acme) -> None:
    made = shipment(acme, due_date=date(2026, 3, 20))
    from tracking.services import commitment_change

    with as_tenant(acme.pk):
        commitment_change(shipment=made, due_date=date(2026, 3, 25), asked_by_customer=True, reason="warehouse full",
                          actor="desk@example.com", at=NOW - timedelta(days=3))  # fmt: skip
        commitment_change(shipment=made, due_date=date(2026, 4, 9), asked_by_customer=False, reason="ship is late",
                          actor="desk@example.com", at=NOW - timedelta(days=2))  # fmt: skip
    text = text_of(client_of(acme.member).get(f"/shipments/{made.public_id}"))
    assert "warehouse full" in text
    assert "Does not bind" in text
    assert text.count("In force") == 1
    assert re.search(r"<dt>Promised</dt><dd><time[^>]*>25 Mar 2026", text)


def test_a_shipment_of_which_nothing_was_heard_says_so(acme) -> None:
    made = shipment(acme, containers=())
    text = text_of(client_of(acme.member).get(f"/shipments/{made.public_id}"))
    assert "the shipment counts as one unit" in text
    assert "no estimate" in text
    assert "nothing yet" in text


# --- the home pages ---


def test_each_figure_of_the_customers_home_links_to_as_many_rows(acme) -> None:
    src = source()
    for _ in range(2):
        journey(acme, src)
    shipment(acme, due_date=date(2026, 3, 1))
    client = client_of(acme.member)
    text = text_of(client.get("/"))
    tiles = re.findall(r'<div class="tile-value num">(\d+).*?href="(/shipments\?[^"]+)"', text, re.DOTALL)
    assert [int(n) for n, _a in tiles] == [1, 0, 2, 2]
    for number, address in tiles:
        assert len(refs(text_of(client.get(address.replace("&amp;", "&"))))) == int(number)


# --- the desk ---


@pytest.fixture
def desk():
    cast.operator()
    return {role: cast.person(OPERATOR_ID, role) for role in (Role.OPS, Role.ADMIN, Role.FINANCE)}


def test_staff_see_an_accounts_shipments_whole_and_leave_a_trace(acme, desk) -> None:
    made = journey(acme, source())  # a Standard account: staff see every event all the same
    client, base = client_of(desk[Role.OPS]), f"/ops/accounts/{acme.tenant.public_id}/shipments"
    assert refs(text_of(client.get(base))) == [made.ref]
    assert [r["shipment"] for r in csv_rows(client.get(f"{base}.csv"))] == [made.ref]
    text = text_of(client.get(f"{base}/{made.public_id}"))
    assert "Loaded on the vessel" in text
    event = text_of(client.get(f"{base}/{made.public_id}/events/1"))
    message = re.search(r'href="(/ops/messages/[^"]+)"', event)[1]
    assert "equipmentEventTypeCode" in text_of(client.get(message))
    with as_tenant(OPERATOR_ID):
        assert AuditEntry.objects.filter(action="account.entered", object_id=acme.tenant.public_id).count() >= 4


def test_customers_find_no_desk_and_staff_no_customers_pages(acme, desk) -> None:
    made = shipment(acme)
    customer, staff = client_of(acme.manager), client_of(desk[Role.ADMIN])
    for address in ("/ops/quarantine", "/ops/sources", "/ops/sources/new", f"/ops/messages/{'0' * 20}",
                    f"/ops/accounts/{acme.tenant.public_id}/shipments/{made.public_id}"):  # fmt: skip
        assert customer.get(address).status_code == 404
    for address in ("/shipments", f"/shipments/{made.public_id}", "/shipments.csv"):
        assert staff.get(address).status_code == 404


def refused(src: Source, number: str) -> Quarantined:
    take(src, [equipment("GTIN", number, "2026-03-01T10:00:00+08:00")], at=NOW - timedelta(days=1))
    with as_tenant(src.tenant_id):
        return Quarantined.objects.filter(source=src).latest("id")


def test_a_refused_event_is_shown_with_its_place_marked_and_replayed(acme, desk) -> None:
    src, number = source(), box()
    item = refused(src, number)
    client, address = client_of(desk[Role.OPS]), f"/ops/quarantine/{item.public_id}"
    assert item.public_id in text_of(client.get(f"/ops/quarantine?source={src.key}"))
    text = text_of(client.get(address))
    assert "No shipment has any of the references" in text
    assert "<mark>&quot;2026-03-01T10:00:00+08:00&quot;</mark>" in text
    still = client.post(f"{address}/replay", follow=True)
    assert "It still cannot be used" in still.content.decode()
    made = shipment(acme, containers=(number,))
    assert "The event was applied" in client.post(f"{address}/replay", follow=True).content.decode()
    with as_tenant(acme.pk):
        assert made.sightings.count() == 1
    with as_tenant(OPERATOR_ID):
        assert Quarantined.objects.get(pk=item.pk).attempts == 2
    assert "Replayed" in text_of(client.get(address))


def test_setting_aside_needs_a_reason_and_happens_once(desk) -> None:
    item = refused(source(), box())
    client, address = client_of(desk[Role.OPS]), f"/ops/quarantine/{item.public_id}"
    assert client.post(f"{address}/discard", {"reason": " "}).status_code == 422
    assert "was set aside" in client.post(f"{address}/discard", {"reason": "test data"}, follow=True).content.decode()
    again = client.post(f"{address}/discard", {"reason": "twice"}, follow=True).content.decode()
    assert "already replayed or discarded" in again
    assert "test data" in text_of(client.get(address))
    assert "already replayed or discarded" in client.post(f"{address}/replay", follow=True).content.decode()


def test_an_item_of_an_accounts_own_source_is_decided_inside_that_account(acme, desk) -> None:
    src = source(tenant_id=acme.pk)
    item = refused(src, box())
    assert item.tenant_id == acme.pk
    client = client_of(desk[Role.ADMIN])
    assert acme.tenant.name in text_of(client.get(f"/ops/quarantine?source={src.key}"))
    client.post(f"/ops/quarantine/{item.public_id}/discard", {"reason": "a trial"})
    with as_tenant(acme.pk):
        assert Quarantined.objects.get(pk=item.pk).state == "DISCARDED"
        assert AuditEntry.objects.filter(action="quarantine.discarded", object_id=item.public_id).exists()


def test_only_ops_and_admins_decide(desk) -> None:
    item = refused(source(), box())
    finance, address = client_of(desk[Role.FINANCE]), f"/ops/quarantine/{item.public_id}"
    assert "Replay</button>" not in text_of(finance.get(address))
    assert finance.post(f"{address}/replay").status_code == 403
    assert finance.post(f"{address}/discard", {"reason": "x"}).status_code == 403
    assert finance.get("/ops/sources/new").status_code == 403


@pytest.mark.parametrize(
    "body",
    [b'[{"eventType": "EQUIPMENT", "eventDateTime": ', b"\xff\xfe\x00garbage", b"[]", b"null", b'"x"', b"[" * 5000,
     b'{"a":1}', b"<script>alert(1)</script>"],
)  # fmt: skip
def test_whatever_came_its_message_can_be_looked_at(desk, body: bytes) -> None:
    src = source()
    message = take(src, body, at=NOW)
    client = client_of(desk[Role.OPS])
    text = text_of(client.get(f"/ops/messages/{message.public_id}"))
    assert "<script>alert" not in text
    raw = client.get(f"/ops/messages/{message.public_id}/raw")
    assert raw.content == body
    assert raw["Content-Disposition"].startswith("attachment")
    with as_tenant(OPERATOR_ID):
        items = list(Quarantined.objects.filter(message__public_id=message.public_id))
    for item in items:
        text_of(client.get(f"/ops/quarantine/{item.public_id}"))


def test_a_silent_source_is_called_silent(desk) -> None:
    loud, quiet = source(), source()
    take(loud, [], at=NOW - timedelta(hours=2))
    take(quiet, [], at=NOW - timedelta(hours=30))
    text = text_of(client_of(desk[Role.OPS]).get("/ops/sources"))
    rows = {key: row for row in text.split("<tr>") for key in (loud.key, quiet.key) if key in row}
    assert ">Heard<" in re.sub(r"<svg.*?</svg>", "", rows[loud.key])
    assert "Silent" in rows[quiet.key]


@pytest.mark.req("A6", "G10")
def test_a_new_source_shows_its_secrets_once_and_they_work(desk) -> None:
    client = client_of(desk[Role.ADMIN])
    form = {"name": "Harbour 7", "key": f"harbour-{box().lower()}", "kind": "terminal", "format": "dcsa", "account": ""}
    text = text_of(client.post("/ops/sources/new", form))
    key, secret = re.findall(r'<code class="secret">([^<]+)</code>', text)
    assert key.startswith("plm_")
    assert len(secret) >= 40
    assert key not in text_of(client.get("/ops/sources"))
    sent = client_of(None, key=key).post(f"/ingest/{form['key']}", json.dumps([]), content_type="application/json")
    assert sent.status_code in (200, 202)
    again = client.post("/ops/sources/new", form)
    assert again.status_code == 422
    assert "There is already a source" in again.content.decode()
