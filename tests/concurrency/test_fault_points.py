"""A process that dies at a named point between two writes leaves nothing half stored, and the act can be done again.

Mails have their own points, in tests/portal/notify/test_crashes.py.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps

from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from portal.lib.faults import points
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import AuditEntry, Role
from portal.tenancy.owned import TenantOwned
from tests.cast import Account
from tests.concurrency import acts
from tests.concurrency.acts import KILLED, killed
from tests.tiers.world import CHARGES, agree, assessed, bill, month, premium, staff
from tests.tiers.world import close as closed
from tests.tracking.messages import box, equipment, number_of, shipment, source
from tiers.credits import selectors, services
from tiers.credits.models import CreditLine, CreditTransition
from tracking.models import InboundMessage, MilestoneRow, Quarantined, Shipment, SightingRow, Source
from tracking.services import dcsa_secret

pytestmark = pytest.mark.slow
CLOSES = datetime(2026, 4, 6, 13, tzinfo=UTC)


def census(account: Account) -> dict[str, int]:
    """How many rows every walled table holds for the account and for the operator."""
    counted = {}
    for tenant_id in (OPERATOR_ID, account.pk):
        with as_tenant(tenant_id):
            for model in apps.get_models():
                if issubclass(model, TenantOwned):
                    counted[f"{tenant_id} {model._meta.db_table}"] = model.objects.count()
    return counted


# --- ingest ---


class Line:
    """A partner with one message: an event of the account's shipment, and one that is nobody's."""

    def __init__(self, account: Account) -> None:
        self.secret = dcsa_secret()
        self.source: Source = source(secret=self.secret)
        with as_tenant(OPERATOR_ID):
            _row, self.key = key_create(
                label="feed", at=datetime.now(UTC), scope="events:write", source_key=self.source.key
            )
        self.account, self.shipment = account, shipment(account)
        at = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        self.body = json.dumps([equipment("GTIN", number_of(self.shipment), at), equipment("GTIN", box(), at)])
        self.letter = {"source": self.source.key, "key": self.key, "body": self.body, "again": secrets.token_hex(8)}
        self.called = {"source": self.source.key, "secret": self.secret, "body": self.body}

    def messages(self) -> list[InboundMessage]:
        """All of the source."""
        with as_tenant(OPERATOR_ID):
            return list(InboundMessage.objects.filter(source=self.source).order_by("pk"))

    def is_applied_once(self) -> bool:
        """One accepted and one quarantined event, one sighting, one milestone, told once."""
        with as_tenant(OPERATOR_ID):
            rows = Quarantined.objects.filter(source=self.source).count()
            (found,) = InboundMessage.objects.filter(source=self.source)
        counts = (found.events_received, found.events_accepted, found.events_duplicate, found.events_quarantined)
        with as_tenant(self.account.pk):
            told = OutboxRow.objects.filter(name="tracking.milestone_reached").count()
            sightings = SightingRow.objects.filter(shipment=self.shipment).count()
            reached = MilestoneRow.objects.filter(shipment=self.shipment, container="", act_at__isnull=False).count()
            state = Shipment.objects.get(pk=self.shipment.pk).milestone
        return (found.state, counts, rows, told, sightings, reached, state) == (
            "APPLIED", (2, 1, 0, 1), 1, 1, 1, 1, "GATE_IN_FULL"
        )  # fmt: skip


@pytest.mark.req("G1", "G2", "W7", "O11")
@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ("ingest.after_raw", []),
        ("ingest.before_apply", ["RECEIVED"]),
        ("ingest.before_commit", ["RECEIVED"]),
        ("ingest.before_answer", ["APPLIED"]),
    ],
)
def test_the_door_dies_and_the_sender_tries_again_under_its_key(acme: Account, point: str, stored: list[str]) -> None:
    line = Line(acme)
    before = census(acme)
    assert killed("post", point, **line.letter) == KILLED
    assert [m.state for m in line.messages()] == stored
    if not stored:
        assert census(acme) == before
    elif stored == ["RECEIVED"]:
        with as_tenant(acme.pk):
            assert not SightingRow.objects.filter(shipment=line.shipment).exists()
            assert not OutboxRow.objects.exists()
        with as_tenant(OPERATOR_ID):
            assert not Quarantined.objects.filter(source=line.source).exists()
    assert acts.post(**line.letter) == 200
    assert line.is_applied_once()


@pytest.mark.req("G1", "O2", "O11")
@pytest.mark.parametrize("point", ["ingest.before_apply", "ingest.before_commit"])
def test_door_and_worker_die_and_another_worker_applies_what_was_acked(acme: Account, point: str) -> None:
    line = Line(acme)
    before = census(acme)
    assert killed("callback", "ingest.after_raw", **line.called) == KILLED
    assert census(acme) == before
    assert killed("callback", "ingest.before_answer", **line.called) == KILLED
    (message,) = line.messages()
    assert message.state == "RECEIVED"
    work = {"tenant": OPERATOR_ID, "message": message.public_id}
    stored = census(acme)
    now = datetime.now(UTC)
    assert killed("work", point, at=now.isoformat(), **work) == KILLED
    assert census(acme) == stored
    acts.work(at=(now + timedelta(seconds=1)).isoformat(), **work)
    assert line.is_applied_once()


# --- the close and the money ---


def due(account: Account) -> None:
    """March of a Premium account, below its target: 47 units on time, 3 late."""
    premium(account)
    agree(account)
    bill(account, month(account, on_time=47, late=3), "8000.00")


@pytest.mark.req("M1", "M4", "O11")
@pytest.mark.parametrize("point", ["close.after_snapshot", "close.before_commit"])
def test_a_close_that_dies_leaves_the_month_open(acme: Account, point: str) -> None:
    due(acme)
    before = census(acme)
    act = {"tenant": acme.pk, "period": "2026-03", "at": CLOSES.isoformat()}
    assert killed("close", point, **act) == KILLED
    assert census(acme) == before
    acts.close(**act)
    acts.close(**act)
    with as_tenant(acme.pk):
        snapshot = Snapshot.objects.get()
        assert SnapshotUnit.objects.count() == snapshot.units == 50
        assert SnapshotRow.objects.filter(kpi="OTD", lane="", num=47, den=50).count() == 1
        assert AuditEntry.objects.filter(action="snapshot.closed").count() == 1
        assert OutboxRow.objects.filter(name="kpis.publish_snapshot").count() == 1


@pytest.mark.req("M4", "P25", "O11")
def test_an_assessment_that_dies_owes_nothing_yet(acme: Account) -> None:
    due(acme)
    snapshot = closed(acme)
    before = census(acme)
    act = {"tenant": acme.pk, "snapshot": snapshot.public_id, "at": CHARGES.isoformat()}
    assert killed("assess", "credit.before_assessed", **act) == KILLED
    assert census(acme) == before
    acts.assess(**act)
    acts.assess(**act)
    with as_tenant(acme.pk):
        line = CreditLine.objects.get()
        assert line.state == "COMPUTED"
        assert list(CreditTransition.objects.values_list("to_state", flat=True)) == ["COMPUTED"]


@pytest.mark.req("M7", "P25", "P26", "O11")
@pytest.mark.parametrize("point", ["credit.after_move", "credit.before_commit"])
def test_an_approval_that_dies_posts_nothing_and_can_be_given_again(acme: Account, point: str) -> None:
    due(acme)
    (line,) = assessed(acme, closed(acme))
    second = staff(Role.FINANCE)
    with as_tenant(acme.pk):
        services.credit_send_to_review(public_id=line.public_id, actor=staff(Role.FINANCE), at=CHARGES)
    before = census(acme)
    act = {"tenant": acme.pk, "credit": line.public_id, "actor": second.public_id, "at": CHARGES.isoformat()}
    assert killed("approve", point, **act) == KILLED
    assert census(acme) == before
    with as_tenant(acme.pk):
        assert CreditLine.objects.get().state == "IN_REVIEW"
        assert selectors.balances("USD") == {}
    acts.approve(**act)
    with pytest.raises(services.WrongState):
        acts.approve(**act)
    with as_tenant(acme.pk):
        line = CreditLine.objects.get()
        assert line.state == "APPROVED"
        assert selectors.balances("USD")["CREDITS_PAYABLE"] == -line.amount_minor < 0
        assert OutboxRow.objects.filter(name="credits.credit_approved").count() == 1


def test_every_point_of_ingest_close_and_credit_is_died_at() -> None:
    here = {"ingest.after_raw", "ingest.before_apply", "ingest.before_commit", "ingest.before_answer",
            "close.after_snapshot", "close.before_commit", "credit.after_move", "credit.before_assessed",
            "credit.before_commit"}  # fmt: skip
    assert {name for name in points() if name.split(".")[0] in ("ingest", "close", "credit")} == here
