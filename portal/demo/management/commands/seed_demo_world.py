"""`manage.py seed_demo_world [--today D] [--needed]`: the demo's history, through the real doors, once.

`--needed` only asks: exit 0 when the world must still be made, 1 when there is an installation already.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.demo.seed import world_seed
from portal.demo.world import world
from portal.lib import clock
from portal.tenancy.selectors import installation


class Command(BaseCommand):
    """Refused in production and on an installation that is set up."""

    help = "Makes the demo world."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--today YYYY-MM-DD, --needed."""
        parser.add_argument("--today", default="")
        parser.add_argument("--needed", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints what went in, and how long it took."""
        if not settings.ALLOW_SET_CLOCK:
            raise CommandError("The demo world is made in the demo only, never in production.", returncode=2)
        there = installation() is not None
        if options["needed"]:
            sys.exit(1 if there else 0)
        if there:
            raise CommandError("There is an installation already; the demo world needs an empty one.", returncode=2)
        began = time.monotonic()
        told = world_seed(world(self._today(options["today"])), Bar().show)
        self.stdout.write(
            f"{told.shipments} shipments, {told.messages} messages, {told.events} events "
            f"in {time.monotonic() - began:.0f} s"
        )

    def _today(self, text: str) -> datetime:
        now = clock.now().replace(microsecond=0)
        if not text:
            return now
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise CommandError("A day is written YYYY-MM-DD.", returncode=2) from None
        if day > now.date():
            raise CommandError("The demo's history cannot end in the future.", returncode=2)
        return min(datetime(day.year, day.month, day.day, 18, tzinfo=UTC), now)


class Bar:
    """Progress on standard error: a bar on a terminal, a line for each tenth elsewhere."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.shown = -1
        self.live = sys.stderr.isatty()

    def show(self, done: int, total: int, what: str) -> None:
        """How far, and where in time."""
        percent = 100 * done // total
        if percent == self.shown or (not self.live and percent // 10 == self.shown // 10):
            return
        self.shown = percent
        seconds = time.monotonic() - self.began
        if self.live:
            filled = "#" * (percent * 30 // 100)
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r  [{filled:<30}] {percent:3d} %  {what}  {seconds:4.0f} s{end}")
        else:
            sys.stderr.write(f"  {percent:3d} %  {what}  {seconds:.0f} s\n")
        sys.stderr.flush()
