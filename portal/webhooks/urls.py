"""Endpoints of an account and their log, under /settings/webhooks."""

from __future__ import annotations

app_name = "webhooks"
urlpatterns: list = []
