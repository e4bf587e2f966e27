"""Cases about figures: how rates are shown and merged, durations, trust, intervals, the close.

Adapters only; the formulas are the product's.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kpis.figures import Trust, display_pct, durations, failures_left, ratio6, trust_grade
from kpis.intervals import newcombe, wilson
from kpis.types import Counts
from portal.checks.types import CaseKind, Fields, read_decimal, read_int, read_list
from portal.lib.periods import close_at, utc_text


def _display_pct(given: Fields) -> Mapping[str, Any]:
    num, den = given.whole("num"), given.whole("den")
    thresholds = [read_decimal(t, given.at("thresholds")) for t in given.rows("thresholds")]
    return {"display": display_pct(num, den, thresholds), "ratio6": ratio6(num, den)}


def _merge_counts(given: Fields) -> Mapping[str, Any]:
    rows = [read_list(row, given.at("groups"), 2) for row in given.rows("groups")]
    merged = Counts.merged(Counts(num=read_int(n, "num"), den=read_int(d, "den")) for n, d in rows)
    return {"num": merged.num, "den": merged.den, "display": display_pct(merged.num, merged.den)}


def _seconds(given: Fields, name: str) -> list[int]:
    return [read_int(value, given.at(name)) for value in given.rows(name)]


def _fixed(value: Decimal) -> str:
    return f"{value:f}"


def _dwell_stats(given: Fields) -> Mapping[str, Any]:
    found = durations(_seconds(given, "seconds"))
    if found is None:
        return {"n": 0, "sum_seconds": 0}
    return {
        "n": found.n,
        "sum_seconds": found.sum_seconds,
        "mean_seconds": _fixed(found.mean_seconds),
        "p90_seconds": _fixed(found.p90_seconds),
        "mean_days_display": _fixed(found.mean_days),
        "p90_days_display": _fixed(found.p90_days),
    }


def _merge_percentile(given: Fields) -> Mapping[str, Any]:
    a, b = _seconds(given, "a"), _seconds(given, "b")
    one, other, both = durations(a), durations(b), durations([*a, *b])
    if one is None or other is None or both is None:
        return {}
    return {
        "p90_a": _fixed(one.p90_seconds),
        "p90_b": _fixed(other.p90_seconds),
        "p90_merged": _fixed(both.p90_seconds),
        "mean_merged": _fixed(both.mean_seconds),
    }


def _trust_grade(given: Fields) -> Mapping[str, Any]:
    grades = []
    for row in given.rows("rows"):
        complete, units, unknown, den, conflicts, captured = (
            read_int(value, given.at("rows")) for value in read_list(row, given.at("rows"), 6)
        )
        trust = Trust(complete=complete, units=units, unknown=unknown, den=den, conflicts=conflicts, captured=captured)
        grades.append(str(trust_grade(trust).grade))
    return {"grades": grades}


def _wilson(given: Fields) -> Mapping[str, Any]:
    low, high = wilson(given.whole("x"), given.whole("n"))
    return {"low": low, "high": high}


def _newcombe(given: Fields) -> Mapping[str, Any]:
    found = newcombe(given.whole("x1"), given.whole("n1"), given.whole("x2"), given.whole("n2"))
    return {"diff": found.diff, "low": found.low, "high": found.high, "confirmed": found.confirmed}


def _failures_left(given: Fields) -> Mapping[str, Any]:
    left = []
    for row in given.rows("rows"):
        expected, target, failures = read_list(row, given.at("rows"), 3)
        at = given.at("rows")
        left.append(failures_left(read_int(expected, at), read_decimal(target, at), read_int(failures, at)))
    return {"left": left}


def _close_at(given: Fields) -> Mapping[str, Any]:
    return {"close_at": utc_text(close_at(given.month("period"), grace_days=given.whole("grace_days")))}


DISPLAY_PCT = CaseKind("display_pct", _display_pct)
MERGE_COUNTS = CaseKind("merge_counts", _merge_counts)
DWELL_STATS = CaseKind("dwell_stats", _dwell_stats)
MERGE_PERCENTILE = CaseKind("merge_percentile", _merge_percentile)
TRUST_GRADE = CaseKind("trust_grade", _trust_grade)
WILSON = CaseKind("wilson", _wilson)
NEWCOMBE = CaseKind("newcombe", _newcombe)
FAILURES_LEFT = CaseKind("failures_left", _failures_left)
CLOSE_AT = CaseKind("close_at", _close_at)
