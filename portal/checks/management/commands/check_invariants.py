"""`manage.py check_invariants [--json]`: one line for each breach of what must always hold; exit status 1 on any.

A door only; what is checked stands in portal.checks.invariants.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from portal.checks.invariants import CHECKED, invariant_breaches
from portal.lib import clock


class Command(BaseCommand):
    """Reads everything, changes nothing; leaves one audit row for the list of tenants."""

    help = "Checks what must always hold (I1 to I6 and I8) and prints each breach as one JSON line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json leaves out the closing sentence."""
        parser.add_argument("--derived", action="store_true", help="also work out every shipment anew; takes time")
        parser.add_argument("--json", action="store_true", help="JSON lines only")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints breaches as they are found."""
        breaches = 0
        for breach in invariant_breaches(at=clock.now(), derived=options["derived"]):
            breaches += 1
            self.stdout.write(json.dumps(breach, sort_keys=True))
        if not options["json"]:
            checked = ", ".join(CHECKED)
            self.stdout.write(f"{checked}: {breaches or 'no'} {'breach' if breaches == 1 else 'breaches'}")
        if breaches:
            sys.exit(1)
