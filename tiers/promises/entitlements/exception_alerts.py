"""The entitlement `exception_alerts` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

EXCEPTION_ALERTS = Switch(
    key="exception_alerts",
    label=_("Exception alerts"),
    says=_("Told when something crosses a limit, with a named answer time."),
    group=Group.TRACKING,
    default=from_tier(Tier.PRIORITY),
    notes={Tier.PRIORITY: _("first response 4 h"), Tier.PREMIUM: _("first response 1 h")},
)
