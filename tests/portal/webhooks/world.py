"""Accounts with endpoints, as the tests of this folder need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from portal.lib.facts import Fact
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import row_run
from portal.outbox.services import emit
from portal.tenancy.context import as_tenant
from portal.webhooks.deliveries import ping_send
from portal.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from portal.webhooks.payloads import kinds
from portal.webhooks.services import endpoint_create
from tests.cast import Account

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


def endpoint(
    account: Account, url: str, *, label: str = "TMS", wants: Sequence[str] = (), at: datetime = AT
) -> tuple[WebhookEndpoint, str]:
    """An endpoint that was not checked yet, and its secret; it wants everything unless told otherwise."""
    with as_tenant(account.pk):
        return endpoint_create(label=label, url=url, kinds=list(wants or kinds()), actor="test", at=at)


def active(account: Account, url: str, *, at: datetime = AT, **more: object) -> tuple[WebhookEndpoint, str]:
    """An endpoint that has answered its ping."""
    made, secret = endpoint(account, url, at=at, **more)  # type: ignore[arg-type]
    with as_tenant(account.pk):
        ping_send(endpoint=made, at=at)
    run(account, at)
    return fresh(account, made), secret


def fresh(account: Account, made: WebhookEndpoint) -> WebhookEndpoint:
    """As it is stored now."""
    with as_tenant(account.pk):
        return WebhookEndpoint.objects.get(pk=made.pk)


def tell(account: Account, *facts: Fact, at: datetime = AT) -> None:
    """Records facts."""
    with as_tenant(account.pk), transaction.atomic():
        for fact in facts:
            emit(fact, at=at)


def run(account: Account, at: datetime = AT, *, names: str = "") -> None:
    """Runs what is due for one account, as the workers would."""
    for _round in range(20):
        with as_tenant(account.pk):
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=at, name__startswith=names)
            due = due.exclude(name="notify.send").order_by("pk").values_list("pk", flat=True)
            if not sum([row_run(row_id=pk, at=at) for pk in due]):
                return


def deliveries(account: Account, *, tests: bool = False) -> list[WebhookDelivery]:
    """All of one account, without the pings unless asked."""
    with as_tenant(account.pk):
        rows = WebhookDelivery.objects.select_related("endpoint").order_by("pk")
        return list(rows if tests else rows.filter(is_test=False))


def attempts(account: Account, row: WebhookDelivery) -> list[WebhookAttempt]:
    """Of one delivery."""
    with as_tenant(account.pk):
        return list(WebhookAttempt.objects.filter(delivery=row).order_by("number"))
