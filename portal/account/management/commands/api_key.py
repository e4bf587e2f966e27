"""`manage.py api_key ACCOUNT [--scope read] [--json]`: makes an API key and prints it once."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from portal.account.management.commands._base import PeopleCommand
from portal.lib import clock, ids
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.selectors import tenant_current


class Command(PeopleCommand):
    """Each call makes a key under a name of its own, so that it ends no other."""

    help = "Makes an API key for an account and prints it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Account code and scope."""
        parser.add_argument("account", metavar="ACCOUNT", help="the account's code")
        parser.add_argument("--scope", choices=["read"], default="read")
        parser.add_argument("--label", default="", help="a name for the key")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints `{account, key}` or the key alone."""
        tenant_id = self.tenant_id(options["account"])
        if tenant_id == OPERATOR_ID:
            raise self.refuse("An API key belongs to an account; this is the operator's own code.")
        label = (options["label"] or f"command line {ids.public_id()[:6]}")[:80]
        with as_tenant(tenant_id):
            _key, text = key_create(label=label, at=clock.now(), scope=options["scope"], actor="manage.py api_key")
            account = tenant_current().code
        self.stdout.write(json.dumps({"account": account, "key": text}) if options["json"] else text)
