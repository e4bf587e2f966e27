"""What tests of telling people share: a fact, telling it, running what is due, and looking at what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from portal.lib.facts import Fact
from portal.notify.models import BellNotice, Delivery
from portal.notify.preferences import habits_set, wishes_set
from portal.notify.wishes import Wish
from portal.outbox import runner
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.services import emit
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member, User
from tests.cast import Account
from tracking.facts import MilestoneReached

AT = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)  # a Thursday, 10:00 in Amsterdam
FACT = replace(MilestoneReached.example(), occurred_at=AT - timedelta(hours=2))


def tell(account: Account, fact: Fact, at: datetime = AT) -> None:
    """Records a fact."""
    with as_tenant(account.pk), transaction.atomic():
        emit(fact, at=at)


def run(account: Account, at: datetime = AT) -> None:
    """Runs what is due for one account, as the workers would."""
    for _round in range(20):
        with as_tenant(account.pk):
            due = OutboxRow.objects.filter(state=RowState.PENDING, due_at__lte=at).values_list("pk", flat=True)
            if not sum([runner.row_run(row_id=pk, at=at) for pk in due]):
                return


def deliveries(account: Account) -> list[Delivery]:
    """All of one account."""
    with as_tenant(account.pk):
        return list(Delivery.objects.order_by("pk"))


def rename(account: Account, pattern: str) -> str:
    """Gives the member an address to which the sink answers in its own way."""
    with as_tenant(account.pk), transaction.atomic():
        address = f"{pattern}-{account.member.public_id}@example.com"
        User.objects.filter(pk=account.member.user_id).update(email=address)
    return address


def only_member(account: Account) -> None:
    """The manager leaves, so that one mail is due."""
    with as_tenant(account.pk), transaction.atomic():
        Member.objects.filter(pk=account.manager.pk).update(is_active=False)


def says(member: Member, *keys: str, at: datetime = AT, **wish: Any) -> None:
    """A person's word about kinds of notice."""
    with as_tenant(member.tenant_id):
        wishes_set(member=member, wishes={key: Wish(**wish) for key in keys}, at=at)


def lives(member: Member, *, at: datetime = AT, **habits: Any) -> None:
    """A person's hours and lanes."""
    usual: dict[str, Any] = {
        "digest": "NONE", "digest_hour": 7, "digest_weekday": 0, "quiet_from": None, "quiet_to": None,
        "quiet_weekend": False, "lanes": [], "zone": "",
    }  # fmt: skip
    with as_tenant(member.tenant_id):
        habits_set(member=member, at=at, **{**usual, **habits})


def bells(member: Member) -> list[BellNotice]:
    """The person's notices in the portal, oldest first."""
    with as_tenant(member.tenant_id):
        return list(BellNotice.objects.filter(member=member).order_by("pk"))
