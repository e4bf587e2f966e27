"""Exception rate (2.4). The arithmetic stands in kpis/exceptions.py."""

from django.utils.translation import gettext_lazy as _

from kpis.types import Better, Kpi, Shape

EXCEPTION = Kpi(
    key="EXCEPTION",
    version="1.0.0",
    label=_("Exception rate"),
    says=_(
        "Units with at least one rollover, missed connection, long customs hold or failed delivery that began before "
        "the close and was not dismissed as false, out of all units promised for the month."
    ),
    better=Better.LOWER,
    shape=Shape.RATIO,
    month_of=_("the local date of the commitment at the final place"),
    missing=_("none seen counts as none; the trust grade says how much was seen"),
    parameters={"customs_hold_hours": "48"},
)
