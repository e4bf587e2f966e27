"""Requests that no browser sends are answered in words, or as if they asked for nothing: never by a fault (W6, W8)."""

from __future__ import annotations

import threading

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.test import Client

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, equipment, source, take
from tests.tracking.test_ingest import NOW
from tracking.models import Quarantined

pytestmark = pytest.mark.req("W6", "W8")


@pytest.mark.parametrize("path", ["/%00", "/shipments/%00", "/shipments/a%00b/events/1", "/accounts/invitation/%00.x",
                                  "/dcsa/callbacks/%00", "/ingest/%00", "/notices/unsubscribe/%00"])  # fmt: skip
def test_a_nul_in_the_address_finds_nothing(acme, path) -> None:
    for client in (client_of(acme.manager), client_of(None)):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("query", ["q=%00", "q=a%00b", "lane=%00", "older=%00", "%00=%00", "q=%%0000", "reason=%00",
                                   "source=%00", "outcome=%00", "from=%00", "newer=a.%00"])  # fmt: skip
def test_a_nul_in_the_query_is_left_out(acme, query) -> None:
    admin = client_of(cast.person(OPERATOR_ID, Role.ADMIN))
    assert client_of(acme.manager).get(f"/shipments?{query}", follow=True).status_code == 200
    for path in ("/ops/quarantine", "/ops/accounts", "/ops/credits"):
        assert admin.get(f"{path}?{query}").status_code == 200


def test_a_nul_in_the_session_cookie_is_no_session() -> None:
    cookie = f'{settings.SESSION_COOKIE_NAME}="abcdefgh\\000ijk"'  # in quotes, cookies may be written in octal
    answer = Client(raise_request_exception=False).get("/", headers={"cookie": cookie})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/")


@pytest.mark.req("W3")
@pytest.mark.parametrize("host", ["evil.example", "a b", "[::1", "", "x" * 300])
def test_a_foreign_host_is_refused_with_every_header(host) -> None:
    answer = Client(raise_request_exception=False).get("/accounts/login/", headers={"host": host})
    assert answer.status_code == 400
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.req("A5")
def test_head_asks_for_the_same_proof_as_get(acme) -> None:
    client = client_of(acme.manager)
    session = client.session
    session["proven_at"] = 0
    session.save()
    assert client.get("/settings/keys/new").status_code == client.head("/settings/keys/new").status_code == 302


@pytest.mark.req("D1", "G5")
def test_what_somebody_else_holds_is_busy_and_not_a_fault() -> None:
    line = source()
    message = take(line, [equipment("GTIN", box(), "2026-01-28T09:30:00+08:00")], at=NOW)
    with as_tenant(OPERATOR_ID):
        item = Quarantined.objects.get(message=message)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with as_tenant(OPERATOR_ID), transaction.atomic():
            Quarantined.objects.select_for_update().get(pk=item.pk)
            held.set()
            done.wait(30)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        ops = client_of(cast.person(OPERATOR_ID, Role.OPS))
        answer = ops.post(f"/ops/quarantine/{item.public_id}/replay")
    finally:
        done.set()
        holder.join()
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert ops.post(f"/ops/quarantine/{item.public_id}/replay").status_code == 302
