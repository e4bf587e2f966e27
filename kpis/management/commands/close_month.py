"""`manage.py close_month YYYY-MM[..YYYY-MM] [--account A] [--as-of T] [--json]`: the monthly close by hand.

A door only: accounts are found by a crossing, each is closed inside its own scope.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kpis import selectors, services
from kpis.selectors import MonthFigures
from portal.lib import clock
from portal.lib.errors import PortalError
from portal.lib.jsontext import canonical_bytes
from portal.lib.periods import Month, utc_text
from portal.tenancy.context import across_tenants, as_tenant
from portal.tenancy.models import Tenant
from portal.tenancy.selectors import tenant_current, tenant_id_of_code
from tracking.models import Shipment

ACTOR = "close_month"


def months(text: str) -> list[Month]:
    """`2026-03` or `2026-01..2026-03`, both ends included; ValueError with a sentence."""
    first, dots, last = text.partition("..")
    start, end = Month.parse(first), Month.parse(last if dots else first)
    if end < start:
        raise ValueError(f"{text!r} ends before it starts.")
    found = [start]
    while found[-1] < end:
        found.append(found[-1].next())
    return found


class Command(BaseCommand):
    """Exit 0 when everything asked for is closed, 1 when a month could not be, 2 on bad input."""

    help = "Closes a month, or a range of months, for every account with a unit due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The month or range, one account, a cut to look at without storing."""
        parser.add_argument("period", metavar="YYYY-MM[..YYYY-MM]")
        parser.add_argument("--account", default="", help="only this account")
        parser.add_argument("--as-of", default="", help="print the figures as known at this instant; store nothing")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Accounts in order of their code, months in order of time."""
        at = clock.now()
        try:
            wanted = months(options["period"])
            as_of = _instant(options["as_of"]) if options["as_of"] else None
        except ValueError as fault:
            raise CommandError(str(fault), returncode=2) from None
        accounts = _accounts(options["account"], wanted, at)
        if as_of is None and wanted and not accounts and options["account"]:
            raise CommandError(f"No unit of {options['account']} is due in {options['period']}.", returncode=1)
        failed = False
        for tenant_id in accounts:
            with as_tenant(tenant_id):
                for answer in self._months(wanted, at, as_of):
                    failed = failed or "error" in answer
                    self._print(answer, as_json=options["json"])
        if failed:
            sys.exit(1)

    def _months(self, wanted: list[Month], at: datetime, as_of: datetime | None) -> Iterator[dict[str, Any]]:
        account = tenant_current().code
        for month in wanted:
            if not selectors.has_units_due(month):
                continue
            if as_of is not None:
                found = selectors.month_figures(month, as_of=as_of, known_at=at)
                yield {**_head(account, month, as_of), "pending": len(found.pending), "kpis": _cells(found)}
                continue
            try:
                snapshot = services.month_close(period=month, at=at, actor=ACTOR)
            except services.NothingDue:
                continue
            except PortalError as fault:
                yield {"account": account, "period": str(month), "error": fault.code, "detail": fault.sentence()}
                continue
            yield {
                "account": account,
                "period": str(month),
                "version": snapshot.version,
                "snapshot": snapshot.public_id,
                "as_of": utc_text(snapshot.as_of),
            }

    def _print(self, answer: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(canonical_bytes(answer).decode())
        elif "error" in answer:
            self.stderr.write(f"{answer['account']}: {answer['detail']}")
        elif answer["snapshot"]:
            self.stdout.write(f"{answer['account']} {answer['period']} v{answer['version']}: {answer['snapshot']}")
        else:
            self.stdout.write(f"{answer['account']} {answer['period']} as of {answer['as_of']} (nothing stored)")
            for cell in answer["kpis"]:
                lane = cell["dims"].get("lane", "all lanes")
                shown = "no data" if cell["value"] is None else cell["value"]
                counted = f"{cell['num']}/{cell['den']}, excluded {cell['excluded']}, unknown {cell['unknown']}"
                self.stdout.write(f"  {cell['kpi']} {lane}: {counted}: {shown}, grade {cell['grade']}")


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an instant; write it as 2026-04-06T12:00:00Z.") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it as 2026-04-06T12:00:00Z.")
    return found.astimezone(UTC)


def _accounts(code: str, wanted: list[Month], at: datetime) -> list[int]:
    """Ids of the accounts with a unit due, by code; one account when it is named."""
    named = tenant_id_of_code(code) if code else None
    if code and named is None:
        raise CommandError(f"There is no account with the code {code!r}.", returncode=2)
    if named is not None:
        with as_tenant(named):
            return [named] if any(selectors.has_units_due(m) for m in wanted) else []
    periods = [str(m) for m in wanted]
    with across_tenants(reason="close_month: whose units are due", actor=ACTOR, at=at):
        due = set(Shipment.objects.filter(due_period__in=periods).values_list("tenant_id", flat=True).distinct())
        return list(Tenant.objects.filter(pk__in=due).order_by("code").values_list("pk", flat=True))


def _head(account: str, month: Month, as_of: datetime) -> dict[str, Any]:
    return {"account": account, "period": str(month), "version": None, "snapshot": None, "as_of": utc_text(as_of)}


def _cells(found: MonthFigures) -> list[dict[str, Any]]:
    return [
        {
            "kpi": c.kpi,
            "dims": {"lane": c.lane} if c.lane else {},
            "num": c.counts.num,
            "den": c.counts.den,
            "excluded": c.counts.excluded,
            "unknown": c.counts.unknown,
            "value": c.value,
            "grade": c.graded.grade.value,
        }
        for c in found.cells
    ]
