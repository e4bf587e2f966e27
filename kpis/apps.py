"""What we measured."""

from django.apps import AppConfig


class KpisConfig(AppConfig):
    """What we measured."""

    name = "kpis"
    label = "kpis"
