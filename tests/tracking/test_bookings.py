"""Shipments from the forwarder's own system, from a file and by hand: made once, changed, never unpromised."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, equipment, source, take
from tests.tracking.test_doors import Partner
from tracking import bookings
from tracking.history import ShipmentRow
from tracking.models import CommitmentRow, Container, MilestoneRow, Quarantined, Reference, Shipment, Source
from tracking.types import Refusal, Unreadable

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


class BookingSystem(Partner):
    """The forwarder's own system with its key."""

    def __init__(self, tenant_id: int = OPERATOR_ID, *, accounts: tuple[int, ...] = ()) -> None:
        super().__init__(tenant_id)
        with as_tenant(tenant_id):
            Source.objects.filter(pk=self.source.pk).update(books_shipments=True, account_ids=list(accounts))

    def book(self, *rows: Any, **more: Any) -> dict[str, Any]:
        """What it is answered."""
        answer = self.post(list(rows), to=f"{self.source.key}/shipments", **more)
        assert answer.status_code == 200, answer.content
        return json.loads(answer.content)


def booked(account: cast.Account, ref: str = "B1", **more: Any) -> dict[str, Any]:
    """A door shipment to Rotterdam."""
    return {
        "account": account.tenant.code, "shipment_ref": ref, "final_milestone": "DOOR", "pol": "CNSHA", "pod": "NLRTM",
        "due_date": "2026-04-20", "containers": [box()], "booking": f"BK{ref}", "mode": "SEA", **more,
    }  # fmt: skip


def test_a_shipment_is_made_once_changed_and_its_promise_stays(acme) -> None:
    system, row = BookingSystem(), booked(acme)
    with clock.set_to(NOW):
        made = system.book(row)
    assert (made["received"], made["made"], made["items"][0]["outcome"]) == (1, 1, "made")
    with clock.set_to(NOW + timedelta(days=1)):
        assert system.book(row)["unchanged"] == 1
        later = system.book({**row, "due_date": "2026-05-01", "carrier": "maeu", "containers": [box()]})
    assert later["items"][0] == {**made["items"][0], "outcome": "changed"}
    with as_tenant(acme.pk):
        ship = Shipment.objects.get(public_id=made["items"][0]["id"])
        assert (ship.carrier, ship.due_date, ship.covered_from) == ("MAEU", date(2026, 4, 20), NOW)
        asked = list(CommitmentRow.objects.order_by("id").values_list("due_date", "is_binding"))
        assert asked == [(date(2026, 4, 20), True), (date(2026, 5, 1), False)]
        assert Container.objects.filter(removed_at=None).count() == 1
        assert Container.objects.exclude(removed_at=None).count() == 1
        audits = AuditEntry.objects.filter(object_id=ship.public_id).order_by("id")
        assert [(a.action, a.actor) for a in audits] == [
            ("shipment.registered", f"source {system.source.key}"), ("shipment.changed", f"source {system.source.key}"),
        ]  # fmt: skip


def test_what_waited_for_it_is_matched(acme) -> None:
    system, row, carrier = BookingSystem(), booked(acme), source()
    message = take(carrier, [equipment("GTIN", row["containers"][0], "2026-03-14T10:00:00+08:00")], at=NOW)
    assert message.events_quarantined == 1
    system.book(row)
    from portal.outbox.models import OutboxRow
    from tracking.services import waiting_match

    with as_tenant(OPERATOR_ID):
        asked = OutboxRow.objects.filter(name="tracking.match_waiting").order_by("-pk").first()
        assert row["containers"][0] in asked.payload["refs"]
        assert waiting_match(refs=asked.payload["refs"].split(), at=NOW) == 1
        assert not Quarantined.objects.filter(message=message, state="OPEN").exists()
    with as_tenant(acme.pk):
        assert MilestoneRow.objects.filter(milestone="GATE_IN_FULL", act_at__isnull=False).exists()


def test_bad_rows_say_where_and_hinder_no_others(acme, globex) -> None:
    system = BookingSystem(accounts=(acme.pk,))
    told = system.book(
        booked(acme), booked(globex), booked(acme), {**booked(acme, "B2"), "colour": "red"},
        booked(acme, "B3", pod="QQNOW"), booked(acme, "B4", due_date="soon"), {"account": "nobody"}, 7,
        {**booked(acme, "B5"), "account": "NOSUCH"}, booked(acme, "B6", containers=["MSKU0000007"]),
        booked(acme, "B7", due_at="2026-04-20T10:00:00Z"), booked(acme, "B8", tol_days=True),
    )  # fmt: skip
    assert (told["received"], told["made"], told["refused"]) == (12, 2, 10)
    said = [(i["position"], i.get("reason")) for i in told["items"]]
    assert said == [
        ("$[0]", None), ("$[1]", "unknown_account"), ("$[2]", "bad_value"), ("$[3].colour", "unknown_column"),
        ("$[4]", "no_zone"), ("$[5].due_date", "bad_time"), ("$[6].final_milestone", "missing_field"),
        ("$[7]", "wrong_type"), ("$[8]", "unknown_account"), ("$[9]", None), ("$[10].due_at", "bad_value"),
        ("$[11].tol_days", "wrong_type"),
    ]  # fmt: skip
    assert told["items"][9]["warnings"] == ["container_check_digit"]
    assert all(i["detail"] for i in told["items"] if i["outcome"] == "refused")
    with as_tenant(globex.pk):
        assert not Shipment.objects.exists()


