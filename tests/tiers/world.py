"""Closed months with money for tests of credits: road shipments, whose only required milestone is the delivery."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime
from decimal import Decimal

from kpis.models import Snapshot
from kpis.services import month_close
from portal.lib.periods import Month
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member, Role
from tests.cast import Account, person
from tests.tracking.messages import equipment, source, take
from tiers.credits.models import CreditLine
from tiers.credits.services import ChargeSpec, charges_record, credit_assess
from tiers.promises.models import Agreement
from tiers.promises.services import AgreementSpec, agreement_approve, agreement_prepare, subscription_open
from tiers.promises.types import CreditBlock, Tier
from tracking.models import Shipment
from tracking.services import ShipmentSpec, shipments_register
from tracking.types import FinalMilestone, Mode

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
MARCH = Month(2026, 3)
CUT = datetime(2026, 4, 6, 12, tzinfo=UTC)
CHARGES = datetime(2026, 4, 16, 12, tzinfo=UTC)  # the charge cut-off of March
D = Decimal
BANDS = ((D(93), D(95), D(5)), (D(90), D(93), D(10)), (None, D(90), D(20)))


def block(**more: object) -> CreditBlock:
    """The credit block of agreement G (6.6)."""
    values: dict[str, object] = {"bands": BANDS, "lane_cap_pct": D(15), "charge_codes": ("FREIGHT",), "currency": "USD"}
    return CreditBlock(**{**values, **more})  # type: ignore[arg-type]


def staff(role: Role) -> Member:
    """Somebody of the operator."""
    return person(OPERATOR_ID, role)


def spec(**more: object) -> AgreementSpec:
    """Agreement G on the road lane Shanghai to Rotterdam."""
    values: dict[str, object] = {
        "code": "G", "origins": ["CNSHA"], "destinations": ["NLRTM"], "mode": "ROAD", "target": D(95),
        "valid_from": date(2026, 1, 1), "credit": block(),
    }  # fmt: skip
    return AgreementSpec(**{**values, **more})  # type: ignore[arg-type]


def premium(account: Account, since: date = date(2026, 1, 1)) -> None:
    """Premium from that day on."""
    with as_tenant(account.pk):
        subscription_open(tier=Tier.PREMIUM, valid_from=since, at=START)


def agree(account: Account, at: datetime = START, **more: object) -> Agreement:
    """An agreement in force, prepared and approved by two people."""
    with as_tenant(account.pk):
        row, _warnings = agreement_prepare(spec=spec(**more), preparer=staff(Role.ACCOUNT_MANAGER), at=at)
        return agreement_approve(public_id=row.public_id, approver=staff(Role.ADMIN), at=at)


def month(
    account: Account, *, on_time: int, late: int, silent: int = 0, month: Month = MARCH,
    confirmed: datetime = datetime(2026, 1, 10, tzinfo=UTC),
) -> list[Shipment]:  # fmt: skip
    """So many units due in the month, delivered in time, late, or never heard of; in that order."""
    due, mark = month.first_day.replace(day=20), secrets.token_hex(4).upper()
    specs = [
        ShipmentSpec(ref=f"R{mark}-{n:04d}", final_milestone=FinalMilestone.DOOR, pol="CNSHA", pod="NLRTM",
                     final_place="NLRTM", due_date=due, confirmed_at=confirmed, mode=Mode.ROAD,
                     booking=f"R{mark}-{n:04d}")
        for n in range(on_time + late + silent)
    ]  # fmt: skip
    with as_tenant(account.pk):
        made = shipments_register(specs=specs, at=START)
    line = source(tenant_id=account.pk)
    days = [due] * on_time + [due.replace(day=22)] * late
    take(line, drops(made, days), at=datetime(due.year, due.month, 25, tzinfo=UTC))
    return made


def drops(made: list[Shipment], days: list[date]) -> list[dict[str, object]]:
    """A delivery of each shipment on its day, by its booking."""
    return [
        equipment("DROP", None, f"{day}T10:00:00Z", place="NLRTM",
                  documentReferences=[{"documentReferenceType": "BKG", "documentReferenceValue": s.ref}])
        for s, day in zip(made, days, strict=False)
    ]  # fmt: skip


def bill(account: Account, made: list[Shipment], total: str, *, currency: str = "USD",
         at: datetime = datetime(2026, 4, 2, tzinfo=UTC)) -> None:  # fmt: skip
    """Freight of `total` over these shipments: 1.00 each, the rest on the first."""
    rest = D(total) - (len(made) - 1)
    with as_tenant(account.pk):
        charges_record(specs=[
            ChargeSpec(shipment_id=s.pk, code="FREIGHT", amount=rest if n == 0 else D(1), currency=currency,
                       recorded_at=at, source_key=secrets.token_hex(8))
            for n, s in enumerate(made)
        ])  # fmt: skip


def close(account: Account, month: Month = MARCH) -> Snapshot:
    """The month, closed."""
    with as_tenant(account.pk):
        return month_close(period=month, at=datetime(month.next().year, month.next().month, 6, 13, tzinfo=UTC))


def assessed(account: Account, snapshot: Snapshot, at: datetime = CHARGES) -> list[CreditLine]:
    """The lines of a closed month."""
    with as_tenant(account.pk):
        return credit_assess(snapshot=snapshot, at=at)
