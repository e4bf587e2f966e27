"""`manage.py faultpoints`: where tests may kill a process (reliability 14)."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.lib.faults import points
from portal.outbox import dispatcher, handlers


class Command(BaseCommand):
    """One line a point; inert unless the tests' settings allow faults."""

    help = "Lists the named fault points between two durable writes."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own attribute

    def add_arguments(self, parser: CommandParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true", help="one JSON object with the names and what they mean")

    def handle(self, *args: Any, **options: Any) -> None:
        """Every module that declares points is imported by the jobs, or is the dispatcher."""
        handlers.load_jobs()
        assert dispatcher.BATCH
        if options["json"]:
            self.stdout.write(json.dumps(points()))
            return
        for name, says in points().items():
            self.stdout.write(f"{name:<28} {says}")
