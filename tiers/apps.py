"""What we promised and what we owe."""

from django.apps import AppConfig


class TiersConfig(AppConfig):
    """What we promised and what we owe."""

    name = "tiers"
    label = "tiers"
