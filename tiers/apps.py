"""What we promised and what we owe. At start it answers for entitlements and registers with the shell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from tracking.backfill import Charge


class TiersConfig(AppConfig):
    """What we promised and what we owe."""

    name = "tiers"
    label = "tiers"

    def ready(self) -> None:
        """Entitlements, places, navigation, home."""
        from portal.tenancy.models import Role
        from portal.web.home import HomePart, home_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.pages import entitlement_label
        from portal.web.policy import ask_entitlements_of, customers, staff
        from tiers.credits import home
        from tiers.promises import home as promises_home
        from tiers.promises.registry import ENTITLEMENTS
        from tiers.promises.selectors import ask_places_of, entitled, entitlements
        from tracking.backfill import charges_kept_by

        ask_entitlements_of(entitled, entitlements)
        ask_places_of(_places)
        charges_kept_by(_charges)
        for switch in ENTITLEMENTS:
            entitlement_label(switch.key, switch.label)
        service, promises = _("Service"), _("Promises")
        nav_register(
            NavItem(service, _("Credits"), "credits:credits", "coin", customers(entitlement="service_credits"), 310),
            NavItem(promises, _("Accounts"), "ops:promises_accounts", "users", staff(), 400),
            NavItem(promises, _("Agreements"), "ops:promises_agreements", "agreement", staff(), 410),
            NavItem(promises, _("Tiers"), "ops:promises_tiers", "tier", staff(), 420),
            NavItem(promises, _("Credits"), "ops:credits_all", "coins", staff(Role.FINANCE, Role.ACCOUNT_MANAGER), 430),
        )
        home_register(HomePart(key="credits", order=300, for_staff=False, fill=home.customer))
        home_register(HomePart(key="credits", order=300, for_staff=True, fill=home.desk))
        home_register(HomePart(key="agreements", order=310, for_staff=True, fill=promises_home.desk))


def _places(codes: Collection[str]) -> set[str]:
    from tracking.models import Place

    return set(Place.objects.filter(code__in=codes).values_list("code", flat=True))


def _charges(lines: Sequence[Charge]) -> int:
    """Charge lines of a history file, for the base of credits."""
    from tiers.credits.services import ChargeSpec, charges_record

    return charges_record(
        specs=[
            ChargeSpec(
                shipment_id=line.shipment_id, code=line.row.code, amount=line.row.amount, currency=line.row.currency,
                recorded_at=line.row.recorded_at, source_key=line.source_key, container=line.row.container,
            )
            for line in lines
        ]
    )  # fmt: skip
