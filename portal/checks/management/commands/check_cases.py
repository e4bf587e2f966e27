"""`manage.py check_cases [--kind K,...] FILE...`: runs worked examples through the product's own rules.

A door only; the runner is portal.checks.cases. Exit status 0 when nothing failed, 1 when a case did, 2 on bad input.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.checks.cases import KINDS, UnreadableCases, kind_of, read_cases, run_cases


class Command(BaseCommand):
    """Reads files of cases and prints what failed; reads no database."""

    help = "Runs worked examples of the domain rules and prints each that fails."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Files, and what to run of them."""
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--kind", default="", help="only these kinds, separated by commas")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the cases of all files, one after the other."""
        wanted = {kind.strip() for kind in options["kind"].split(",") if kind.strip()}
        try:
            cases = [case for path in options["files"] for case in read_cases(path)]
        except UnreadableCases as error:
            raise CommandError(str(error), returncode=2) from None
        strange = wanted - {kind_of(case) for case in cases} - set(KINDS.keys())
        if strange:
            raise CommandError(f"No such kind: {', '.join(sorted(strange))}", returncode=2)
        chosen = [case for case in cases if not wanted or kind_of(case) in wanted]
        results = list(run_cases(chosen))
        failures = [failure for failure in results if failure is not None]
        passed = len(results) - len(failures)
        if options["json"]:
            listed = [
                {"id": f.case, "kind": f.kind, "field": f.field, "expected": f.expected, "found": f.found}
                for f in failures
            ]
            self.stdout.write(json.dumps({"passed": passed, "failed": len(failures), "failures": listed}))
        else:
            for failure in failures:
                self.stdout.write(failure.line())
            self.stdout.write(f"{passed} passed, {len(failures)} failed")
        if failures:
            sys.exit(1)
