"""The API answers whatever its document allows, and refuses whatever it does not (W10).

schemathesis makes the requests from the OpenAPI document, over HTTP to a real server, and judges the answers by all of
its checks. Two accounts ask, each also for the other's objects; what one may not read never stands in an answer.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.engine import Status, events, from_schema

from portal.web.schema import document
from tests import apiworld

pytestmark = [pytest.mark.req("W10", "W6", "W8", "T6", "T9"), pytest.mark.slow]


@dataclass(frozen=True)
class Run:
    """Who asks whom."""

    address: str
    asks: apiworld.ApiAccount
    other: apiworld.ApiAccount

    def cursor(self, path: str, order: Any) -> str | None:
        """That of the second page of a list, one item a page; None where there is none."""
        asked = {"limit": "1", **({"order": order} if isinstance(order, str) else {})}
        key = {"Authorization": f"Bearer {self.asks.key}"}
        told = requests.get(self.address + path, asked, headers=key, timeout=30)
        return told.json().get("next") if told.status_code == 200 else None


_runs: list[Run] = []  # the last one is under way: hooks and checks are known to the whole process


@schemathesis.check
def nothing_of_others(ctx: Any, response: Any, case: Any) -> None:
    """No text of the other account stands in an answer, but for what was sent."""
    sent = response.request.url or ""
    found = [mark for mark in _runs[-1].other.marks if mark in response.text and mark not in sent]
    assert not found, f"{case.operation.label} told {found}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A cursor is one that the list gave: one that only looks so is refused, which is tested elsewhere."""
    query = case.query or {}
    if isinstance(query.get("cursor"), str) and re.fullmatch(r"[A-Za-z0-9_-]{1,300}", query["cursor"]):
        real = _runs[-1].cursor(case.formatted_path, query.get("order"))
        case.query = {name: value for name, value in query.items() if name != "cursor"}
        if real is not None:
            case.query["cursor"] = real


@pytest.fixture(scope="module")
def accounts() -> tuple[apiworld.ApiAccount, apiworld.ApiAccount]:
    """Two accounts with one of everything."""
    return apiworld.build("ACME"), apiworld.build("GLOBEX")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of its own, that counts calls but lets all of them pass."""
    with apiworld.serving(API_CALLS_A_MINUTE="10000000", API_ACCOUNT_CALLS_A_MINUTE="10000000") as url:
        yield url


def fuzz(run: Run, *, most: int, only: Sequence[str] = (), **more: Any) -> Counter[str]:
    """One run as one account; returns how often each check was made, and fails with what went wrong."""
    config = schemathesis.Config.from_dict({
        "base-url": run.address,
        "headers": {"Authorization": f"Bearer {run.asks.key}"},
        "generation": {"max-examples": most, "deterministic": True, "database": "none"},
        "continue-on-failure": True,
        "seed": 7,
        **more,
    })  # fmt: skip
    schema = schemathesis.openapi.from_dict(document(), config=config)
    if only:
        schema = schema.include(operation_id=list(only))
    chance = random.Random(7)

    @schema.hook
    def map_path_parameters(context: Any, parameters: Any) -> Any:
        """Mostly objects that exist, the asking account's or the other's."""
        if not parameters or chance.random() < 0.2:
            return parameters
        whose = chance.choice((run.asks, run.asks, run.other))
        return {**parameters, **whose.arguments(context.operation.definition.raw["operationId"])}

    _runs.append(run)
    made: Counter[str] = Counter()
    wrong: list[str] = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            wrong.append(str(getattr(event, "value", None) or getattr(event, "exception", event)))
        if isinstance(event, events.ScenarioFinished):
            for nodes in event.recorder.checks.values():
                made.update(node.name for node in nodes)
                wrong += [
                    f"{event.recorder.label} {node.name}: {node.failure_info.failure}\n{node.failure_info.code_sample}"
                    for node in nodes
                    if node.status == Status.FAILURE
                ]
    assert not wrong, f"{len(wrong)} failures, the first:\n" + "\n---\n".join(wrong[:12])
    return made


def checks_of(made: Counter[str]) -> set[str]:
    """Every check that was made at least once."""
    return {name for name, times in made.items() if times}


def test_a_short_run_of_two_accounts_finds_nothing(
    address: str, accounts: tuple[apiworld.ApiAccount, apiworld.ApiAccount]
) -> None:
    acme, globex = accounts
    made: Counter[str] = Counter()
    for asks, other in ((acme, globex), (globex, acme)):
        made += fuzz(Run(address, asks, other), most=6, phases={"coverage": {"enabled": False}})
    assert checks_of(made) == set(CHECKS.get_all_names())
    assert made["not_a_server_error"] > 200


def test_every_border_of_two_doors_is_tried(
    address: str, accounts: tuple[apiworld.ApiAccount, apiworld.ApiAccount]
) -> None:
    made = fuzz(
        Run(address, *accounts), most=1, only=["kpis", "shipment_event"],
        phases={"fuzzing": {"enabled": False}, "stateful": {"enabled": False}},
    )  # fmt: skip
    assert made["negative_data_rejection"] > 60


@pytest.mark.nightly
def test_a_long_run_of_two_accounts_finds_nothing(
    address: str, accounts: tuple[apiworld.ApiAccount, apiworld.ApiAccount]
) -> None:
    acme, globex = accounts
    made: Counter[str] = Counter()
    for asks, other in ((acme, globex), (globex, acme)):
        made += fuzz(Run(address, asks, other), most=60)
    assert checks_of(made) == set(CHECKS.get_all_names())
    assert made["not_a_server_error"] > 3_000
