"""`manage.py pause_sending`: nothing leaves the house until `resume_sending` (P5)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.lib import clock
from portal.notify.services import sending_set


class Command(BaseCommand):
    """Idempotent; recorded in the operator's audit trail."""

    help = "Holds back every mail until resume_sending; what happens meanwhile waits in the outbox."
    paused = True

    def handle(self, *args: Any, **options: Any) -> None:
        """Says what is so now, and whether it was so before."""
        changed = sending_set(paused=self.paused, actor="manage.py", at=clock.now())
        word = "paused" if self.paused else "on"
        self.stdout.write(f"Sending is {word}." if changed else f"Sending was {word} already.")
