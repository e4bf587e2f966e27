"""Publishes due rows to the broker, and again when nobody took them: the broker may lose anything (O2).

Any number of dispatchers share the work; what a row means is the worker's business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections, transaction
from django.utils.module_loading import import_string

from portal.lib import clock
from portal.lib.faults import declare, fault
from portal.outbox.handlers import handler_of
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.selectors import active_tenants, due_rows
from portal.outbox.services import heartbeat, stale_facts_close
from portal.tenancy.context import as_tenant

BATCH: Final = 500
IDLE_SECONDS: Final = 0.5
BEAT_SECONDS: Final = 10.0
TROUBLE_SECONDS: Final = 1.0

declare("dispatcher.after_mark", "rows are marked published, nothing has reached the broker")
declare("dispatcher.after_publish", "one row has reached the broker, the others of its batch have not")

_log = logging.getLogger(__name__)

# Marked before it is published, by one dispatcher only; whoever dies in between leaves it to the next sweep.
_MARK: Final = """
UPDATE outbox_outboxrow SET published_at = clock_timestamp(), publishes = least(publishes + 1, 100)
 WHERE tenant_id = %s AND id = ANY(%s) AND state = 'PENDING'
   AND (lease_until IS NULL OR lease_until < clock_timestamp())
   AND (published_at IS NULL OR published_at < clock_timestamp()
                                - make_interval(secs => %s * power(2, least(greatest(publishes - 1, 0), 5))))
RETURNING id, name
"""

Publish = Callable[[int, int, bool], None]  # tenant, row, whether it calls out


class BrokerAway(Exception):  # noqa: N818 - a state of the surroundings, handled by waiting
    """Nothing could be published; the rows wait as before."""


class CeleryPublisher:
    """Publishes `outbox.run` on a connection of its own, made anew after each trouble."""

    def __init__(self) -> None:
        self._app: Any = import_string(settings.CELERY_APP)
        self._producer: Any = None

    def __call__(self, tenant_id: int, row_id: int, calls_out: bool) -> None:
        """Raises BrokerAway when the broker does not take it."""
        try:
            if self._producer is None:
                self._producer = self._app.amqp.Producer(self._app.connection_for_write())
            self._app.send_task(
                "outbox.run", kwargs={"tenant_id": tenant_id, "row_id": row_id}, producer=self._producer, retry=False,
                queue=settings.CALLS_QUEUE if calls_out else None,
            )  # fmt: skip
        except Exception as error:  # the transports' errors have no common base
            self.close()
            raise BrokerAway(str(error)) from error

    def close(self) -> None:
        """Drops the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.connection.close()
            except Exception:
                _log.debug("the broker's connection was gone already")


def publish_due(publish: Publish) -> int:
    """One round; says how many rows were published. BrokerAway when the broker did not take them."""
    by_tenant: dict[int, list[int]] = defaultdict(list)
    found = due_rows(
        at=clock.now(), most=BATCH, each=settings.OUTBOX_IN_FLIGHT, again_seconds=settings.OUTBOX_AGAIN_SECONDS
    )
    for tenant_id, row_id in found:
        by_tenant[tenant_id].append(row_id)
    mine = {pair: out for tenant_id, rows in by_tenant.items() for pair, out in _mark(tenant_id, rows).items()}
    if mine:
        fault("dispatcher.after_mark")
    waiting = [pair for pair in found if pair in mine]  # in the order in which the tenants take turns
    for done, pair in enumerate(waiting):
        try:
            publish(*pair, mine[pair])
        except BrokerAway:
            _unmark(waiting[done:])
            raise
        fault("dispatcher.after_publish")
    return len(waiting)


def _close_stale() -> None:
    for tenant_id in active_tenants():
        with as_tenant(tenant_id), transaction.atomic():
            stale_facts_close(at=clock.now())


def _mark(tenant_id: int, rows: list[int]) -> dict[tuple[int, int], bool]:
    """The rows that are this dispatcher's to publish, and whether each calls out."""
    with as_tenant(tenant_id), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MARK, [tenant_id, rows, settings.OUTBOX_AGAIN_SECONDS])
        return {(tenant_id, int(row_id)): _calls_out(name) for row_id, name in cursor.fetchall()}


def _calls_out(name: str) -> bool:
    found = handler_of(name)
    return found is not None and found.calls_out


def _unmark(pairs: list[tuple[int, int]]) -> None:
    by_tenant: dict[int, list[int]] = defaultdict(list)
    for tenant_id, row_id in pairs:
        by_tenant[tenant_id].append(row_id)
    for tenant_id, rows in by_tenant.items():
        with as_tenant(tenant_id), transaction.atomic():
            OutboxRow.objects.filter(pk__in=rows, state=RowState.PENDING).update(published_at=None, publishes=0)


def run(stop: threading.Event) -> None:
    """Publishes until `stop` is set; database or broker away: waits and tries again, never ends by itself (P3)."""
    publisher = CeleryPublisher()
    in_trouble, beat_due, tidy = False, 0.0, False
    while not stop.is_set():
        try:
            close_old_connections()
            if not tidy:
                _close_stale()
                tidy = True
            if time.monotonic() >= beat_due:
                heartbeat("dispatcher", at=clock.now())
                beat_due = time.monotonic() + BEAT_SECONDS
            published = publish_due(publisher)
            if in_trouble:
                _log.info("publishing again")
            in_trouble, pause = False, (IDLE_SECONDS if published < BATCH else 0.0)
        except (BrokerAway, DatabaseError, InterfaceError) as error:
            if not in_trouble:
                _log.warning("cannot publish for now: %s", error)
            in_trouble, pause = True, TROUBLE_SECONDS
            if not isinstance(error, BrokerAway):
                connections.close_all()
        stop.wait(pause)
    publisher.close()
