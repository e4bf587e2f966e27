"""Doors of tenancy: sign-in, members, keys. At start it registers the step-up and its entries of the navigation."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountConfig(AppConfig):
    """Doors of tenancy: sign-in, members, keys."""

    name = "portal.account"
    label = "people"

    def ready(self) -> None:
        """Step-up and navigation."""
        from portal.account import home
        from portal.account.stepup import step_up_ask
        from portal.tenancy.models import Role
        from portal.web.home import HomePart, home_register
        from portal.web.nav import NavItem, nav_register
        from portal.web.policy import Policy, customers, staff
        from portal.web.stepup import ask_step_up_of

        ask_step_up_of(step_up_ask)
        home_register(HomePart(key="people", order=400, for_staff=False, fill=home.customer))
        home_register(HomePart(key="people", order=400, for_staff=True, fill=home.desk))
        managers = Policy(who=frozenset({Role.MANAGER.value}))
        section = _("Settings")
        nav_register(
            NavItem(section, _("Members"), "people:members", "users", managers, 910),
            NavItem(section, _("API keys"), "people:keys", "key", managers, 920),
            NavItem(section, _("API reference"), "web:api_docs", "document", customers(entitlement="read_api"), 925),
            NavItem(section, _("Audit trail"), "people:audit", "log", managers, 930),
            NavItem(section, _("Staff"), "ops:people_staff_members", "users", staff(Role.ADMIN), 910),
            NavItem(section, _("Audit trail"), "ops:people_audit", "log", staff(Role.ADMIN), 930),
        )
