"""The entitlement `milestone_emails` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

MILESTONE_EMAILS = Switch(
    key="milestone_emails",
    label=_("Milestone e-mails"),
    says=_("A mail for each core event of a shipment."),
    group=Group.TRACKING,
    default=from_tier(Tier.STANDARD),
)
