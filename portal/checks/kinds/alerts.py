"""Cases about alerts: what each evaluation of a shipment at risk gives to know (R8.4, R8.5, W14).

Adapters only; the rules are in tracking.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from portal.checks.types import CaseFault, CaseKind, Fields
from tracking.risk import HOUR, RiskLimits, Watch, evaluate

_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)


def _seconds(hours: object, field: str) -> int:
    """Whole seconds of a number of hours."""
    if isinstance(hours, bool) or not isinstance(hours, int | float):
        raise CaseFault(field, f"{hours!r} is not a number")
    return int(Decimal(str(hours)) * HOUR)


def _hours(given: Fields, name: str) -> int:
    return _seconds(given.number(name), given.at(name))


def _alert_trace(given: Fields) -> Mapping[str, Any]:
    limits = RiskLimits(raised=_hours(given, "raise"), clear=_hours(given, "clear"), hold=given.whole("hold"))
    watch, trace = Watch(), []
    for n, hours in enumerate(given.rows("hours")):
        at = _FIRST + n * timedelta(seconds=limits.every)
        watch, action = evaluate(watch, _seconds(hours, given.at("hours")), at, limits)
        trace.append([hours, watch.state.value, action.value])
    return {"trace": trace}


ALERT_TRACE = CaseKind("alert_trace", _alert_trace)
