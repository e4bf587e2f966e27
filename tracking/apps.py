"""What happened."""

from django.apps import AppConfig


class TrackingConfig(AppConfig):
    """What happened."""

    name = "tracking"
    label = "tracking"
