"""What we measured. At start it registers its entry of the navigation and its part of the home page."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class KpisConfig(AppConfig):
    """What we measured."""

    name = "kpis"
    label = "kpis"

    def ready(self) -> None:
        """Registers with the shell."""
        from kpis.home import customer
        from portal.web.home import HomePart, home_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import customers

        nav_register(
            NavItem(
                _("Service"),
                _("KPI snapshots"),
                "kpis:snapshots",
                "snapshot",
                customers(entitlement="kpi_snapshots"),
                300,
            ),
        )
        home_register(HomePart(key="kpis", order=200, for_staff=False, fill=customer))
