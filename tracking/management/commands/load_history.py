"""`manage.py load_history DIR`: fast back-fill from the history files of a folder, with the same results as row by row.

A door only; what happens stands in tracking.backfill.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand

from portal.lib import clock
from portal.lib.errors import PortalError
from tracking.backfill import Loaded, history_load

_SHOWN: Final = 20


class Command(BaseCommand):
    """Progress on stderr, counts on stdout. Exit status 2 when nothing could be read, 1 when rows were refused."""

    help = "Loads places, accounts, shipments, events and charges from the CSV files of a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The folder, --workers, --json."""
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), metavar="N",
                            help="processes that share the events (default: one a processor, at most 4)")  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print the counts as one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Events that cannot be applied wait in quarantine; rows of the other files are named on stderr."""
        folder: Path = options["folder"]
        if not folder.is_dir():
            self.stderr.write(f"{folder} is no folder.")
            sys.exit(2)
        try:
            done = history_load(folder=folder, at=clock.now(), tell=self.stderr.write, workers=options["workers"])
        except OSError as fault:
            self.stderr.write(f"{fault.filename} cannot be read: {fault.strerror}.")
            sys.exit(2)
        except PortalError as fault:
            self.stderr.write(str(fault))
            sys.exit(2)
        self.print_counts(done, as_json=options["json"])
        if done.refused:
            sys.exit(1)

    def print_counts(self, done: Loaded, *, as_json: bool) -> None:
        """What was made and what became of the events."""
        for file, refusal in done.refused[:_SHOWN]:
            self.stderr.write(f"{file} {refusal.position}: {refusal.code}: {refusal.detail}")
        if len(done.refused) > _SHOWN:
            self.stderr.write(f"and {len(done.refused) - _SHOWN} more refused rows")
        if as_json:
            self.stdout.write(json.dumps(done.plain(), sort_keys=True))
            return
        reasons = ", ".join(f"{k} {v}" for k, v in sorted(done.quarantined_by_reason.items())) or "none"
        self.stdout.write(
            f"made: {done.places} places, {done.accounts} accounts, {done.sources} sources, {done.shipments} shipments "
            f"({done.shipments_known} known), {done.charges} charges; refused rows: {len(done.refused)}"
        )
        self.stdout.write(
            f"events: {done.received} received, {done.accepted} accepted, {done.duplicate} duplicate, "
            f"{done.quarantined} quarantined ({reasons})"
        )
