"""What happened: its entries in the navigation, its parts of the home pages, the list that the search box asks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrackingConfig(AppConfig):
    """What happened."""

    name = "tracking"
    label = "tracking"

    def ready(self) -> None:
        """Registers with the shell."""
        from portal.tenancy.models import Role
        from portal.web.home import HomePart, gauges_register, home_register
        from portal.web.nav import NavItem, nav_register, search_register
        from portal.web.policy import Policy, customers, staff
        from tracking import home
        from tracking.selectors import ingest_gauges

        portal_core = customers(entitlement="portal_core")
        systems = Policy(who=frozenset({Role.MANAGER.value}), entitlement="read_api")
        search_register("tracking:shipments", portal_core)
        nav_register(
            NavItem(_("Service"), _("Shipments"), "tracking:shipments", "container", portal_core, order=100),
            NavItem(_("Desk"), _("Exceptions"), "ops:tracking_exceptions", "flag", staff(), order=105),
            NavItem(_("Settings"), _("Subscriptions"), "tracking:subscriptions", "source", systems, order=925),
            NavItem(_("Desk"), _("Quarantine"), "ops:tracking_quarantine", "inbox", staff(), order=110),
            NavItem(_("Desk"), _("Sources"), "ops:tracking_sources", "source", staff(), order=120),
            NavItem(_("Settings"), _("Places and carriers"), "ops:tracking_places", "pin", staff(), order=300),
            NavItem(
                _("Desk"),
                _("Bookings"),
                "ops:tracking_bookings",
                "upload",
                staff(Role.OPS, Role.ACCOUNT_MANAGER),
                order=122,
            ),
            NavItem(_("Desk"), _("Readiness"), "ops:tracking_readiness", "gauge", staff(), order=125),
        )
        gauges_register(ingest_gauges)
        home_register(HomePart(key="shipments", order=100, for_staff=False, fill=home.customer))
        home_register(HomePart(key="tracking", order=100, for_staff=True, fill=home.desk))
