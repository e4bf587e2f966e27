"""The world of tests/golden/dcsa_outward: an account with three shipments, what was heard of them, and a stranger.

Fixed references, so it is built once for each database. An event goes by `<its source's id>@<shipment>`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import key_create
from tests import cast
from tests.doors import client_of
from tests.servers import ROOT
from tests.tracking.messages import shipment, source, take
from tests.tracking.pages import tiered
from tracking.dcsaevents import event_id
from tracking.matching import id_key
from tracking.models import Shipment, SightingRow, Source

GOLDEN: Path = ROOT / "tests" / "golden" / "dcsa_outward"
EVENTS = "/dcsa/tnt/v2/events"
SUBSCRIPTIONS = "/dcsa/tnt/v2/event-subscriptions"
_built: list[Outward] = []


@dataclass
class Outward:
    """Two accounts with keys, and how our events are called."""

    accounts: dict[str, cast.Account]
    keys: dict[str, str]
    sources: dict[str, Source]
    shipments: dict[str, Shipment] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # eventID -> name
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> Any:
        """A system of the account."""
        return client_of(None, key=self.keys["ours"])

    @property
    def account(self) -> cast.Account:
        return self.accounts["ours"]

    def called(self, events: list[dict[str, Any]]) -> list[str]:
        """Their names, in order."""
        return [self.names.get(e["eventID"], e["eventID"]) for e in events]


def key_of(account: cast.Account) -> str:
    """A read key of the account."""
    with as_tenant(account.pk):
        return key_create(label="TMS", at=clock.now())[1]


def world() -> Outward:
    """Built on first use."""
    if not _built:
        _built.append(_build(json.loads((GOLDEN / "world.json").read_text())))
    return _built[0]


def _build(told: dict[str, Any]) -> Outward:
    accounts = {name: tiered(cast.account(name.upper()), "PRIORITY") for name in ("ours", "anothers")}
    made = Outward(
        accounts, {name: key_of(a) for name, a in accounts.items()},
        {name: source() for name in ("line", "rail")} | {"sheet": source(format="csv")},
    )  # fmt: skip
    for one in told["shipments"]:
        values = {k: v for k, v in one.items() if k not in ("name", "account")}
        values |= {"containers": tuple(one["containers"]), "po_numbers": tuple(one.get("po_numbers", ()))}
        made.shipments[one["name"]] = shipment(accounts[one["account"]], **values)
    for message in told["messages"]:
        body = "\n".join(message["csv"]).encode() if "csv" in message else message["events"]
        take(made.sources[message["source"]], body, at=datetime.fromisoformat(message["at"]))
    for name, one in made.shipments.items():
        with as_tenant(one.tenant_id):
            rows = SightingRow.objects.filter(shipment=one).values_list("source", "source_event_id")
            for src, own in rows:
                made.ids[f"{own}@{name}"] = str(event_id(one.public_id, src, id_key(own)))
    made.names = {event: name for name, event in made.ids.items()}
    return made
