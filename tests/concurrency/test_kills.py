"""kill -9 at random moments over web, worker, dispatcher and scheduler loses nothing and sends nothing twice (O11).

The whole product runs as in production: a partner's letters in, milestones, mails out at an SMTP server.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from datetime import UTC, datetime

import pytest
from django.db.models import Sum

from portal.lib.facts import fact_class
from portal.notify.models import Delivery, Phase
from portal.notify.preferences import wishes_set
from portal.notify.wishes import Wish
from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member, User
from tests import processes
from tests.cast import Account
from tests.concurrency.partner import Journey, Letter, Sender, journey, letters
from tests.processes import PYTHON, ROOT, Process, Sink, wait_for
from tracking.facts import MilestoneReached
from tracking.models import InboundMessage, MessageState, MilestoneRow, Quarantined, SightingRow

SEED = 1876
ENDED = (Phase.SENT, Phase.UNCERTAIN, Phase.FAILED, Phase.SUPPRESSED)
VICTIMS = ("web", "worker", "dispatcher", "beat")
HANDS = 2  # mails that one worker may be handing over when it dies: one for each of its children


def start(sink: Sink, port: int) -> dict[str, Process]:
    """Everything that production runs, with short leases."""
    quick = {
        "OUTBOX_LEASE_SECONDS": "2", "OUTBOX_AGAIN_SECONDS": "8", "OUTBOX_IN_FLIGHT": "60", "EMAIL_URL": sink.url,
    }  # fmt: skip
    return {
        "web": processes.web(port, **quick),
        "worker": processes.worker(pool="prefork", concurrency=HANDS, **quick),
        "dispatcher": processes.dispatcher(**quick),
        "beat": processes.beat(**quick),
    }


def story(accounts: list[Account], *, kills: int, shipments: int, drain: float) -> dict[str, object]:
    """Letters come in and mails go out while processes die; afterwards all is there, once. Returns the figures."""
    chance = random.Random(SEED)
    silent = accounts[-1].member
    prepare(slow=accounts[0].manager, silent=silent)
    journeys = [journey(accounts[n % len(accounts)], chance) for n in range(shipments)]
    written = letters(journeys, chance)
    victims = [VICTIMS[n % len(VICTIMS)] for n in range(kills)]
    chance.shuffle(victims)
    port, began = processes.free_port(), time.monotonic()
    with Sink() as sink:
        sink.slow = 0.15
        running = start(sink, port)
        sender = Sender(f"127.0.0.1:{port}", list(written))
        try:
            wait_for(lambda: "ready." in running["worker"].text(), seconds=40, what="the worker")
            wait_for(lambda: answers(port), seconds=40, what="the web")
            for number, name in enumerate(victims):
                sender.release(len(written) * (number + 1) // kills - len(written) * number // kills)
                if name == "worker" and chance.random() < 0.8:
                    busy(running[name])
                time.sleep(chance.uniform(0.05, 1.2))
                kill(running[name], child_only=name in ("web", "worker") and chance.random() < 0.4)
            sender.finish(seconds=drain)
            killed = time.monotonic() - began
            come_to_an_end(accounts, running["worker"], seconds=drain)
            took = time.monotonic() - began
            assert all(process.alive() for process in running.values())
            wait_for(lambda: answers(port), seconds=15, what="the web")
            assert "Traceback" not in running["web"].text(), running["web"].text()[-4000:]
        finally:
            sender.stop()
            for process in running.values():
                process.stop(8.0)
    judge_letters(sender, written, journeys)
    judge_milestones(sender, journeys)
    mails = judge_mails(accounts, journeys, sink, silent=silent, most_uncertain=HANDS * victims.count("worker"))
    assert mails["uncertain"] <= kills
    judge_by_commands(mails["uncertain"])
    return {
        "kills": kills, **dict(Counter(victims)), "letters": len(written), "tries": sum(sender.tries.values()),
        "answers": dict(sender.statuses), "tasks": running["worker"].text().count("succeeded in"), **mails,
        "seconds_until_answered": round(killed), "seconds": round(took),
    }  # fmt: skip


def prepare(*, slow: Member, silent: Member) -> None:
    """One person's mail server answers late, so that workers die with mails in their hands; another wants no mail."""
    with as_tenant(slow.tenant_id):
        User.objects.filter(pk=slow.user_id).update(email=f"slow-{slow.public_id}@example.com")
    with as_tenant(silent.tenant_id):
        wishes_set(member=silent, wishes={MilestoneReached.key: Wish(mail="OFF")}, at=datetime.now(UTC))


def busy(worker: Process, *, seconds: float = 8.0) -> None:
    """Waits a while until the worker has work in its hands: one that only starts has nothing to lose."""
    size, deadline = worker.log.stat().st_size, time.monotonic() + seconds
    while worker.log.stat().st_size < size + 15_000 and time.monotonic() < deadline:
        time.sleep(0.1)


def kill(victim: Process, *, child_only: bool) -> None:
    """kill -9 for all of it, and a new start; or for its newest child, which its parent replaces."""
    if not (child_only and victim.kill_child()):
        victim.kill()
        victim.start()


