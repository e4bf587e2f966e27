"""The list as people work with it: narrowed, in their columns and order, kept under a name, followed."""

from __future__ import annotations

import re
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import IntegrityError, connection, transaction

from portal.lib import clock
from portal.lib.errors import Forbidden
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take
from tests.tracking.pages import NOW, journey, many, refs, tiered
from tracking.filters import COLUMNS, SORTS, ShipmentFilter
from tracking.models import Follow, SavedView, Shipment
from tracking.services import (
    MOST_FOLLOWED,
    MOST_VIEWS,
    TooManyViews,
    ViewNameTaken,
    shipments_follow,
    view_save,
)
from tracking.tables import LABELS


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def text_of(response) -> str:
    assert response.status_code == 200, response.content[-2000:]
    return response.content.decode()


def listed(account, query: str) -> list[str]:
    return refs(text_of(client_of(account.member).get(f"/shipments?{query}")))


# --- filters ---


@pytest.fixture
def world(acme):
    """Two journeys that differ in everything one can filter by, and one of which nothing is known."""
    tiered(acme, "PRIORITY")
    journey(acme, source(), ref="SEA", carrier="MAEU", branch="Rotterdam", vertical="Cars & parts",
            due_date=date(2026, 3, 20))  # fmt: skip
    shipment(acme, ref="OTHER", carrier="HLCU", branch="Genève", vertical="Food", pol="SGSIN", pod="DEHAM",
             final_place="DEHAM", due_date=date(2026, 4, 30))  # fmt: skip
    many(acme, 1, undated=1)  # R0000
    return acme


@pytest.mark.req("T9")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("carrier=HLCU", {"OTHER"}),
        ("pol=CNSHA", {"SEA", "R0000"}),
        ("pod=DEHAM", {"OTHER"}),
        ("lane=SGSIN-DEHAM", {"OTHER"}),
        ("branch=Gen%C3%A8ve", {"OTHER"}),
        ("vertical=Cars+%26+parts", {"SEA"}),
        ("milestone=VESSEL_DEPARTED", {"SEA"}),
        ("status=UNDER_WAY", {"SEA"}),
        ("due_from=2026-03-20&due_to=2026-03-20", {"SEA"}),
        ("due_from=2026-03-21", {"OTHER"}),
        ("due_to=2026-04-30", {"SEA", "OTHER"}),
        ("due_to=2026-03-19", set()),
        ("eta_from=2026-03-18&eta_to=2026-03-18", {"SEA"}),
        ("eta_from=2026-03-19", set()),
        ("eta_to=2026-03-17", set()),
        ("carrier=HLCU&status=UNDER_WAY", set()),
        ("carrier=NONE", set()),
    ],
)
def test_each_filter_shows_exactly_what_it_names(world, query: str, found: set[str]) -> None:
    assert set(listed(world, query)) == found


def test_a_filter_in_force_is_a_chip_that_takes_it_away_and_leaves_the_others(world) -> None:
    text = text_of(client_of(world.member).get("/shipments?carrier=HLCU&due_from=2026-04-01&standing=track"))
    chips = dict(re.findall(r'<a class="chip chip-off" href="([^"]+)">([^<]+)<', text))
    assert set(chips.values()) == {"Carrier: HLCU", "Promised from 1 Apr 2026"}
    address = next(url for url, label in chips.items() if label.startswith("Promised"))
    assert dict(parse_qsl(urlsplit(address.replace("&amp;", "&")).query)) == {"carrier": "HLCU", "standing": "track"}


def test_the_form_of_filters_offers_what_occurs_and_makes_an_address(world) -> None:
    client = client_of(world.member)
    form = text_of(client.get("/shipments/filters?carrier=HLCU&sort=ref&q=OTH"))
    assert re.search(r'<option value="HLCU" selected>', form)
    assert "Shanghai → Rotterdam (CNSHA-NLRTM)" in form
    assert "Genève" in form
    assert 'name="sort" value="ref"' in form
    sent = client.get("/shipments", {"carrier": "", "status": "BOOKED", "due_from": "", "followed": "", "sort": "ref"})
    assert (sent.status_code, sent["Location"]) == (302, "/shipments?status=BOOKED&sort=ref")


@pytest.mark.req("T9", "R5.1")
def test_a_tier_without_every_event_cannot_ask_for_what_it_is_not_shown(acme) -> None:
    src = source()
    made = shipment(acme, ref="MINE")
    take(src, [equipment("GTIN", number_of(made), "2026-02-01T10:00:00+08:00"),
               equipment("LOAD", number_of(made), "2026-02-02T10:00:00+08:00")], at=NOW)  # fmt: skip
    client = client_of(acme.member)
    shown = re.findall(r'<option value="([A-Z_]+)"', text_of(client.get("/shipments/filters")))
    assert "LOADED" not in shown  # no core milestone of a door shipment
    assert "left out" in text_of(client.get("/shipments?milestone=LOADED"))
    assert refs(text_of(client.get("/shipments?milestone=GATE_IN_FULL"))) == ["MINE"]  # the last one it is shown
    tiered(acme, "PRIORITY")
    assert listed(acme, "milestone=LOADED") == ["MINE"]
    assert listed(acme, "milestone=GATE_IN_FULL") == []