def test_only_a_source_that_may_and_its_own_key_open_the_door(acme, globex) -> None:
    plain, own = Partner(), BookingSystem(acme.pk)
    row = booked(acme)
    refused = plain.post([row], to=f"{plain.source.key}/shipments")
    assert (refused.status_code, json.loads(refused.content)["code"]) == (403, "not_for_bookings")
    other = BookingSystem()
    assert plain.post([row], to=f"{other.source.key}/shipments").status_code == 404
    assert other.post([row], key="", to=f"{other.source.key}/shipments").status_code == 401
    told = own.book(row, booked(globex), {**booked(globex), "account": "NOSUCH"})["items"]
    assert told[0]["outcome"] == "made"
    assert told[1]["reason"] == told[2]["reason"] == "unknown_account", "another account answers like one that is not"
    assert told[1]["detail"] == told[2]["detail"]
    with as_tenant(globex.pk):
        assert not Shipment.objects.exists()


@pytest.mark.parametrize(("body", "kind", "code"), [
    (b"[{", "application/json", "before it is complete"), (b'{"a": 1}', "application/json", "list of shipments"),
    (b"account,mood\n", "text/csv", "mood"), (b"", "text/csv", "empty"),
    (b"[" + b",".join([b"{}"] * 1_001) + b"]", "application/json", "1000"),
])  # fmt: skip
def test_what_cannot_be_read_at_all_is_refused_whole(acme, body, kind, code) -> None:
    system = BookingSystem()
    answer = system.post(body, content_type=kind, to=f"{system.source.key}/shipments")
    assert answer.status_code == 400
    assert code in json.loads(answer.content)["detail"]


def test_a_csv_says_the_same_as_json(acme, globex) -> None:
    system, row = BookingSystem(), booked(acme, containers=[box(), box()], po_numbers=["A", "B"])
    system.book(row)
    columns = {**row, "account": globex.tenant.code}
    cells = ["|".join(v) if isinstance(v, list) else str(v) for v in columns.values()]
    text = ",".join(columns) + "\n" + ",".join(cells) + "\n"
    answer = system.post(text.encode(), content_type="text/csv", to=f"{system.source.key}/shipments")
    assert json.loads(answer.content)["made"] == 1
    found = []
    for account in (acme, globex):
        with as_tenant(account.pk):
            ship = Shipment.objects.get()
            refs = Reference.objects.order_by("kind", "value").values_list("kind", "value")
            found.append((ship.lane, ship.due_at, ship.mode, list(refs)))
    assert found[0] == found[1]


@pytest.mark.req("R5.2")
def test_two_that_book_the_same_at_once_make_one(acme) -> None:
    system, row = BookingSystem(), booked(acme)
    told: list[dict[str, Any]] = []

    def book() -> None:
        try:
            told.append(system.book(row))
        finally:
            connections.close_all()

    both = [threading.Thread(target=book) for _n in range(4)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(t["items"][0]["outcome"] for t in told) == ["made", "unchanged", "unchanged", "unchanged"]
    with as_tenant(acme.pk):
        assert Shipment.objects.count() == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["account", "shipment_ref", "final_milestone", "due_date", "due_at", "containers", "tol_days", "mode", "load",
         "pod", "po_numbers", "x"]) | st.text(max_size=3), inner, max_size=12), max_leaves=12,
)  # fmt: skip


@pytest.mark.req("W8")
@settings(max_examples=400, deadline=None)
@given(JSON)
def test_whatever_comes_is_rows_or_said_to_be_none(value) -> None:
    try:
        rows = bookings.of_json(json.dumps(value).encode())
    except Unreadable as refused:
        rows = [Refusal(code=refused.code, position="$", detail=refused.detail)]
    assert all(isinstance(row, ShipmentRow) or (row.code and row.detail) for row in rows)


# --- pages ---


class Desk:
    """A member of the desk at the pages of one account."""

    def __init__(self, account: cast.Account, role: Role = Role.OPS) -> None:
        self.account = account
        self.client = client_of(cast.person(OPERATOR_ID, role))
        self.base = f"/ops/accounts/{account.tenant.public_id}/shipments"

    def post(self, path: str, **fields: Any) -> Any:
        """What a form is answered."""
        return self.client.post(f"{self.base}/{path}", fields)

    def register(self, ref: str = "S1", **more: Any) -> Shipment:
        """A shipment entered by hand."""
        fields = {"shipment_ref": ref, "mode": "SEA", "load": "FCL", "pol": "cnsha", "pod": "nlrtm",
                  "final_milestone": "DOOR", "due_date": "2027-04-20", "containers": box(), **more}  # fmt: skip
        answer = self.post("new", **fields)
        assert answer.status_code == 302, answer.content.decode()
        with as_tenant(self.account.pk):
            return Shipment.objects.get(ref=ref)

    def one(self, ship: Shipment) -> Shipment:
        """As it is now."""
        with as_tenant(self.account.pk):
            return Shipment.objects.get(pk=ship.pk)


