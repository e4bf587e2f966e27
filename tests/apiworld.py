"""An account with one of everything that the API tells, and its key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import Role
from portal.webhooks.deliveries import ping_send
from portal.webhooks.services import endpoint_create
from tests import cast
from tests.doors import client_of
from tests.processes import free_port, running, wait_for, web
from tests.tiers import world as promises
from tests.tracking.messages import shipment, source, take, vessel
from tests.tracking.pages import journey, many
from tracking.models import ExceptionCase
from tracking.services import exception_comment

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)


@contextmanager
def serving(**environment: str) -> Iterator[str]:
    """The address of a server of its own, for the block."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return requests.get(f"{address}/healthz", timeout=5).status_code == 200
        except requests.RequestException:  # not bound yet, or bound and still loading
            return False

    with running(web(port, **environment)):
        wait_for(up, seconds=60, what="the server")
        yield address


@dataclass
class ApiAccount:
    """Premium, with a shipment under way, a closed month in breach and its credit."""

    account: cast.Account
    key: str
    shipment: str
    snapshot: str
    credit: str
    exception: str
    endpoint: str
    marks: tuple[str, ...]  # texts that no other account may read

    @property
    def client(self) -> Any:
        """A system of the account."""
        return client_of(None, key=self.key)

    def arguments(self, operation: str) -> dict[str, Any]:
        """The path parameters of its own objects."""
        found: dict[str, Any] = {}
        if operation.startswith("shipment_") or operation == "shipment":
            found["public_id"] = self.shipment
        elif operation.startswith("snapshot") and operation != "snapshots":
            found["public_id"] = self.snapshot
        elif operation in ("credit", "exception"):
            found["public_id"] = getattr(self, operation)
        elif operation == "webhook_deliveries":
            found["public_id"] = self.endpoint
        if operation == "shipment_event":
            found["number"] = 1
        if operation == "snapshot_file":
            found["name"] = "facts.csv"
        return found


def key_of(account: cast.Account, **more: Any) -> str:
    """A fresh API key."""
    with as_tenant(account.pk):
        return key_create(label="system", at=clock.now(), **more)[1]


def rolled(account: cast.Account) -> ExceptionCase:
    """A box that its ship left behind, with a word of the desk to the customer."""
    left = shipment(account)
    with as_tenant(account.pk):
        booking = left.references.get(kind="BOOKING").written
    take(source(), [vessel("DEPA", booking, "2026-04-18T10:00:00+08:00", place="CNSHA")], at=NOW)
    with as_tenant(account.pk):
        case = ExceptionCase.objects.get(shipment=left, code="ROLLOVER")
        desk = cast.person(OPERATOR_ID, Role.OPS, name="Olga Ops")
        exception_comment(public_id=case.public_id, note="Space is booked.", for_customer=True, actor=desk, at=NOW)
        return case


def listening(account: cast.Account) -> str:
    """An endpoint that was sent a ping."""
    with as_tenant(account.pk):
        made, _secret = endpoint_create(
            label="TMS", url="https://tms.example.com/hook", kinds=["tracking.milestone_reached"], actor="test", at=NOW
        )
        ping_send(endpoint=made, at=NOW)
        return made.public_id


def build(code: str) -> ApiAccount:
    """Makes one; its rows carry references that only it has."""
    account = cast.account(code)
    promises.premium(account)
    made = journey(account, source())
    many(account, 12, undated=2)
    promises.agree(account)
    units = promises.month(account, on_time=17, late=3)
    promises.bill(account, units, "9000.00")
    snapshot = promises.close(account)
    line = promises.assessed(account, snapshot)[0]
    case, hook = rolled(account), listening(account)
    marks = (
        account.tenant.code, case.public_id, hook, made.ref, made.public_id, units[0].ref, snapshot.public_id,
        line.public_id,
    )  # fmt: skip
    return ApiAccount(
        account, key_of(account), shipment=made.public_id, snapshot=snapshot.public_id, credit=line.public_id,
        exception=case.public_id, endpoint=hook, marks=marks,
    )  # fmt: skip
