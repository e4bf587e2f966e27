"""The entitlement `kpi_snapshots` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

KPI_SNAPSHOTS = Switch(
    key="kpi_snapshots",
    label=_("Monthly KPI snapshots"),
    says=_("Closed months with their evidence, to download and check."),
    group=Group.FIGURES,
    default=from_tier(Tier.PRIORITY),
)
