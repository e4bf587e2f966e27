"""Many accounts through few connections: web, task and stream paths in random turns, errors in the middle of some.

`python -m tests.concurrency.interleave PLAN` runs a plan (JSON) in a process of its own and prints what it saw; run by
test_isolation.py. A foreign row is one that the database gave to the wrong account, whatever a manager would filter.
"""

from __future__ import annotations

import json
import random
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

MARK = re.compile(r"MARK-[0-9A-F]{10}")
ROWS = "select tenant_id, ref from tracking_shipment"


class Boom(Exception):
    """What goes wrong in the middle of a request, on purpose."""


class Turns:
    """One thread's random turns over the plan's accounts."""

    def __init__(self, plan: dict[str, Any], seed: int) -> None:
        self.accounts: list[dict[str, Any]] = plan["accounts"]
        self.steps: int = plan["steps"]
        self.dice = random.Random(seed)
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        """All turns; between two of them nothing may be visible."""
        kinds: list[Callable[[dict[str, Any]], None]] = [
            self.page, self.page_of_another, self.broken_request, self.task, self.broken_task, self.stream,
            self.nested, self.failing_statement,
        ]  # fmt: skip
        for _n in range(self.steps):
            kind = self.dice.choice(kinds)
            kind(self.dice.choice(self.accounts))
            self.seen[kind.__name__] += 1
            self.seen["foreign"] += len(self.rows())

    def other(self, account: dict[str, Any]) -> dict[str, Any]:
        """Any account but this one."""
        return self.dice.choice([a for a in self.accounts if a["id"] != account["id"]])

    @staticmethod
    def rows() -> list[tuple[int, str]]:
        """What the database shows now, past every manager."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(ROWS)
            return [(int(tenant_id), str(ref)) for tenant_id, ref in cursor.fetchall()]

    def look(self, account: dict[str, Any]) -> None:
        """The rows must be exactly the account's own."""
        found = self.rows()
        self.seen["foreign"] += sum(tenant_id != account["id"] for tenant_id, _ref in found)
        self.seen["missing"] += len(set(account["marks"]) - {ref for _t, ref in found})
        self.seen["looks"] += 1

    def body(self, account: dict[str, Any], text: str) -> None:
        """A page may carry the account's own markers only."""
        marks = set(MARK.findall(text))
        self.seen["foreign"] += len(marks - {*account["marks"], *account["orders"]})
        self.seen["bodies"] += 1

    # --- web ---

    def get(self, account: dict[str, Any], path: str) -> Any:
        """A page as the account's member."""
        from django.conf import settings
        from django.test import Client

        client = Client(raise_request_exception=False)
        client.cookies[settings.SESSION_COOKIE_NAME] = account["session"]
        return client.get(path)

    def page(self, account: dict[str, Any]) -> None:
        """The list holds every marker of the account and no other."""
        answer = self.get(account, "/shipments")
        self.seen["not 200"] += answer.status_code != 200
        self.body(account, answer.content.decode())
        self.seen["missing"] += len(set(account["marks"]) - set(MARK.findall(answer.content.decode())))

    def page_of_another(self, account: dict[str, Any]) -> None:
        """Another account's shipment is not there; the own one is."""
        answer = self.get(account, f"/shipments/{self.other(account)['shipment']}")
        self.seen["not 404"] += answer.status_code != 404
        self.body(account, answer.content.decode())
        answer = self.get(account, f"/shipments/{account['shipment']}")
        self.seen["not 200"] += answer.status_code != 200
        self.body(account, answer.content.decode())

    def broken_request(self, account: dict[str, Any]) -> None:
        """A view that fails inside its transaction, behind the real middleware."""
        from django.contrib.auth import get_user_model
        from django.db import transaction
        from django.test import RequestFactory

        from portal.tenancy.middleware import ScopeMiddleware

        def view(_request: Any) -> Any:
            with transaction.atomic():
                self.look(account)
                raise Boom

        request = RequestFactory().get("/")
        request.user = get_user_model().objects.get(pk=account["user"])
        try:
            ScopeMiddleware(view)(request)
        except Boom:
            return
        self.seen["swallowed"] += 1

    # --- tasks ---

    def task(self, account: dict[str, Any]) -> None:
        """A background task carries the account's id and nothing else (T11)."""
        probe()(self, account, fails=False, tenant_id=account["id"])

    def broken_task(self, account: dict[str, Any]) -> None:
        """The same, failing."""
        try:
            probe()(self, account, fails=True, tenant_id=account["id"])
        except Boom:
            return
        self.seen["swallowed"] += 1

    # --- streams, nested scopes, failing statements ---

    def stream(self, account: dict[str, Any]) -> None:
        """A download that others come between keeps its scope, and is dropped half-way now and then."""
        from portal.tenancy.context import as_tenant, keep_scope
        from tracking.models import Shipment

        with as_tenant(account["id"]):
            rows = keep_scope(s for s in Shipment.objects.order_by("pk").iterator(chunk_size=1))
        for row in rows:
            self.seen["foreign"] += row.tenant_id != account["id"]
            between = self.other(account)
            with as_tenant(between["id"]):
                self.look(between)
            if self.dice.random() < 0.2:
                break
        rows.close()  # type: ignore[attr-defined]

    def nested(self, account: dict[str, Any]) -> None:
        """A scope inside a scope inside a transaction, with an error on the way out."""
        from django.db import transaction

        from portal.tenancy.context import as_tenant

        inner = self.other(account)
        with as_tenant(account["id"]), transaction.atomic():
            self.look(account)
            try:
                with transaction.atomic(), as_tenant(inner["id"]):
                    self.look(inner)
                    raise Boom
            except Boom:
                self.look(account)

    def failing_statement(self, account: dict[str, Any]) -> None:
        """The database refuses a foreign row and the transaction goes on in its own scope."""
        from django.db import ProgrammingError, connection, transaction

        from portal.tenancy.context import as_tenant

        with as_tenant(account["id"]), transaction.atomic():
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(
                        "insert into tenancy_auditentry (tenant_id, at, actor, action, object_type, object_id, details)"
                        " values (%s, now(), 'x', 'x', '', '', '{}')",
                        [self.other(account)["id"]],
                    )
                self.seen["foreign"] += 1
            except ProgrammingError:
                self.look(account)


