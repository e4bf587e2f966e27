"""The page about fetching: an administrator sets it up, tries it, pauses it, and reads what went wrong."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import equipment, source
from tests.tracking.publisher import ERROR, Publisher
from tracking.models import InboundMessage, Poll
from tracking.poller import poll_run

pytestmark = pytest.mark.req("H6")


@pytest.fixture
def carrier() -> Iterator[Publisher]:
    with Publisher() as publisher:
        yield publisher


class Desk:
    """An administrator before the page of a fresh source."""

    def __init__(self, carrier: Publisher, tenant_id: int = OPERATOR_ID) -> None:
        self.source = source(tenant_id=tenant_id)
        self.client: Client = client_of(cast.person(OPERATOR_ID, Role.ADMIN))
        self.path = f"/ops/sources/{self.source.key}/poll"
        self.filled = {
            "base_url": carrier.url, "token_url": f"{carrier.url}/token", "client_id": carrier.client_id,
            "secret": carrier.secret, "secret_in": "BODY", "scope": "", "interval_minutes": "15",
            "overlap_minutes": "120", "page_size": "50", "days_back": "14", "filters": "eventType=EQUIPMENT",
        }  # fmt: skip

    def send(self, act: str = "save", **changed: str) -> Any:
        return self.client.post(self.path, {**self.filled, "act": act, **changed})

    @property
    def poll(self) -> Poll | None:
        with as_tenant(self.source.tenant_id):
            return Poll.objects.filter(source=self.source).first()

    def text(self, answer: Any = None) -> str:
        return html.unescape((answer or self.client.get(self.path)).content.decode())


def test_it_is_set_up_and_the_secret_is_never_shown(acme, carrier) -> None:
    desk = Desk(carrier)
    assert "Nothing is fetched" in desk.text()
    assert desk.send().status_code == 302
    poll = desk.poll
    assert poll is not None and poll.filters == {"eventType": "EQUIPMENT"} and poll.interval_minutes == 15
    assert timedelta(days=13, hours=23) < datetime.now(UTC) - poll.window_from < timedelta(days=14, hours=1)
    text = desk.text()
    assert carrier.url in text and "eventType=EQUIPMENT" in text and carrier.secret not in text
    with as_tenant(OPERATOR_ID):
        row = AuditEntry.objects.get(action="source.poll_changed", object_id=desk.source.key)
    assert carrier.secret not in str(row.details) and row.details["secret_changed"] is True


def test_an_empty_secret_keeps_the_one_that_is_there(acme, carrier) -> None:
    desk = Desk(carrier)
    desk.send()
    before = desk.poll
    assert desk.send(secret="", interval_minutes="60").status_code == 302
    after = desk.poll
    assert before is not None and after is not None
    assert (after.secret, after.interval_minutes) == (before.secret, 60)


def test_trying_says_what_works_and_stores_nothing(acme, carrier) -> None:
    desk = Desk(carrier)
    moment = datetime.now(UTC) - timedelta(hours=1)
    carrier.events = [equipment("GTIN", "MSKU0000000", "2026-03-10T09:30:00Z", created=moment.isoformat())]
    text = desk.text(desk.send("try"))
    assert "The connection works" in text and "It has events for us." in text and "Nothing was stored." in text
    assert carrier.secret not in text and desk.poll is None and carrier.asked[0]["limit"] == "1"
    with as_tenant(OPERATOR_ID):
        assert not InboundMessage.objects.filter(source=desk.source).exists()


def test_trying_says_what_does_not_work_in_the_carrier_s_own_words(acme, carrier) -> None:
    desk = Desk(carrier)
    carrier.refuse(400, ERROR)
    assert "invalidQuery: Unknown value XYZ for eventType" in desk.text(desk.send("try"))
    assert "invalid_client" in desk.text(desk.send("try", secret="wrong"))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("base_url", "http://api.example.com", "must begin with https://"),
        ("base_url", "https://me:word@api.example.com", "user name or password"),
        ("base_url", "https://api.example.com:8443", "its port"),
        ("base_url", "https://api.example.com/v2/events?limit=1", "Parameters belong into the filters"),
        ("base_url", "", "required"),
        ("token_url", "nowhere", "must begin with https://"),
        ("client_id", "", "given to a client id only"),
        ("secret", "", "given for a secret only"),
        ("interval_minutes", "0", "greater than or equal to 1"),
        ("page_size", "100000", "less than or equal to 1000"),
        ("filters", "containers=X", "containers is not a filter of the standard"),
        ("filters", "eventType=", "eventType needs one value"),
        ("filters", "eventType=A\neventType=B", "eventType needs one value"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_beside_the_field(acme, carrier, field, value, says) -> None:
    desk = Desk(carrier)
    answer = desk.send(**{field: value})
    assert answer.status_code == 422 and says in desk.text(answer) and desk.poll is None and carrier.asked == []


def test_an_address_inside_is_refused_when_it_is_tried(acme, carrier) -> None:
    desk = Desk(carrier)
    answer = desk.send("try", base_url="https://localhost", token_url="")
    assert "is not public (loopback)" in desk.text(answer)


def test_the_standard_s_own_part_of_the_address_may_be_written(acme, carrier) -> None:
    desk = Desk(carrier)
    desk.send(base_url=f"{carrier.url}/v2/events/")
    assert desk.poll is not None and desk.poll.base_url == carrier.url


def test_it_is_paused_and_resumed(acme, carrier) -> None:
    desk = Desk(carrier)
    desk.send()
    for act, says, active in (("pause", "Paused", False), ("resume", "Not run yet", True)):
        assert desk.client.post(desk.path, {"act": act}).status_code == 302
        assert says in desk.text() and desk.poll is not None and desk.poll.is_active is active


def test_the_last_runs_and_the_trouble_are_shown(acme, carrier) -> None:
    desk = Desk(carrier)
    desk.send()
    at = datetime.now(UTC)
    with as_tenant(OPERATOR_ID):
        poll_run(source=desk.source.key, at=at)
        carrier.refuse(400, ERROR)
        poll_run(source=desk.source.key, at=at + timedelta(hours=1))
    text = desk.text()
    assert "Needs a person" in text and "Unknown value XYZ" in text and "0 events" in text


def test_a_source_of_an_account_is_set_up_in_its_own_scope_and_looking_is_recorded(acme, carrier) -> None:
    desk = Desk(carrier, tenant_id=acme.pk)
    desk.send()
    assert desk.poll is not None and desk.poll.tenant_id == acme.pk
    with as_tenant(OPERATOR_ID):
        assert AuditEntry.objects.filter(action="account.entered", object_id=acme.tenant.public_id).exists()
