"""Milestone completeness (2.2). The arithmetic stands in kpis/completeness.py."""

from django.utils.translation import gettext_lazy as _

from kpis.types import Better, Kpi, Shape

COMPLETENESS = Kpi(
    key="COMPLETENESS",
    version="1.0.0",
    label=_("Milestone completeness"),
    says=_(
        "Units of which every critical milestone that had to be known at the close was reported for every container, "
        "out of all units with at least one such milestone. Estimates and weaker evidence capture nothing."
    ),
    better=Better.HIGHER,
    shape=Shape.RATIO,
    month_of=_("the local date of the commitment at the final place"),
    missing=_("counts as incomplete"),
    parameters={"overdue_hours": "48", "empty_return_days": "21"},
)
