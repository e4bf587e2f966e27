"""The look of the portal: its entry in the navigation, and what pages and mails ask."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BrandConfig(AppConfig):
    """The operator's look."""

    name = "portal.brand"
    label = "brand"

    def ready(self) -> None:
        """Registers with the shell."""
        from portal.brand.selectors import look_of
        from portal.tenancy.models import Role
        from portal.web.context import look_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import staff

        look_register(lambda read: look_of(read).for_pages())
        nav_register(
            NavItem(_("Settings"), _("Look and sender"), "ops:brand_edit", "sun", staff(Role.ADMIN), order=305)
        )
