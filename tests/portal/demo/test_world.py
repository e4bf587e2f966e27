"""The plan of the demo world: the same every time, true to its story on every day of the year."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from portal.demo.messages import BY_CSV, batches
from portal.demo.world import ACCOUNTS, CREDIT_READY_DAYS, GRACE_DAYS, SHANGHAI_ROTTERDAM, World, world
from portal.lib.periods import Month, close_at
from tracking.identifiers import container_ok, imo_ok
from tracking.registry import adapter_for

DAYS = [datetime(2026, 3, 3, 8, tzinfo=UTC), datetime(2026, 11, 24, 18, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC),
        datetime(2027, 1, 6, 12, 30, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)]  # fmt: skip


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_the_same_day_tells_the_same_world(today: datetime) -> None:
    assert batches(world(today)) == batches(world(today))


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_nothing_is_told_before_it_happened_or_after_today(today: datetime) -> None:
    told = world(today)
    for plan in told.shipments:
        assert told.start < plan.booked_at < plan.confirmed_at <= today
        for heard in plan.happenings:
            assert plan.confirmed_at < heard.told_at <= today
            assert heard.classifier != "ACT" or heard.at <= heard.told_at
    assert all(told.start < b.at <= today for b in batches(told))


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_four_months_are_closed_and_one_breach_is_ready_for_its_credit(today: datetime) -> None:
    told = world(today)
    assert len(told.closed) == 4
    assert all(close_at(m, grace_days=GRACE_DAYS) < today for m in told.closed)
    assert told.breach in told.closed
    assert close_at(told.breach, grace_days=GRACE_DAYS) + timedelta(days=CREDIT_READY_DAYS) <= today
    assert (_on_time(told, told.breach), _due(told, told.breach)) == (21, 24)
    for month in set(told.closed) - {told.breach}:
        assert _on_time(told, month) == _due(told, month) == 24


def _of_month(told: World, month: Month) -> list[bool]:
    """Whether each shipment of Acme's Premium lane was delivered by the promised day, local."""
    plans = [p for p in told.shipments if p.account == "ACME" and p.lane is SHANGHAI_ROTTERDAM
             and Month.of(p.due_date) == month]  # fmt: skip
    drops = [[h.at for h in p.happenings if (h.code, h.classifier) == ("DROP", "ACT")] for p in plans]
    assert all(drops)
    return [max(at).date() <= p.due_date for p, at in zip(plans, drops, strict=True)]


def _on_time(told: World, month: Month) -> int:
    return sum(_of_month(told, month))


def _due(told: World, month: Month) -> int:
    return len(_of_month(told, month))


def test_it_is_small_enough_for_a_first_start_and_large_enough_for_a_story() -> None:
    told = world(DAYS[1])
    assert 300 <= len(told.shipments) <= 500
    assert Counter(p.account for p in told.shipments).keys() == {a.code for a in ACCOUNTS}
    assert len({p.ref for p in told.shipments}) == len(told.shipments)
    assert all(container_ok(box) for p in told.shipments for box in p.containers)
    assert all(imo_ok(p.lane.imo) for p in told.shipments)


def test_every_message_is_read_by_its_reader_and_the_odd_ones_are_odd() -> None:
    refused: Counter[str] = Counter()
    by_edi = 0
    for message in batches(world(DAYS[1])):
        if message.expected >= 400:
            continue
        parsed = adapter_for("auto", message.content_type).parse(message.body)
        by_edi += len(parsed.events) if parsed.envelopes else 0
        assert not any(envelope.faults or part.faults for envelope in parsed.envelopes for part in envelope.parts)
        refused.update(r.code for r in parsed.refusals)
        assert len(parsed.events) + len(parsed.refusals) == message.events
    assert refused == {"unknown_code": 1, "wrong_type": 1}
    assert by_edi > 100  # a terminal's moves come as CODECO and COARRI


def test_one_event_is_corrected_and_one_is_withdrawn() -> None:
    told = batches(world(DAYS[1]))
    ids = Counter(
        event["eventID"]
        for message in told
        if message.content_type == "application/json" and message.expected < 400
        for event in json.loads(message.body)
    )
    assert sum(n == 2 for n in ids.values()) >= 1
    rows = [row for m in told if m.source in BY_CSV for row in csv.DictReader(io.StringIO(m.body.decode()))]
    withdrawn = [row["retracts"] for row in rows if row["retracts"]]
    assert len(withdrawn) == 1
    assert withdrawn[0] in {row["source_event_id"] for row in rows}
