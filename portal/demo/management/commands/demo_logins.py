"""`manage.py demo_logins [--json]`: who can sign in to the demo, what there is to find, and keys for its sources.

The keys were written to var/ when the world was made; for a world that was made elsewhere, new ones are made.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.demo.people import FEEDS, PEOPLE, secrets_read, secrets_write
from portal.demo.settling import keys_make, settled_before
from portal.demo.world import ACCOUNTS
from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import KeyRefused, key_check
from tracking.models import Container, Shipment


class Command(BaseCommand):
    """Refused outside the demo: it gives secrets away."""

    help = "Prints the demo's logins, accounts and sources."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """One object, or a line for each login."""
        if settings.MODE not in ("demo", "test"):
            raise CommandError("Logins are printed for the demo only.", returncode=2)
        settled = settled_before()
        if len(settled.tenants) != len(ACCOUNTS):
            raise CommandError("There is no demo world here; `manage.py demo` makes one.", returncode=2)
        keys = self._keys()
        known = {
            "users": [person.plain() for person in PEOPLE],
            "accounts": [
                {"account": plan.code, "name": plan.name, "references": references(settled.tenants[plan.code])}
                for plan in ACCOUNTS
            ],
            "sources": [{"source": feed.key, "key": keys[feed.key], "dcsa_secret": feed.dcsa_secret} for feed in FEEDS],
        }
        if options["json"]:
            self.stdout.write(json.dumps(known))
            return
        for person in PEOPLE:
            about = ", ".join(text for text in (person.role.value.lower(), person.account, person.tier) if text)
            self.stdout.write(f"{person.email:<34} {person.plain()['password']:<18} {about}")

    def _keys(self) -> dict[str, str]:
        known = secrets_read()
        keys: dict[str, str] = known.get("keys", {})
        try:
            for feed in FEEDS:
                key_check(keys.get(feed.key, ""), at=clock.now())
        except KeyRefused:
            keys = keys_make(settled_before(), clock.now())
            secrets_write({**known, "keys": keys})
        return keys


def references(tenant_id: int) -> list[str]:
    """Shipment and container numbers of an account, the latest due first."""
    with as_tenant(tenant_id):
        shipments = list(Shipment.objects.order_by("-due_at", "-id").values_list("ref", flat=True))
        boxes = list(Container.objects.order_by("-shipment__due_at", "-id").values_list("number", flat=True))
    return [*shipments, *dict.fromkeys(boxes)]
