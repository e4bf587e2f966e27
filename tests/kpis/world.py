"""Months for tests of the close and of credits: shipments through registration, events through ingest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from portal.tenancy.context import as_tenant
from tests.cast import Account
from tests.tracking.messages import box, equipment, shipment, source, take
from tracking.models import Shipment, Source

CUT = datetime(2026, 4, 6, 12, tzinfo=UTC)
JOB = datetime(2026, 4, 6, 12, 15, tzinfo=UTC)


def utc(text: str) -> datetime:
    """`03-05 22:30:00` of 2026 as an instant."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def due(account: Account, ref: str, *, boxes: int = 1, **more: Any) -> Shipment:
    """A door shipment CNSHA-NLRTM with that reference."""
    more.setdefault("due_date", None if "due_at" in more else date(2026, 3, 20))
    return shipment(account, ref=ref, containers=tuple(box() for _n in range(boxes)), **more)


def numbers(s: Shipment) -> list[str]:
    """Its containers, sorted."""
    with as_tenant(s.tenant_id):
        return sorted(s.containers.values_list("number", flat=True))


def hear(line: Source, events: list[dict[str, Any]], at: datetime) -> None:
    """Takes events in, recorded at that instant."""
    take(line, events, at=at)


def cancelled(at: str, by: str) -> dict[str, Any]:
    """When and by whom."""
    return {"cancelled_at": utc(at), "cancelled_by": by}


def w1(account: Account) -> dict[str, Shipment]:
    """Worked example W1 of the domain specification, unit = shipment."""
    line = source()
    made = {
        "S01": due(account, "S01", due_date=date(2026, 3, 5)),
        "S02": due(account, "S02", due_date=date(2026, 3, 5)),
        "S03": due(account, "S03", due_at=utc("03-10 15:00:00"), tol_hours=2),
        "S04": due(account, "S04", due_at=utc("03-10 15:00:00"), tol_hours=2),
        "S05": due(account, "S05", due_date=date(2026, 3, 31)),
        "S06": due(account, "S06", due_date=date(2026, 3, 31)),
        "S07": due(account, "S07"),
        "S08": due(account, "S08"),
        "S09": due(account, "S09", due_date=date(2026, 3, 18), **cancelled("01-20 08:00:00", "CUSTOMER")),
        "S10": due(account, "S10", due_date=date(2026, 3, 25), **cancelled("03-01 08:00:00", "CARRIER")),
        "S11": due(account, "S11", due_date=date(2026, 4, 1)),
        "S12": due(account, "S12", due_date=date(2026, 3, 28), boxes=2),
    }  # fmt: skip
    drops = {
        "S01": ["03-05 22:30:00"],
        "S02": ["03-05 23:00:00"],
        "S03": ["03-10 17:00:00"],
        "S04": ["03-10 17:00:01"],
        "S05": ["03-31 21:59:59"],
        "S11": ["03-31 12:00:00"],
        "S12": ["03-27 12:00:00", "03-29 12:00:00"],
    }
    events = [
        equipment("DROP", number, utc(time).isoformat(), place="NLRTM")
        for ref, times in drops.items()
        for number, time in zip(numbers(made[ref]), times, strict=True)
    ]
    for ref, time in {"S07": "03-19 10:00:00", "S08": "03-24 08:00:00"}.items():
        events += [
            equipment("GTIN", number, utc(time).isoformat(), place="NLRTM", laden=False)
            for number in numbers(made[ref])
        ]
    hear(line, events, utc("04-01 06:00:00"))
    heard = [equipment("DISC", n, "2026-04-05T08:00:00Z", place="NLRTM") for n in numbers(made["S06"])]
    hear(line, heard, utc("04-05 09:00:00"))
    return made
