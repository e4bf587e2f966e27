"""A page asks the database as often for sixty rows as for ten: no query in a loop, none added unnoticed."""

from __future__ import annotations

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from portal.lib import clock
from portal.lib.periods import Month
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tiers.world import close, month, premium
from tests.tracking.messages import box, equipment, shipment, source, take
from tests.tracking.pages import NOW, journey, many, tiered
from tracking.papers import PaperKind
from tracking.services import comment_post, document_add

# session, user and membership, member, second factor, entitlements, kept views, list; and the search
_COLUMNS = "cols=shipment,po,hbl,mbl,booking,vessel,branch,vertical,booked,heard,pol,pod,final"
_BOUNDS = {
    "/shipments?view=all": 7, "/shipments?q=R000": 8, "/shipments?unheard=1": 7, "/shipments?followed=1": 7,
    f"/shipments?{_COLUMNS}&sort=-heard": 7, "/shipments/counts": 7, "/shipments/filters": 8, "/": 20,
    "/kpis/so-far": 14,
}  # fmt: skip


def asked(client, address: str) -> list[str]:
    """The statements of one request, over all connections; the scope's own setting is none of Django's."""
    with CaptureQueriesContext(connections["default"]) as own, CaptureQueriesContext(connections["operator"]) as over:
        response = client.get(address)
        body = b"".join(response) if response.streaming else response.content
    assert response.status_code == 200, body[-500:]
    return [q["sql"] for part in (own, over) for q in part.captured_queries if q["sql"] not in ("BEGIN", "COMMIT")]


@pytest.mark.parametrize("address", list(_BOUNDS))
def test_a_list_asks_as_often_for_sixty_rows_as_for_ten(acme, globex, address: str) -> None:
    counts = []
    for account, rows in ((acme, 10), (globex, 60)):
        many(tiered(account, "PRIORITY"), rows)
        client = client_of(account.member)
        client.get(address)  # what is prepared once a process is not counted
        counts.append(len(asked(client, address)))
    assert counts[0] == counts[1]
    assert counts[0] <= _BOUNDS[address]


# the key, its account, the count of calls; what the account may; the page, its places, its boxes
_API_BOUNDS = {"/api/v1/shipments": 7, "/api/v1/shipments?q=R000": 8, "/api/v1/shipments?unheard=true": 7}


@pytest.mark.parametrize("address", list(_API_BOUNDS))
def test_the_apis_list_asks_as_often_for_sixty_rows_as_for_ten(acme, globex, address: str) -> None:
    counts = []
    for account, rows in ((acme, 10), (globex, 60)):
        many(tiered(account, "PRIORITY"), rows)
        client = client_of(None, key=key_of(account))
        client.get(address)
        counts.append(len(asked(client, address)))
    assert counts[0] == counts[1]
    assert counts[0] <= _API_BOUNDS[address]


@pytest.mark.parametrize("page", ["", "/containers", "/milestones", "/events"])
def test_the_api_asks_of_a_shipment_as_often_for_many_events_as_for_few(acme, page: str) -> None:
    tiered(acme, "PRIORITY")
    src, counts = source(), []
    with clock.set_to(NOW):
        client = client_of(None, key=key_of(acme))
        for boxes in (1, 12):
            made = journey(acme, src, containers=tuple(box() for _ in range(boxes)))
            address = f"/api/v1/shipments/{made.public_id}{page}"
            client.get(address)
            counts.append(len(asked(client, address)))
    assert counts[0] == counts[1]
    assert counts[0] <= 20


def test_the_api_asks_of_closed_months_as_often_for_two_as_for_one(acme) -> None:
    premium(acme)
    client, counts = client_of(None, key=key_of(acme)), []
    for period in (Month(2026, 2), Month(2026, 3)):
        month(acme, on_time=17, late=3, month=period)
        close(acme, period)
        counts.append([])
        for address in ("/api/v1/kpis", "/api/v1/snapshots", "/api/v1/credits"):
            client.get(address)
            counts[-1].append(len(asked(client, address)))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 7


def test_a_standard_accounts_list_asks_no_more(acme) -> None:
    many(acme, 60)
    client = client_of(acme.member)
    client.get("/shipments")
    assert len(asked(client, "/shipments")) <= _BOUNDS["/shipments?view=all"]


def test_a_shipments_page_asks_as_often_for_many_events_as_for_few(acme) -> None:
    tiered(acme, "PRIORITY")
    src, counts = source(), []
    with clock.set_to(NOW):
        for boxes in (1, 12):
            made = journey(acme, src, containers=tuple(box() for _ in range(boxes)))
            with as_tenant(acme.pk):
                for n in range(boxes):  # papers and comments, too
                    about = {"shipment": made, "by": acme.member, "at": NOW}
                    document_add(kind=PaperKind.OTHER, name="a.pdf", body=b"%PDF-1.7 " + bytes([65 + n]), **about)
                    comment_post(text=f"{n}", **about)
            client = client_of(acme.member)
            client.get(f"/shipments/{made.public_id}")
            counts.append(len(asked(client, f"/shipments/{made.public_id}")))
    assert counts[0] == counts[1]
    assert counts[0] <= 31  # three of them, and what is asked for, are the map's; six of documents and comments


def test_the_desks_lists_ask_as_often_for_many_rows_as_for_few() -> None:
    cast.operator()
    client = client_of(cast.person(OPERATOR_ID, Role.OPS))
    src, before = source(), {}
    take(src, [equipment("GTIN", box(), "2026-03-01T10:00:00+08:00")], at=NOW)
    for address in ("/ops/quarantine", "/ops/sources", "/"):
        client.get(address)
        before[address] = len(asked(client, address))
    take(source(), [equipment("GTIN", box(), "2026-03-01T10:00:00+08:00") for _ in range(30)], at=NOW)
    shipment(cast.account("LATE"))
    for address, count in before.items():
        assert len(asked(client, address)) <= count + (1 if address == "/" else 0)
