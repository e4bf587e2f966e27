"""Celery's settings, one name a line; tests assert them (O4).

Figures behind them: a pool child's loss must redeliver, and the sweep of unacknowledged messages must be quick.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from kombu import Exchange, Queue

broker_url: str = settings.CELERY_BROKER_URL
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a worker outlasts any absence of its broker
broker_transport_options: dict[str, Any] = (
    {}
    if broker_url.startswith("amqp")
    else {
        "visibility_timeout": 900,  # well above the longest task's hard limit
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
)
task_default_queue = "plimsoll"
_QUORUM: dict[str, Any] | None = {"x-queue-type": "quorum"} if broker_url.startswith("amqp") else None
task_queues = [
    Queue(name, Exchange(name), routing_key=name, queue_arguments=_QUORUM)
    for name in (task_default_queue, settings.CALLS_QUEUE)
]
task_default_queue_type = "quorum" if broker_url.startswith("amqp") else "classic"
task_serializer = "json"
accept_content = ["json"]
result_backend = None
task_ignore_result = True
task_acks_late = True
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
task_time_limit = 300
task_soft_time_limit = 270
task_publish_retry = False  # the sweeper publishes again what the broker lost (O2)
# A broker that goes away must not cut off a mail that is just being handed over: leases keep doubles harmless.
worker_cancel_long_running_tasks_on_connection_loss = False
worker_hijack_root_logger = False
worker_max_tasks_per_child = 2000
enable_utc = True
timezone = "UTC"
beat_schedule: dict[str, Any] = {
    # Ticks only ask the database what is due (O6); a missed or doubled tick does no harm.
    "what-is-due": {"task": "outbox.what_is_due", "schedule": 60.0, "options": {"expires": 50}},
}
