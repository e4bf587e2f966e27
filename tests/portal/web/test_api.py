"""The API's base: who comes in, how often, what may be asked, where a page begins; refused by name and never a 500."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.db import connections
from django.test import override_settings

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import key_revoke
from portal.tenancy.limits import TooManyCalls, call_take
from portal.tenancy.models import ApiKey, CallWindow, Member
from portal.web.apipages import Place, cursor_read, cursor_write, list_page
from portal.web.apiquery import BadParameter
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.pages import many, tiered
from tiers.promises.models import EntitlementOverride

LIST = "/api/v1/shipments"


@pytest.fixture
def system(acme):
    """A system of a Priority account with thirty shipments."""
    many(tiered(acme, "PRIORITY"), 30, undated=4)
    return client_of(None, key=key_of(acme))


def problem(answer, status: int, code: str) -> dict:
    """The refusal in its one form."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert body["detail"]
    return body


# --- who comes in ---


@pytest.mark.req("A6", "W6")
def test_without_a_key_nobody_comes_in_and_every_wrong_one_is_answered_alike(acme, system) -> None:
    good = key_of(acme)
    asked = [
        client_of(None).get(LIST),
        client_of(None, key="nonsense").get(LIST),
        client_of(None, key=good[:-1] + ("A" if good[-1] != "A" else "B")).get(LIST),
        client_of(None, key=f"plm_{'0' * 20}_{good.split('_', 2)[2]}").get(LIST),
    ]
    for answer in asked:
        problem(answer, 401, "key_refused")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len({a.json()["detail"] for a in asked}) == 1


@pytest.mark.req("A6")
def test_a_key_in_the_address_is_refused_though_it_stands_in_the_header_too(acme, system) -> None:
    key = key_of(acme)
    problem(client_of(None, key=key).get(LIST, {"q": key}), 401, "key_refused")


@pytest.mark.req("A6", "A7")
def test_a_revoked_or_ended_key_opens_nothing_from_the_next_call_on(acme) -> None:
    tiered(acme, "PRIORITY")
    text = key_of(acme, expires_at=clock.now() + timedelta(days=1))
    system = client_of(None, key=text)
    assert system.get(LIST).status_code == 200
    with clock.set_to(clock.now() + timedelta(days=1)):
        problem(system.get(LIST), 401, "key_refused")
    with as_tenant(acme.pk):
        key_revoke(public_id=ApiKey.objects.get(prefix=text.split("_")[2]).public_id, at=clock.now(), actor="test")
    problem(system.get(LIST), 401, "key_refused")


def test_a_key_for_sending_events_reads_nothing(acme) -> None:
    tiered(acme, "PRIORITY")
    sender = client_of(None, key=key_of(acme, scope="events:write", source_key="feed"))
    problem(sender.get(LIST), 401, "key_refused")


@pytest.mark.req("R5.1", "A7")
def test_the_api_comes_with_priority_and_goes_with_it(acme) -> None:
    system = client_of(None, key=key_of(acme))
    assert "Read API" in problem(system.get(LIST), 403, "not_entitled")["detail"]
    tiered(acme, "PRIORITY")
    assert system.get(LIST).status_code == 200
    with as_tenant(acme.pk):
        EntitlementOverride.objects.create(
            key="read_api", value=False, valid_from=date(2026, 1, 1), created_at=clock.now(), created_by="test"
        )
    problem(system.get(LIST), 403, "not_entitled")


@pytest.mark.req("A7")
def test_a_person_reads_with_the_session_until_the_membership_ends(acme, system) -> None:
    browser = client_of(acme.member)
    assert browser.get(LIST).status_code == 200
    with as_tenant(acme.pk):
        Member.objects.filter(pk=acme.member.pk).update(is_active=False)
    problem(browser.get(LIST), 401, "key_refused")


def test_the_key_counts_where_a_session_of_another_account_comes_along(acme, globex, system) -> None:
    tiered(globex, "PRIORITY")
    browser = client_of(acme.member, key=key_of(globex))
    assert browser.get(LIST).json()["items"] == []


@pytest.mark.req("W5")
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_whatever_writes_is_refused_before_anything_is_read(system, method: str) -> None:
    answer = getattr(system, method)(LIST)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_tells_of_an_answer_without_its_body(system) -> None:
    answer = system.head(LIST, {"limit": 3})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Link"]


# --- how often ---


@pytest.mark.req("F1")
@pytest.mark.parametrize("most", [1, 7, 20])
def test_of_sixty_four_at_once_exactly_the_limit_passes(acme, most: int) -> None:
    subject, at = f"key:{secrets.token_hex(8)}", clock.now()

    def one(number: int) -> bool:
        try:
            with as_tenant(acme.pk):
                call_take(subject, most=most, at=at + timedelta(milliseconds=number % 3))
        except TooManyCalls:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(one, range(128))) == most


