"""The entitlement `read_api` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

READ_API = Switch(
    key="read_api",
    label=_("Read API"),
    says=_("Shipments, events and figures for your own systems."),
    group=Group.SYSTEMS,
    default=from_tier(Tier.PRIORITY),
)
