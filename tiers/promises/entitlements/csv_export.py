"""The entitlement `csv_export` (5.1)."""

from django.utils.translation import gettext_lazy as _

from tiers.promises.types import Group, Switch, Tier, from_tier

CSV_EXPORT = Switch(
    key="csv_export",
    label=_("CSV of own shipments"),
    says=_("The list exactly as shown, as a file."),
    group=Group.SYSTEMS,
    default=from_tier(Tier.STANDARD),
)
