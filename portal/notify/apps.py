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
        from portal.notify.bell import COUNTED, unread_beside, unread_count
        from portal.notify.selectors import delivery_gauges
        from portal.outbox.selectors import heartbeat_ages, outbox_gauges
        from portal.tenancy.models import Role
        from portal.tenancy.selectors import member_beside
        from portal.web.home import HomePart, gauges_register, home_register
        from portal.web.nav import NavItem, bell_register, nav_register
        from portal.web.policy import Policy, signed_in, staff

        gauges_register(outbox_gauges)
        gauges_register(delivery_gauges)
        gauges_register(lambda: heartbeat_ages(at=clock.now()))
        member_beside("unread_needs", unread_beside)
        bell_register("notices:list", "notices:bell", COUNTED, unread_count)
        home_register(HomePart(key="outbox", order=150, for_staff=True, fill=home.desk))
        nav_register(
            NavItem(_("Desk"), _("Outbox"), "ops:notify_outbox", "outbox", staff(), order=160),
            NavItem(_("Desk"), _("Addresses"), "ops:notify_addresses", "mail", staff(), order=165),
            NavItem(_("Settings"), _("What I am told"), "notices:settings", "bell", signed_in(), order=940),
            NavItem(
                _("Settings"),
                _("Addresses"),
                "notices:addresses",
                "mail",
                Policy(who=frozenset({Role.MANAGER.value})),
                order=945,
            ),
        )
