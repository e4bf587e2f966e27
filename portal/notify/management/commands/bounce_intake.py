"""`manage.py bounce_intake`: takes in a message that a mail server sent back, from stdin or from files (O10)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.lib import clock
from portal.notify.bounces import MOST_BYTES, NotAReport
from portal.notify.undelivered import bounce_take


class Command(BaseCommand):
    """Exit 0; 2 for what is no report about a mail of ours. Made for a pipe of the mail server: one message a call."""

    help = "Reads a delivery report (RFC 3464) or a complaint (RFC 5965) and stops mail to addresses that refuse it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Files; without any, stdin."""
        parser.add_argument("file", nargs="*", help="messages as they came; without any, one message from stdin")
        parser.add_argument("--json", action="store_true", help="one JSON object a message")

    def handle(self, *args: Any, **options: Any) -> None:
        """Each message for itself; the first that is no report ends the run."""
        for name in options["file"] or ["-"]:
            try:
                raw = sys.stdin.buffer.read(MOST_BYTES + 1) if name == "-" else Path(name).read_bytes()
                taken = bounce_take(raw=raw, at=clock.now())
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}", returncode=2) from None
            except NotAReport as error:
                raise CommandError(f"{'stdin' if name == '-' else name}: {error}", returncode=2) from None
            said = {"outcome": taken.outcome.value, "email": taken.email, "status": taken.status,
                    "suppressed": taken.suppressed, "known": taken.known}  # fmt: skip
            if options["json"]:
                self.stdout.write(json.dumps(said))
            else:
                end = "mail to it stops" if taken.suppressed else "mail to it goes on"
                self.stdout.write(f"{taken.email}: {taken.outcome.value.lower()} {taken.status}; {end}.")
