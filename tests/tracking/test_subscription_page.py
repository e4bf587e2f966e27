"""What a manager sees of the account's subscriptions: state in words, what is wrong, what became of callbacks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import key_revoke
from tests.contracts.test_query_counts import asked
from tests.doors import client_of
from tests.tracking.pages import NOW, tiered
from tests.tracking.subscriber import Reply
from tests.tracking.test_dcsa_subscriptions import SECRET, System, tms

__all__ = ["tms"]  # the fixture
PAGE = "/settings/subscriptions"
pytestmark = pytest.mark.req("H7")


def words(account, at=NOW) -> str:
    """The page's text as its manager sees it."""
    with clock.set_to(at):
        html = client_of(account.manager).get(PAGE).content.decode()
    main = re.sub(r"<script.*?</script>", " ", html[html.index("<main") :], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def test_without_one_it_says_how_to_make_one(acme) -> None:
    tiered(acme, "PRIORITY")
    said = words(acme)
    assert "No subscription yet" in said
    assert "/dcsa/tnt/v2/event-subscriptions" in said


def test_it_tells_each_state_and_what_to_do(acme, tms) -> None:
    system = System(acme, tms, eventType=["EQUIPMENT"], UNLocationCode="CNSHA")
    assert "Not answered yet" in words(acme)
    system.run()
    system.hears(3)
    system.run()
    said = words(acme)
    assert (
        "Sending" in said
        and "eventType EQUIPMENT" in said
        and "UNLocationCode CNSHA" in said
        and "/dcsa" in said
        and "shipperRef" not in said
    )
    assert SECRET not in said
    tms.usual = Reply(500, b"<b>out of order</b>")
    system.hears(1, at=NOW + timedelta(minutes=1), code="LOAD")
    system.run(NOW + timedelta(minutes=1))
    said = words(acme)
    assert "The last callback was not taken" in said and "1 callback" in said
    assert "HTTP 500, and 204 was expected: &lt;b&gt;out of order&lt;/b&gt;" in said
    with as_tenant(acme.pk):
        key_revoke(public_id=system.key.public_id, at=NOW, actor="Ada")
    system.run(system.due_at())
    said = words(acme)
    assert "Ended" in said and "The API key behind it was revoked or has expired." in said and "PUT" in said


def test_only_managers_of_an_entitled_account_see_it(acme, globex) -> None:
    tiered(acme, "PRIORITY")
    with clock.set_to(NOW):
        answers = [client_of(who).get(PAGE).status_code for who in (acme.manager, acme.member, globex.manager, None)]
        entry = PAGE in client_of(acme.manager).get("/").content.decode()
        none = PAGE in client_of(globex.manager).get("/").content.decode()
    assert answers == [200, 403, 403, 302]
    assert (entry, none) == (True, False)


def test_it_asks_as_often_for_many_callbacks_as_for_few(acme, tms) -> None:
    system = System(acme, tms)
    system.run()
    counts = []
    for n in (1, 12):
        for m in range(n):
            system.hears(1, at=NOW + timedelta(minutes=n + m))
        system.run(NOW + timedelta(hours=1))
        with clock.set_to(NOW):
            client = client_of(acme.manager)
            client.get(PAGE)
            counts.append(len(asked(client, PAGE)))
    assert counts[0] == counts[1]
