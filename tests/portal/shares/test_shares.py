"""A link to one shipment: what it shows and what never, how long, how often; and that every refusal looks alike."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.test import Client, override_settings
from django.utils.html import strip_tags

from portal.account.services import member_active_set
from portal.lib import clock, ids
from portal.shares.models import ShareLink
from portal.shares.services import MOST_OPEN, share_create, share_revoke
from portal.shares.views import VIEWS
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry, Tenant
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, number_of, source
from tests.tracking.pages import NOW, journey, tiered
from tiers.promises.services import entitlement_override

pytestmark = pytest.mark.req("A8")


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def make(account, shipment, **more):
    """A link of the account's member: (row, its path)."""
    values = {"label": "Consignee Huber", "days": 14, "by": account.member, "at": NOW, **more}
    with as_tenant(account.pk):
        link, token = share_create(shipment=shipment, **values)
    return link, f"/s/{token}"


def reader() -> Client:
    """Somebody without a sign-in, from a network of their own."""
    return Client(raise_request_exception=False, REMOTE_ADDR=f"2001:db8:{ids.digest(ids.public_id())[:4]}::1")


def text_of(path: str) -> str:
    answer = reader().get(path)
    assert answer.status_code == 200, answer.content[-2000:]
    return answer.content.decode()


def words(html: str) -> str:
    return " ".join(strip_tags(html.split("<main", 1)[1]).split())


def refuse(account, key: str) -> None:
    """The account loses one entitlement."""
    with as_tenant(account.pk):
        entitlement_override(key=key, value=False, valid_from=NOW.date(), valid_to=None, at=NOW, actor="test")


@pytest.fixture
def shared(acme):
    tiered(acme, "PRIORITY")
    return journey(acme, source(), containers=(box(), box()))


# --- what it shows ---


def test_the_page_shows_the_journey_and_says_what_is_missing(acme, shared) -> None:
    _link, path = make(acme, shared)
    said = words(text_of(path))
    assert "Shanghai → Rotterdam" in said
    assert "Vessel departed" in said
    assert "3 Feb 2026 10:00 CST" in said  # local to the port, with its zone
    assert "No arrival heard, expected 10 Mar" in said
    assert "18 Mar 2026 10:00 CET" in said


def test_containers_and_references_stay_hidden_unless_the_link_says_so(acme, shared) -> None:
    with as_tenant(acme.pk):
        booking = shared.references.get(kind="BOOKING").written
    number = number_of(shared)
    hidden = text_of(make(acme, shared)[1])
    for secret in (number, booking, shared.ref, "Consignee Huber", shared.public_id):
        assert secret not in hidden
    shown = text_of(make(acme, shared, shows_containers=True, shows_references=True)[1])
    for told in (number, booking, shared.ref):
        assert told in shown
    only_boxes = text_of(make(acme, shared, shows_containers=True)[1])
    assert number in only_boxes
    assert booking not in only_boxes


def test_what_was_promised_and_who_reported_stay_with_the_account(acme, shared) -> None:
    shown = words(text_of(make(acme, shared, shows_containers=True, shows_references=True)[1]))
    for inner in ("Promise", "20 Mar 2026", "Test line", "Carrier, heard", "late"):
        assert inner not in shown


def test_the_tier_of_today_decides_and_not_that_of_the_day_it_was_made(acme, shared) -> None:
    _link, path = make(acme, shared)
    assert "Loaded on the vessel" in words(text_of(path))
    refuse(acme, "live_tracking")
    assert "Loaded on the vessel" not in words(text_of(path))


# --- its life ---


def test_it_ends_with_the_last_day_in_the_accounts_zone(acme, shared) -> None:
    with as_tenant(acme.pk):
        Tenant.objects.filter(pk=acme.pk).update(zone="America/Los_Angeles")
    link, path = make(acme, shared, days=1)
    assert link.expires_at == datetime(2026, 3, 17, 7, tzinfo=UTC)  # 16 March is over there
    with clock.set_to(link.expires_at - timedelta(seconds=1)):
        assert reader().get(path).status_code == 200
    with clock.set_to(link.expires_at):
        assert reader().get(path).status_code == 404


