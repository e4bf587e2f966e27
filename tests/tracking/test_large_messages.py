"""A large message is stored and told as many small ones: same sightings, same state, same news, a little later."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from kpis import selectors
from portal.outbox.models import OutboxRow
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.concurrency.acts import KILLED, killed
from tests.concurrency.test_ingest_races import at_once, patiently
from tests.tracking.derived import derived, derived_anew
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tests.tracking.test_order_free import NOW, Journey, history, text
from tracking.backfill import history_apply
from tracking.derivation import stale
from tracking.ingest import store
from tracking.ingest.run import LARGE
from tracking.ingest.touched import touched_derive
from tracking.models import MilestoneRow, Quarantined, Shipment, SightingRow, Touched

pytestmark = [pytest.mark.walls, pytest.mark.req("G3", "P4")]
ROW = tuple(f.attname for f in SightingRow._meta.concrete_fields
            if f.attname not in ("id", "tenant_id", "shipment_id", "source", "message", "position"))  # fmt: skip


def seen(account: Any, ref: str) -> dict[str, Any]:
    """Everything a reader could tell two accounts apart by; sources are named alike."""
    names = {}
    with as_tenant(account.pk):
        rows = list(SightingRow.objects.filter(shipment__ref=ref).order_by("id"))
        for row in rows:
            names.setdefault(row.source, "")
        told = OutboxRow.objects.filter(name__startswith="tracking.milestone", payload__reference=ref)
        news = sorted((row.name, row.payload["milestone"]) for row in told if row.name == "tracking.milestone_reached")
    state, milestones = derived(account, ref)[ref]
    own_ids = {"natural_key", "event_key"}  # they hold the source's name
    values = sorted(tuple(str(getattr(row, name)) for name in ROW if name not in own_ids) for row in rows)
    plain = [tuple(names.get(v, v) if isinstance(v, str) else v for v in row) for row in milestones]
    return {"state": state, "rows": plain, "sightings": values, "news": news}


def drained(*accounts: Any) -> None:
    """The outbox's part."""
    for account in accounts:
        with as_tenant(account.pk):
            assert touched_derive(at=NOW, portions=100)
            assert not Touched.objects.exists()


