"""Twenty accounts through one connection, through small pools and through PgBouncer: no row of another is ever seen."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from portal.lib import ids
from portal.tenancy.context import as_tenant
from tests import cast
from tests.concurrency import pgbouncer
from tests.concurrency.interleave import MARK, Turns
from tests.doors import client_of, session_of
from tests.tracking.messages import shipment

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.walls, pytest.mark.req("T1", "T4")]
CLEAN = {"foreign": 0, "missing": 0, "not 200": 0, "not 404": 0, "swallowed": 0}


def marked() -> str:
    """A marker that no other account has."""
    return f"MARK-{secrets.token_hex(5).upper()}"


@pytest.fixture(scope="module")
def crowd() -> list[dict[str, Any]]:
    """Twenty accounts with three marked shipments each, and a signed-in member."""
    made = []
    for _n in range(20):
        account = cast.account("CROWD")
        shipments = [shipment(account, ref=marked(), po_numbers=(marked(),)) for _s in range(3)]
        made.append({
            "id": account.pk, "user": account.member.user_id, "session": session_of(account.member),
            "marks": [s.ref for s in shipments], "shipment": shipments[0].public_id, "account": account,
            "orders": [po for s in shipments for po in _orders(account, s)],
        })  # fmt: skip
    return made


def _orders(account: cast.Account, made: Any) -> list[str]:
    with as_tenant(account.pk):
        return list(made.references.filter(kind="PO").values_list("written", flat=True))


def plan(crowd: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What the turns need, as plain values."""
    names = ("id", "user", "session", "shipment", "marks", "orders")
    accounts = [{name: account[name] for name in names} for account in crowd]
    return {"accounts": accounts, "seed": 1876, **more}


def clean(seen: Counter[str]) -> None:
    """Nothing foreign, nothing missing, no surprise; and it really looked."""
    assert {name: seen[name] for name in CLEAN} == CLEAN
    assert seen["looks"] > 100 and seen["bodies"] > 20


def elsewhere(tmp_path: Path, plan: dict[str, Any], **environment: str) -> Counter[str]:
    """The plan in a process of its own."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.concurrency.interleave", str(path)], cwd=ROOT, text=True,
        env={**os.environ, **environment}, capture_output=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return Counter(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.req("T11")
@pytest.mark.slow
def test_one_connection_serves_twenty_accounts_in_random_turns(crowd) -> None:
    connections["default"].ensure_connection()
    backend = connections["default"].connection.info.backend_pid
    turns = Turns(plan(crowd, steps=250), seed=1876)
    turns.run()
    assert connections["default"].connection.info.backend_pid == backend, "one connection for all of it"
    clean(turns.seen)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_four_threads_share_a_small_pool(crowd, tmp_path, size) -> None:
    clean(elsewhere(tmp_path, plan(crowd, steps=50, threads=4, pool=size)))


if pgbouncer.program() is not None:  # else `manage.py test` says that it is left out

    @pytest.mark.slow
    @pytest.mark.parametrize("size", [1, 2])
    def test_four_threads_through_pgbouncer_in_transaction_mode(crowd, tmp_path, size) -> None:
        with pgbouncer.pooler(size=size) as environment:
            clean(elsewhere(tmp_path, plan(crowd, steps=50, threads=4, pool=0), **environment))

    @pytest.mark.nightly
    def test_eight_threads_through_two_connections_for_a_long_time(crowd, tmp_path) -> None:
        with pgbouncer.pooler(size=2) as environment:
            clean(elsewhere(tmp_path, plan(crowd, steps=400, threads=8, pool=0), **environment))


@pytest.mark.req("T13", "T10")
@pytest.mark.slow
def test_each_account_sees_its_own_markers_on_every_page_and_no_other(crowd) -> None:
    for account in crowd:
        client = client_of(account["account"].member)
        own = {*account["marks"], *account["orders"]}
        sought = f"/shipments?q={crowd[0]['marks'][0]}&sort=promised"  # alone, one hit leads straight to its page
        for path in ("/", "/shipments", sought, f"/shipments/{account['shipment']}"):
            answer = client.get(path)
            assert answer.status_code == 200, path
            text = answer.content.decode().replace(f'value="{crowd[0]["marks"][0]}"', "")
            if "?q=" not in path:
                assert set(MARK.findall(text)) <= own, path
        listed = client.get("/shipments").content.decode()
        assert set(account["marks"]) <= set(MARK.findall(listed))


NOISE = re.compile(r"csrf[^\"]*\"[^\"]*\"|[A-Za-z0-9]{32,}|/shipments/[0-9a-z]+")


def masked(answer: Any, public_id: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers with ids and one-time values taken out."""
    body = NOISE.sub("#", answer.content.decode().replace(public_id, "#"))
    correlation = answer.headers.get("X-Correlation-Id", "-")
    headers = {k: NOISE.sub("#", v) for k, v in answer.headers.items() if k.lower() != "x-correlation-id"}
    return answer.status_code, body.replace(correlation, "#"), headers


@pytest.mark.req("T6")
@pytest.mark.parametrize("below", ["", "/events"])
def test_anothers_object_answers_exactly_as_an_unknown_one(crowd, below) -> None:
    mine, other = crowd[0], crowd[1]
    client = client_of(mine["account"].member)
    unknown = ids.public_id()
    theirs = masked(client.get(f"/shipments/{other['shipment']}{below}"), other["shipment"])
    nobodys = masked(client.get(f"/shipments/{unknown}{below}"), unknown)
    assert theirs[0] == 404
    assert theirs == nobodys


@pytest.mark.req("T6")
def test_anothers_references_find_as_much_as_unknown_ones(crowd) -> None:
    client, found = client_of(crowd[0]["account"].member), []
    for text in (crowd[1]["marks"][0], marked()):
        answer = client.get("/shipments", {"q": text})
        found.append((answer.status_code, NOISE.sub("#", answer.content.decode().replace(text, "#"))))
    assert found[0][0] == 200
    assert "".join(re.split(r"MARK-[0-9A-F]+", found[0][1])) == "".join(re.split(r"MARK-[0-9A-F]+", found[1][1]))