def test_by_hand_one_is_registered_changed_and_called_off(acme) -> None:
    desk = Desk(acme, Role.ACCOUNT_MANAGER)
    ship = desk.register(po_numbers="PO 1, PO 2", tol_days="2")
    page = desk.client.get(f"{desk.base}/{ship.public_id}/booking").content.decode()
    assert "PO 1, PO 2" in page
    assert 'value="CNSHA"' in page
    fields = {"mode": "SEA", "load": "FCL", "pol": "CNSHA", "pod": "NLRTM", "final_milestone": "DOOR",
              "final_place": "NLRTM", "containers": "", "carrier": "maeu"}  # fmt: skip
    assert desk.post(f"{ship.public_id}/booking", **fields).status_code == 302
    assert desk.one(ship).carrier == "MAEU"
    assert desk.one(ship).due_date == date(2027, 4, 20)
    assert desk.post(f"{ship.public_id}/cancel", cancelled_by="CUSTOMER", day="2026-03-01").status_code == 302
    ended = desk.one(ship)
    assert (ended.status, ended.cancelled_by) == ("CANCELLED", "CUSTOMER")
    assert "nothing to call off" in desk.client.get(f"{desk.base}/{ship.public_id}/cancel").content.decode()
    assert desk.post(f"{ship.public_id}/cancel", cancelled_by="CARRIER", day="2026-03-02").status_code == 422
    assert desk.one(ship).cancelled_by == "CUSTOMER"


@pytest.mark.req("R1.16")
def test_a_promise_gives_way_to_what_the_customer_asks_in_time(acme) -> None:
    desk = Desk(acme)
    ship = desk.register()
    desk.post(f"{ship.public_id}/promise", due_date="2027-05-02", asked_by="OPERATOR", reason="rolled")
    assert desk.one(ship).due_date == date(2027, 4, 20)
    desk.post(f"{ship.public_id}/promise", due_date="2027-05-01", asked_by="CUSTOMER", reason="Ms Li, by mail")
    assert desk.one(ship).due_date == date(2027, 5, 1)
    with clock.set_to(datetime(2027, 5, 2, 12, tzinfo=UTC)):
        late = client_of(cast.person(OPERATOR_ID, Role.OPS)).post(
            f"{desk.base}/{ship.public_id}/promise",
            {"due_date": "2027-06-01", "asked_by": "CUSTOMER", "reason": "again"}, follow=True,
        ).content.decode()  # fmt: skip
    assert "that day still counts" in late
    assert desk.one(ship).due_date == date(2027, 5, 1)


@pytest.mark.parametrize(("change", "said"), [
    ({"shipment_ref": "S1"}, "has a shipment with this number already"),
    ({"pod": "QQNOW"}, "time zone"), ({"due_date": ""}, "required"), ({"load": "LCL", "final_milestone": "CY"}, "LCL"),
    ({"vessel_imo": "9"}, "registered"), ({"containers": "X" * 40}, "longer"), ({"due_date": "0001-01-01"}, "2000"),
])  # fmt: skip
def test_what_cannot_be_is_said_at_the_form(acme, change, said) -> None:
    desk = Desk(acme)
    desk.register("S1")
    fields = {"shipment_ref": "S2", "mode": "SEA", "load": "FCL", "pol": "CNSHA", "pod": "NLRTM",
              "final_milestone": "DOOR", "due_date": "2027-04-20", **change}  # fmt: skip
    answer = desk.client.post(f"{desk.base}/new", fields, follow=True)
    assert said in answer.content.decode().lower() or said in answer.content.decode()
    with as_tenant(acme.pk):
        assert Shipment.objects.count() == (2 if said == "registered" else 1)


def test_rows_are_looked_at_before_they_are_stored(acme) -> None:
    client = client_of(cast.person(OPERATOR_ID, Role.OPS))
    head = "account,shipment_ref,final_milestone,pol,pod,due_date,containers\n"
    rows = (
        head + f"{acme.tenant.code},F1,DOOR,CNSHA,NLRTM,2027-04-20,{box()}\n{acme.tenant.code},F2,DOOR,CNSHA,QQNOW,?,\n"
    )
    looked = client.post("/ops/shipments/many", {"rows": rows, "look": "1"}).content.decode()
    assert "Nothing is stored yet" in looked
    assert "F1" in looked
    with as_tenant(acme.pk):
        assert not Shipment.objects.exists()
        assert not AuditEntry.objects.filter(action="shipment.registered").exists()
    stored = client.post("/ops/shipments/many", {"rows": rows, "store": "1"}).content.decode()
    with as_tenant(acme.pk):
        ship = Shipment.objects.get()
    assert f"/ops/accounts/{acme.tenant.public_id}/shipments/{ship.public_id}" in stored
    assert client.post("/ops/shipments/many", {"rows": "", "look": "1"}).status_code == 422
    assert client.post("/ops/shipments/many", {"rows": "a;b\n1;2", "look": "1"}).status_code == 422
