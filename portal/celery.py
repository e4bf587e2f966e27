"""The Celery application: settings that survive kill -9, lost brokers and slow tasks (O4).

Tasks stand in each app's tasks.py; what must happen is an outbox row, never a `delay()`.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("plimsoll")
app.config_from_object("portal.celery_settings")
app.autodiscover_tasks(["portal.outbox", "portal.notify", "portal.account", "tracking", "kpis", "tiers"])
