"""Messages at the same moment on several connections: one set of rows, no error, and what a full derivation gives."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction

from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.tracking.derived import derived, derived_anew
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tracking.ingest import message_process, message_receive
from tracking.models import MilestoneRow, RawBody, SightingRow

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
pytestmark = [pytest.mark.walls, pytest.mark.req("G2", "G3")]


def at_once(*works: Callable[[], None]) -> None:
    """Runs each in a thread with connections of its own; the first fault is raised here."""
    faults: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            start.wait(10)
            work()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if faults:
        raise faults[0]


def patiently(line: Any, events: list[dict[str, Any]]) -> Any:
    """As a sender and the outbox do: stored at once, applied again after a lock that took too long."""
    body = json.dumps(events).encode()
    with as_tenant(OPERATOR_ID):
        message = message_receive(source=line, body=body, channel="HTTP", at=NOW)
        for _n in range(20):
            try:
                return message_process(public_id=message.public_id, at=NOW)
            except OperationalError:
                continue
    raise AssertionError("never applied")


@pytest.mark.req("R1.2", "X14")
def test_the_same_message_on_four_connections_at_once_is_applied_once(acme) -> None:
    s, line = shipment(acme), source()
    events = [equipment(code, number_of(s), f"2026-02-0{n}T08:00:00Z") for n, code in enumerate(("GTIN", "LOAD"), 1)]
    messages: list[Any] = []
    at_once(*[lambda: messages.append(patiently(line, events)) for _n in range(4)])
    assert sorted((m.events_accepted, m.events_duplicate) for m in messages) == [(0, 2), (0, 2), (0, 2), (2, 0)]
    with as_tenant(acme.pk):
        assert SightingRow.objects.filter(shipment=s).count() == 2
    with as_tenant(OPERATOR_ID):
        assert RawBody.objects.filter(source=line).count() == 1
    assert derived(acme) == derived_anew(acme, at=NOW)


@pytest.mark.req("R1.3")
def test_a_correction_that_overtakes_its_original_still_finds_where_it_was(acme) -> None:
    """The original is applied and not yet committed when the correction, for another box, comes."""
    here, there, line = shipment(acme), shipment(acme), source()
    first = equipment("GTIN", number_of(here), "2026-02-01T08:00:00Z", id="e1", created="2026-02-01T09:00:00Z")
    second = {**first, "equipmentReference": number_of(there), "eventCreatedDateTime": "2026-02-01T10:00:00Z"}
    applied, corrected = threading.Event(), threading.Event()

    def original() -> None:
        with transaction.atomic():
            take(line, [first], at=NOW)
            applied.set()
            corrected.wait(1)  # it must wait for us, so this runs out

    def correction() -> None:
        applied.wait(10)
        patiently(line, [second])
        corrected.set()

    at_once(original, correction)
    with as_tenant(acme.pk):
        reached = MilestoneRow.objects.filter(container="", act_at__isnull=False)
        assert list(reached.values_list("shipment_id", "milestone")) == [(there.pk, "GATE_IN_FULL")]


@pytest.mark.req("P4")
@pytest.mark.slow
def test_four_writers_on_the_same_shipments_agree_with_a_full_derivation(acme, globex) -> None:
    lines = [source(), source()]
    numbers = [number_of(shipment(a, containers=(box(),))) for a in (acme, globex) for _n in range(8)]
    pool = [
        equipment(code, number, f"2026-02-{day:02d}T08:{n:02d}:00Z", place=place, laden=laden,
                  id=f"{code}-{laden}-{number}-{v}",
                  created=(datetime(2026, 2, day, 9, tzinfo=UTC) + timedelta(minutes=n, hours=v)).isoformat())
        for n, number in enumerate(numbers)
        for v in range(2)
        for day, (code, place, laden) in enumerate(
            (("GTIN", "CNSHA", True), ("LOAD", "CNSHA", True), ("DISC", "NLRTM", True), ("GTOT", "NLRTM", True),
             ("DROP", "NLRTM", True), ("GTIN", "NLRTM", False)), 1)
    ]  # fmt: skip

    def writer(seed: int) -> Callable[[], None]:
        def run() -> None:
            dice = random.Random(seed)
            events = dice.sample(pool, len(pool))
            for start in range(0, len(events), 24):
                patiently(lines[seed % 2], events[start : start + 24])

        return run

    at_once(*[writer(seed) for seed in range(4)])
    for account in (acme, globex):
        with as_tenant(account.pk):
            assert SightingRow.objects.count() == 8 * 12 * 2, "two sources, each event once"
        assert derived(account) == derived_anew(account, at=NOW)
