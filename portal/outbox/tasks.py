"""The two tasks of the portal: run one outbox row, and ask what is due. Thin and repeatable (T11, O6).

Everything else is work by name, registered in each app's jobs.
"""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import transaction

from portal.lib import clock
from portal.outbox.handlers import DueCheck, due_checks
from portal.outbox.runner import row_run
from portal.outbox.selectors import active_tenants
from portal.outbox.services import heartbeat
from portal.tenancy.context import as_tenant
from portal.tenancy.tasks import TenantTask

_log = logging.getLogger(__name__)


@shared_task(name="outbox.run", base=TenantTask)  # type: ignore[untyped-decorator]
def run(*, row_id: int, **later: object) -> None:
    """Runs a row of the tenant whose scope is entered; a row that is done or held is left alone."""
    row_run(row_id=row_id, at=clock.now())


@shared_task(name="outbox.what_is_due")  # type: ignore[untyped-decorator]
def what_is_due(**later: object) -> None:
    """Asks every registered check, each for itself: one that fails keeps no other from being asked."""
    for process in ("scheduler", "worker"):  # one asked, the other answers
        heartbeat(process, at=clock.now())
    for check in due_checks():
        for tenant_id in active_tenants() if check.each_tenant else [None]:
            try:
                _ask(check, tenant_id)
            except Exception:
                _log.exception("the check %s failed", check.name)


def _ask(check: DueCheck, tenant_id: int | None) -> None:
    if tenant_id is None:
        check.ask(clock.now())
        return
    with as_tenant(tenant_id), transaction.atomic():
        check.ask(clock.now())
