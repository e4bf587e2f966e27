"""`manage.py canonical --format FMT FILE…`: what files say, as canonical events, one JSON object a line.

Stores nothing and reads no database; zones come from the places that ship with the product. With `--source KEY` the
codes mean what that source's partner table says: the only form that reads the database.
"""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand

from portal.tenancy.context import as_tenant
from tracking import history
from tracking.canonical import event_line, refusal_line
from tracking.models import Source
from tracking.partners import partner_of
from tracking.reasons import Reason
from tracking.registry import ADAPTERS, AUTO, FORMATS, beginning, reader_of, recognised
from tracking.selectors import source_scope
from tracking.types import PLAIN, Adapter, CanonicalEvent, Parsed, Partner, Refusal, Unreadable

_NUMBER: Final = re.compile(r"\$\[(\d+)\]")
_PLACES: Final = Path(history.__file__).resolve().parent / "data" / "places.csv"


class Command(BaseCommand):
    """Exit 0 whatever was refused; 2 when a file cannot be read, or no source has that key."""

    help = "Prints what files say as canonical events, one JSON object a line; stores nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--format, --source, files."""
        parser.add_argument("--format", choices=FORMATS, default=AUTO)
        parser.add_argument("--json", action="store_true", help="Lines are JSON in any case.")
        parser.add_argument("--source", metavar="KEY", help="Reads as this source is read, by its partner table.")
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Every readable file in turn; those that cannot be read are named on standard error."""
        failed, format_, partner = False, options["format"], PLAIN
        if options["source"]:
            declared, partner = self._source(options["source"])
            format_ = declared if format_ == AUTO else format_
        for name in options["files"]:
            try:
                raw = Path(name).read_bytes()
            except (OSError, ValueError) as fault:
                self.stderr.write(f"{name} cannot be read: {getattr(fault, 'strerror', None) or fault}.")
                failed = True
                continue
            extra = {"file": name} if len(options["files"]) > 1 else {}
            for line in _lines(raw, format_, partner):
                self.stdout.write(json.dumps({**extra, **line}, ensure_ascii=False))
        if failed:
            sys.exit(2)

    def _source(self, key: str) -> tuple[str, Partner]:
        """(format, partner table) of a source that is open."""
        tenant_id = source_scope(key)
        if tenant_id is None:
            self.stderr.write(f"There is no source with the key {key!r}.")
            sys.exit(2)
        with as_tenant(tenant_id):
            source = Source.objects.get(key=key)
            return source.format, partner_of(source)


def _lines(raw: bytes, format_: str, partner: Partner = PLAIN) -> Iterator[dict[str, Any]]:
    try:
        adapter = _adapter(raw, format_) if partner is PLAIN else reader_of(raw, format_)
        parsed = adapter.parse(raw, partner=partner)
    except Unreadable as fault:
        yield refusal_line(Refusal(code=fault.code, position=fault.position, detail=fault.detail))
        return
    for item in _in_order(parsed):
        if isinstance(item, Refusal):
            yield refusal_line(item)
        else:
            zone = partner.zone or _zones().get(item.place or "")
            yield event_line(item, message=item.message or adapter.key, place_zone=zone)


def _adapter(raw: bytes, format_: str) -> Adapter:
    adapter = recognised(raw) if format_ == AUTO else ADAPTERS.get(format_)
    if adapter is not None:
        return adapter
    if not raw.strip():
        raise Unreadable(Reason.EMPTY, "The file is empty.")
    if format_ == AUTO:
        raise Unreadable(Reason.UNSUPPORTED_FORMAT, f"The format is not recognised: {beginning(raw)}.")
    raise Unreadable(Reason.UNSUPPORTED_FORMAT, f"The format {format_} is not supported yet.")


def _in_order(parsed: Parsed) -> list[CanonicalEvent | Refusal]:
    return sorted((*parsed.events, *parsed.refusals), key=_number)


def _number(item: CanonicalEvent | Refusal) -> int:
    found = _NUMBER.match(item.position)
    return int(found[1]) if found else -1


@cache
def _zones() -> dict[str, str]:
    with _PLACES.open("rb") as file:
        return {row.code: row.zone for row in history.places(file) if isinstance(row, history.PlaceRow)}
