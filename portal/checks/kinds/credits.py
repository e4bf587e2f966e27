"""Cases about promises and credits: coverage, assessment, base, sharing, restatement, ledger.

Adapters only; the rules are in tiers.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kpis.figures import display_pct
from portal.checks.types import CaseFault, CaseKind, Fields, read_decimal, read_int, read_list
from portal.lib.money import half_up
from tiers.credits.ledger_rules import Book, PostingKind
from tiers.credits.rules import (
    Assessment,
    Band,
    CreditMode,
    CreditStatus,
    CreditTerms,
    Direction,
    MonthCounts,
    assess,
    contract_counts,
    credit_base,
    in_currency,
    pool_quarter,
)
from tiers.credits.sharing_rules import Downward, Stacking, allocate, charge_split, restate, stack
from tiers.promises.rules import Term, is_covered


def _terms(given: Fields) -> CreditTerms:
    agreement = given.inner("agreement")

    def edge(value: object) -> Decimal | None:
        return None if value is None else read_decimal(value, agreement.at("bands"))

    rows = [read_list(row, agreement.at("bands"), 3) for row in agreement.rows("bands", [])]
    return CreditTerms(
        target=agreement.decimal("target"),
        mode=CreditMode(agreement.text_or("mode") or "STEP"),
        direction=Direction(agreement.text_or("direction") or "HIGHER"),
        bands=tuple(Band(edge(a), edge(b), read_decimal(pct, agreement.at("bands"))) for a, b, pct in rows),
        slope_step=agreement.decimal_or("slope_step"),
        slope_pct=agreement.decimal_or("slope_pct"),
        max_pct=agreement.decimal_or("max_pct", "100") or Decimal(0),
        per_unit=agreement.decimal_or("per_unit"),
        min_volume=agreement.whole("min_volume", 20),
        lane_cap_pct=agreement.decimal_or("lane_cap_pct"),
        lane_cap_abs=agreement.decimal_or("lane_cap_abs"),
        repeat_multiplier=agreement.decimal_or("repeat_multiplier", "1") or Decimal(0),
        min_payout=agreement.decimal_or("min_payout", "0") or Decimal(0),
        currency=agreement.text_or("currency") or "USD",
    )


def _assessed(found: Assessment) -> dict[str, Any]:
    breach = found.status not in (CreditStatus.MET, CreditStatus.NOT_ASSESSED_LOW_VOLUME)
    pct = None if found.pct is None else f"{found.pct:f}" if breach else "0"
    return {"status": str(found.status), "pct": pct, "amount": f"{found.amount:f}", "amount_minor": found.minor}


def _credit(given: Fields) -> Mapping[str, Any]:
    found = assess(
        _terms(given),
        num=given.whole("num"),
        den=given.whole("den"),
        base=given.decimal_or("base", "0") or Decimal(0),
        value=given.decimal_or("value"),
        prev_month_breach=given.flag("prev_month_breach", False),
    )
    return _assessed(found)


def _exclusion(given: Fields) -> Mapping[str, Any]:
    terms, gross, scope = _terms(given), given.inner("gross"), given.inner("in_scope")
    counts = contract_counts(
        num=gross.whole("num"),
        den=gross.whole("den"),
        scope_on_time=scope.whole("on_time"),
        scope_late=scope.whole("late"),
    )
    base = given.decimal("base_all") - given.decimal("base_in_scope")
    return {
        "contract_num": counts.num,
        "contract_den": counts.den,
        "display": display_pct(counts.num, counts.den, [terms.target]),
        **_assessed(assess(terms, num=counts.num, den=counts.den, base=base)),
    }


def _base_fx(given: Fields) -> Mapping[str, Any]:
    settlement = given.text("settlement")
    rows = [read_list(row, given.at("lines"), 2) for row in given.rows("lines")]
    base, _steps = credit_base(
        [(read_decimal(amount, given.at("lines")), str(currency)) for amount, currency in rows],
        rates={c: read_decimal(rate, given.at("fx")) for c, rate in given.mapping("fx").items()},
        settlement=settlement,
    )
    terms = in_currency(_terms(given), settlement)
    found = assess(terms, num=given.whole("num"), den=given.whole("den"), base=base)
    return {"base": f"{half_up(base, 6):f}", **_assessed(found)}


def _charge_split(given: Fields) -> Mapping[str, Any]:
    return {"parts": list(charge_split(given.whole("minor"), given.whole("containers")))}


def _minor_by_name(given: Fields, name: str) -> dict[str, int]:
    rows = [read_list(row, given.at(name), 2) for row in given.rows(name)]
    found = {str(key): read_int(minor, given.at(name)) for key, minor in rows}
    if len(found) != len(rows):
        raise CaseFault(given.at(name), "names one line twice")
    return found


def _allocate(given: Fields) -> Mapping[str, Any]:
    shares = allocate(_minor_by_name(given, "lines"), given.whole_or("cap"))
    return {"allocated": shares, "total": sum(shares.values())}


def _stacking(given: Fields) -> Mapping[str, Any]:
    found = stack(Stacking(given.text("policy")), _minor_by_name(given, "lines"), lane_cap=given.whole_or("lane_cap"))
    return {"amounts": dict(found.amounts), "suppressed": list(found.suppressed), "total": found.total}


def _restate(given: Fields) -> Mapping[str, Any]:
    deltas = restate(
        issued={lane: read_int(minor, given.at("issued")) for lane, minor in given.mapping("issued").items()},
        recomputed={lane: read_int(m, given.at("recomputed")) for lane, m in given.mapping("recomputed").items()},
        headroom=given.whole_or("cap_headroom"),
        policy=Downward(given.text("policy")),
    )
    return {"deltas": deltas}


def _pool_quarter(given: Fields) -> Mapping[str, Any]:
    at = given.at("months")
    rows = [read_list(row, at, 3) for row in given.rows("months")]
    months = [MonthCounts(read_int(n, at), read_int(d, at), read_decimal(base, at)) for n, d, base in rows]
    found = pool_quarter(_terms(given), months)
    return {
        "each": [str(one.status) for one in found.each],
        "pooled_num": found.num,
        "pooled_den": found.den,
        "pooled_base": found.base,
        "result": [str(found.pooled.status), f"{found.pooled.amount:f}"],
    }


def _coverage(given: Fields) -> Mapping[str, Any]:
    zone = given.zone("tenant_zone")
    terms = [Term(row.day("from"), row.day_or("to")) for row in given.each("premium")]
    made = [(row.text("unit"), row.instant("made_at")) for row in given.each("commitments")]
    return {"covered": [unit for unit, at in made if is_covered(at, zone=zone, terms=terms)]}


def _ledger(given: Fields) -> Mapping[str, Any]:
    book, answers = Book.empty(), []
    for op in given.rows("ops"):
        if read_list(op, given.at("ops"))[:1] == ["REVERSE"]:
            answer, book = book.reverse(key=str(read_list(op, given.at("ops"), 2)[1]))
        else:
            kind, key, minor = read_list(op, given.at("ops"), 3)
            answer, book = book.post(key=str(key), kind=PostingKind(kind), minor=read_int(minor, given.at("ops")))
        answers.append(str(answer))
    balances = {str(account): minor for account, minor in book.balances().items()}
    return {"answers": answers, "balances": balances, "transactions": len(book.posted)}


CREDIT = CaseKind("credit", _credit)
EXCLUSION = CaseKind("exclusion", _exclusion)
BASE_FX = CaseKind("base_fx", _base_fx)
CHARGE_SPLIT = CaseKind("charge_split", _charge_split)
ALLOCATE = CaseKind("allocate", _allocate)
STACKING = CaseKind("stacking", _stacking)
RESTATE = CaseKind("restate", _restate)
POOL_QUARTER = CaseKind("pool_quarter", _pool_quarter)
COVERAGE = CaseKind("coverage", _coverage)
LEDGER = CaseKind("ledger", _ledger)
