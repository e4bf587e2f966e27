"""Dwell at nodes (2.3). The arithmetic stands in kpis/dwell.py and kpis/figures.py."""

from django.utils.translation import gettext_lazy as _

from kpis.types import Better, Kpi, Shape

DWELL = Kpi(
    key="DWELL",
    version="1.0.0",
    label=_("Dwell time"),
    says=_(
        "Time between entry and exit of a container at a terminal or depot, by role, as average and as the value that "
        "nine visits in ten stay below, over all visits that ended in the month."
    ),
    better=Better.LOWER,
    shape=Shape.DURATION,
    month_of=_("the local date of the exit"),
    missing=_("visits without both ends are left out and counted beside the figure"),
    parameters={"dwell_flag_days": "60"},
)
