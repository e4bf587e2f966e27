"""What is sent is what the documents show, is small, and holds nothing that is not the account's to read."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from portal.account.facts import Invited
from portal.lib.facts import Audience, all_facts
from portal.webhooks import payloads
from portal.webhooks.facts import EndpointDisabled
from tests.servers import ROOT
from tracking.facts import MilestoneReached, SourceSilent

KINDS = list(payloads.kinds())
PAGE = (ROOT / "docs/webhooks.md").read_text("utf-8")


def documented() -> dict[str, str]:
    """Each kind's example in docs/webhooks.md."""
    found = re.findall(r"^### `([a-z_.]+)`\n\n.+?\n\n```json\n(.*?)\n```", PAGE, re.S | re.M)
    return dict(found)


@pytest.mark.req("H2")
def test_every_kind_is_documented_by_what_would_be_sent() -> None:
    shown = documented()
    assert sorted(shown) == sorted(KINDS)
    for key, text in shown.items():
        sent = payloads.sample(key, account="ACME", base="https://portal.example.com")
        assert json.loads(text) == json.loads(sent), key
    ping = payloads.ping_body(
        endpoint="0123456789abcdefghjk", account="ACME", base="https://portal.example.com",
        at=MilestoneReached.example().occurred_at.replace(hour=9, minute=0),
    )  # fmt: skip
    assert json.loads(ping) in [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", PAGE, re.S)]


@pytest.mark.parametrize("key", KINDS)
def test_an_example_keeps_to_its_schema(key: str) -> None:
    schema, body = payloads.schema_of(key), json.loads(payloads.sample(key, account="ACME", base="https://p.example"))
    assert set(schema["required"]) <= set(body) <= set(schema["properties"])
    assert body["type"] == schema["properties"]["type"]["const"] == key
    assert body["version"] == schema["properties"]["version"]["const"]
    data = schema["properties"]["data"]
    assert set(data["required"]) == set(data["properties"]) == set(body["data"])
    types = {"string": str, "integer": int, "boolean": bool, "array": list}
    for name, value in body["data"].items():
        assert type(value) is types[data["properties"][name]["type"]], name
    assert body["links"]["portal"].startswith("https://p.example/")


def test_what_is_for_others_is_never_offered() -> None:
    for kind in (Invited, SourceSilent, EndpointDisabled):
        assert kind.key not in KINDS
    assert {all_facts()[key].audience for key in KINDS} <= {Audience.FOLLOWERS, Audience.MANAGERS, Audience.SYSTEMS}
    for key in KINDS:
        assert (
            not {"email", "link", "path"}
            & json.loads(payloads.sample(key, account="A", base="https://p"))["data"].keys()
        )


@pytest.mark.req("H2")
def test_the_same_fact_gives_the_same_bytes_and_never_too_many() -> None:
    fact = MilestoneReached.example()
    assert payloads.body_of(fact, account="A", base="https://p") == payloads.body_of(
        MilestoneReached.read(json.loads(json.dumps(fact.plain()))), account="A", base="https://p"
    )
    for sign in ("x", "é", "\U0001f6a2", '"'):
        long = replace(fact, reference=sign * 100_000, local_time=sign * 9_000, next_step=sign * 70_000)
        body = payloads.body_of(long, account="A", base="https://p")
        assert len(body) <= payloads.MOST_BYTES == 20_000
        told = json.loads(body)
        assert told["shortened"] is True
        assert told["data"]["shipment"] == fact.shipment, "what is short stays whole"
    assert "shortened" not in json.loads(payloads.body_of(fact, account="A", base="https://p"))


def test_a_link_never_leads_elsewhere() -> None:
    for path in ("//evil.example/x", "https://evil.example/", "evil"):
        told = json.loads(
            payloads.body_of(replace(MilestoneReached.example(), path=path), account="A", base="https://p.example")
        )
        assert told["links"]["portal"].startswith("https://p.example/")


def test_every_kind_has_a_name_on_the_pages() -> None:
    assert [key for key in KINDS if payloads.kind_says(key) == key] == []