@pytest.mark.req("T10")
def test_counts_stay_in_the_account_and_end_at_ten_thousand(acme, globex) -> None:
    many(acme, 3)
    with as_tenant(globex.pk), connection.cursor() as cursor:
        many(globex, 1)
        names = [f.column for f in Shipment._meta.fields if f.name not in ("id", "public_id", "ref")]
        columns = ", ".join(names)
        cursor.execute(
            f"insert into tracking_shipment (public_id, ref, {columns}) "
            f"select 'x' || lpad(n::text, 19, '0'), 'C' || n, {columns} "
            "from tracking_shipment, generate_series(1, 10000) n where ref = 'R0000'"
        )
    assert '<span class="num">3</span>' in text_of(client_of(acme.member).get("/shipments/counts"))
    assert 'title="more than 10,000">10,000+</span>' in text_of(client_of(globex.member).get("/shipments/counts"))


# --- order and columns ---


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_pages_through_everything_once_and_back(acme, sort: str) -> None:
    everything = many(acme, 60, undated=10)
    with as_tenant(acme.pk):
        for n, row in enumerate(Shipment.objects.order_by("id")):
            if n % 4:  # ties, and some without a value
                row.eta_at = row.last_heard_at = NOW + timedelta(days=n // 8)
                row.save(update_fields=["eta_at", "last_heard_at"])
    client = client_of(acme.member)
    first = text_of(client.get(f"/shipments?sort={sort}"))
    older = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = text_of(client.get(f"/shipments{older}"))
    assert sorted(refs(first) + refs(second)) == sorted(everything)
    newer = re.search(r'rel="prev" href="([^"]+)"', second)[1].replace("&amp;", "&")
    assert refs(text_of(client.get(f"/shipments{newer}"))) == refs(first)
    key = {"promised": "due_at", "expected": "eta_at", "heard": "last_heard_at", "ref": "ref"}[sort.lstrip("-")]
    with as_tenant(acme.pk):
        values = dict(Shipment.objects.values_list("ref", key))
    seen = [values[ref] for ref in refs(first) + refs(second)]
    known = [value for value in seen if value is not None]
    assert known == sorted(known, reverse=sort.startswith("-"))
    assert seen[len(known) :] == [None] * (len(seen) - len(known))  # nothing is hidden, what has no value comes last


def test_columns_are_shown_in_the_order_that_the_address_names(world) -> None:
    text = text_of(client_of(world.member).get("/shipments?cols=po,shipment,carrier,vessel"))
    heads = re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', text)
    assert heads == ["Shipment", "Purchase orders", "Carrier", "Vessel and voyage"]
    everything = text_of(client_of(world.member).get(f"/shipments?cols={','.join(COLUMNS)}"))
    assert len(re.findall('<th scope="col"', everything)) == len(COLUMNS) == len(LABELS)


def test_the_choice_of_columns_needs_links_alone(world) -> None:
    client = client_of(world.member)
    address = "/shipments/columns?carrier=HLCU"
    for press in ("Carrier", "Status: take away", "Carrier: further to the front"):
        text = text_of(client.get(address))
        links = re.findall(
            r'href="(/shipments/columns[^"]*)"[^>]*?(?:aria-label="([^"]+)">|>)(?:<svg.*?</svg>)?([^<]*)', text
        )
        address = next(url for url, label, word in links if press in (label, word)).replace("&amp;", "&")
    asked = dict(parse_qsl(urlsplit(address).query))
    assert asked == {"carrier": "HLCU", "cols": "shipment,promise,route,promised,expected,last,carrier,boxes"}
    assert f'href="/shipments?{urlsplit(address).query}"'.replace("&", "&amp;") in text_of(client.get(address))


def test_a_page_of_fifty_full_rows_weighs_no_more_than_sixty_kilobytes(acme) -> None:
    tiered(acme, "PREMIUM")
    src = source()
    made = journey(acme, src, ref="MERIDIAN-2026-000001")
    with as_tenant(acme.pk):
        row = Shipment.objects.get(pk=made.pk)
        for n in range(60):
            row.pk, row.public_id, row.ref = (
                None,
                Shipment._meta.get_field("public_id").get_default(),
                f"MERIDIAN-{n:011d}",
            )
            row.due_at, row.eta_at = NOW + timedelta(days=n), NOW + timedelta(days=n + 2)
            row.punctuality = "AT_RISK"
            row._state.adding = True
            row.save(force_insert=True)
    response = client_of(acme.member).get("/shipments?pol=CNSHA")
    assert len(refs(text_of(response))) == 50
    assert len(response.content) <= 60 * 1024


# --- kept views ---


def keep(client, query: str = "carrier=HLCU", **form: str):
    return client.post(f"/shipments/views/new?{query}", {"name": "My view", "default_for": "", **form})


@pytest.mark.req("T1")
def test_a_kept_view_is_found_by_its_owner_and_by_nobody_else(world, globex) -> None:
    client = client_of(world.member)
    answer = keep(client)
    assert (answer.status_code, answer["Location"]) == (302, "/shipments?carrier=HLCU")
    assert re.search(r'<a class="chip" href="/shipments\?carrier=HLCU" aria-current="true">My view<', text_of(
        client.get("/shipments?carrier=HLCU")))  # fmt: skip
    for stranger in (world.manager, globex.member):
        assert "My view" not in text_of(client_of(stranger).get("/shipments?view=all"))
        with as_tenant(world.pk):
            public_id = SavedView.objects.get(name="My view").public_id
        assert client_of(stranger).get(f"/shipments/views/{public_id}").status_code == 404
        assert client_of(stranger).post(f"/shipments/views/{public_id}", {"do": "delete"}).status_code == 404


def test_a_view_keeps_the_question_and_not_the_page_or_anything_unknown(world) -> None:
    keep(client_of(world.member), "carrier=HLCU&older=abc.2026-01-01&nonsense=1&status=LOST&sort=ref&cols=po,shipment")
    with as_tenant(world.pk):
        assert SavedView.objects.get().query == "carrier=HLCU&sort=ref&cols=shipment,po"


def test_managers_share_and_members_do_not(world) -> None:
    manager, member = client_of(world.manager), client_of(world.member)
    keep(manager, shared="on")
    assert "My view" in text_of(member.get("/shipments?view=all"))
    staff = cast.person(OPERATOR_ID, Role.OPS)
    assert "My view" in text_of(client_of(staff).get(f"/ops/accounts/{world.tenant.public_id}/shipments"))
    assert "My view" not in text_of(member.get("/shipments/views/new"))
    keep(member, name="Mine", shared="on", default_for="ACCOUNT")  # fields that the form does not offer
    with as_tenant(world.pk):
        assert not SavedView.objects.filter(owner=world.member, is_shared=True).exists()
        with pytest.raises(Forbidden):
            view_save(owner=world.member, name="Ours", wanted=ShipmentFilter(), shared=True, default_for="", at=NOW)


def test_the_default_view_opens_the_list_and_the_whole_list_stays_one_press_away(world) -> None:
    manager, member = client_of(world.manager), client_of(world.member)
    keep(manager, "carrier=MAEU", name="Ours", default_for="ACCOUNT")
    assert member.get("/shipments")["Location"] == "/shipments?carrier=MAEU"
    keep(member, "carrier=HLCU", name="Mine", default_for="OWNER")
    assert member.get("/shipments")["Location"] == "/shipments?carrier=HLCU"
    assert manager.get("/shipments")["Location"] == "/shipments?carrier=MAEU"
    text = text_of(member.get("/shipments?carrier=HLCU"))
    for words in ("All shipments", "Clear all"):
        address = re.search(rf'href="([^"]+)"[^>]*>{words}', text)[1]
        assert len(refs(text_of(member.get(address)))) == 3
    off = re.search(r'<a class="chip chip-off" href="([^"]+)"', text)[1]
    assert len(refs(text_of(member.get(off.replace("&amp;", "&"))))) == 3
    keep(member, "carrier=NONE", name="Newer", default_for="OWNER")
    with as_tenant(world.pk):
        assert SavedView.objects.filter(owner=world.member, default_for="OWNER").count() == 1


def test_names_differ_and_fifty_views_are_kept_and_no_more(world) -> None:
    def save(name: str, **more: str) -> SavedView:
        return view_save(owner=world.member, name=name, wanted=ShipmentFilter(carrier="X"), shared=False,
                         default_for="", at=NOW, **more)  # fmt: skip

    with as_tenant(world.pk):
        made = save("One")
        with pytest.raises(ViewNameTaken):
            save("One")
        assert save("One", public_id=made.public_id).pk == made.pk
        for n in range(1, MOST_VIEWS):
            save(f"View {n}")
        with pytest.raises(TooManyViews):
            save("One too many")
        with pytest.raises(IntegrityError), transaction.atomic():
            SavedView.objects.create(owner=world.member, name="One", changed_at=NOW)
    client = client_of(world.member)
    answer = keep(client)
    assert answer.status_code == 422
    assert "You keep 50 views already" in answer.content.decode()
    assert client.post(f"/shipments/views/{made.public_id}", {"do": "delete"}).status_code == 302
    assert keep(client).status_code == 302


# --- following ---


def followed(account) -> set[str]:
    with as_tenant(account.pk):
        return set(Follow.objects.filter(member=account.member).values_list("shipment__ref", flat=True))


def test_ticked_shipments_are_followed_and_found_again(world) -> None:
    client = client_of(world.member)
    text = text_of(client.get("/shipments?sort=ref"))
    boxes = dict(re.findall(r'name="s" value="([^"]+)" aria-label="([^"]+)"', text))
    chosen = [public_id for public_id, ref in boxes.items() if ref in ("SEA", "OTHER")]
    form = {"do": "follow", "s": chosen, "query": "sort=ref", "page": "older=abc.2026-01-01T00%3A00%3A00%2B00%3A00"}
    answer = client.post("/shipments/follow", form, follow=True)
    assert answer.redirect_chain == [("/shipments?sort=ref&older=abc.2026-01-01T00%3A00%3A00%2B00%3A00", 302)]
    assert "You follow 2 shipments more." in answer.content.decode()
    assert followed(world) == {"SEA", "OTHER"}
    assert set(listed(world, "followed=1")) == {"SEA", "OTHER"}
    assert text_of(client.get("/shipments?view=all")).count(">followed<") == 2
    again = client.post("/shipments/follow", form, follow=True)
    assert "You follow 0 shipments more." in again.content.decode()
    client.post("/shipments/follow", {"do": "unfollow", "s": chosen[:1], "query": ""})
    assert len(followed(world)) == 1
    assert refs(text_of(client_of(world.manager).get("/shipments?followed=1"))) == []  # each for oneself


@pytest.mark.req("T1", "T6")
def test_nobody_follows_what_belongs_to_another_account(world, globex) -> None:
    theirs = shipment(globex)
    client = client_of(world.member)
    client.post("/shipments/follow", {"do": "follow", "s": [theirs.public_id]})
    assert client.post(f"/shipments/{theirs.public_id}/follow", {"do": "follow"}).status_code == 404
    assert followed(world) == set()


def test_a_whole_view_is_followed_up_to_a_limit_and_never_in_part(world, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(world.member)
    client.post("/shipments/follow", {"do": "follow-all", "query": "pol=CNSHA"})
    assert followed(world) == {"SEA", "R0000"}
    client.post("/shipments/follow", {"do": "unfollow-all", "query": "carrier=MAEU"})
    assert followed(world) == {"R0000"}
    client.post("/shipments/follow", {"do": "unfollow-all", "query": "followed=1"})
    many_more = MOST_FOLLOWED - 2
    with as_tenant(world.pk):
        Shipment.objects.bulk_create([
            Shipment(ref=f"B{n:05d}", final_milestone="DOOR", lane="?-?", created_at=NOW) for n in range(many_more)
        ])  # fmt: skip
    answer = client.post("/shipments/follow", {"do": "follow-all", "query": ""})
    assert answer.status_code == 409
    assert "more than 1000 shipments" in answer.content.decode()
    assert followed(world) == set()
    refused = client.post("/shipments/follow", {"do": "follow-all", "query": "carier=MAEU"})  # mistyped: not everything
    assert refused.status_code == 400
    assert followed(world) == set()


def test_the_bell_of_a_shipment_says_how_it_stands_and_turns(world) -> None:
    client = client_of(world.member)
    with as_tenant(world.pk):
        public_id = Shipment.objects.get(ref="SEA").public_id
    assert "You follow it" not in text_of(client.get(f"/shipments/{public_id}"))
    client.post(f"/shipments/{public_id}/follow", {"do": "follow"})
    assert "You follow it" in text_of(client.get(f"/shipments/{public_id}"))
    client.post(f"/shipments/{public_id}/follow", {"do": "unfollow"})
    assert followed(world) == set()


def test_the_staff_follow_nothing(world) -> None:
    staff = client_of(cast.person(OPERATOR_ID, Role.OPS))
    text = text_of(staff.get(f"/ops/accounts/{world.tenant.public_id}/shipments?followed=1"))
    assert "the staff do not" in text
    assert 'name="s"' not in text
    assert staff.post("/shipments/follow", {"do": "follow-all"}).status_code == 404


def test_following_ends_with_the_shipment_it_is_about(world) -> None:
    with as_tenant(world.pk):
        pk = Shipment.objects.get(ref="R0000").pk
        assert shipments_follow(member=world.member, shipments=[pk, pk, 999_999_999], at=NOW) == 1
        Shipment.objects.get(pk=pk).delete()
        assert not Follow.objects.exists()
