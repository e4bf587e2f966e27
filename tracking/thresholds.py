"""The limits of exceptions in force, and what a tenant's own visits usually take: reads that derivation builds on.

The limits are the installation's own values over the defaults of section 12 (docs/parameters.md).
"""

from __future__ import annotations

from typing import Any, Final

from portal.tenancy.selectors import installation
from tracking.exceptions import Thresholds
from tracking.models import DwellNorm

_DEFAULTS: Final = Thresholds()


def thresholds() -> Thresholds:
    """The limits of 8.1 and R8.4; one query. A pair of risk limits that contradicts itself is not used (V24)."""
    found = installation()
    own: dict[str, Any] = found.parameters if found else {}
    raised = int(own.get("risk_raise_hours", _DEFAULTS.risk_raise_hours))
    clear = int(own.get("risk_clear_hours", _DEFAULTS.risk_clear_hours))
    if clear >= raised:
        raised, clear = _DEFAULTS.risk_raise_hours, _DEFAULTS.risk_clear_hours
    countries = own.get("customs_hold_hours_by_country", {})
    return Thresholds(
        cutoff_warning_hours=int(own.get("cutoff_warning_hours", _DEFAULTS.cutoff_warning_hours)),
        load_known_hours=int(own.get("load_known_hours", _DEFAULTS.load_known_hours)),
        rollover_hours=int(own.get("rollover_hours", _DEFAULTS.rollover_hours)),
        customs_hold_hours=int(own.get("customs_hold_hours", _DEFAULTS.customs_hold_hours)),
        customs_hold_hours_by_country={str(c): int(h) for c, h in countries.items()},
        eta_slip_hours=int(own.get("eta_slip_hours", _DEFAULTS.eta_slip_hours)),
        eta_slip_high_hours=int(own.get("eta_slip_high_hours", _DEFAULTS.eta_slip_high_hours)),
        stale_before_departure_hours=int(
            own.get("stale_before_departure_hours", _DEFAULTS.stale_before_departure_hours)
        ),
        stale_at_sea_hours=int(own.get("stale_at_sea_hours", _DEFAULTS.stale_at_sea_hours)),
        stale_at_terminal_hours=int(own.get("stale_at_terminal_hours", _DEFAULTS.stale_at_terminal_hours)),
        stale_after_gate_out_hours=int(own.get("stale_after_gate_out_hours", _DEFAULTS.stale_after_gate_out_hours)),
        long_dwell_hours=int(own.get("long_dwell_hours", _DEFAULTS.long_dwell_hours)),
        free_day_hours=int(own.get("free_day_hours", _DEFAULTS.free_day_hours)),
        risk_raise_hours=raised,
        risk_clear_hours=clear,
        eval_minutes=max(1, int(own.get("eval_minutes", _DEFAULTS.eval_minutes))),
    )  # fmt: skip


def p90_of_visits() -> dict[tuple[str, str, str], int]:
    """(place, facility, code of the entry) -> P90 of the entered tenant's own visits there, in tenths of a second."""
    rows = DwellNorm.objects.values_list("place", "facility", "entry_code", "p90_tenths")
    return {(place, facility, entry): p90 for place, facility, entry, p90 in rows}
