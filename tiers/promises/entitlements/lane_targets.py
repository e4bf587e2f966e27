"""The entitlement `lane_targets` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

LANE_TARGETS = Switch(
    key="lane_targets",
    label=_("Lane targets"),
    says=_("Targets agreed lane by lane."),
    group=Group.FIGURES,
    default=from_tier(Tier.PRIORITY),
)
