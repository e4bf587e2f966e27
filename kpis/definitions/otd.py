"""On-time delivery (2.1). How a unit is judged stands in kpis/otd.py."""

from django.utils.translation import gettext_lazy as _

from kpis.types import Better, Kpi, Shape

OTD = Kpi(
    key="OTD",
    version="1.0.0",
    label=_("On-time delivery"),
    says=_(
        "Units whose last container reached the agreed final milestone at the agreed place within the promised date "
        "or instant and its tolerance, out of all units promised for the month. A unit that is late, silent or "
        "unproven stays in and counts as not on time."
    ),
    better=Better.HIGHER,
    shape=Shape.RATIO,
    month_of=_("the local date of the commitment at the final place"),
    missing=_("counts as not on time; the upper bound shows what it could be"),
    parameters={"tol_days": "0", "tol_hours": "0", "heard_within_days": "7"},
)
