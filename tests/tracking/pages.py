"""Accounts with a tier and shipments in every standing, for tests of pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from portal.tenancy.context import as_tenant
from tests import cast
from tests.cast import START
from tests.tracking.messages import box, equipment, number_of, shipment, take, vessel
from tiers.promises.models import Subscription
from tracking.models import Shipment, Source

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def tiered(account: cast.Account, tier: str) -> cast.Account:
    """The account in a tier since the beginning of the year."""
    with as_tenant(account.pk):
        Subscription.objects.create(tier=tier, valid_from=date(2026, 1, 1), created_at=START, created_by="test")
    return account


def refs(html: str) -> list[str]:
    """The references of a list's rows, in order."""
    return re.findall(r'<a class="rowlink ref" href="[^"]*">([^<]*)</a>', html)


def journey(account: cast.Account, source: Source, **more: Any) -> Shipment:
    """Loaded and departed in February, estimated for 18 March, nothing heard of its arrival."""
    made = shipment(account, **more)
    number = number_of(made)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    take(source, [
        equipment("GTIN", number, "2026-02-01T10:00:00+08:00"),
        equipment("LOAD", number, "2026-02-02T10:00:00+08:00"),
        vessel("DEPA", booking, "2026-02-03T10:00:00+08:00", place="CNSHA"),
        vessel("ARRI", booking, "2026-03-10T10:00:00+01:00", place="NLRTM", cls="EST"),
        equipment("GTOT", number, "2026-02-01T07:00:00+08:00", laden=False),
    ], at=datetime(2026, 2, 4, tzinfo=UTC))  # fmt: skip
    take(source, [equipment("DROP", number, "2026-03-18T10:00:00+01:00", place="NLRTM", cls="EST")],
         at=datetime(2026, 2, 5, tzinfo=UTC))  # fmt: skip
    return made


def many(account: cast.Account, count: int, *, undated: int = 0) -> list[str]:
    """Shipments due on few days, so that days tie, and some without any promise; their references."""
    with as_tenant(account.pk):
        made = Shipment.objects.bulk_create([
            Shipment(
                ref=f"R{n:04d}", final_milestone="DOOR", pol="CNSHA", pod="NLRTM", final_place="NLRTM",
                lane="CNSHA-NLRTM", created_at=START,
                due_at=None if n < undated else NOW + timedelta(days=n // 7),
                due_period="" if n < undated else "2026-03",
                due_date=None if n < undated else (NOW + timedelta(days=n // 7)).date(),
            )
            for n in range(count)
        ])  # fmt: skip
    return [s.ref for s in made]


__all__ = ["NOW", "box", "journey", "many", "refs", "tiered"]
