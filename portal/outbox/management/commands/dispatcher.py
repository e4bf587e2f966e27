"""`manage.py dispatcher`: the process that publishes due outbox rows; any number may run."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from portal.outbox import dispatcher


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT and ends within seconds."""

    help = "Publishes due outbox rows to the workers, and again what the broker lost."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own attribute

    def handle(self, *args: Any, **options: Any) -> None:
        """Stops between two rounds."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        dispatcher.run(stop)
