"""Through the database: any order, repetition and batching of the same events gives the same rows and the same news.

Two accounts hold the same shipment; one hears a source's events in their order, the other shuffled, doubled and cut up.
"""

from __future__ import annotations

import csv
import io
import random
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kpis.engine import judge
from kpis.selectors import config_now, fact_lines_of, population
from portal.lib.periods import Month
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from tests import cast
from tests.tracking.derived import derived, derived_anew
from tests.tracking.messages import box, shipment, source, take
from tracking.backfill import history_apply
from tracking.derivation import facts_of
from tracking.models import MilestoneRow, Shipment, SightingRow
from tracking.types import SourceKind

pytestmark = [pytest.mark.slow, pytest.mark.req("G3", "P4")]
MANY = settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIRST = datetime(2026, 2, 1, 6, tzinfo=UTC)
COLUMNS = ("source_event_id", "container", "booking", "kind", "code", "classifier", "event_time", "source_created_at",
           "recorded_at", "place", "laden", "vessel_imo", "voyage", "retracts")  # fmt: skip
# (code, classifier, place, laden, whether it speaks of the vessel)
HAPPENINGS = (
    ("ARRI", "PLN", "NLRTM", "", True), ("GTIN", "ACT", "CNSHA", "true", False), ("LOAD", "ACT", "CNSHA", "", False),
    ("DEPA", "ACT", "CNSHA", "", True), ("DISC", "ACT", "SGSIN", "", False), ("LOAD", "ACT", "SGSIN", "", False),
    ("ARRI", "EST", "NLRTM", "", True), ("ARRI", "ACT", "NLRTM", "", True), ("DISC", "ACT", "NLRTM", "", False),
    ("AVPU", "ACT", "NLRTM", "", False), ("GTOT", "ACT", "NLRTM", "true", False),
    ("DROP", "EST", "NLRTM", "true", False), ("DROP", "ACT", "NLRTM", "true", False),
    ("GTIN", "ACT", "NLRTM", "false", False),
)  # fmt: skip

Told = tuple[int, dict[str, str]]  # which of the two sources, the row


@dataclass(frozen=True)
class Journey:
    """A shipment that nobody else has: what two listeners register alike."""

    ref: str
    boxes: tuple[str, ...]
    booking: str
    voyage: str

    @classmethod
    def of(cls, dice: random.Random) -> Journey:
        """With one or two boxes."""
        mark = secrets.token_hex(5).upper()
        return cls(f"R{mark}", tuple(box() for _b in range(dice.randrange(1, 3))), f"BK{mark}", f"V{mark}")


def history(dice: random.Random, trip: Journey, *, retract: bool) -> list[Told]:
    """What two sources tell of the journey, in the order they wrote it: parts, corrections, repeats, withdrawals."""
    told: list[Told] = []
    written = FIRST
    for n, (code, cls, place, laden, by_vessel) in enumerate(HAPPENINGS):
        for number in [""] if by_vessel else trip.boxes:
            for which in (0, 1):
                if dice.random() < (0.25 if which == 0 else 0.6):
                    continue
                written += timedelta(minutes=dice.randrange(5, 600))
                at = FIRST + timedelta(days=3 * n, minutes=dice.randrange(300))
                key = f"{trip.ref}-{code}{n}-{number}-{which}" if dice.random() < 0.9 else ""
                row = {
                    "source_event_id": key, "container": number, "booking": trip.booking,
                    "kind": "TRANSPORT" if by_vessel else "EQUIPMENT", "code": code, "classifier": cls,
                    "event_time": f"{at:%Y-%m-%dT%H:%M:00Z}", "source_created_at": f"{written:%Y-%m-%dT%H:%M:00Z}",
                    "place": place, "laden": laden, "vessel_imo": "9321483" if by_vessel else "",
                    "voyage": trip.voyage if by_vessel else "",
                }  # fmt: skip
                told.append((which, row))
                told += [(which, again) for again in _more(dice, row, written, retract=retract)]
    return told


def _more(dice: random.Random, row: dict[str, str], written: datetime, *, retract: bool) -> list[dict[str, str]]:
    """Now and then: corrected, told again under another id, or withdrawn."""
    later, chance = f"{written + timedelta(hours=3):%Y-%m-%dT%H:%M:00Z}", dice.random()
    if chance < 0.12 and row["source_event_id"]:
        moved = datetime.fromisoformat(row["event_time"]) - timedelta(minutes=dice.randrange(1, 200))
        return [{**row, "event_time": f"{moved:%Y-%m-%dT%H:%M:00Z}", "source_created_at": later}]
    if chance < 0.2:
        return [{**row, "source_event_id": f"again-{row['source_event_id']}-{row['code']}-{row['container']}",
                 "source_created_at": later}]  # fmt: skip
    if chance < 0.3 and retract and row["source_event_id"]:
        return [{"source_event_id": f"no-{row['source_event_id']}", "booking": row["booking"], "classifier": "ACT",
                 "source_created_at": later, "retracts": row["source_event_id"]}]  # fmt: skip
    return []