def test_ninety_days_are_the_most_for_the_page_and_for_the_database(acme, shared) -> None:
    link, _path = make(acme, shared, days=90)
    assert link.expires_at <= NOW + timedelta(days=90)
    client = client_of(acme.member)
    for days in ("0", "91", "-1", "x", ""):
        answer = client.post(f"/shipments/{shared.public_id}/shares", {"label": "A", "days": days})
        assert answer.status_code == 422, days
    with pytest.raises(IntegrityError), as_tenant(acme.pk):
        ShareLink.objects.filter(pk=link.pk).update(expires_at=NOW + timedelta(days=90, seconds=1))


def answers(path: str) -> tuple[int, str, dict[str, str]]:
    answer = reader().get(path)
    body = answer.content.decode().replace(answer["X-Correlation-ID"], "ID")
    return answer.status_code, body, {k: v for k, v in answer.items() if k != "X-Correlation-ID"}


@pytest.mark.req("T6")
def test_unknown_ended_revoked_and_forbidden_links_are_answered_alike(acme, globex, shared) -> None:
    revoked, revoked_path = make(acme, shared)
    ended, ended_path = make(acme, shared)
    orphan, orphan_path = make(acme, shared, by=acme.manager)
    with as_tenant(acme.pk):
        share_revoke(public_id=revoked.public_id, by=acme.manager, at=NOW)
        ShareLink.objects.filter(pk=ended.pk).update(created_at=NOW - timedelta(days=9), expires_at=NOW)
        type(acme.manager).objects.filter(pk=orphan.made_by_id).update(is_active=False)
    token = make(acme, shared)[1].removeprefix("/s/")
    others = f"/s/{globex.tenant.public_id}{token[20:]}"  # a true secret under another account
    unknown = f"/s/{acme.tenant.public_id}{ids.secret()}"
    everything = [answers(p) for p in (unknown, "/s/x", f"/s/{ids.public_id()}{ids.secret()}", revoked_path, ended_path,
                                       orphan_path, others)]  # fmt: skip
    assert everything[0][0] == 404
    assert "Ask whoever sent it to you for a new one" in everything[0][1]
    assert all(one == everything[0] for one in everything)


@pytest.mark.req("A7")
def test_it_works_only_while_its_maker_has_access(acme, shared) -> None:
    _link, path = make(acme, shared)
    with as_tenant(acme.pk):
        member_active_set(public_id=acme.member.public_id, active=False, by=acme.manager, at=NOW)
    assert reader().get(path).status_code == 404
    listed = words(client_of(acme.manager).get("/settings/shares").content.decode())
    assert "Its maker has no access any more" in listed


@pytest.mark.req("A7")
def test_it_shows_nothing_when_the_account_may_not_use_the_portal_any_more(acme, shared) -> None:
    _link, path = make(acme, shared)
    refuse(acme, "portal_core")
    assert reader().get(path).status_code == 404


# --- guards ---


@pytest.mark.req("T12", "W4")
def test_no_cache_no_search_engine_and_no_further_site_learns_the_address(acme, shared) -> None:
    for path in (make(acme, shared)[1], "/s/unknown"):
        answer = reader().get(path)
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer["X-Robots-Tag"]
        assert '<meta name="robots" content="noindex' in answer.content.decode()
        assert not answer.cookies


@pytest.mark.req("L3")
def test_the_token_is_kept_by_its_digest_only_and_stands_in_no_log(acme, shared, caplog) -> None:
    link, path = make(acme, shared)
    token = path.removeprefix("/s/")
    assert len(token) >= 20 + 43  # 256 random bits after the account's public id
    assert link.token_hash == ids.digest(token[20:])
    with as_tenant(acme.pk):
        share_revoke(public_id=link.public_id, by=acme.member, at=NOW)
        entries = list(AuditEntry.objects.filter(object_type="share").order_by("id"))
    with caplog.at_level("DEBUG"):
        assert reader().get(path).status_code == 404
    assert token[20:] not in caplog.text
    assert not any(token[20:] in str(e.details) for e in entries)


@pytest.mark.req("F1")
def test_never_more_views_than_the_limit_for_one_network_and_each_is_counted(acme, shared, monkeypatch) -> None:
    from portal.shares import views

    monkeypatch.setattr(views, "VIEWS", type(VIEWS)(VIEWS.key, 12, VIEWS.window))
    link, path = make(acme, shared)
    network = f"2001:db8:{ids.digest(ids.public_id())[:4]}::1"

    def look(_n: int) -> int:
        try:
            with clock.set_to(NOW):
                return Client(REMOTE_ADDR=network).get(path).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(look, range(30)))
    assert codes.count(200) == 12
    assert codes.count(429) == 18
    refused = Client(REMOTE_ADDR=network).get(path)
    assert int(refused["Retry-After"]) > 0
    assert reader().get(path).status_code == 200  # another network
    with as_tenant(acme.pk):
        link.refresh_from_db()
    assert link.views == 13
    assert link.last_viewed_at == NOW


