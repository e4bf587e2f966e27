"""The outbox app: at start it gathers every app's facts."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """Facts and work that leave after commit."""

    name = "portal.outbox"
    label = "outbox"

    def ready(self) -> None:
        """Facts are declared before anything runs."""
        from portal.outbox import handlers

        handlers.load_facts()
