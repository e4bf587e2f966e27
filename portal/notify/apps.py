"""The notify app: its entries in the navigation and its counts for /metrics."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotifyConfig(AppConfig):
    """Telling people."""

    name = "portal.notify"
    label = "notify"

    def ready(self) -> None:
        """Registers with the shell."""
        from portal.lib import clock
        from portal.notify import home
        from portal.notify.selectors import delivery_gauges
        from portal.outbox.selectors import heartbeat_ages, outbox_gauges
        from portal.web.home import HomePart, gauges_register, home_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import signed_in, staff

        gauges_register(outbox_gauges)
        gauges_register(delivery_gauges)
        gauges_register(lambda: heartbeat_ages(at=clock.now()))
        home_register(HomePart(key="outbox", order=150, for_staff=True, fill=home.desk))
        nav_register(
            NavItem(_("Desk"), _("Outbox"), "ops:notify_outbox", "outbox", staff(), order=160),
            NavItem(_("Settings"), _("Notices"), "notices:settings", "bell", signed_in(), order=940),
        )
