"""The entitlement `portal_core` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

PORTAL_CORE = Switch(
    key="portal_core",
    label=_("Portal for core events"),
    says=_("Shipments with the five critical milestones."),
    group=Group.TRACKING,
    default=from_tier(Tier.STANDARD),
)
