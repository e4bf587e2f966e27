"""Feeds the demo world's history through the real doors, in process, under a set clock, day by day.

The plan is pure (world.py, messages.py). Mail and everything else that leaves the house is left to the running
processes; news that is old by then ends as stale.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.test import Client

from portal.demo import people
from portal.demo.messages import CALLBACKS, Batch, batches
from portal.demo.settling import Settled, settle
from portal.demo.talk import talk_seed
from portal.demo.world import ShipmentPlan, World
from portal.lib import clock
from portal.lib.errors import PortalError
from portal.lib.periods import Month, close_at
from portal.outbox.handlers import due_checks
from portal.outbox.models import OutboxRow, RowKind, RowState
from portal.outbox.runner import row_run
from portal.outbox.services import stale_facts_close
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tiers.credits.models import CreditLine
from tiers.credits.services import ChargeSpec, charges_record, credit_send_to_review
from tiers.credits.state_rules import CreditState
from tracking.models import Shipment
from tracking.services import ShipmentSpec, shipments_register
from tracking.signatures import signature
from tracking.types import FinalMilestone

NOON, EVENING = time(12, 20), time(23, 0)  # the first just after the job that closes months
CREDIT_AFTER: Final = timedelta(days=10, hours=26)  # from the cut of a month to sales' sending its credit to review

Progress = Callable[[int, int, str], None]


@contextmanager
def _quiet(batch: Batch) -> Iterator[None]:
    """What is meant to be refused is no warning in the middle of the progress."""
    door = logging.getLogger("plimsoll.ingest")
    before = door.level
    if batch.expected >= 400:
        door.setLevel(logging.ERROR)
    try:
        yield
    finally:
        door.setLevel(before)


class DoorSaidNo(PortalError):
    """A door answered otherwise than the story says: the demo would not be what it tells."""

    code, status = "door_said_no", 500
    message = "%(door)s answered %(status)s instead of %(expected)s at %(at)s: %(body)s"


@dataclass(frozen=True, slots=True)
class Told:
    """What went in."""

    shipments: int
    messages: int
    events: int


def world_seed(world: World, progress: Progress) -> Told:
    """Sets the portal up and lives through every day until today; returns the counts."""
    with connection.cursor() as cursor:  # a crash means telling it all again, so nothing waits for the disk
        cursor.execute("set synchronous_commit = off")
    with clock.set_to(world.start):
        settled = settle(world.start)
    return _Life(world, settled, progress).live()


class _Life:
    """The days of the world, one after the other."""

    def __init__(self, world: World, settled: Settled, progress: Progress) -> None:
        self.world, self.settled, self.progress = world, settled, progress
        self.feeds = {feed.key: feed for feed in people.FEEDS}
        self.client = Client(raise_request_exception=False, SERVER_NAME="localhost")
        self.tenants = [*settled.tenants.values(), OPERATOR_ID]
        self.events = 0

    def live(self) -> Told:
        """Bookings in the morning, messages as they come, work due in the evening."""
        booked: dict[object, list[ShipmentPlan]] = defaultdict(list)
        for plan in self.world.shipments:
            booked[plan.confirmed_at.date()].append(plan)
        messages = batches(self.world)
        waiting = list(reversed(messages))
        day, last = self.world.start.date(), self.world.today.date()
        days = (last - day).days + 1
        for number in range(days):
            self._register(booked.get(day, []), min(datetime.combine(day, EVENING, UTC), self.world.today))
            for hour in (NOON, EVENING):
                at = min(datetime.combine(day, hour, UTC), self.world.today)
                while waiting and waiting[-1].at <= at:
                    self._send(waiting.pop())
                self._desk(at)
            day += timedelta(days=1)
            self.progress(number + 1, days, f"{day:%d %b %Y}")
        with clock.set_to(self.world.today):
            talk_seed(self.settled, self.world.today)
        self._settle_news()
        people.secrets_write({"today": self.world.today.isoformat(), "keys": self.settled.keys})
        return Told(len(self.world.shipments), len(messages), self.events)

    # --- in the morning ---

    def _register(self, plans: list[ShipmentPlan], at: datetime) -> None:
        """Bookings that the operator's system hands over on the day they are confirmed."""
        by_account: dict[str, list[ShipmentPlan]] = defaultdict(list)
        for plan in plans:
            by_account[plan.account].append(plan)
        for account, listed in by_account.items():
            made_at = min(max(p.confirmed_at for p in listed), at)
            with clock.set_to(made_at), as_tenant(self.settled.tenants[account]):
                shipments_register(specs=[_spec(p) for p in listed], at=made_at, actor="Booking system")

    # --- what comes in ---

    def _send(self, batch: Batch) -> None:
        with clock.set_to(batch.at), _quiet(batch):
            if batch.source in CALLBACKS:
                answer = self._callback(batch)
            else:
                answer = self.client.post(
                    f"/ingest/{batch.source}", data=batch.body, content_type=batch.content_type,
                    headers={"Authorization": f"Bearer {self.settled.keys[batch.source]}"},
                )  # fmt: skip
            if answer.status_code != batch.expected:
                raise DoorSaidNo(
                    door=batch.source, status=answer.status_code, expected=batch.expected, at=batch.at,
                    body=answer.content[:300].decode(errors="replace"),
                )  # fmt: skip
            if batch.source in CALLBACKS:
                self._work(batch.at)
            self.events += batch.events

    def _callback(self, batch: Batch) -> Any:
        signed = signature(batch.body, self.feeds[batch.source].dcsa_secret)
        if not batch.signed_well:
            signed = "sha256=" + "0" * 64
        return self.client.post(
            f"/dcsa/callbacks/{batch.source}", data=batch.body, content_type=batch.content_type,
            headers={"Notification-Signature": signed},
        )  # fmt: skip

    # --- at the desk ---

    def _desk(self, at: datetime) -> None:
        with clock.set_to(at):
            if at.day == 3:
                self._bill(Month.of(at.date()).shift(-1), at)
            if any(_is_calendar_day(month, at) for month in self.world.closed):
                self._ask(at)
            self._work(at)
            self._send_to_review(at)

    def _bill(self, month: Month, at: datetime) -> None:
        """Freight of the month's shipments, from the invoicing system."""
        by_account: dict[str, list[ShipmentPlan]] = defaultdict(list)
        for plan in self.world.shipments:
            if Month.of(plan.due_date) == month:
                by_account[plan.account].append(plan)
        for account, plans in by_account.items():
            with as_tenant(self.settled.tenants[account]):
                known = dict(Shipment.objects.filter(ref__in=[p.ref for p in plans]).values_list("ref", "pk"))
                charges_record(specs=[
                    ChargeSpec(
                        shipment_id=known[p.ref], code=code, amount=Decimal(amount), currency="USD", recorded_at=at,
                        source_key=f"{p.ref}/{code}",
                    )
                    for p in plans for code, amount in p.freight
                ])  # fmt: skip

    def _ask(self, at: datetime) -> None:
        """What the scheduler asks every minute: is anything due?"""
        for check in due_checks():
            if not check.each_tenant:
                check.ask(at)
                continue
            for tenant_id in self.tenants:
                with as_tenant(tenant_id), transaction.atomic():
                    check.ask(at)

    def _work(self, at: datetime) -> None:
        """Runs the outbox's work that is due; what leaves the house, and news, waits."""
        for tenant_id in self.tenants:
            with as_tenant(tenant_id):
                while True:
                    due = OutboxRow.objects.filter(
                        kind=RowKind.WORK, state=RowState.PENDING, outgoing=False, due_at__lte=at
                    )
                    ran = [
                        row_run(row_id=pk, at=at) for pk in due.order_by("due_at", "id").values_list("pk", flat=True)
                    ]
                    if not any(ran):
                        break

    def _send_to_review(self, at: datetime) -> None:
        """Sales looks at a computed credit the day after, and sends it to finance."""
        if at < close_at(self.world.breach, grace_days=5) + CREDIT_AFTER:
            return
        with as_tenant(self.settled.tenants["ACME"]):
            for line in CreditLine.objects.filter(state=CreditState.COMPUTED.value, amount_minor__gt=0):
                actor = self.settled.members["adam.sales@meridian.example"]
                credit_send_to_review(public_id=line.public_id, actor=actor, at=at)

    # --- news ---

    def _settle_news(self) -> None:
        """News that is old by now is closed as the dispatcher would; fresh news waits for the workers."""
        for tenant_id in self.tenants:
            with as_tenant(tenant_id), transaction.atomic():
                stale_facts_close(at=self.world.today)


def _is_calendar_day(month: Month, at: datetime) -> bool:
    """Whether a month closes, is published, or is assessed about now: the days on which the scheduler has work."""
    cut = close_at(month, grace_days=5)
    return any(timedelta(0) <= at - cut - timedelta(days=n) <= timedelta(days=2) for n in (0, 10))


def _spec(plan: ShipmentPlan) -> ShipmentSpec:
    lane = plan.lane
    return ShipmentSpec(
        ref=plan.ref, final_milestone=FinalMilestone(lane.final), pol=lane.pol, pod=lane.pod, final_place=lane.place,
        due_date=plan.due_date, carrier=lane.carrier, booked_at=plan.booked_at, confirmed_at=plan.confirmed_at,
        containers=plan.containers, hbl=plan.house_bill, booking=plan.booking, po_numbers=(plan.po_number,),
        branch=lane.branch, vertical=plan.vertical, trade=lane.trade, vessel_imo=lane.imo, voyage=plan.voyage,
    )  # fmt: skip
