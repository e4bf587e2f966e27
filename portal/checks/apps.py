"""Worked examples run through the product's own rules."""

from django.apps import AppConfig


class ChecksConfig(AppConfig):
    """Worked examples run through the product's own rules."""

    name = "portal.checks"
    label = "checks"
