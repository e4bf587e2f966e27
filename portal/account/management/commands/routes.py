"""`manage.py routes [--json]`: every address with its methods and who may use it (W1)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from portal.account.management.commands._base import PeopleCommand
from portal.web.checks import routes


class Command(PeopleCommand):
    """Reads the URL resolver, no database."""

    help = "Prints every route with its policy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """As a table or as JSON."""
        parser.add_argument("--json", action="store_true", help="one JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a route."""
        rows: list[dict[str, Any]] = [
            {
                "name": route.name, "pattern": route.pattern, "parameters": list(route.parameters),
                "methods": list(route.methods), "who": sorted(route.policy.who) if route.policy else [],
                "write": sorted(route.policy.write) if route.policy else [],
                "entitlement": route.policy.entitlement if route.policy else None,
            }
            for route in routes()
        ]  # fmt: skip
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=1))
            return
        for row in rows:
            self.stdout.write(f"/{row['pattern']}  {','.join(row['methods'])}  {','.join(row['who'])}")
