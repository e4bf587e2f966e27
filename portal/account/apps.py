"""Doors of tenancy - sign-in, members, keys."""

from django.apps import AppConfig


class AccountConfig(AppConfig):
    """Doors of tenancy - sign-in, members, keys."""

    name = "portal.account"
    label = "people"
