"""The pages of webhooks: a manager does everything alone, sees a secret once, and finds every message."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.selectors import tenant_zone
from portal.webhooks.deliveries import ping_send
from portal.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tests import cast
from tests.contracts.test_query_counts import asked
from tests.doors import client_of
from tests.portal.webhooks.receiver import Receiver, say
from tests.portal.webhooks.world import AT, active, deliveries, endpoint, run, tell
from tests.tracking.pages import tiered
from tracking.facts import MilestoneReached

pytestmark = pytest.mark.usefixtures("tier")
HERE = "/settings/webhooks"
KINDS = ["tracking.milestone_reached", "credits.credit_approved"]


@pytest.fixture
def manager(acme: cast.Account) -> Client:
    """The manager of an account."""
    return client_of(acme.manager)


def page(client: Client, address: str) -> str:
    """A page as text."""
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def secret_in(text: str) -> str:
    """The secret that a page shows."""
    found = re.search(r'<code class="secret">(whsec_[A-Za-z0-9+/=]+)</code>', text)
    return found[1] if found else ""


@pytest.mark.req("H7", "A5", "L1")
def test_a_manager_makes_checks_and_uses_an_endpoint_alone(
    acme: cast.Account, manager: Client, receiver: Receiver
) -> None:
    assert "No endpoint yet" in page(manager, HERE)
    answer = manager.post(f"{HERE}/new", {"label": "TMS", "url": receiver.url, "kinds": KINDS})
    secret = secret_in(answer.content.decode())
    assert answer.status_code == 200 and secret
    with as_tenant(acme.pk):
        made = WebhookEndpoint.objects.get()
    mine = f"{HERE}/{made.public_id}"
    for address in (HERE, mine):
        assert secret not in page(manager, address), "never again"
    assert "Nothing is sent to it yet" in page(manager, mine)
    assert manager.post(mine, {"do": "ping"})["Location"] == mine
    assert 'hx-trigger="load delay:2s"' in page(manager, mine), "the page looks again by itself"
    run(acme, clock.now())
    shown = page(manager, mine)
    assert "Active" in shown and "hx-trigger" not in shown
    tell(acme, replace(MilestoneReached.example(), occurred_at=clock.now()), at=clock.now())
    run(acme, clock.now())
    log = page(manager, f"{HERE}/deliveries")
    assert "MRD-2026-00417" in log and "Delivered" in log
    (row,) = deliveries(acme)
    detail = page(manager, f"{HERE}/deliveries/{row.public_id}")
    assert row.message_id in detail and "VESSEL_ARRIVED" in detail and "200" in detail
    assert f'href="{MilestoneReached.example().path}"' in detail, "the way to what it is about"
    again = manager.post(f"{HERE}/deliveries/{row.public_id}/again")
    assert again["Location"] == f"{HERE}/deliveries/{row.public_id}"
    run(acme, clock.now())
    assert receiver.ids().count(row.message_id) == 2
    sample = manager.post(mine, {"do": "sample", "kind": KINDS[1]})
    run(acme, clock.now())
    assert "Delivered" in page(manager, sample["Location"])
    assert receiver.heard[-1].json()["test"] is True


@pytest.mark.req("A5")
@pytest.mark.parametrize("step", ["new", "change", "secret", "remove"])
def test_secrets_and_addresses_need_a_fresh_proof(acme: cast.Account, step: str) -> None:
    made, _secret = endpoint(acme, "https://example.com/hook", at=clock.now())
    manager = client_of(acme.manager)
    address = f"{HERE}/new" if step == "new" else f"{HERE}/{made.public_id}/{step}"
    given = {"label": "Other", "url": "https://example.com/other", "kinds": KINDS, "hours": "1"}
    with clock.set_to(clock.now() + timedelta(minutes=11)):
        assert "reauthenticate" in manager.post(address, given)["Location"]
    with as_tenant(acme.pk):
        (kept,) = WebhookEndpoint.objects.all()
    assert (kept.url, kept.removed_at) == ("https://example.com/hook", None)


@pytest.mark.req("P6", "A5")
def test_a_secret_is_replaced_with_an_overlap_and_shown_once(acme: cast.Account, manager: Client) -> None:
    made, old = endpoint(acme, "https://example.com/hook", at=clock.now())
    mine = f"{HERE}/{made.public_id}"
    assert "24 hours" in page(manager, f"{mine}/secret")
    assert manager.post(f"{mine}/secret", {"hours": "5"}).status_code == 422
    new = secret_in(manager.post(f"{mine}/secret", {"hours": "24"}).content.decode())
    assert new and new != old
    shown = page(manager, mine)
    assert f"whsec_…{new[-4:]}" in shown and f"whsec_…{old[-4:]}" in shown and "ends" in shown
    assert new not in shown and old not in shown
    assert "the older of them ends at once" in page(manager, f"{mine}/secret")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": "http://example.com/"}, "must begin with https://"),
        ({"url": "https://user:word@example.com/"}, "user name or password"),
        ({"url": "https://10.0.0.1/"}, "10.0.0.1 is not public (private)"),
        ({"url": "https://example.com:8443/"}, "port is not one"),
        ({"kinds": []}, "Choose at least one kind of event"),
        ({"kinds": ["people.invited"]}, "people.invited"),
        ({"label": ""}, "This field is required"),
        ({"label": "x" * 81}, "at most 80 characters"),
        ({"url": "https://example.com/" + "x" * 2_000}, "at most 2000 characters"),
        ({"label": "a\0b"}, "Null characters"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(manager: Client, given: dict[str, object], says: str) -> None:
    answer = manager.post(f"{HERE}/new", {"label": "TMS", "url": "https://example.com/", "kinds": KINDS} | given)
    assert answer.status_code in (400, 422)
    assert says in answer.content.decode() or "\0" in str(given)


@pytest.mark.req("R5.1")
def test_kinds_beyond_the_tier_are_not_offered(manager: Client, tier: set[str]) -> None:
    tier.add("live_tracking")
    shown = page(manager, f"{HERE}/new")
    assert 'value="tracking.milestone_reached"' in shown
    assert "tracking.eta_changed" not in shown and "tracking.eta_changed" not in page(manager, f"{HERE}/reference")
    refused = manager.post(
        f"{HERE}/new", {"label": "x", "url": "https://example.com/", "kinds": ["tracking.eta_changed"]}
    )
    assert refused.status_code == 422
    tier.add("webhooks")
    for address in (HERE, f"{HERE}/new", f"{HERE}/deliveries", f"{HERE}/reference"):
        assert manager.get(address).status_code == 403
    assert HERE not in manager.get("/").content.decode()


@pytest.mark.req("H4")
def test_an_endpoint_that_we_switched_off_says_why_and_what_to_do(
    acme: cast.Account, manager: Client, receiver: Receiver
) -> None:
    now = clock.now()
    made, _secret = active(acme, receiver.url, at=now)
    receiver.answers = [say(410, b"<b>moved</b>")]
    tell(acme, replace(MilestoneReached.example(), occurred_at=now), at=now)
    run(acme, now)
    assert "Webhook endpoint “TMS” is off" in page(manager, "/")
    assert "is off" not in page(client_of(acme.member), "/"), "not a member's to mend"
    shown = page(manager, f"{HERE}/{made.public_id}")
    assert "It answered 410" in shown and "was not delivered" in shown
    (row,) = deliveries(acme)
    detail = page(manager, f"{HERE}/deliveries/{row.public_id}")
    assert "&lt;b&gt;moved&lt;/b&gt;" in detail, "what it answered is text"
    assert "not active, so nothing can be sent" in detail
    since, until = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M}" for days in (-1, 1))
    asked_for = {"since": since, "until": until, "which": "lost"}
    proposed = page(manager, f"{HERE}/{made.public_id}/again")
    with as_tenant(acme.pk):
        zone = tenant_zone()
    assert f'value="{now.astimezone(zone):%Y-%m-%dT%H:%M}"' in proposed, "from when it failed"
    refused = manager.post(f"{HERE}/{made.public_id}/again", asked_for)
    assert refused.status_code == 422 and "Switch it on first" in refused.content.decode()
    manager.post(f"{HERE}/{made.public_id}", {"do": "ping"})
    run(acme, now + timedelta(seconds=5))
    wrong = manager.post(f"{HERE}/{made.public_id}/again", asked_for | {"until": asked_for["since"]})
    assert wrong.status_code == 422 and "must come after" in wrong.content.decode()
    assert manager.post(f"{HERE}/{made.public_id}/again", asked_for)["Location"] == f"{HERE}/{made.public_id}"
    run(acme, now + timedelta(seconds=10))
    assert deliveries(acme)[0].state == DeliveryState.DONE


def test_the_log_is_found_by_endpoint_state_kind_and_reference(
    acme: cast.Account, manager: Client, receiver: Receiver
) -> None:
    now = clock.now()
    made, _secret = active(acme, receiver.url, at=now)
    facts = [replace(MilestoneReached.example(), occurred_at=now, shipment=f"{n:020d}", reference=f"REF-{n:03d}")
             for n in range(120)]  # fmt: skip
    tell(acme, *facts, at=now)
    run(acme, now)
    log = f"{HERE}/deliveries"
    seen, address = [], log
    for _page in range(5):
        text = page(manager, address)
        seen += re.findall(r'<a class="ref" href="[^"]+">(REF-\d+)</a>', text)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        if older is None:
            break
        address = log + older[1].replace("&amp;", "&")
    assert seen == [f"REF-{n:03d}" for n in reversed(range(120))], "every message once, newest first"
    newer = re.search(r'rel="prev" href="([^"]+)"', text)
    assert newer is not None and "REF-050" in page(manager, log + newer[1].replace("&amp;", "&"))
    assert "REF-007" in page(manager, f"{log}?about=REF-007") and "REF-008" not in page(manager, f"{log}?about=REF-007")
    assert "Nothing fits" in page(manager, f"{log}?state=FAILED")
    assert "webhooks.ping" in page(manager, f"{log}?kind=webhooks.ping&endpoint={made.public_id}")
    for hostile in (
        "?older=nothing",
        "?newer=zz",
        "?state=%00",
        "?kind='--",
        "?endpoint=%F0%9F%9A%A2",
        "?older=1&newer=2",
    ):
        assert manager.get(log + hostile).status_code in (200, 400)


@pytest.mark.req("T6", "T13")
def test_nothing_of_another_account_is_shown(acme: cast.Account, globex: cast.Account, receiver: Receiver) -> None:
    now = clock.now()
    made, _secret = active(globex, receiver.url, label="Globex secret system", at=now)
    tell(globex, replace(MilestoneReached.example(), occurred_at=now, reference="GLOBEX-CANARY"), at=now)
    run(globex, now)
    (row,) = deliveries(globex)
    mine = client_of(acme.manager)
    for address in (HERE, f"{HERE}/deliveries", f"{HERE}/deliveries?endpoint={made.public_id}",
                    f"{HERE}/deliveries?about=GLOBEX-CANARY&older={row.public_id}"):  # fmt: skip
        text = page(mine, address)
        assert "Globex secret system" not in text and row.message_id not in text
        assert 'class="ref" href="?about=GLOBEX-CANARY' not in text
    for address in (
        f"{HERE}/{made.public_id}",
        f"{HERE}/deliveries/{row.public_id}",
        f"{HERE}/{made.public_id}/secret",
    ):
        assert mine.get(address).status_code == 404
    assert mine.post(f"{HERE}/deliveries/{row.public_id}/again").status_code == 404


def test_the_pages_ask_as_often_for_many_rows_as_for_few(
    acme: cast.Account, globex: cast.Account, receiver: Receiver
) -> None:
    counts: dict[str, list[int]] = {}
    now = clock.now()
    for account, endpoints, facts in ((acme, 1, 3), (globex, 8, 40)):
        for n in range(endpoints):
            made, _secret = active(account, f"{receiver.url}/{n}", label=f"n{n}", at=now)
        fact = replace(MilestoneReached.example(), occurred_at=now)
        tell(account, *[replace(fact, shipment=f"{n:020d}") for n in range(facts)], at=now)
        run(account, now, names="tracking")
        manager = client_of(account.manager)
        for address in ("", "/deliveries", f"/{made.public_id}", "/reference"):
            manager.get(HERE + address)
            name = address if len(address) < 15 else "one"
            counts.setdefault(name, []).append(len(asked(manager, HERE + address)))
    for name, (few, many) in counts.items():
        assert few == many, name
        assert few <= 22, (name, few)


def test_developers_get_the_schema_and_the_code(manager: Client) -> None:
    shown = page(manager, f"{HERE}/reference")
    assert "hmac.compare_digest" in shown and "tracking.milestone_reached" in shown
    schemas = manager.get(f"{HERE}/reference/schemas.json")
    assert schemas["Content-Type"] == "application/json"
    assert set(KINDS) <= set(schemas.json())


def test_an_endpoint_that_was_taken_away_leaves_its_log(
    acme: cast.Account, manager: Client, receiver: Receiver
) -> None:
    now = clock.now()
    made, _secret = active(acme, receiver.url, at=now)
    tell(acme, replace(MilestoneReached.example(), occurred_at=now), at=now)
    run(acme, now)
    assert "Its secrets are forgotten" in page(manager, f"{HERE}/{made.public_id}/remove")
    assert manager.post(f"{HERE}/{made.public_id}/remove")["Location"] == HERE
    assert manager.get(f"{HERE}/{made.public_id}").status_code == 404
    (row,) = deliveries(acme)
    assert "taken away" in page(manager, f"{HERE}/deliveries/{row.public_id}")
    manager.post(f"{HERE}/deliveries/{row.public_id}/again")
    with as_tenant(acme.pk):
        assert WebhookDelivery.objects.get(pk=row.pk).state == DeliveryState.DONE


@pytest.mark.req("H8", "T6")
def test_systems_read_what_they_missed_and_nothing_that_opens_a_door(acme, globex) -> None:
    for account in (acme, globex):
        tiered(account, "PREMIUM")
    mine, _s = endpoint(acme, "https://tms.example.com/hook?token=pass1")
    theirs, _s = endpoint(globex, "https://theirs.example.com/hook")
    with as_tenant(acme.pk):
        ping_send(endpoint=mine, at=AT)
        key = key_create(label="s", at=AT)[1]
    client = client_of(None, key=key)
    with clock.set_to(AT):
        listed = client.get("/api/v1/webhooks")
        assert [row["host"] for row in listed.json()["items"]] == ["tms.example.com"]
        assert b"pass" not in listed.content
        sent = client.get(f"/api/v1/webhooks/{mine.public_id}/deliveries").json()["items"]
        assert [(d["state"], d["is_test"], d["attempts"]) for d in sent] == [("WAITING", True, 0)]
        with as_tenant(acme.pk):
            WebhookDelivery.objects.update(state="FAILED", ended_at=AT)
        failed = client.get(f"/api/v1/webhooks/{mine.public_id}/deliveries?state=FAILED").json()["items"]
        assert [d["message_id"] for d in failed] == [sent[0]["message_id"]]
        assert client.get(f"/api/v1/webhooks/{mine.public_id}/deliveries?state=DONE").json()["items"] == []
        assert client.get(f"/api/v1/webhooks/{theirs.public_id}/deliveries").status_code == 404
        assert client_of(acme.member).get("/api/v1/webhooks").status_code == 403, "managers alone see webhooks"
