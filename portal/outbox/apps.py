"""Facts and work that leave after commit."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Facts and work that leave after commit."""

    name = "portal.outbox"
    label = "outbox"
