"""The entitlement `webhooks` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

WEBHOOKS = Switch(
    key="webhooks",
    label=_("Webhooks"),
    says=_("Signed messages to your systems when something happens."),
    group=Group.SYSTEMS,
    default=from_tier(Tier.PREMIUM),
)
