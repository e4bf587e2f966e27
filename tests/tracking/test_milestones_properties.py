"""Order, repetition and later knowledge change nothing (P4, P7, P10, P11): 5,000 random histories each.

Histories are decoded from random bytes: quick to draw, and they shrink to short ones.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracking.sightings import at
from tracking.effective import Heard
from tracking.milestones import MilestoneFacts, ShipmentFacts, derive
from tracking.types import Classifier, FinalMilestone, Journey, Kind, Sighting

MANY = settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MOVES = [
    ("GTIN", True, "CNSHA"), ("LOAD", None, "CNSHA"), ("DEPA", None, "CNSHA"), ("DISC", None, "SGSIN"),
    ("ARRI", None, "NLRTM"), ("DISC", None, "NLRTM"), ("AVPU", None, "NLRTM"), ("GTOT", True, "NLRTM"),
    ("DROP", True, "NLUTC"), ("GTIN", False, "NLMOE"), ("HOLD", None, None), ("RELS", None, None),
    ("CUSS", None, "NLRTM"), ("CUSR", None, "NLRTM"), ("ARRI", None, "SGSIN"), ("LOAD", None, "SGSIN"),
]  # fmt: skip
SOURCES = ("terminal", "carrier", "aggregator")
CLASSES = (Classifier.ACT, Classifier.ACT, Classifier.EST, Classifier.PLN)
JOURNEYS = [
    Journey(
        final=final, pol="CNSHA", pod="NLRTM", final_place=place, transhipments=("SGSIN",), containers=boxes,
        sends_avpu=sends, customs_by_us=ours,
    )
    for final, place in ((FinalMilestone.DOOR, "NLUTC"), (FinalMilestone.CY, "NLRTM"), (FinalMilestone.CFS, "NLRTM"))
    for boxes in (("A",), ("A", "B"), ())
    for sends, ours in ((True, False), (False, True))
]  # fmt: skip
END = at(10_000)


def history(raw: bytes) -> list[Sighting]:
    """One stored row for every six bytes; source times are all different, so that nothing hangs on a tie."""
    rows: list[Sighting] = []
    for number in range(len(raw) // 6):
        what, who, key, hour, box, extra = raw[6 * number : 6 * number + 6]
        code, laden, place = MOVES[what % len(MOVES)]
        source = SOURCES[who % 3]
        retracts = f"k{key % 6}" if extra % 11 == 0 else None
        transport = code in ("DEPA", "ARRI")
        kind = Kind.TRANSPORT if transport else Kind.SHIPMENT if place is None else Kind.EQUIPMENT
        container = None if transport or box % 4 == 0 else "AB"[box % 2]
        cls = CLASSES[extra % 4]
        rows.append(
            Sighting(
                id=number + 1, source=source, source_kind=source,
                event_key=f"r{number}" if retracts else f"k{key % 6}" if key < 128 else f"u{number}",
                natural_key=f"{code}|{laden}|{place}|{container}|{cls}|{hour % 40}", code=code, kind=kind,
                classifier=cls, event_time=None if retracts else at(hour % 40),
                recorded_at=at(100 + number), source_created_at=at(50 + (7 * number) % 31 + number / 1000),
                container=container, place=place, laden=laden, retracts=retracts,
                document_type="TRD" if place is None else None, is_empty=extra % 13 == 5,
            )
        )  # fmt: skip
    return rows


def told(facts: ShipmentFacts) -> object:
    """What a reader sees, without row numbers and the times of recording."""
    return [
        (
            box.container,
            [
                (m.milestone, m.node, m.basis, m.conflict, *((h.time, h.source) if h else None for h in _times(m)))
                for m in box.milestones
            ],
            [(h.customs, h.start, h.end) for h in box.holds],
        )
        for box in facts.containers
    ]


def _times(facts: MilestoneFacts) -> tuple[Heard | None, ...]:
    return facts.act, facts.est, facts.pln


histories = st.binary(min_size=6, max_size=60)


@pytest.mark.req("P4", "R1.8", "X15")
@pytest.mark.slow
@MANY
@given(raw=histories, seed=st.integers(0, 2**16), which=st.integers(0, len(JOURNEYS) - 1))
def test_order_and_repetition_of_rows_change_nothing(raw: bytes, seed: int, which: int) -> None:
    rows, trip, dice = history(raw), JOURNEYS[which], random.Random(seed)
    shuffled = rows + [row for row in rows if dice.random() < 0.5]
    dice.shuffle(shuffled)
    assert derive(shuffled, trip, as_of=END) == derive(rows, trip, as_of=END)


@pytest.mark.req("P4", "X14", "X15")
@pytest.mark.slow
@MANY
@given(raw=histories, seed=st.integers(0, 2**16), which=st.integers(0, len(JOURNEYS) - 1))
def test_order_of_arrival_and_repeats_change_nothing(raw: bytes, seed: int, which: int) -> None:
    """The same messages recorded in another order, some told again later under a new id."""
    rows, trip, dice = history(raw), JOURNEYS[which], random.Random(seed)
    again = [
        replace(
            r, event_key=f"again{r.id}", source_created_at=(r.source_created_at or r.recorded_at) + timedelta(days=9)
        )
        for r in rows
        if dice.random() < 0.3 and r.retracts is None and not r.is_empty and _is_alone(r, rows)
    ]
    arrived = [*rows, *again]
    dice.shuffle(arrived)
    stored = [replace(r, id=500 + i, recorded_at=at(100 + i)) for i, r in enumerate(arrived)]
    assert told(derive(stored, trip, as_of=END)) == told(derive(rows, trip, as_of=END))


def _is_alone(row: Sighting, rows: list[Sighting]) -> bool:
    """Neither corrected nor retracted: telling it again under a new id then tells nothing new."""
    others = [r for r in rows if r.source == row.source and r is not row]
    return not any(r.event_key == row.event_key or r.retracts == row.event_key for r in others)


@pytest.mark.req("P10", "R1.8")
@pytest.mark.slow
@MANY
@given(raw=histories, cut=st.integers(99, 112), which=st.integers(0, len(JOURNEYS) - 1))
def test_what_was_known_then_is_the_same_whenever_it_is_asked(raw: bytes, cut: int, which: int) -> None:
    rows, trip = history(raw), JOURNEYS[which]
    then = [row for row in rows if row.recorded_at <= at(cut)]
    assert derive(rows, trip, as_of=at(cut)) == derive(then, trip, as_of=at(cut))


@pytest.mark.req("P11", "R1.4")
@pytest.mark.slow
@MANY
@given(raw=histories, pick=st.integers(0, 9), which=st.integers(0, len(JOURNEYS) - 1))
def test_a_retracted_event_might_as_well_never_have_been_sent(raw: bytes, pick: int, which: int) -> None:
    rows, trip = history(raw), JOURNEYS[which]
    target = rows[pick % len(rows)]
    without = [r for r in rows if (r.source, r.event_key) != (target.source, target.event_key) or r.retracts]
    retraction = replace(
        target, id=900, event_key="zz", retracts=target.event_key, event_time=None, recorded_at=at(900)
    )
    assert derive([*rows, retraction], trip, as_of=END) == derive(without, trip, as_of=END)
    assert derive([*rows, retraction], trip, as_of=at(899)) == derive(rows, trip, as_of=at(899))


@pytest.mark.req("P7")
@pytest.mark.slow
@MANY
@given(raw=histories, offset=st.integers(-12, 14), which=st.integers(0, len(JOURNEYS) - 1))
def test_the_offset_an_instant_is_written_with_changes_nothing(raw: bytes, offset: int, which: int) -> None:
    rows, trip, zone = history(raw), JOURNEYS[which], timezone(timedelta(hours=offset))
    moved = [
        replace(
            r,
            event_time=r.event_time and r.event_time.astimezone(zone),
            recorded_at=r.recorded_at.astimezone(zone),
        )
        for r in rows
    ]
    assert derive(moved, trip, as_of=END.astimezone(zone)) == derive(rows, trip, as_of=END)