def trips(account: Any, journeys: list[Journey]) -> None:
    """Registers shipments via Singapore."""
    for trip in journeys:
        shipment(account, ref=trip.ref, containers=trip.boxes, booking=trip.booking, voyage=trip.voyage,
                 transhipments=("SGSIN",))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("backfill", [False, True], ids=["live", "history"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.req("R1.1", "R1.2", "R1.3", "R1.4")
def test_one_large_message_gives_what_many_small_ones_give(acme, globex, seed: int, backfill: bool) -> None:
    dice = random.Random(seed)
    journeys = [Journey.of(dice) for _n in range(8)]
    told = [row for trip in journeys for _w, row in history(dice, trip, retract=True)]
    if backfill:
        told = [{**r, "recorded_at": r["source_created_at"]} for r in told]
    assert len(told) > 2 * LARGE
    mixed = told + [row for row in told if dice.random() < 0.2]
    dice.shuffle(mixed)
    for account, rows, size in ((acme, told, 20), (globex, mixed, len(mixed))):
        trips(account, journeys)
        line = source(tenant_id=account.pk, format="csv")
        for n in range(0, len(rows), size):
            part = text(rows[n : n + size])
            if backfill:
                with as_tenant(account.pk):
                    history_apply(source=line, body=part, at=NOW)
            else:
                take(line, part, at=NOW)
    with as_tenant(globex.pk):
        assert Touched.objects.exists()
    drained(globex)
    for trip in journeys:
        few, many = seen(acme, trip.ref), seen(globex, trip.ref)
        few_news, many_news = few.pop("news"), many.pop("news")
        assert set(many_news) <= set(few_news), "what was withdrawn in the same message is never told"
        assert versions(few.pop("sightings")) == versions(many.pop("sightings"))
        assert many == few
    assert derived(globex) == derived_anew(globex, at=NOW)
    if backfill:
        with as_tenant(globex.pk):
            assert not OutboxRow.objects.filter(name__startswith="tracking.milestone").exists()


def versions(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without the mark of a repeat: which of two ids for one happening came first is the order of arrival."""
    at = [n for n in ROW if n not in ("natural_key", "event_key")].index("is_repeat")
    return sorted(row[:at] + row[at + 1 :] for row in rows)


@pytest.mark.req("R1.2", "X14")
def test_a_repeat_under_another_id_is_marked_in_one_message_and_in_two(acme) -> None:
    s, line = shipment(acme), source()
    filler = [equipment("GTIN", box(), "2026-01-28T09:30:00+08:00") for _n in range(LARGE)]
    same = [equipment("GTIN", number_of(s), "2026-01-28T09:30:00+08:00", id=name) for name in ("a", "b", "c")]
    take(line, [*filler, *same[:2]], at=NOW)
    take(line, [*filler, same[2], same[0]], at=NOW)
    with as_tenant(acme.pk):
        assert list(SightingRow.objects.order_by("id").values_list("source_event_id", "is_repeat")) == [
            ("a", False), ("b", True), ("c", True),
        ]  # fmt: skip
        told = Touched.objects.filter(shipments=[s.pk]).count()
    assert told == 2
    with as_tenant(OPERATOR_ID):
        assert Quarantined.objects.filter(source=line, reason="no_matching_shipment").count() == 2 * LARGE


@pytest.mark.req("G6")
@pytest.mark.parametrize(
    "odd", ["back\\slash", "\\N", "\\.", "\x1e", "\x1f", "tab\there", "quote\"'", "ünïcode ✓", "{a,b}"]
)
def test_odd_text_is_stored_as_it_was_sent(acme, odd: str) -> None:
    s, line = shipment(acme), source()
    filler = [equipment("GTIN", number_of(s), f"2026-01-28T09:{n:02d}:00+08:00") for n in range(LARGE)]
    event = equipment("LOAD", number_of(s), "2026-01-29T09:30:00+08:00", id=odd, reason=f"x{odd}x", more={"y": [odd]})
    take(line, [*filler, event], at=NOW)
    with as_tenant(acme.pk):
        row = SightingRow.objects.get(code="LOAD")
    assert (row.source_event_id, row.reason) == (odd.strip(), f"x{odd}x".strip())
    assert row.payload["more"] == {"y": [odd]}
    assert row.facility == "" and row.event_time is not None


@pytest.mark.req("G1", "O1", "O3")
def test_the_outbox_derives_what_was_noted_and_tells_it_once(acme) -> None:
    line, made = source(), [shipment(acme) for _n in range(3)]
    events = [equipment("GTIN", number_of(s), f"2026-01-28T09:{n:02d}:00+08:00") for s in made for n in range(20)]
    take(line, events, at=NOW)
    with as_tenant(acme.pk):
        assert not MilestoneRow.objects.exists()
        assert stale(list(Shipment.objects.all()), at=NOW) == [], "what is noted is no difference"
    run_due(at=NOW + timedelta(seconds=1))
    run_due(at=NOW + timedelta(seconds=2))
    assert derived(acme) == derived_anew(acme, at=NOW)
    with as_tenant(acme.pk):
        assert not Touched.objects.exists()
        assert OutboxRow.objects.filter(name="tracking.milestone_reached").count() == 3
        assert OutboxRow.objects.get(name="tracking.derive_touched").state == "DONE"


def test_a_note_of_what_is_there_no_more_is_cleared_away(acme) -> None:
    s = shipment(acme)
    with as_tenant(acme.pk):
        Touched.objects.create(shipments=[s.pk, 2**40], is_quiet=False, noted_at=NOW)
    drained(acme)


@pytest.mark.req("R1.1")
def test_history_that_waits_is_not_told_by_the_live_message_that_overtakes_it(acme) -> None:
    s = shipment(acme)
    own, live = source(tenant_id=acme.pk, format="csv"), source()
    at = NOW - timedelta(hours=5)
    rows = [
        {"container": number_of(s), "code": "GTIN", "classifier": "ACT", "place": "CNSHA", "laden": "true",
         "event_time": f"{at - timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}", "recorded_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
         "source_event_id": secrets.token_hex(4)}
        for n in range(LARGE + 1)
    ]  # fmt: skip
    with as_tenant(acme.pk):
        history_apply(source=own, body=text(rows), at=NOW)
    take(live, [equipment("LOAD", number_of(s), f"{NOW - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}")], at=NOW)
    drained(acme)
    with as_tenant(acme.pk):
        told = OutboxRow.objects.filter(name="tracking.milestone_reached")
        assert [row.payload["milestone"] for row in told] == ["LOADED"]
        assert set(MilestoneRow.objects.filter(container="", act_at__isnull=False)
                   .values_list("milestone", flat=True)) == {"GATE_IN_FULL", "LOADED"}  # fmt: skip


@pytest.mark.req("M1")
def test_a_month_waits_for_what_is_noted(acme) -> None:
    with as_tenant(acme.pk), transaction.atomic():
        assert not selectors.ingest_is_behind(NOW)
        Touched.objects.create(shipments=[], noted_at=NOW - timedelta(hours=1))
        assert selectors.ingest_is_behind(NOW)
        assert not selectors.ingest_is_behind(NOW - timedelta(hours=2)), "what came later is no matter of this cut"


# --- how often the database is asked (B13) ---


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of the block, COPY among them; transactions and the scope's own setting are not counted."""
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield asked


def batch(accounts: list[Any], made: dict[int, list[Any]], events: int) -> list[dict[str, Any]]:
    """So many events about the accounts' shipments in turn."""
    numbers = [number_of(s) for a in accounts for s in made[a.pk]]
    return [
        equipment("GTIN", numbers[n % len(numbers)], f"2026-01-28T{n // 60 % 24:02d}:{n % 60:02d}:00+08:00")
        for n in range(events)
    ]


@pytest.mark.parametrize("tenants", [1, 2])
def test_a_batch_asks_as_often_whatever_its_size(acme, globex, tenants: int) -> None:
    accounts, line = [acme, globex][:tenants], source()
    made = {a.pk: [shipment(a) for _n in range(3)] for a in accounts}
    take(line, batch(accounts, made, 1), at=NOW)  # codes that were never seen are noted once
    counts = []
    for events in (60, 600):
        message = batch(accounts, made, events)
        for _again in range(2):  # and when all of it is known
            with counted() as asked:
                take(line, message, at=NOW)
            applying = asked[next(n for n, sql in enumerate(asked) if "FOR UPDATE OF" in sql) :]
            counts.append(len(applying))
    assert counts[0] == counts[2], "constant in the size of the batch"
    assert counts[1] == counts[3], "constant in the size of what is known"
    assert max(counts) + 1 <= 7 + 6 * tenants, "and the COPY, which is past Django"


# --- at the same moment, and dying ---


@pytest.mark.slow
@pytest.mark.req("G2")
def test_four_writers_of_large_messages_and_two_workers_agree_with_a_full_derivation(acme, globex) -> None:
    lines = [source(), source()]
    numbers = [number_of(shipment(a)) for a in (acme, globex) for _n in range(8)]
    pool = [
        equipment(code, number, f"2026-02-{day:02d}T08:{v:02d}:00Z", place=place, laden=laden,
                  id=f"{code}-{number}-{v}",
                  created=(datetime(2026, 2, day, 9, tzinfo=UTC) + timedelta(hours=v)).isoformat())
        for number in numbers
        for v in range(6)
        for day, (code, place, laden) in enumerate(
            (("GTIN", "CNSHA", True), ("LOAD", "CNSHA", True), ("DISC", "NLRTM", True), ("GTOT", "NLRTM", True)), 1)
    ]  # fmt: skip

    def writer(seed: int) -> None:
        events = random.Random(seed).sample(pool, len(pool))
        size = LARGE * 2 if seed % 2 else LARGE // 2
        for start in range(0, len(events), size):
            patiently(lines[seed % 2 if seed < 2 else 0], events[start : start + size])

    def worker() -> None:
        for account in (acme, globex) * 20:
            with as_tenant(account.pk):
                touched_derive(at=NOW, portions=3)

    at_once(*[lambda seed=seed: writer(seed) for seed in range(4)], worker, worker)
    drained(acme, globex)
    for account in (acme, globex):
        with as_tenant(account.pk):
            stored = SightingRow.objects.all()
            assert stored.filter(source=lines[0].key).count() == stored.filter(source=lines[1].key).count() == 8 * 24
            reached = OutboxRow.objects.filter(name="tracking.milestone_reached")
            told = reached.values_list("payload__shipment", "payload__milestone")
            assert len(told) == len(set(told)) == 8 * 5
        assert derived(account) == derived_anew(account, at=NOW)


@pytest.mark.slow
@pytest.mark.req("O11", "O3")
def test_a_worker_that_dies_with_noted_shipments_in_its_hands_loses_none(acme) -> None:
    line, made = source(), [shipment(acme) for _n in range(2)]
    take(line, [equipment("GTIN", number_of(s), f"2026-01-28T09:{n:02d}:00+08:00") for s in made for n in range(30)],
         at=NOW)  # fmt: skip
    with as_tenant(acme.pk):
        row = OutboxRow.objects.get(name="tracking.derive_touched")
    assert killed("run", "touched.before_commit", tenant=acme.pk, row=row.pk, at=NOW.isoformat()) == KILLED
    with as_tenant(acme.pk):
        assert Touched.objects.count() == 1
        assert not MilestoneRow.objects.exists()
        assert Shipment.objects.filter(milestone="").count() == 2
    run_due(at=NOW + timedelta(minutes=1))
    assert derived(acme) == derived_anew(acme, at=NOW)
    with as_tenant(acme.pk):
        assert OutboxRow.objects.filter(name="tracking.milestone_reached").count() == 2


def test_what_waits_is_forgotten_with_its_transaction(acme) -> None:
    """The waiting table belongs to the connection and outlives the transaction; its rows do not."""
    s, line = shipment(acme), source()
    events = [equipment("GTIN", number_of(s), f"2026-01-28T09:{n % 60:02d}:00+08:00") for n in range(LARGE + 5)]
    with transaction.atomic():
        take(line, events, at=NOW)
        transaction.set_rollback(True)
    take(line, events, at=NOW)
    with as_tenant(acme.pk):
        assert SightingRow.objects.count() == LARGE + 5
        name = store._statements()[0].split()[6]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {name}")
            assert cursor.fetchone() == (0,)
