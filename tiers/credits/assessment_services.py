"""Working out what a closed month owes, and releasing what was held (6.3, R3.3).

One transaction in the entered tenant's scope, once per month and agreement version (P25).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from kpis.models import Snapshot
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.lib.periods import Month, utc_text
from portal.tenancy.selectors import tenant_zone
from portal.tenancy.services import SYSTEM, audit
from tiers.credits import selectors
from tiers.credits.engine import Deal, MonthUnit, Result, assess, base_text, share
from tiers.credits.models import CreditLine, CreditTransition
from tiers.credits.state_rules import CreditState
from tiers.credits.state_services import lock, move
from tiers.promises.selectors import premium_terms

declare("credit.before_assessed", "the credits of a month are worked out and written, not committed")


class ChargesStillOpen(PortalError):
    """The charge cut-off has not passed."""

    code, status = "charges_still_open", 409
    message = _("Charges of %(period)s are collected until %(until)s; credits are worked out then.")


@transaction.atomic
def credit_assess(*, snapshot: Snapshot, at: datetime) -> list[CreditLine]:
    """Works out what every agreement version owes for a closed month; run again it returns the same lines (P25).

    Raises ChargesStillOpen before the cut-off.
    """
    until = selectors.cutoff_of(snapshot)
    if at < until:
        raise ChargesStillOpen(period=snapshot.period, until=utc_text(until))
    lock("credits")
    known = list(CreditLine.objects.filter(snapshot=snapshot).order_by("pk"))
    if known or snapshot.version != 1:
        return known
    period, every = Month.parse(snapshot.period), selectors.closed_units(snapshot)
    listed = selectors.deals()
    results = []
    for deal in listed:
        units = [u for u in every if deal.covers(u)]
        if not selectors.concerns(deal, units, period):
            continue
        results.append(_worked_out(deal, units, period, until=until))
    month_cap, year_cap = selectors.caps_of([r.deal for r in results])
    used = selectors.used_of(snapshot, _year(results, period))
    shared = share(results, used=used, month_cap=month_cap, year_cap=year_cap)
    hold = timedelta(days=selectors.delays().data_hold)
    ends = {CreditState.HELD_DATA: snapshot.published_at + hold, CreditState.HELD_CHARGES: until + hold}
    lines = [_line(snapshot, result, at=at, held_until=ends.get(result.state)) for result in shared]
    audit(
        action="credits.assessed",
        actor=SYSTEM,
        at=at,
        object_type="snapshot",
        object_id=snapshot.public_id,
        details={"period": snapshot.period, "lines": {line.public_id: line.state for line in lines}},
    )
    fault("credit.before_assessed")
    return lines


def _year(results: Sequence[Result], period: Month) -> tuple[str, str]:
    """The contract year whose cap binds: of the agreement that states one, else of the first."""
    ordered = sorted(results, key=lambda r: (r.deal.block.year_cap is None, r.deal.code))
    return selectors.contract_year(ordered[0].deal.code if ordered else "", period)


def _worked_out(
    deal: Deal, units: Sequence[MonthUnit], period: Month, *, until: datetime, known_as_of: datetime | None = None,
    data_final: bool = False, charges_final: bool = False,
) -> Result:  # fmt: skip
    breach = selectors.was_in_breach(deal.code, period.shift(-1))
    result = assess(
        deal,
        units,
        selectors.charges_of(deal, units, until=until),
        prev_month_breach=breach,
        data_final=data_final,
        charges_final=charges_final,
    )
    inputs: dict[str, Any] = {
        "charges_until": until.isoformat(),
        "known_as_of": known_as_of.isoformat() if known_as_of else None,
        "prev_month_breach": breach,
        "data_final": data_final,
        "charges_final": charges_final,
        "premium": [[str(t.start), str(t.end) if t.end else None] for t in deal.premium],
        "valid_to": str(deal.term.end) if deal.term.end else None,
        "terms": deal.block.plain(),
        "covered": len(units),
        "base": base_text(result.base),
    }
    return _with_inputs(result, inputs)


def _with_inputs(result: Result, inputs: dict[str, Any]) -> Result:
    return replace(result, inputs=inputs)


def _figures(result: Result, at: datetime) -> dict[str, Any]:
    found = result.assessment
    return {
        "status": result.status,
        "in_breach": bool(found and found.in_breach),
        "num": result.counts.num,
        "den": result.counts.den,
        "unknown": result.counts.unknown,
        "grade": result.graded.grade.value,
        "pct": found.pct if found else None,
        "computed_minor": found.minor if found else 0,
        "amount_minor": result.minor,
        "inputs": dict(result.inputs or {}),
        "steps": [step.plain() for step in result.steps],
        "assessed_at": at,
        "reason": result.hold[:400],
    }


def _line(snapshot: Snapshot, result: Result, *, at: datetime, held_until: datetime | None) -> CreditLine:
    line = CreditLine.objects.create(
        agreement_id=result.deal.key,
        snapshot=snapshot,
        period=snapshot.period,
        agreement_code=result.deal.code,
        agreement_version=result.deal.version,
        lane=result.deal.lane.code,
        kpi=result.deal.kpi,
        target=result.deal.target,
        currency=result.deal.block.currency,
        state=result.state.value,
        held_until=held_until,
        **_figures(result, at),
    )
    CreditTransition.objects.create(credit=line, to_state=line.state, at=at, actor_label=SYSTEM, reason=line.reason)
    return line


@transaction.atomic
def credit_release(*, public_id: str, at: datetime) -> CreditLine:
    """Assesses a held line at whatever is known now that its hold is over (R3.3, X52); before that it stays."""
    lock("credits")
    line = CreditLine.objects.select_for_update(of=("self",)).select_related("agreement", "snapshot").get(
        public_id=public_id
    )  # fmt: skip
    if not line.state.startswith("HELD") or line.held_until is None or at < line.held_until:
        return line
    premium = premium_terms()
    deal = selectors.deal_of(line.agreement, premium, tenant_zone())
    by_data = line.state == CreditState.HELD_DATA
    known = line.held_until if by_data else None
    every = selectors.units_known_at(line.snapshot, known) if known else selectors.closed_units(line.snapshot)
    result = _worked_out(
        deal,
        [u for u in every if deal.covers(u)],
        Month.parse(line.period),
        until=max(line.held_until, selectors.cutoff_of(line.snapshot)),
        known_as_of=known,
        data_final=True,
        charges_final=True,
    )
    if result.assessment is None:  # still no exchange rate
        return line
    month_cap, year_cap = selectors.caps_of([deal])
    year = selectors.contract_year(deal.code, Month.parse(line.period))
    used = selectors.used_of(line.snapshot, year, leave_out=line.pk)
    (shared,) = share([result], used=used, month_cap=month_cap, year_cap=year_cap)
    for name, value in _figures(shared, at).items():
        setattr(line, name, value)
    line.held_until = None
    move(line, CreditState.COMPUTED, at=at, actor=None, reason="the hold is over")
    if shared.state in (CreditState.MET, CreditState.SUPPRESSED):
        move(line, shared.state, at=at, actor=None, reason="")
    return line
