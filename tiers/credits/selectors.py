"""Reads of credits: agreements with money, the units and charges behind a line, the ledger, and the proof of it all.

Everything but the staff's list reads the entered scope; writes are in services.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, QuerySet, Sum

from kpis.engine import CloseConfig
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from kpis.selectors import month_figures, snapshot_list
from kpis.types import Outcome
from portal.lib.money import to_minor
from portal.lib.periods import Month
from portal.tenancy.models import Tenant
from portal.tenancy.selectors import installation, tenant_zone
from tiers.credits.engine import Charge, Deal, MonthUnit, Result, Used, assess, base_text
from tiers.credits.models import ChargeLine, CreditLine, CreditTransition, LedgerEntry, LedgerTransaction
from tiers.credits.state_rules import CreditState
from tiers.promises.models import Agreement
from tiers.promises.rules import Term
from tiers.promises.selectors import agreements_approved, lane_of, premium_terms
from tracking.models import Shipment

MOST_WAITING: Final = 20
ASSESSED: Final = ("OTD", "COMPLETENESS")  # what a month's close publishes so far
EVIDENCE: Final = 100  # units shown behind a line
RESERVED: Final = ("COMPUTED", "IN_REVIEW", "APPROVED", "ISSUED", "APPLIED", "DISPUTED")  # hold a part of the caps


@dataclass(frozen=True, slots=True)
class Delays:
    """Days of the calendar (4.1, R3.3), from the installation's parameters."""

    charge_cutoff: int
    data_hold: int


def delays() -> Delays:
    """The parameters in force."""
    found = installation()
    own = found.parameters if found else {}
    return Delays(int(own.get("charge_cutoff_days", 10)), int(own.get("data_hold_days", 30)))


def cutoff_of(snapshot: Snapshot) -> datetime:
    """Charges recorded later do not count for this version (4.1)."""
    return snapshot.as_of + timedelta(days=delays().charge_cutoff)


# --- what an assessment reads ---


def deals() -> list[Deal]:
    """The entered tenant's approved agreements that carry credits, by code and version."""
    zone, premium = tenant_zone(), tuple(premium_terms())
    return [deal_of(row, premium, zone) for row in agreements_approved() if row.credit and row.kpi in ASSESSED]


def deal_of(row: Agreement, premium: Sequence[Term], zone: Any) -> Deal:
    """One agreement version as the engine needs it."""
    block = row.block
    assert block is not None
    return Deal(
        key=row.pk,
        code=row.code,
        version=row.version,
        lane=lane_of(row),
        kpi=row.kpi,
        target=row.target,
        term=Term(row.valid_from, row.valid_to),
        premium=tuple(premium),
        zone=zone,
        block=block,
    )


def closed_units(snapshot: Snapshot) -> list[MonthUnit]:
    """The units of a closed month as they were closed."""
    rows = SnapshotUnit.objects.filter(snapshot=snapshot).order_by("unit_id")
    return [
        MonthUnit(
            unit_id=u.unit_id,
            shipment_id=u.shipment_id,
            origin=str(u.dims.get("origin", "?")),
            destination=str(u.dims.get("destination", "?")),
            mode=str(u.dims.get("mode", "")),
            final=str(u.dims.get("final", "")),
            made_at=u.covered_from,
            outcome=Outcome(u.outcome),
            required=len(u.required),
            captured=len(u.captured),
            conflicts=u.conflicts,
            slots=u.slots,
        )
        for u in rows.iterator(chunk_size=2_000)
    ]


def units_known_at(snapshot: Snapshot, as_of: datetime) -> list[MonthUnit]:
    """The same units judged as known later: what counts when a hold for data ends (R3.3)."""
    figures = month_figures(
        Month.parse(snapshot.period),
        as_of=as_of,
        known_at=snapshot.closed_at,
        config=CloseConfig.read(snapshot.config),
    )
    return [
        MonthUnit(
            unit_id=j.unit.unit_id,
            shipment_id=j.unit.shipment_id,
            origin=j.unit.dims["origin"],
            destination=j.unit.dims["destination"],
            mode=j.unit.dims["mode"],
            final=j.unit.dims["final"],
            made_at=j.unit.covered_from,
            outcome=j.outcome,
            required=len(j.slots.required),
            captured=len(j.slots.captured),
            conflicts=j.conflicts,
            slots=j.captured,
        )
        for j in figures.units
    ]


def charges_of(deal: Deal, units: Sequence[MonthUnit], *, until: datetime) -> list[Charge]:
    """Charge lines of the agreement's codes for these units, recorded up to the cut-off (R6.6)."""
    rows = ChargeLine.objects.filter(
        shipment_id__in=[u.shipment_id for u in units], code__in=deal.block.charge_codes, recorded_at__lte=until
    )
    return [
        Charge(shipment_id=i, amount=amount, currency=currency)
        for i, amount, currency in rows.order_by("pk").values_list("shipment_id", "amount", "currency")
    ]


def was_in_breach(code: str, period: Month) -> bool:
    """R6.5: whether any version of the agreement was in breach in that month."""
    return CreditLine.objects.filter(agreement_code=code, period=str(period), in_breach=True).exists()


