"""Limits are exact, and nothing tells a known account from an unknown one (A3)."""

from __future__ import annotations

import re
import secrets
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connections
from django.test import RequestFactory, override_settings

from portal.account import limits
from portal.account.backends import EmailBackend
from portal.account.network import client_network
from portal.account.second_factor import code_check
from portal.lib import clock
from portal.tenancy.models import AttemptWindow
from tests import cast
from tests.portal.account import doors


def _in_threads(count: int, work) -> list:
    def alone(number: int):
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(alone, range(count)))


@pytest.mark.req("A3")
@pytest.mark.parametrize("limit", [limits.SIGN_IN_ACCOUNT, limits.SIGN_IN_NETWORK, limits.CODE, limits.INVITE])
def test_exactly_the_limit_passes_under_concurrency(limit):
    subject, at = secrets.token_hex(8), clock.now()

    def one(number: int) -> bool:
        try:
            limits.slot_take(limit, subject, at=at + timedelta(microseconds=number % 7))
        except limits.TooManyTries:
            return False
        return True

    assert sum(_in_threads(64, one)) == limit.tries


@pytest.mark.req("A3")
def test_the_window_slides_without_an_edge():
    subject, start = secrets.token_hex(8), clock.now()
    for minute in (0, 10, 11, 12, 13):
        limits.slot_take(limits.CODE, subject, at=start + timedelta(minutes=minute))
    with pytest.raises(limits.TooManyTries) as refused:
        limits.slot_take(limits.CODE, subject, at=start + timedelta(minutes=14))
    assert refused.value.headers == {"Retry-After": "60"}
    limits.slot_take(limits.CODE, subject, at=start + timedelta(minutes=15, seconds=1))
    with pytest.raises(limits.TooManyTries):
        limits.slot_take(limits.CODE, subject, at=start + timedelta(minutes=16))


@pytest.mark.req("A3")
def test_right_tries_do_not_count(acme):
    browser = doors.client()
    for _turn in range(7):
        assert doors.password_step(browser, acme.member).status_code == 302
        browser.logout()


@pytest.mark.req("A3")
def test_sixth_wrong_password_is_refused_alike_for_known_and_unknown(acme):
    def story(email: str) -> list[tuple[int, str, str]]:
        seen = []
        browser = doors.client()
        for _turn in range(6):
            answer = browser.post(doors.LOGIN, {"login": email, "password": "wrong wrong wrong"})
            seen.append((answer.status_code, _masked(answer, email), answer.get("Retry-After", "")))
        return seen

    known = acme.member.user.email
    unknown = "x" * len(known.partition("@")[0]) + "@example.com"
    first, second = story(known), story(unknown)
    assert [step[0] for step in first] == [200, 200, 200, 200, 200, 429]
    assert [step[:2] for step in first] == [step[:2] for step in second]
    assert abs(int(first[-1][2]) - int(second[-1][2])) <= 5
    # the right password does not help any more, from another network neither
    assert doors.password_step(doors.client(), acme.member).status_code == 429
    with clock.set_to(clock.now() + timedelta(minutes=16)):
        assert doors.password_step(doors.client(), acme.member).status_code == 302


def _masked(answer, email: str) -> str:
    text = answer.content.decode().replace(email, "EMAIL")
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "TOKEN", text)
    return re.sub(r"[0-9a-z]{20}", "ID", text)


@pytest.mark.req("A3")
def test_network_limit_holds_over_accounts():
    browser = doors.client()
    at = clock.now()
    network = client_network(browser.get("/accounts/login/").wsgi_request)
    for _turn in range(limits.SIGN_IN_NETWORK.tries):
        limits.slot_take(limits.SIGN_IN_NETWORK, network, at=at)
    answer = browser.post(doors.LOGIN, {"login": "new@example.net", "password": "wrong wrong wrong"})
    assert answer.status_code == 429
    # and the account's own slot was given back
    digest = limits.subject_digest(limits.SIGN_IN_ACCOUNT, "new@example.net")
    assert not AttemptWindow.objects.filter(subject=digest).exists()


RUNS: list[str] = []


class Counting(Argon2PasswordHasher):
    """Counts the work, and does it all the same."""

    def encode(self, password, salt):
        RUNS.append("encode")
        return super().encode(password, salt)

    def verify(self, password, encoded):
        RUNS.append("verify")
        return super().verify(password, encoded)


@pytest.mark.req("A3")
def test_argon2_runs_once_whoever_asks(acme):
    counts = []
    with override_settings(PASSWORD_HASHERS=[f"{__name__}.Counting"]):
        for email in (acme.member.user.email, "nobody@example.net"):
            RUNS.clear()
            doors.client().post(doors.LOGIN, {"login": email, "password": "wrong wrong wrong"})
            counts.append(len(RUNS))
    assert counts == [1, 1]


@pytest.mark.req("A3")
def test_reset_three_an_hour_and_the_same_answer_for_anybody(acme):
    def story(email: str) -> list[tuple[int, str]]:
        seen = []
        for _turn in range(4):
            answer = doors.client().post("/accounts/password/reset/", {"email": email})
            seen.append((answer.status_code, answer.get("Location", ""), _masked(answer, email)))
        return seen

    first, second = story(acme.member.user.email), story(f"{secrets.token_hex(8)}@example.net")
    assert [step[0] for step in first] == [302, 302, 302, 429]
    assert first == second


@pytest.mark.req("A2", "A3")
def test_five_wrong_codes_close_the_second_step(acme):
    cast.second_factor(acme.manager)
    browser = doors.client()
    doors.password_step(browser, acme.manager)
    answers = [browser.post(doors.CODE, {"code": "no code"}).status_code for _turn in range(6)]
    assert answers == [200, 200, 200, 200, 200, 429]
    assert browser.post(doors.CODE, {"code": doors.code(clock.now())}).status_code == 429


@pytest.mark.req("A2")
def test_of_many_requests_with_one_code_one_wins(acme):
    cast.second_factor(acme.manager)
    at = clock.now()
    code = doors.code(at)
    won = _in_threads(16, lambda _n: code_check(user_id=acme.manager.user_id, code=code, at=at) is not None)
    assert sum(won) == 1


@pytest.mark.req("W3")
@pytest.mark.parametrize(
    ("proxies", "told", "network"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "nonsense", "unknown"),
    ],
)
def test_only_our_own_proxies_are_believed(proxies, told, network):
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": told})
    with override_settings(PROXY_COUNT=proxies):
        assert client_network(request) == network


@pytest.mark.nightly
@pytest.mark.req("A3")
def test_known_and_unknown_take_the_same_time(acme):
    """Alternated, so that whatever else the machine does meets both alike."""

    def seconds(email: str) -> float:
        began = time.perf_counter()
        EmailBackend().authenticate(None, email=email, password="wrong wrong wrong")
        return time.perf_counter() - began

    pairs = [(seconds(acme.member.user.email), seconds("nobody@example.net")) for _turn in range(60)]
    assert abs(statistics.median(known - unknown for known, unknown in pairs)) < 0.01
