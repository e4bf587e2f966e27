"""The webhooks app: who listens, its entry in the navigation, its counts for /metrics."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    """Telling an account's systems."""

    name = "portal.webhooks"
    label = "webhooks"

    def ready(self) -> None:
        """Registers with the outbox and the shell."""
        from portal.outbox.services import ask_who_listens_of
        from portal.tenancy.models import Role
        from portal.web.home import HomePart, gauges_register, home_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import Policy
        from portal.webhooks import home
        from portal.webhooks.selectors import listening, webhook_gauges

        ask_who_listens_of(listening)
        gauges_register(webhook_gauges)
        home_register(HomePart(key="webhooks", order=450, for_staff=False, fill=home.customer))
        managers = Policy(who=frozenset({Role.MANAGER.value}), entitlement="webhooks")
        nav_register(NavItem(_("Settings"), _("Webhooks"), "webhooks:endpoints", "message", managers, 925))
