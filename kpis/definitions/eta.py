"""ETA accuracy (2.5). The arithmetic stands in kpis/eta.py."""

from django.utils.translation import gettext_lazy as _

from kpis.types import Better, Kpi, Shape

ETA = Kpi(
    key="ETA",
    version="1.0.0",
    label=_("ETA accuracy"),
    says=_(
        "Arrivals inside the window around the last estimate that was published by the lock, out of all arrivals of "
        "the month. Later updates are shown and do not score; no estimate in time is a miss."
    ),
    better=Better.HIGHER,
    shape=Shape.RATIO,
    month_of=_("the local date of the arrival"),
    missing=_("no estimate, or an arrival known only from later events, is a miss"),
    parameters={
        "eta_milestone": "VESSEL_ARRIVED",
        "eta_lock_hours": "72",
        "eta_early_hours": "24",
        "eta_late_hours": "24",
    },
)
