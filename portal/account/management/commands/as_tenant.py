"""`manage.py as_tenant ACCOUNT [-c CODE]`: a Python shell with the account's scope entered."""

from __future__ import annotations

import code
from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from portal.account.management.commands._base import PeopleCommand
from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import SYSTEM, audit


class Command(PeopleCommand):
    """Opening it leaves a row in the operator's audit trail."""

    help = "Opens a Python shell inside the scope of one account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which account, and what to run instead of asking."""
        parser.add_argument("account", metavar="ACCOUNT")
        parser.add_argument("-c", "--command", default="", help="run this instead of opening a shell")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs it inside the scope."""
        tenant_id = self.tenant_id(options["account"])
        with as_tenant(OPERATOR_ID), transaction.atomic():
            audit(action="account.entered", actor=SYSTEM, at=clock.now(), object_type="account",
                  object_id=options["account"].upper(), details={"page": "manage.py as_tenant"})  # fmt: skip
        with as_tenant(tenant_id):
            names: dict[str, Any] = {"tenant": tenant_current(), "now": clock.now}
            if options["command"]:
                exec(compile(options["command"], "as_tenant", "exec"), names)  # noqa: S102 - a shell runs what it is given
            else:
                code.interact(banner=f"Scope of {names['tenant'].code}. `tenant` and `now()` are at hand.", local=names)