def text(rows: list[dict[str, str]]) -> bytes:
    """Rows as a CSV message."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


CHANNELS = ("FILE", "HTTP", "CALLBACK", "POLL", "INBOX")


class Listener:
    """An account with two sources of its own; the same one for every example."""

    def __init__(self, name: str) -> None:
        self.account = cast.account(name)
        kinds = (SourceKind.CARRIER, SourceKind.TERMINAL)
        self.sources = [source(kind, tenant_id=self.account.pk, format="csv") for kind in kinds]

    def register(self, trip: Journey) -> None:
        """The shipment, via Singapore."""
        shipment(self.account, ref=trip.ref, containers=trip.boxes, booking=trip.booking, voyage=trip.voyage,
                 transhipments=("SGSIN",))  # fmt: skip

    def hear(self, which: int, rows: list[dict[str, str]], *, backfill: bool, channel: str = "FILE") -> None:
        """One message of one source, by one of its doors."""
        if not backfill:
            take(self.sources[which], text(rows), at=NOW, channel=channel)
            return
        with as_tenant(self.account.pk):
            history_apply(source=self.sources[which], body=text(rows), at=NOW)

    def seen(self, trip: Journey) -> dict[str, Any]:
        """Everything that a reader could tell two listeners apart by, sources named by their place."""
        names = {s.key: str(n) for n, s in enumerate(self.sources)}
        state, rows = derived(self.account, trip.ref)[trip.ref]
        with as_tenant(self.account.pk):
            stored = list(SightingRow.objects.filter(shipment__ref=trip.ref))
            sightings = {
                (names[s.source], s.source_event_id, s.payload_hash, s.event_time, s.classifier, s.recorded_at)
                for s in stored
            }
            assert len(sightings) == len(stored), "one row a version"
            told = OutboxRow.objects.filter(name="tracking.milestone_reached", payload__reference=trip.ref)
            news = {row.payload["milestone"] for row in told}
        plain = [tuple(names.get(v, v) if isinstance(v, str) else v for v in row) for row in rows]
        return {"state": state, "rows": plain, "sightings": sightings, "news": news, "kpis": self.kpi_inputs(trip)}

    def kpi_inputs(self, trip: Journey) -> list[Any]:
        """The line that the month's fact file would hold of the shipment."""
        with as_tenant(self.account.pk):
            ship = Shipment.objects.get(ref=trip.ref)
            units = population(Month.parse(ship.due_period), as_of=NOW, known_at=NOW)
            facts = facts_of([ship], as_of=NOW)[ship.pk]
            judged = [judge(u, facts, close_at=NOW, config=config_now()) for u in units if u.shipment_id == ship.pk]
            assert len(judged) == 1
            return list(fact_lines_of(judged))


@cache
def listeners() -> tuple[Listener, Listener]:
    """Both, made once."""
    return Listener("STRAIGHT"), Listener("SHUFFLED")


def compare(seed: int, *, backfill: bool, retract: bool) -> None:
    """Tells both listeners the same, one in order, the other in a random one."""
    dice = random.Random(seed)
    trip = Journey.of(dice)
    told = history(dice, trip, retract=retract)
    if backfill:
        told = [(w, {**r, "recorded_at": r["source_created_at"]}) for w, r in told]
    straight, shuffled = listeners()
    straight.register(trip)
    shuffled.register(trip)
    for which in (0, 1):
        if rows := [row for w, row in told if w == which]:
            straight.hear(which, rows, backfill=backfill)
    mixed = told + [entry for entry in told if dice.random() < 0.3]
    dice.shuffle(mixed)
    while mixed:
        size = dice.choice((1, 2, 5, 12, 20))
        part, mixed = mixed[:size], mixed[size:]
        for which in dice.sample((0, 1), 2):
            if rows := [row for w, row in part if w == which]:
                shuffled.hear(which, rows, backfill=backfill, channel=dice.choice(CHANNELS))
    expected, found = straight.seen(trip), shuffled.seen(trip)
    if retract:  # what was told before it was withdrawn stays told: news cannot be unsent
        assert expected.pop("news") <= found.pop("news")
    assert found == expected
    for listener in (straight, shuffled):
        assert derived(listener.account, trip.ref) == derived_anew(listener.account, trip.ref, at=NOW)


@pytest.mark.req("X14", "X15")
@MANY
@example(seed=366625)  # two boxes discharged at one instant, told by two sources
@given(seed=st.integers(0, 2**20))
def test_order_repetition_and_batching_change_neither_rows_nor_news(seed: int) -> None:
    compare(seed, backfill=False, retract=False)


@pytest.mark.walls
@pytest.mark.req("R1.4", "P11")
@settings(MANY, max_examples=25)
@example(seed=412)  # two boxes back at one instant, told by different sources
@given(seed=st.integers(0, 2**20))
def test_withdrawals_may_come_before_what_they_withdraw(seed: int) -> None:
    compare(seed, backfill=False, retract=True)


@pytest.mark.req("R1.1")
@settings(MANY, max_examples=25)
@given(seed=st.integers(0, 2**20))
def test_history_in_any_order_and_batches_gives_what_row_by_row_gives(seed: int) -> None:
    compare(seed, backfill=True, retract=True)


def test_the_histories_are_worth_telling() -> None:
    """The generator really makes corrections, repeats, withdrawals and milestones."""
    dice, listener = random.Random(7), listeners()[0]
    refs = []
    for _n in range(5):
        trip = Journey.of(dice)
        refs.append(trip.ref)
        listener.register(trip)
        told = history(dice, trip, retract=True)
        for which in (0, 1):
            listener.hear(which, [row for w, row in told if w == which], backfill=False)
    with as_tenant(listener.account.pk):
        stored = SightingRow.objects.filter(shipment__ref__in=refs)
        assert stored.exclude(retracts="").exists()
        assert stored.filter(is_repeat=True).exists()
        assert stored.count() > stored.values("source", "event_key").distinct().count(), "corrections"
        reached = MilestoneRow.objects.filter(shipment__ref__in=refs, container="", act_at__isnull=False)
        assert reached.values("milestone").distinct().count() > 6
