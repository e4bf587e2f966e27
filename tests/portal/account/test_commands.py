"""The commands of people: what they print, and bad input as one sentence with exit code 2."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from portal.account import totp
from portal.lib import clock
from portal.tenancy.keys import key_check
from tests import cast, servers
from tests.portal.account import doors


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.mark.req("A6")
def test_api_key_prints_account_and_key_as_often_as_asked(acme):
    printed = [json.loads(run("api_key", acme.tenant.code.lower(), "--scope", "read", "--json")) for _turn in range(3)]
    assert {p["account"] for p in printed} == {acme.tenant.code}
    assert {key_check(p["key"], at=clock.now()).tenant_id for p in printed} == {acme.pk}


@pytest.mark.parametrize(
    "words",
    [("api_key", "NOBODY"), ("api_key", "MERIDIAN"), ("demo_code", "nobody@example.com"), ("as_tenant", "NOBODY")],
)
def test_unknown_names_are_refused_in_words(acme, words):
    with pytest.raises(CommandError) as refused:
        run(*words)
    assert refused.value.returncode == 2


@pytest.mark.req("A2")
def test_demo_code_is_always_one_that_works(acme):
    cast.second_factor(acme.manager)
    for _turn in range(2):
        browser = doors.client()
        doors.password_step(browser, acme.manager)
        code = json.loads(run("demo_code", acme.manager.user.email, "--json"))["code"]
        assert browser.post(doors.CODE, {"code": code}).status_code == 302


@pytest.mark.req("W2")
def test_demo_code_is_refused_in_production(acme):
    cast.second_factor(acme.manager)
    with override_settings(MODE="production"), pytest.raises(CommandError) as refused:
        run("demo_code", acme.manager.user.email)
    assert refused.value.returncode == 2


@pytest.mark.req("W1")
def test_routes_prints_every_address_with_its_policy():
    rows = json.loads(run("routes", "--json"))
    by_name = {row["name"]: row for row in rows}
    assert by_name["people:keys"]["who"] == ["MANAGER"]
    assert "ANONYMOUS" in by_name["account_login"]["who"]
    assert all(row["who"] for row in rows)


def test_setup_refuses_a_second_time_and_bad_answers(acme):
    cast.person(1, cast.Role.ADMIN)
    with pytest.raises(CommandError) as refused:
        run("setup", "--name", "Other", "--code", "X")
    assert refused.value.returncode == 2
    assert "set up already" in str(refused.value)


def test_as_tenant_runs_inside_the_scope(acme, capsys):
    run("as_tenant", acme.tenant.code, "-c", "print(tenant.code)")
    assert capsys.readouterr().out.strip() == acme.tenant.code


@pytest.mark.req("A2")
def test_codes_follow_rfc_6238():
    """The vectors of the RFC's appendix B for SHA-1, last six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert totp.code_of_step(secret, seconds // 30) == code


def _setup(database: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value.replace(f"/{_own_database()}?", f"/{database}?") for name, value in os.environ.items()}
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(settings.BASE_DIR / "manage.py"), "setup", *words],
        env=environment | {"PLIMSOLL_NO_BOOTSTRAP": "1"}, capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def _own_database() -> str:
    return str(settings.DATABASES["default"]["NAME"])


@pytest.mark.slow
def test_setup_on_an_empty_installation():
    database = f"{_own_database()}_setup"
    servers.copy_template(os.environ["PLIMSOLL_TEST_ADMIN"], database)
    words = ["--name", "Nord Forwarding", "--code", "nord", "--currency", "eur", "--admin-email", "First@Example.com",
             "--admin-name", "First Admin"]  # fmt: skip
    for bad in ([], words, [*words, "--zone", "Mars/Base"], [*words, "--zone", "UTC", "--code", "n o r d"]):
        refused = _setup(database, *bad)
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
    done = _setup(database, *words, "--zone", "Europe/Berlin", "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["operator"] == "NORD"
    assert printed["email"] == "first@example.com"
    assert printed["url"].startswith(f"{settings.PUBLIC_URL}/accounts/invitation/")
    again = _setup(database, "--admin-email", "second@example.com", "--admin-name", "Second", "--json")
    assert again.returncode == 0, again.stderr  # nobody administers yet: a new link
