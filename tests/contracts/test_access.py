"""The access matrix: every route and method, every principal, own and other and unknown objects (T6, T7).

Generated from the URL resolver. Each cell has a written verdict in access.json; a new route, or another answer, turns
the suite red. `UPDATE_ACCESS=1 pytest tests/contracts/test_access.py` writes the file anew; its difference is reviewed.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.urls import reverse

from portal.web.checks import Route, routes
from tests.contracts import access_world
from tests.contracts.access_world import PRINCIPALS, World

pytestmark = [pytest.mark.req("T7", "T6", "W1"), pytest.mark.slow]

FILE = Path(__file__).with_name("access.json")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_built: list[World] = []


def every_route() -> list[Route]:
    """Routes of the resolver without static files."""
    return [r for r in routes() if not r.name.startswith("static")]


def written() -> dict[str, Any]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


@pytest.fixture(scope="module")
def world() -> World:
    if not _built:
        _built.append(access_world.build())
    return _built[0]


def cells(route: Route, world: World) -> dict[str, dict[str, dict[str, int]]]:
    """method -> relation -> principal -> status."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    relations: tuple[str, ...] = ("own", "other", "nonexistent") if route.parameters else ("own",)
    if "token" in route.parameters:  # whoever holds the token is meant: there is no other's
        relations = ("own", "nonexistent")
    for method in METHODS:
        # a method that no page has is refused before any object is looked at: the own one tells
        for relation in relations if method in ("GET", "POST") else relations[:1]:
            for name in PRINCIPALS:
                kwargs = access_world.arguments(world, route, name, relation)
                answer = world.client(name).generic(method, reverse(route.name, kwargs=kwargs), **_body(method))
                assert answer.status_code < 500, f"{method} {route.name} as {name} ({relation}): {answer.status_code}"
                found.setdefault(method, {}).setdefault(relation, {})[name] = answer.status_code
    return found


def _body(method: str) -> dict[str, Any]:
    return {} if method == "GET" else {"data": b"", "content_type": "application/x-www-form-urlencoded"}


def folded(by_principal: dict[str, int]) -> dict[str, list[str]]:
    """status -> principals, so that the file can be read."""
    found: dict[str, list[str]] = {}
    for name, status in by_principal.items():
        found.setdefault(str(status), []).append(name)
    return dict(sorted(found.items()))


@pytest.mark.parametrize("route", every_route(), ids=lambda r: r.name)
def test_every_cell_answers_as_written(route: Route, world: World) -> None:
    now = {m: {rel: folded(c) for rel, c in by.items()} for m, by in cells(route, world).items()}
    if os.environ.get("UPDATE_ACCESS"):
        FILE.write_text(json.dumps({**written(), route.name: now}, indent=1, sort_keys=True) + "\n")
    assert written().get(route.name) == now


def opened(status: str) -> bool:
    return status[0] == "2"


def test_no_route_is_left_without_verdicts_and_none_is_written_for_a_route_that_is_gone() -> None:
    assert {r.name for r in every_route()} == set(written())


def test_the_matrix_is_as_large_as_promised() -> None:
    relations = [rel for by_method in written().values() for by in by_method.values() for rel in by.values()]
    size = sum(len(names) for relation in relations for names in relation.values())
    assert size >= 3_000


def test_the_verdicts_keep_the_wall() -> None:
    """Read off the written file: what may never be written there."""
    policies = {r.name: r.policy for r in every_route()}
    for name, by_method in written().items():
        policy = policies[name]
        assert policy is not None
        for method, relations in by_method.items():
            for relation, statuses in relations.items():
                for status, principals in statuses.items():
                    for who in principals:
                        role = who.split("_", 1)[1] if who.startswith(("STANDARD_", "PRIORITY_", "PREMIUM_")) else who
                        cell = f"{method} {name} as {who} on {relation}: {status}"
                        if opened(status):
                            assert role in policy.who, cell
                            if "KEY" not in who and relation == "nonexistent" and "ANONYMOUS" not in policy.who:
                                raise AssertionError(f"{cell}: something was found where nothing is")
            if "other" in relations:
                assert relations["other"] == relations["nonexistent"], f"{method} {name}: others' answer differently"


def test_customers_never_enter_the_operators_desk() -> None:
    for name, by_method in written().items():
        if not name.startswith("ops:"):
            continue
        for method, relations in by_method.items():
            for relation, statuses in relations.items():
                customers = ("STANDARD", "PRIORITY", "PREMIUM")
                seen = Counter(s for s, names in statuses.items() for n in names if n.startswith(customers))
                assert set(seen) <= {"404", "405"}, f"{method} {name} on {relation}: {dict(seen)}"


@pytest.mark.nightly
@override_settings(API_CALLS_A_MINUTE=10**6, API_ACCOUNT_CALLS_A_MINUTE=10**6)
def test_anothers_object_takes_as_long_as_none(world: World) -> None:
    """T6: the median over 200 alternated tries differs by less than 5 ms, for each kind of object a customer names."""
    apart = {}
    for route in every_route():
        if route.name.startswith("ops:") or not route.parameters or "token" in route.parameters:
            continue
        client = world.client("PREMIUM_MANAGER")
        addresses = [
            reverse(route.name, kwargs=access_world.arguments(world, route, "PREMIUM_MANAGER", relation))
            for relation in ("other", "nonexistent")
        ]
        if client.get(addresses[0]).status_code != 404:
            continue  # not a page, or not for this person: the matrix says what it answers
        pairs = [tuple(_seconds(client, address) for address in addresses) for _turn in range(200)]
        apart[route.name] = abs(statistics.median(other - none for other, none in pairs))
    assert len(apart) >= 5
    assert {name: seconds for name, seconds in apart.items() if seconds >= 0.005} == {}


def _seconds(client: Any, address: str) -> float:
    began = time.perf_counter()
    client.get(address)
    return time.perf_counter() - began
