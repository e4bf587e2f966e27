"""`manage.py demo_story [--json]`: from a carrier's message to a credit on the running demo; exit 1 when a step fails.

A door only; the story itself stands in portal.demo.story.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any
from urllib.error import URLError

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.demo.people import secrets_read
from portal.demo.story import NotSo, Step, Story


class Command(BaseCommand):
    """Refused outside the demo."""

    help = "Tells the demo's story and checks each step."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true", help="one JSON object a step")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints each step and what it saw."""
        if settings.MODE not in ("demo", "test"):
            raise CommandError("The story is told in the demo only.", returncode=2)
        self.count = 0
        self.as_json = options["json"]
        try:
            story = Story(base=settings.PUBLIC_URL, keys=secrets_read().get("keys", {}))
            story.tell(self._said)
        except NotSo as fault:
            self._failed(str(fault))
        except URLError as fault:
            self._failed(f"{settings.PUBLIC_URL} does not answer: {fault.reason}")

    def _said(self, step: Step) -> None:
        self.count += 1
        if self.as_json:
            self.stdout.write(json.dumps(asdict(step)))
        else:
            self.stdout.write(f"{self.count:2d}. {step.name}: {step.saw} ({step.seconds} s)")
        self.stdout.flush()

    def _failed(self, sentence: str) -> None:
        if self.as_json:
            self.stdout.write(json.dumps({"failed": sentence}))
        self.stderr.write(f"FAILED {sentence}")
        sys.exit(1)