def concerns(deal: Deal, units: Sequence[MonthUnit], period: Month) -> bool:
    """Whether a version has anything to say about a month: a unit it covers, or a day in force."""
    month = Term(period.first_day, period.next().first_day)
    return bool(units) or deal.term.meets(month)


def contract_year(code: str, period: Month) -> tuple[str, str]:
    """[first, end) as months: the year of the agreement that holds the month, counted from its first start."""
    start = Agreement.objects.filter(code=code).exclude(approved_by="").order_by("version").values_list(
        "valid_from", flat=True
    ).first() or period.first_day  # fmt: skip
    first = Month(period.year, start.month)
    if period < first:
        first = Month(period.year - 1, start.month)
    return str(first), str(first.shift(12))


def used_of(snapshot: Snapshot, year: tuple[str, str], *, leave_out: int | None = None) -> Used:
    """What other lines hold of the account's caps. Lines under review count as issued, so no cap is ever exceeded."""
    rows = CreditLine.objects.filter(state__in=RESERVED).exclude(pk=leave_out)
    month = rows.filter(snapshot=snapshot).aggregate(s=Sum("amount_minor"))["s"] or 0
    other = rows.filter(period__gte=year[0], period__lt=year[1]).exclude(snapshot=snapshot)
    return Used(month=month, year=other.aggregate(s=Sum("amount_minor"))["s"] or 0)


def caps_of(listed: Sequence[Deal]) -> tuple[int | None, int | None]:
    """The account's month and year caps in minor units: the smallest that any agreement of the month states."""

    def smallest(name: str) -> int | None:
        found = [(getattr(d.block, name), d.block.currency) for d in listed]
        return min((to_minor(cap, currency) for cap, currency in found if cap is not None), default=None)

    return smallest("account_month_cap"), smallest("year_cap")


def assessed(line: CreditLine) -> tuple[Result, list[MonthUnit]]:
    """The line worked out again from what its inputs name, before sharing; and the units it covers (M6)."""
    row = line.agreement
    inputs = line.inputs
    premium = [Term(date.fromisoformat(a), date.fromisoformat(b) if b else None) for a, b in inputs["premium"]]
    ended = inputs["valid_to"]
    row.valid_to = date.fromisoformat(ended) if ended else None  # as it was; unsaved
    deal = deal_of(row, premium, tenant_zone())
    known = inputs.get("known_as_of")
    every = units_known_at(line.snapshot, datetime.fromisoformat(known)) if known else closed_units(line.snapshot)
    units = [u for u in every if deal.covers(u)]
    charges = charges_of(deal, units, until=datetime.fromisoformat(inputs["charges_until"]))
    held = line.state.startswith("HELD")
    result = assess(
        deal,
        units,
        charges,
        prev_month_breach=bool(inputs["prev_month_breach"]),
        data_final=bool(inputs["data_final"]) and not held,
        charges_final=bool(inputs["charges_final"]) and not held,
    )
    return result, units


# --- lines ---


def credit_list() -> list[CreditLine]:
    """The entered tenant's lines, newest month first."""
    return list(CreditLine.objects.select_related("agreement", "snapshot").order_by("-period", "-id"))


def credits_found(*, month: str | None, state: str | None) -> QuerySet[CreditLine]:
    """The entered tenant's lines of a month and in a state, where they are given; unordered."""
    rows = CreditLine.objects.select_related("snapshot")
    if month is not None:
        rows = rows.filter(period=month)
    return rows if state is None else rows.filter(state=state)


@dataclass(frozen=True, slots=True)
class Missed:
    """Covered units that missed the promise: the first of them, and how many there are."""

    units: list[SnapshotUnit]
    total: int


def missed_units(line: CreditLine) -> Missed:
    """The units behind a line that missed the promise, by number; EVIDENCE of them at most."""
    _result, units = assessed(line)
    missed = [u.shipment_id for u in units if not u.excluded and not u.hits(line.kpi)]
    rows = SnapshotUnit.objects.filter(snapshot=line.snapshot, shipment_id__in=missed[:EVIDENCE])
    return Missed(list(rows.select_related("shipment").order_by("unit_id")), len(missed))


def credit_get(public_id: str) -> CreditLine | None:
    """One line of the entered tenant."""
    return CreditLine.objects.select_related("agreement", "snapshot").filter(public_id=public_id).first()


def transitions_of(line: CreditLine) -> list[CreditTransition]:
    """Its steps, oldest first."""
    return list(CreditTransition.objects.filter(credit=line).order_by("pk"))


def postings_of(line: CreditLine) -> list[LedgerTransaction]:
    """Its ledger transactions, oldest first."""
    rows = LedgerTransaction.objects.filter(credit=line).prefetch_related("entries")
    return list(rows.order_by("pk"))


def balances(currency: str) -> dict[str, int]:
    """The entered tenant's ledger balances in minor units; they add up to 0."""
    rows = LedgerEntry.objects.filter(currency=currency).values("account").annotate(s=Sum("minor"))
    return {r["account"]: int(r["s"]) for r in rows.order_by("account")}


