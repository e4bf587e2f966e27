"""`manage.py describe kpis|entitlements|adapters|facts|jobs [--json]`: prints what the code declares.

Reads no database; the tables in docs/ are this output. `describe adapters --source KEY` prints how one source is read
instead: its format and every code that has a meaning of its own there.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import translation


def _kpis() -> list[dict[str, Any]]:
    from kpis.registry import KPIS

    return [{**kpi.plain(), "digest": kpi.digest} for kpi in KPIS]


def _entitlements() -> list[dict[str, Any]]:
    from tiers.promises.registry import ENTITLEMENTS

    return [
        {
            "key": switch.key,
            "label": str(switch.label),
            "says": str(switch.says),
            "group": switch.group.value,
            **{tier.value: on for tier, on in switch.default.items()},
        }
        for switch in ENTITLEMENTS
    ]


def _adapters() -> list[dict[str, Any]]:
    from tracking.registry import ADAPTERS

    return [{"key": adapter.key} for adapter in ADAPTERS]


def _source(key: str) -> list[dict[str, Any]] | None:
    """How a source is read; None when no open source has that key."""
    from portal.tenancy.context import as_tenant
    from tracking.models import Source
    from tracking.partners import codes_of, partner_of
    from tracking.selectors import source_scope

    tenant_id = source_scope(key)
    if tenant_id is None:
        return None
    with as_tenant(tenant_id):
        source = Source.objects.get(key=key)
        partner = partner_of(source)
        read = {"key": key, "format": source.format, "zone": partner.zone, "strict_envelope": partner.strict_envelope}
        return [read, *(
            {"key": f"{r.listed} {r.code}", "agency": r.agency, "ignored": r.is_ignored, "kind": r.kind,
             "event_code": r.event_code, "classifier": r.classifier, "laden": r.laden, "mode": r.mode,
             "place_role": r.place_role, "document_type": r.document_type}
            for r in codes_of(source)
        )]  # fmt: skip


def _facts() -> list[dict[str, Any]]:
    from portal.lib.facts import all_facts

    return [
        {"key": key, "says": (found.__doc__ or "").split("\n")[0], "audience": found.audience.value,
         "entitlement": found.entitlement}
        for key, found in all_facts().items()
    ]  # fmt: skip


def _jobs() -> list[dict[str, Any]]:
    from portal.outbox import handlers

    handlers.load_jobs()
    work = [{"kind": "work", "key": name} for name in handlers.handler_names()]
    return work + [{"kind": "due", "key": check.name} for check in handlers.due_checks()]


WHAT: Final[Mapping[str, Callable[[], list[dict[str, Any]]]]] = {
    "kpis": _kpis,
    "entitlements": _entitlements,
    "adapters": _adapters,
    "facts": _facts,
    "jobs": _jobs,
}


class Command(BaseCommand):
    """One line a declaration, or one JSON object a line."""

    help = "Prints the declared KPIs, entitlements, adapters, facts or jobs."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to describe."""
        parser.add_argument("what", choices=sorted(WHAT))
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--source", metavar="KEY", help="With adapters: how this source is read.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """In English, in the order of the registry."""
        with translation.override("en"):
            for entry in self._entries(options["what"], options["source"]):
                if options["json"]:
                    self.stdout.write(json.dumps(entry, sort_keys=True))
                else:
                    rest = "  ".join(f"{k}={v}" for k, v in entry.items() if k != "key")
                    self.stdout.write(f"{entry['key']}: {rest}")

    def _entries(self, what: str, source: str | None) -> list[dict[str, Any]]:
        if not source:
            return WHAT[what]()
        found = _source(source) if what == "adapters" else None
        if found is None:
            self.stderr.write(f"There is no source with the key {source!r}." if what == "adapters"
                              else "--source goes with adapters only.")  # fmt: skip
            sys.exit(2)
        return found