@pytest.mark.req("F1", "W6")
def test_over_http_the_limit_is_exact_and_says_when_to_come_again(acme) -> None:
    tiered(acme, "PRIORITY")
    key = key_of(acme)

    def one(_number: int) -> tuple[int, str]:
        try:
            answer = client_of(None, key=key).get(f"{LIST}?limit=1")
            return answer.status_code, answer.headers.get("Retry-After", "")
        finally:
            connections.close_all()

    with override_settings(API_CALLS_A_MINUTE=12), ThreadPoolExecutor(64) as pool:
        told = list(pool.map(one, range(64)))
        refused = client_of(None, key=key).get(LIST)
    assert sorted(status for status, _wait in told) == [200] * 12 + [429] * 52
    assert all(1 <= int(wait) <= 61 for status, wait in told if status == 429)
    problem(refused, 429, "too_many_calls")
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("12", "0")


@pytest.mark.req("F1")
def test_the_window_slides_and_retry_after_is_enough(acme) -> None:
    subject, start = f"key:{secrets.token_hex(8)}", clock.now().replace(microsecond=0)

    def take(seconds: int) -> int:
        return call_take(subject, most=3, at=start + timedelta(seconds=seconds))

    with as_tenant(acme.pk):
        assert [take(0), take(20), take(40)] == [2, 1, 0]
        with pytest.raises(TooManyCalls) as refused:
            take(50)
        wait = int(refused.value.headers["Retry-After"])
        with pytest.raises(TooManyCalls):
            take(50 + wait - 1)
        assert take(50 + wait) == 0  # the first call has left the window, the others have not
        with pytest.raises(TooManyCalls):
            take(50 + wait)
        assert take(500) == 2


@pytest.mark.req("F1")
def test_never_more_than_the_limit_inside_any_minute(acme) -> None:
    """Calls at every second for five minutes, in bursts: no span of sixty seconds holds more than the limit."""
    subject, start, passed = f"key:{secrets.token_hex(8)}", clock.now(), []
    with as_tenant(acme.pk):
        for second in range(300):
            for _again in range(3 if second % 7 == 0 else 1):
                at = start + timedelta(seconds=second, milliseconds=(second * 37) % 1000)
                try:
                    call_take(subject, most=10, at=at)
                except TooManyCalls:
                    continue
                passed.append(at)
    assert all(sum(one <= other < one + timedelta(seconds=60) for other in passed) <= 10 for one in passed)
    assert len(passed) >= 40


def test_a_clock_that_goes_back_gives_no_calls_away(acme) -> None:
    subject, at = f"key:{secrets.token_hex(8)}", clock.now()
    with as_tenant(acme.pk):
        call_take(subject, most=2, at=at)
        call_take(subject, most=2, at=at - timedelta(seconds=5))
        with pytest.raises(TooManyCalls):
            call_take(subject, most=2, at=at - timedelta(seconds=30))


def test_each_key_and_each_person_has_calls_of_its_own(acme, system) -> None:
    with override_settings(API_CALLS_A_MINUTE=1):
        first, second, person = client_of(None, key=key_of(acme)), client_of(None, key=key_of(acme)), acme.member
        assert [c.get(LIST).status_code for c in (first, second, client_of(person))] == [200, 200, 200]
        assert [c.get(LIST).status_code for c in (first, second, client_of(person))] == [429, 429, 429]


@pytest.mark.req("F1")
def test_all_keys_of_an_account_together_have_a_limit_and_a_refused_call_counts_nowhere(acme, globex) -> None:
    at, names = clock.now(), [f"key:{secrets.token_hex(8)}" for _n in range(4)]

    def one(number: int) -> bool:
        try:
            with as_tenant(acme.pk):
                call_take(names[number % 4], most=100, together=10, at=at)
        except TooManyCalls:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(one, range(64))) == 10
    with as_tenant(acme.pk):
        rows = dict(CallWindow.objects.values_list("subject", "calls"))
        assert sum(sum(calls) for name, calls in rows.items() if name != "account") == 10
        with pytest.raises(TooManyCalls) as refused:
            call_take(names[0], most=100, together=10, at=at)
        assert refused.value.headers["RateLimit-Limit"] == "10"
        assert call_take(names[0], most=100, together=12, at=at) == 1
    with as_tenant(globex.pk):
        assert call_take(names[0], most=100, together=10, at=at) == 9


def test_what_is_refused_for_its_key_is_not_counted(acme, system) -> None:
    left = int(system.get(LIST).headers["RateLimit-Remaining"])
    client_of(None, key="nonsense").get(LIST)
    assert int(system.get(f"{LIST}?nonsense=1").headers.get("RateLimit-Remaining", left - 1)) == left - 1
    assert int(system.get(LIST).headers["RateLimit-Remaining"]) == left - 2


# --- what may be asked ---