def snapshots_to_assess(*, at: datetime) -> list[Snapshot]:
    """Closed months past their charge cut-off of an account with credit agreements, with nothing assessed yet (O6)."""
    if not Agreement.objects.filter(credit__isnull=False).exclude(approved_by="").exists():
        return []
    done = set(CreditLine.objects.values_list("snapshot_id", flat=True))
    return [
        s
        for s in snapshot_list(newest_only=True)
        if s.pk not in done and s.version == 1 and max(cutoff_of(s), s.published_at) <= at
    ]


def lines_to_release(*, at: datetime) -> list[CreditLine]:
    """Held lines whose hold is over."""
    held = [s.value for s in CreditState if s.value.startswith("HELD")]
    return list(CreditLine.objects.filter(state__in=held, held_until__lte=at).order_by("pk"))


def credit_lines_of_all(*, state: str = "") -> list[tuple[CreditLine, Tenant]]:
    """Lines over accounts with theirs, newest first; inside a crossing only. 500 at most."""
    rows = CreditLine.objects.select_related("tenant").order_by("-period", "-id")
    if state:
        rows = rows.filter(state=state)
    return [(line, line.tenant) for line in rows[:500]]


# --- proof (I6) ---


def invariant_breaches() -> Iterator[dict[str, Any]]:
    """I6 for the entered tenant: credits equal a re-computation, and ledger sums match to the minor unit."""

    def breach(what: str, **more: Any) -> dict[str, Any]:
        return {"invariant": "I6", "what": what, **more}

    for line in credit_list():
        if line.state.startswith("HELD"):
            continue
        found, _units = assessed(line)
        if found.minor != line.computed_minor or base_text(found.base) != line.inputs["base"]:
            yield breach("credit differs from its re-computation", credit=line.public_id, stored=line.computed_minor,
                         found=found.minor)  # fmt: skip
        if line.amount_minor > line.computed_minor:
            yield breach("more is owed than was computed", credit=line.public_id)
        posted = _posted(line)
        paid = line.state in ("APPROVED", "ISSUED", "APPLIED")
        if posted != (line.amount_minor if paid else 0) and line.state != "DISPUTED":
            yield breach("the ledger differs from the credit", credit=line.public_id, ledger=posted)
    sums = LedgerEntry.objects.values("transaction_id").annotate(s=Sum("minor")).exclude(s=0)
    for row in sums:
        yield breach("debits and credits differ", transaction=row["transaction_id"])
    wrong = LedgerEntry.objects.exclude(currency=F("transaction__currency"))
    for entry in wrong:
        yield breach("an entry has another currency than its transaction", entry=entry.pk)


def _posted(line: CreditLine) -> int:
    """Credit cost that stands for a line: its postings less their reversals."""
    rows = LedgerEntry.objects.filter(transaction__credit=line, account="CREDIT_COST")
    return int(rows.aggregate(s=Sum("minor"))["s"] or 0)


# --- beside the list of accounts: inside a crossing ---


@dataclass(slots=True)
class Beside:
    """What the operator's list shows of an account."""

    under_way: int = 0
    otd: SnapshotRow | None = None
    credits: dict[str, int] = field(default_factory=dict)  # approved this year, by currency
    waiting: int = 0


def beside_accounts(tenant_ids: Sequence[int], *, at: datetime) -> dict[int, Beside]:
    """Shipments under way, the last closed on-time figure and this year's credits by account; three queries."""
    found = {pk: Beside() for pk in tenant_ids}
    open_ = Shipment.objects.filter(tenant_id__in=tenant_ids, status__in=["BOOKED", "UNDER_WAY", "ARRIVED"])
    for pk, n in open_.values_list("tenant_id").annotate(n=Count("id")).order_by():
        found[pk].under_way = n
    rows = SnapshotRow.objects.filter(tenant_id__in=tenant_ids, kpi="OTD", lane="").select_related("snapshot")
    for row in rows.order_by("tenant_id", "-snapshot__period", "-snapshot__version").distinct("tenant_id"):
        found[row.tenant_id].otd = row
    lines = CreditLine.objects.filter(tenant_id__in=tenant_ids, period__gte=f"{at.year}-01", amount_minor__gt=0)
    for pk, state, currency, minor in lines.values_list("tenant_id", "state", "currency", "amount_minor"):
        if state in ("APPROVED", "ISSUED", "APPLIED"):
            found[pk].credits[currency] = found[pk].credits.get(currency, 0) + minor
        elif state in ("COMPUTED", "IN_REVIEW"):
            found[pk].waiting += 1
    return found


def waiting_of_all() -> list[tuple[CreditLine, Tenant]]:
    """Lines that wait for a person, over accounts, oldest first; inside a crossing only. 20 at most."""
    rows = CreditLine.objects.select_related("tenant").filter(state__in=["COMPUTED", "IN_REVIEW"], amount_minor__gt=0)
    return [(line, line.tenant) for line in rows.order_by("assessed_at", "id")[:MOST_WAITING]]
