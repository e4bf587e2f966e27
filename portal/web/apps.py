"""The web app: its start-up check refuses a route without a policy (W1)."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Pages, tables, exports, error answers."""

    name = "portal.web"
    label = "web"

    def ready(self) -> None:
        """Registers the check."""
        from portal.web import checks  # noqa: F401
