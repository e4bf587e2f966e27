"""`manage.py seed_demo --tenants N --shipments N --seed N`: made-up traffic of any size, through load_history.

The story of the demo world is another one (seed_demo_world). Refused in production.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.demo.traffic import generate
from portal.lib import clock
from portal.tenancy.selectors import installation
from portal.tenancy.services import installation_create
from tracking.backfill import history_load
from tracking.services import places_load


class Command(BaseCommand):
    """Deterministic for a seed and a day; account codes begin with `T` and the seed."""

    help = "Loads made-up traffic: accounts, shipments and their events of a year and a half."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much, and which."""
        parser.add_argument("--tenants", type=int, default=20)
        parser.add_argument("--shipments", type=int, default=1_000)
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Sets the installation up where there is none, then loads."""
        if not settings.ALLOW_SET_CLOCK:
            raise CommandError("Made-up traffic is for the demo and tests, never for production.", returncode=2)
        tenants, shipments, seed = options["tenants"], options["shipments"], options["seed"]
        if not (0 < tenants <= 999 and shipments > 0 and 0 <= seed <= 99_999):
            raise CommandError("Tenants are 1 to 999, shipments at least 1, the seed 0 to 99999.", returncode=2)
        now = clock.now()
        if installation() is None:
            installation_create(name="Demo forwarding", code="demo", zone="Europe/Amsterdam", currency="USD", at=now)
        places_load()
        until = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with tempfile.TemporaryDirectory(prefix="plimsoll-seed-") as name:
            made = generate(
                Path(name), shipments=shipments, accounts=tenants, seed=seed, until=until, prefix=f"T{seed}N"
            )
            done = history_load(folder=Path(name), at=now, tell=self.stderr.write)
        self.stdout.write(
            f"{made['accounts']} accounts, {done.shipments} shipments, {done.received} events: {done.accepted} "
            f"accepted, {done.duplicate} duplicate, {done.quarantined} quarantined"
        )
        if done.refused:
            sys.exit(1)
