"""The notify app: its entries in the navigation and its counts for /metrics."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotifyConfig(AppConfig):
    """Telling people."""

    name = "portal.notify"
    label = "notify"

    def ready(self) -> None:
        """Registers with the shell."""
        from portal.notify.selectors import delivery_gauges
        from portal.outbox.selectors import outbox_gauges
        from portal.web.home import gauges_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import signed_in, staff

        gauges_register(outbox_gauges)
        gauges_register(delivery_gauges)
        nav_register(
            NavItem(_("Desk"), _("Outbox"), "ops:notify_outbox", "outbox", staff(), order=160),
            NavItem(_("Settings"), _("Notices"), "notices:settings", "bell", signed_in(), order=940),
        )
