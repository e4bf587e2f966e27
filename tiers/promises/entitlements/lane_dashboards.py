"""The entitlement `lane_dashboards` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

LANE_DASHBOARDS = Switch(
    key="lane_dashboards",
    label=_("Lane dashboards"),
    says=_("Each lane on its own, over time."),
    group=Group.FIGURES,
    default=from_tier(Tier.PREMIUM),
)