def answers(port: int) -> bool:
    """Whether the web is there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def unfinished(accounts: list[Account]) -> dict[str, int]:
    """Messages, rows and mails that have not come to an end; nothing when all have."""
    left: Counter[str] = Counter()
    for tenant_id in (OPERATOR_ID, *(account.pk for account in accounts)):
        with as_tenant(tenant_id):
            left["messages"] += InboundMessage.objects.exclude(state=MessageState.APPLIED).count()
            left["rows"] += OutboxRow.objects.exclude(state=RowState.DONE).count()
            left["mails"] += Delivery.objects.exclude(phase__in=ENDED).count()
    return {name: count for name, count in left.items() if count}


def come_to_an_end(accounts: list[Account], worker: Process, *, seconds: float) -> None:
    """Waits until nothing is unfinished; else says what is left, and the worker's last words."""

    def ended() -> bool:
        time.sleep(0.4)  # counting costs the workers time
        return not unfinished(accounts)

    try:
        wait_for(ended, seconds=seconds)
    except AssertionError:
        raise AssertionError(f"unfinished: {unfinished(accounts)}\n{worker.text()[-6000:]}") from None


# --- judgement ---


def judge_letters(sender: Sender, written: list[Letter], journeys: list[Journey]) -> None:
    """What was answered is stored and applied; every event of it is counted as what it was (I1, I2)."""
    assert set(sender.statuses) <= {200, 202, 204}, sender.statuses
    assert {letter.sha256 for letter, _ in sender.acked} == {letter.sha256 for letter in written}
    by_bytes = {letter.sha256: letter for letter in written}
    with as_tenant(OPERATOR_ID):
        stored = list(InboundMessage.objects.filter(source=sender.source).select_related("raw"))
        sums = InboundMessage.objects.filter(source=sender.source).aggregate(
            **{part: Sum(f"events_{part}") for part in ("received", "accepted", "duplicate", "quarantined")}
        )
        rows = Quarantined.objects.filter(source=sender.source).count()
    assert {found.state for found in stored} == {MessageState.APPLIED}
    assert {public_id for _, public_id in sender.acked if public_id} <= {found.public_id for found in stored}
    copies = Counter(found.raw.sha256 for found in stored)
    for sha256, letter in by_bytes.items():
        most = 1 if letter.key else sender.tries[sha256]
        assert 1 <= copies[sha256] <= most, "as often as it was sent, and once under one key"
    for found in stored:
        letter = by_bytes[found.raw.sha256]
        assert (found.events_received, found.events_quarantined) == (letter.events, letter.strangers)
    assert sums["accepted"] == sum(len(found.events) for found in journeys), "each event took effect once"
    assert sums["received"] == sums["accepted"] + sums["duplicate"] + sums["quarantined"]
    assert sums["quarantined"] == rows


def judge_milestones(sender: Sender, journeys: list[Journey]) -> None:
    """Each shipment has the sightings and milestones of its journey, no more and no less (G3)."""
    for found in journeys:
        with as_tenant(found.account.pk):
            rows = MilestoneRow.objects.filter(shipment=found.shipment, container="", act_at__isnull=False)
            assert dict(rows.values_list("milestone", "act_at")) == found.expected
            sightings = SightingRow.objects.filter(shipment=found.shipment, source=sender.source.key)
            assert sightings.count() == len(found.events)


def judge_mails(
    accounts: list[Account], journeys: list[Journey], sink: Sink, *, silent: Member, most_uncertain: int
) -> dict[str, int]:
    """Every member but the silent one is told every milestone once, or the mail is listed as uncertain (I3, I4)."""
    copies, ends = sink.by_message_id(), Counter({"sent": 0, "uncertain": 0, "suppressed": 0})
    for account in accounts:
        with as_tenant(account.pk):
            members = list(Member.objects.filter(is_active=True).values_list("pk", flat=True))
            deliveries = list(Delivery.objects.all())
        due = Counter(
            (member, f"{found.shipment.public_id}:{milestone}")
            for found in journeys if found.account is account
            for milestone in found.expected for member in members
        )  # fmt: skip
        told = Counter((d.member_id, fact_class(d.fact_key).read(d.fact).object_key) for d in deliveries)
        assert told == due, "lost, or due to nobody"
        for delivery in deliveries:
            assert copies[delivery.message_id] <= 1, "sent twice under one key"
            wanted = delivery.member_id != silent.pk
            assert delivery.phase in ((Phase.SENT, Phase.UNCERTAIN) if wanted else (Phase.SUPPRESSED,))
            assert delivery.phase != Phase.SENT or copies[delivery.message_id] == 1, "said to be sent, and is not there"
            ends[str(delivery.phase).lower()] += 1
    assert sum(copies.values()) <= ends["sent"] + ends["uncertain"]
    assert ends["uncertain"] <= most_uncertain
    return dict(ends)


def judge_by_commands(uncertain: int) -> None:
    """The operator's own commands say the same: no breach, and each uncertain mail is listed."""
    checked = subprocess.run([*PYTHON, "-m", "django", "check_invariants"], cwd=ROOT, capture_output=True, text=True,
                             check=False)  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    listed = subprocess.run([*PYTHON, "-m", "django", "outbox", "list", "--json"], cwd=ROOT, capture_output=True,
                            text=True, check=True)  # fmt: skip
    assert len([json.loads(line) for line in listed.stdout.splitlines()]) == uncertain


@pytest.mark.slow
@pytest.mark.req("O11", "O2", "G1", "G2", "I1", "I2", "I3", "I4", "W7")
def test_ten_kills_lose_nothing_and_send_nothing_twice(own_database: str, acme: Account, globex: Account) -> None:
    figures = story([acme, globex], kills=10, shipments=40, drain=120)
    print(json.dumps(figures))


@pytest.mark.nightly
@pytest.mark.req("O11")
def test_a_hundred_kills_lose_nothing_and_send_nothing_twice(own_database: str, acme: Account, globex: Account) -> None:
    figures = story([acme, globex], kills=100, shipments=400, drain=600)
    print(json.dumps(figures))