@pytest.mark.req("W8", "T9")
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("nonsense=1", "nonsense"),
        ("tenant=1", "tenant"),
        ("ref__startswith=R", "ref__startswith"),
        ("limit=10&limit=10", "limit"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1e1", "limit"),
        ("limit=١", "limit"),
        ("limit=", "limit"),
        ("order=ref", "order"),
        ("order=-due_at,id", "order"),
        ("fields=id,secret", "fields"),
        ("fields=id,id", "fields"),
        ("fields=", "fields"),
        ("fields=shipment.tenant", "fields"),
        ("status=late", "status"),
        ("month=2026-13", "month"),
        ("month=2026-1٣", "month"),
        ("unheard=1", "unheard"),
        ("lane=%27%3B--", "lane"),
        ("q=", "q"),
        ("q=" + "R" * 1_001, "q"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("cursor=", "cursor"),
    ],
)
def test_what_is_not_declared_is_refused_by_name(system, query: str, parameter: str) -> None:
    assert problem(system.get(f"{LIST}?{query}"), 400, "bad_parameter")["parameter"] == parameter


def test_a_refused_name_is_told_shortened(system) -> None:
    assert problem(system.get(f"{LIST}?{'x' * 500}=1"), 400, "bad_parameter")["parameter"] == "x" * 80


# --- where a page begins ---


@pytest.mark.req("W9")
@pytest.mark.parametrize("order", ["-due_at", "due_at"])
@pytest.mark.parametrize("limit", [1, 7, 30, 200])
def test_the_pages_hold_every_row_once_in_order_and_lead_back(system, order: str, limit: int) -> None:
    whole = system.get(LIST, {"order": order, "limit": 200}).json()["items"]
    seen, cursor, last = [], None, {}
    while True:
        asked = {"order": order, "limit": limit, **({"cursor": cursor} if cursor else {})}
        last = system.get(LIST, asked).json()
        assert len(last["items"]) <= limit
        seen += last["items"]
        cursor = last["next"]
        if cursor is None:
            break
    assert [row["id"] for row in seen] == [row["id"] for row in whole]
    assert len(whole) == 30
    back, cursor = list(last["items"]), last["previous"]
    while cursor:
        page = system.get(LIST, {"order": order, "limit": limit, "cursor": cursor}).json()
        back, cursor = page["items"] + back, page["previous"]
    assert [row["id"] for row in back] == [row["id"] for row in whole]


def test_the_link_header_leads_to_the_same_pages(system) -> None:
    answer = system.get(LIST, {"limit": 5, "status": "BOOKED"})
    address = answer.headers["Link"].partition("<")[2].partition(">")[0]
    assert 'rel="next"' in answer.headers["Link"]
    following = system.get(address)
    assert following.json()["items"] == system.get(
        LIST, {"limit": 5, "status": "BOOKED", "cursor": answer.json()["next"]}
    ).json()["items"]  # fmt: skip
    assert 'rel="prev"' in following.headers["Link"]


@pytest.mark.req("T6", "T9")
def test_a_cursor_holds_for_its_account_its_list_and_its_order_alone(acme, globex, system) -> None:
    tiered(globex, "PRIORITY")
    many(globex, 5)
    cursor = system.get(LIST, {"limit": 2}).json()["next"]
    assert system.get(LIST, {"limit": 3, "cursor": cursor}).status_code == 200
    broken = ("B" if cursor[0] != "B" else "C") + cursor[1:]
    other = client_of(None, key=key_of(globex))
    refused = [
        system.get(LIST, {"cursor": broken}),
        system.get(LIST, {"cursor": cursor, "order": "due_at"}),
        system.get("/api/v1/kpis", {"cursor": cursor}),
        other.get(LIST, {"cursor": cursor}),
        other.get(LIST, {"cursor": "AAAA"}),
    ]
    for answer in refused:
        assert problem(answer, 400, "bad_parameter")["parameter"] == "cursor"
    assert len({a.json()["detail"] for a in refused}) == 1


def test_a_cursor_comes_back_as_it_was_written(acme) -> None:
    with as_tenant(acme.pk):
        place = Place(("2026-03", "CNSHA-NLRTM", 7), back=True)
        text = cursor_write(place, "list")
        assert cursor_read(text, "list") == place
        for other in ("list ", "another"):
            with pytest.raises(BadParameter):
                cursor_read(text, other)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize("falling", [False, True])
def test_a_short_list_is_paged_like_a_long_one(size: int, falling: bool) -> None:
    rows, seen, place = list(range(7)), [], None
    while True:
        page = list_page(rows, place, size, of=lambda n: (n,), falling=falling)
        seen += page.rows
        if page.next is None:
            break
        place = page.next
    assert seen == (rows[::-1] if falling else rows)
    back, place = list(page.rows), page.previous
    while place is not None:
        page = list_page(rows, place, size, of=lambda n: (n,), falling=falling)
        back, place = [*page.rows, *back], page.previous
    assert back == seen


@pytest.mark.req("W4", "T12")
def test_answers_are_json_and_are_kept_by_nobody(system) -> None:
    answer = system.get(LIST)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
