"""The entitlement `live_tracking` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

LIVE_TRACKING = Switch(
    key="live_tracking",
    label=_("Live tracking"),
    says=_("Every event and estimate as it arrives."),
    group=Group.TRACKING,
    default=from_tier(Tier.PRIORITY),
)
