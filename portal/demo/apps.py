"""The demo world and its story."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The demo world and its story."""

    name = "portal.demo"
    label = "demo"
