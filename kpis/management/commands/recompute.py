"""`manage.py recompute SNAPSHOT… [--json]`: counts closed months again from the events and compares every byte (M3)."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kpis.models import Snapshot
from kpis.selectors import snapshot_get, snapshot_recompute
from portal.lib import clock
from portal.lib.jsontext import canonical_bytes
from portal.tenancy.context import across_tenants, as_tenant
from portal.tenancy.selectors import tenant_current


class Command(BaseCommand):
    """Exit 0 when everything is the same, 1 when something differs, 2 for an unknown snapshot."""

    help = "Re-computes closed months from their events and compares them with what was closed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Public ids as `close_month` prints them."""
        parser.add_argument("snapshots", nargs="+", metavar="SNAPSHOT")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Each inside its own account's scope."""
        wanted = list(dict.fromkeys(options["snapshots"]))
        with across_tenants(reason="recompute: whose snapshots these are", actor="recompute", at=clock.now()):
            owners = dict(Snapshot.objects.filter(public_id__in=wanted).values_list("public_id", "tenant_id"))
        unknown = [name for name in wanted if name not in owners]
        if unknown:
            raise CommandError(f"There is no snapshot {unknown[0]!r}.", returncode=2)
        failed = False
        for name in wanted:
            with as_tenant(owners[name]):
                answer = self._recompute(name)
            failed = failed or not answer["same"]
            if options["json"]:
                self.stdout.write(canonical_bytes(answer).decode())
            else:
                verdict = "same" if answer["same"] else "; ".join(answer["differences"])
                self.stdout.write(f"{answer['account']} {answer['period']} v{answer['version']}: {verdict}")
        if failed:
            sys.exit(1)

    def _recompute(self, name: str) -> dict[str, Any]:
        snapshot = snapshot_get(name)
        assert snapshot is not None
        found = snapshot_recompute(snapshot)
        return {
            "account": tenant_current().code,
            "period": snapshot.period,
            "version": snapshot.version,
            "snapshot": name,
            "same": found.same,
            "differences": list(found.differences),
            "facts_sha256": found.facts_sha256,
            "kpis_sha256": found.kpis_sha256,
        }
