"""The entitlement `service_credits` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

SERVICE_CREDITS = Switch(
    key="service_credits",
    label=_("Service credits"),
    says=_("Money back, unasked, when an agreed target is missed."),
    group=Group.FIGURES,
    default=from_tier(Tier.PREMIUM),
)
