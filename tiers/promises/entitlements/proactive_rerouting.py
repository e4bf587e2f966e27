"""The entitlement `proactive_rerouting` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

PROACTIVE_REROUTING = Switch(
    key="proactive_rerouting",
    label=_("Proactive re-routing"),
    says=_("Alternatives offered before a disruption costs days."),
    group=Group.TRACKING,
    default=from_tier(Tier.PREMIUM),
)