@cache
def probe() -> Any:
    """A task that looks, and fails when asked to."""
    from portal.celery import app
    from portal.tenancy.tasks import TenantTask

    def run(turns: Turns, account: dict[str, Any], *, fails: bool) -> None:
        turns.look(account)
        if fails:
            raise Boom

    return app.task(run, name="tests.probe", base=TenantTask, lazy=False)


def play(plan: dict[str, Any]) -> Counter[str]:
    """Every thread's turns, and what they saw together."""
    from django.db import connections

    probe()
    turns = [Turns(plan, plan["seed"] + n) for n in range(plan["threads"])]
    faults: list[BaseException] = []

    def one(turn: Turns) -> None:
        try:
            turn.run()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=[turn]) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return sum((turn.seen for turn in turns), Counter[str]())


def main(path: str) -> None:
    """A process of its own: pooled connections as the plan says, then the turns."""
    import django
    from django.conf import settings

    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    if plan["pool"]:
        for alias in ("default", "operator"):
            settings.DATABASES[alias]["CONN_MAX_AGE"] = 0
            settings.DATABASES[alias]["OPTIONS"] = {
                **settings.DATABASES[alias]["OPTIONS"], "pool": {"min_size": 1, "max_size": plan["pool"]}
            }  # fmt: skip
    django.setup()
    from django.db import connections
    from django.test.utils import setup_test_environment

    setup_test_environment()
    seen = play(plan)
    for alias in ("default", "operator"):
        close_pool = getattr(connections[alias], "close_pool", None)
        if plan["pool"] and close_pool:
            close_pool()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
