"""Telling people."""

from django.apps import AppConfig


class NotifyConfig(AppConfig):
    """Telling people."""

    name = "portal.notify"
    label = "notify"
