"""The entitlement `qbr` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

QBR = Switch(
    key="qbr",
    label=_("Quarterly reviews"),
    says=_("A review pack built from closed months."),
    group=Group.FIGURES,
    default=from_tier(Tier.PREMIUM),
)