def test_a_head_request_is_no_view(acme, shared) -> None:
    link, path = make(acme, shared)
    assert reader().head(path).status_code == 200
    with as_tenant(acme.pk):
        link.refresh_from_db()
    assert link.views == 0


# --- making, listing, revoking ---


@pytest.mark.req("L1", "W3")
@override_settings(PUBLIC_URL="https://portal.example.com")
def test_a_member_makes_a_link_and_revokes_it_on_the_pages(acme, shared) -> None:
    client = client_of(acme.member)
    page = f"/shipments/{shared.public_id}"
    assert f'href="{page}/shares"' in client.get(page).content.decode()
    made = client.post(f"{page}/shares", {"label": "Huber", "days": "7", "shows_containers": "on"}).content.decode()
    path = re.search(r"https://portal\.example\.com(/s/[A-Za-z0-9_-]+)", made)[1]
    assert number_of(shared) in text_of(path)
    listed = client.get(f"{page}/shares").content.decode()
    assert path not in listed
    assert "1 time" in words(listed)
    revoke = re.search(r'href="(/settings/shares/[^"]+/revoke)"', listed)[1]
    assert "It was viewed 1 time" in words(client.get(revoke).content.decode())
    assert client.post(revoke).status_code == 302
    assert reader().get(path).status_code == 404
    with as_tenant(acme.pk):
        rows = AuditEntry.objects.filter(object_type="share").order_by("id").values_list("action", "actor")
        assert list(rows) == [("share.created", acme.member.label), ("share.revoked", acme.member.label)]
    trail = words(client_of(acme.manager).get("/settings/audit?kind=share").content.decode())
    assert "Share link made" in trail
    assert "Share link revoked" in trail


def test_a_manager_sees_and_revokes_every_link_a_member_the_own_ones(acme, shared) -> None:
    mine, _path = make(acme, shared, label="of the member")
    theirs, _path = make(acme, shared, label="of the manager", by=acme.manager)
    member, manager = client_of(acme.member), client_of(acme.manager)
    seen = words(member.get("/settings/shares").content.decode())
    assert "of the member" in seen
    assert "of the manager" not in seen
    everything = words(manager.get("/settings/shares").content.decode())
    assert "of the member" in everything
    assert "of the manager" in everything
    assert member.post(f"/settings/shares/{theirs.public_id}/revoke").status_code == 403
    assert manager.post(f"/settings/shares/{mine.public_id}/revoke").status_code == 302


@pytest.mark.req("T6")
def test_nobody_shares_or_revokes_what_belongs_to_another_account(acme, globex, shared) -> None:
    link, _path = make(acme, shared)
    client = client_of(globex.manager)
    assert client.get(f"/shipments/{shared.public_id}/shares").status_code == 404
    assert client.post(f"/shipments/{shared.public_id}/shares", {"label": "A", "days": "7"}).status_code == 404
    assert client.post(f"/settings/shares/{link.public_id}/revoke").status_code == 404
    assert reader().get(_path).status_code == 200


def test_open_links_of_one_shipment_have_a_limit(acme, shared) -> None:
    for _ in range(MOST_OPEN):
        make(acme, shared)
    answer = client_of(acme.member).post(f"/shipments/{shared.public_id}/shares", {"label": "A", "days": "7"})
    assert answer.status_code == 422
    assert "open links already" in answer.content.decode()


@pytest.mark.req("T1")
def test_a_reader_who_is_signed_in_elsewhere_sees_only_what_the_link_shows(acme, globex, shared) -> None:
    _link, path = make(acme, shared)
    page = client_of(globex.manager).get(path)
    assert page.status_code == 200
    assert shared.ref not in page.content.decode()
    assert globex.tenant.name not in words(page.content.decode())


def test_the_first_page_of_a_new_account_says_how_to_make_one() -> None:
    fresh = cast.account("FRESH")
    assert "Make one on a shipment" in words(client_of(fresh.member).get("/settings/shares").content.decode())
