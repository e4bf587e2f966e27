"""Share links: their entry in the navigation."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SharesConfig(AppConfig):
    """Links by which somebody without a sign-in sees one shipment."""

    name = "portal.shares"
    label = "shares"

    def ready(self) -> None:
        """Registers with the shell."""
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import customers

        core = customers(entitlement="portal_core")
        nav_register(NavItem(_("Settings"), _("Share links"), "shares:shares", "link", core, 925))
