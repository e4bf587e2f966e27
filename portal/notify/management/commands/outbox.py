"""`manage.py outbox list|retry|resolve`: what waits for a person, and the person's word (O5, O7).

Lists read over tenants, recorded as such; each decision is written inside the tenant it concerns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal.lib import clock
from portal.lib.errors import PortalError
from portal.lib.periods import utc_text
from portal.notify.models import Delivery, Phase
from portal.notify.services import delivery_resolve
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import row_retry
from portal.outbox.selectors import outbox_gauges
from portal.tenancy.context import across_tenants, as_tenant
from portal.tenancy.services import audit

ACTOR = "manage.py"


class Command(BaseCommand):
    """Exit 0; 2 on bad input."""

    help = "Lists dead letters and mails by phase; tries dead letters again; resolves uncertain mails."

    def add_arguments(self, parser: CommandParser) -> None:
        """Three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True, parser_class=CommandParser)
        listing = verbs.add_parser("list", help="what needs a person: dead letters and uncertain mails")
        listing.add_argument("--phase", choices=[*Phase.values, "DEAD"], help="instead: all mails in one phase")
        listing.add_argument("--most", type=int, default=200)
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        retry = verbs.add_parser("retry", help="try dead letters again")
        retry.add_argument("row", type=int, nargs="*", help="their numbers, as listed")
        retry.add_argument("--all", action="store_true", help="all of them")
        resolve = verbs.add_parser("resolve", help="say what became of an uncertain mail")
        resolve.add_argument("delivery", help="its id, as listed")
        word = resolve.add_mutually_exclusive_group(required=True)
        word.add_argument("--sent", action="store_true", help="it was sent")
        word.add_argument("--not-sent", action="store_true", help="it was not: send it again under its own key")
        resolve.add_argument("--actor", default=ACTOR, help="who decides")
        resolve.add_argument("--reason", required=True, help="how you know")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the verb; an expected failure is one sentence."""
        try:
            {"list": self._list, "retry": self._retry, "resolve": self._resolve}[options["verb"]](options)
        except PortalError as error:
            raise CommandError(error.sentence(), returncode=2) from None

    def _list(self, options: dict[str, Any]) -> None:
        at = clock.now()
        with across_tenants(reason="outbox list", actor=ACTOR, at=at):
            lines = list(self._lines(options["phase"], max(1, options["most"])))
        for line in lines:
            self.stdout.write(json.dumps(line, ensure_ascii=False) if options["json"] else self._sentence(line))
        if not options["json"]:
            counts = ", ".join(f"{name.removeprefix('outbox_')} {count}" for name, count in outbox_gauges().items())
            self.stdout.write(f"{len(lines)} listed; {counts}")

    @staticmethod
    def _lines(phase: str | None, most: int) -> Iterator[dict[str, Any]]:
        if phase in (None, "DEAD"):
            dead = OutboxRow.objects.filter(state=RowState.DEAD).select_related("tenant").order_by("-pk")[:most]
            for row in dead:
                yield {
                    "kind": "row", "id": row.pk, "account": row.tenant.code, "name": row.name, "phase": "DEAD",
                    "attempts": row.attempts, "reason": row.reason, "at": utc_text(row.created_at),
                }  # fmt: skip
        if phase != "DEAD":
            mails = Delivery.objects.filter(phase=phase or Phase.UNCERTAIN).select_related("tenant").order_by("-pk")
            for mail in mails[:most]:
                yield {
                    "kind": "mail", "id": mail.public_id, "account": mail.tenant.code, "name": mail.fact_key,
                    "phase": mail.phase, "attempts": mail.attempts, "reason": mail.reason, "to": mail.email,
                    "message_id": mail.message_id, "at": utc_text(mail.changed_at),
                }  # fmt: skip

    @staticmethod
    def _sentence(line: dict[str, Any]) -> str:
        return (
            f"{line['kind']:<5} {line['id']!s:<22} {line['phase']:<12} {line['account']:<16} {line['name']:<28} "
            f"{line.get('to', '')} {line['reason']}"
        ).rstrip()

    def _retry(self, options: dict[str, Any]) -> None:
        if bool(options["row"]) == options["all"]:
            raise CommandError("Name the rows, or say --all.", returncode=2)
        at = clock.now()
        with across_tenants(reason="outbox retry", actor=ACTOR, at=at):
            found = OutboxRow.objects.filter(state=RowState.DEAD)
            if options["row"]:
                found = found.filter(pk__in=options["row"])
            owners = dict(found.values_list("pk", "tenant_id"))
        missing = [row for row in options["row"] if row not in owners]
        if missing:
            raise CommandError(f"No dead letter has the number {missing[0]}.", returncode=2)
        tried = 0
        for row_id, tenant_id in sorted(owners.items()):
            with as_tenant(tenant_id), transaction.atomic():
                if row_retry(row_id=row_id, at=at):
                    tried += 1
                    audit(action="outbox.retried", actor=ACTOR, at=at, object_type="outbox", object_id=str(row_id))
        self.stdout.write(f"{tried} tried again.")

    def _resolve(self, options: dict[str, Any]) -> None:
        at = clock.now()
        with across_tenants(reason="outbox resolve", actor=options["actor"], at=at):
            tenant_id = (
                Delivery.objects.filter(public_id=options["delivery"]).values_list("tenant_id", flat=True).first()
            )
        if tenant_id is None:
            raise CommandError("No mail has this id.", returncode=2)
        with as_tenant(tenant_id):
            delivery = delivery_resolve(
                public_id=options["delivery"], sent=options["sent"], actor=options["actor"], reason=options["reason"],
                at=at,
            )  # fmt: skip
        self.stdout.write("Recorded as sent." if delivery.phase == Phase.SENT else "It goes out again.")
