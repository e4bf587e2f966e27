"""Cases about units of a month: on time, complete, with exceptions, arrived as estimated.

Adapters only; the rules are in kpis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kpis import eta, exceptions, otd
from kpis.completeness import UnitMilestones, slots, summed
from kpis.figures import bounds, display_pct
from kpis.types import Arrival
from portal.checks.types import CaseKind, Fields, read_instant, read_int
from tracking.rules import Commitment, PublishedEta


def _commitment(unit: Fields) -> Commitment:
    return Commitment(
        zone=unit.zone("tz"),
        due_date=unit.day_or("due_date"),
        due_at=unit.instant_or("due_at"),
        tol_days=unit.whole("tol_days", 0),
        tol_hours=unit.whole("tol_hours", 0),
        early_hours=unit.whole_or("early_hours"),
    )


def _otd_set(given: Fields) -> Mapping[str, Any]:
    period, close_at = given.month("period"), given.instant("close_at")
    verdicts = {}
    for unit in given.each("units"):
        name = unit.text("id")
        found = otd.verdict(
            _commitment(unit),
            [Arrival(box.instant_or("final"), box.instant_or("later")) for box in unit.each("containers")],
            close_at=close_at,
            last_recorded_at=unit.instant_or("last_recorded_at"),
            excluded=unit.text_or("excluded") is not None,
            carrier_cancelled=unit.flag("carrier_cancelled", False),
        )
        if found.period == period:
            verdicts[name] = found.outcome
    counted = otd.counts(verdicts.values())
    low, high = bounds(counted)
    return {
        "outcomes": {name: str(outcome) for name, outcome in verdicts.items()},
        "num": counted.num,
        "den": counted.den,
        "excluded": counted.excluded,
        "unknown": counted.unknown,
        "low": low,
        "high": high,
        "display": display_pct(counted.num, counted.den),
    }


def _milestones(unit: Fields) -> UnitMilestones:
    chain = [str(code) for code in unit.rows("seq")]
    return UnitMilestones(
        chain=chain,
        final=unit.text("final"),
        critical=[str(code) for code in unit.rows("critical", chain)],
        containers=unit.whole("containers", 1),
        act={code: read_int(n, unit.at("act")) for code, n in unit.mapping("act").items()},
        expected={code: read_instant(at, unit.at("expected")) for code, at in unit.mapping("expected", {}).items()},
    )


def _completeness_set(given: Fields) -> Mapping[str, Any]:
    close_at, overdue = given.instant("close_at"), given.whole("grace_h")
    per_unit = {
        unit.text("id"): slots(_milestones(unit), close_at=close_at, overdue_hours=overdue)
        for unit in given.each("units")
    }
    total = summed(per_unit.values())
    return {
        "per_unit": {
            name: {"required": list(s.required), "captured": list(s.captured), "complete": s.complete}
            for name, s in per_unit.items()
        },
        "complete": total.units.num,
        "den": total.units.den,
        "captured": total.fill.num,
        "required": total.fill.den,
        "display": display_pct(total.units.num, total.units.den),
        "fill_display": display_pct(total.fill.num, total.fill.den),
    }


def _exception_set(given: Fields) -> Mapping[str, Any]:
    close_at = given.instant("close_at")
    units = [
        exceptions.UnitExceptions(
            unit=unit.text("id"),
            excluded=unit.text_or("excluded") is not None,
            exceptions=[
                exceptions.Raised(one.text("code"), one.instant("started_at"), one.instant_or("dismissed_at"))
                for one in unit.each("exceptions")
            ],
        )
        for unit in given.each("units")
    ]
    found = exceptions.exception_rate(units, close_at=close_at)
    return {
        "num": found.counts.num,
        "den": found.counts.den,
        "excluded": found.counts.excluded,
        "units": list(found.units),
        "display": display_pct(found.counts.num, found.counts.den),
    }


def _eta_set(given: Fields) -> Mapping[str, Any]:
    window = eta.EtaWindow(
        lock_hours=given.whole("horizon_h"), early_hours=given.whole("early_w"), late_hours=given.whole("late_w")
    )
    month = given.month("period")
    scores = {
        unit.text("id"): eta.eta_score(
            eta.EtaUnit(
                zone=unit.zone("tz"),
                confirmed_at=unit.instant("confirmed_at"),
                arrived_at=unit.instant_or("ata"),
                later_at=unit.instant_or("later_act"),
                commits=[PublishedEta(one.instant("at"), one.instant("eta")) for one in unit.each("commits")],
            ),
            window,
        )
        for unit in given.each("units")
    }
    counted = eta.counts(scores.values(), month=month)
    return {
        "per_unit": {name: [str(s.month) if s.month else None, s.hit] for name, s in scores.items()},
        "num": counted.num,
        "den": counted.den,
        "display": display_pct(counted.num, counted.den),
    }


OTD_SET = CaseKind("otd_set", _otd_set)
COMPLETENESS_SET = CaseKind("completeness_set", _completeness_set)
EXCEPTION_SET = CaseKind("exception_set", _exception_set)
ETA_SET = CaseKind("eta_set", _eta_set)
