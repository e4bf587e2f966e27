"""`manage.py ingest --source KEY FILE…`: files take the same way as HTTP, in order, raw bytes first."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from portal.lib import clock
from portal.tenancy.context import as_tenant
from tracking.ingest import message_process, message_receive
from tracking.models import Quarantined, Source
from tracking.selectors import source_scope


class Command(BaseCommand):
    """Prints received, accepted, duplicate, quarantined by reason, warnings. Exit 2 on unknown source or path."""

    help = "Takes files in as messages of a source, the same way as HTTP."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--source KEY, --json, files."""
        parser.add_argument("--source", required=True)
        parser.add_argument("--json", action="store_true")
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """One message a file, each in its own transaction."""
        tenant_id = source_scope(options["source"])
        if tenant_id is None:
            self._stop(f"There is no source with the key {options['source']!r}.")
        bodies = [(Path(name), self._read(Path(name))) for name in options["files"]]
        assert tenant_id is not None
        with as_tenant(tenant_id):
            source = Source.objects.get(key=options["source"])
            for path, body in bodies:
                self._print(path, self._take(source, path, body), as_json=options["json"])

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as fault:
            self._stop(f"{path} cannot be read: {fault.strerror}.")
            raise

    def _take(self, source: Source, path: Path, body: bytes) -> dict[str, Any]:
        kind = "text/csv" if path.suffix.lower() == ".csv" else "application/json" if path.suffix == ".json" else ""
        at = clock.now()
        message = message_receive(
            source=source, body=body, channel="FILE", at=at, content_type=kind, file_name=path.name, process_after=at
        )
        message = message_process(public_id=message.public_id, at=clock.now())
        reasons = Counter(Quarantined.objects.filter(message=message).values_list("reason", flat=True))
        return {
            "file": str(path), "message": message.public_id, "received": message.events_received,
            "accepted": message.events_accepted, "duplicate": message.events_duplicate,
            "quarantined": message.events_quarantined, "quarantined_by_reason": dict(reasons),
            "warnings": message.warnings,
        }  # fmt: skip

    def _print(self, path: Path, answer: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(answer, sort_keys=True))
            return
        reasons = ", ".join(f"{k} {v}" for k, v in sorted(answer["quarantined_by_reason"].items())) or "none"
        warnings = ", ".join(f"{k} {v}" for k, v in sorted(answer["warnings"].items())) or "none"
        self.stdout.write(
            f"{path}: {answer['received']} received, {answer['accepted']} accepted, {answer['duplicate']} duplicate, "
            f"{answer['quarantined']} quarantined ({reasons}); warnings: {warnings}"
        )

    def _stop(self, sentence: str) -> None:
        self.stderr.write(sentence)
        sys.exit(2)
