"""The web app: its start-up check refuses a route without a policy (W1)."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebConfig(AppConfig):
    """Pages, tables, exports, error answers."""

    name = "portal.web"
    label = "web"

    def ready(self) -> None:
        """Registers the check and the way home."""
        from portal.web import checks  # noqa: F401
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import customers, staff

        nav_register(
            NavItem(_("Service"), _("Today"), "web:home", "home", customers(), order=10),
            NavItem(_("Desk"), _("Today"), "web:home", "home", staff(), order=10),
        )
