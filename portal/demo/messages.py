"""The demo world's happenings as the messages that carriers, terminals and hauliers send: DCSA 2.2, EDIFACT, CSV.

Pure: what is told when stands in world.py, how it gets in, in seed.py.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from portal.demo import edi
from portal.demo.world import ZONES, Happening, ShipmentPlan, World

CALLBACKS: Final = frozenset({"maeu"})  # who pushes signed notifications; the others post to /ingest
BY_CSV: Final = frozenset({"haulier"})  # who sends rows instead of DCSA
BY_EDI: Final = frozenset({"ham-cta"})  # whose moves come as CODECO and COARRI
COLUMNS: Final = ("source_event_id", "container", "booking", "code", "classifier", "event_time", "source_created_at",
                  "place", "laden", "retracts")  # fmt: skip
_NAMESPACE: Final = uuid.UUID("18760000-0000-4000-8000-000000000000")
_TRANSPORT: Final = frozenset({"ARRI", "DEPA"})


@dataclass(frozen=True, slots=True)
class Batch:
    """One message on the wire, and the instant it comes in. `expected` is the answer of its door."""

    at: datetime
    source: str
    body: bytes
    events: int = 0
    content_type: str = "application/json"
    expected: int = 200
    signed_well: bool = True


def batches(world: World) -> list[Batch]:
    """Every message of the history in the order of arrival: once a day a source, hourly in the last week."""
    grouped: dict[tuple[str, str], list[tuple[datetime, list[dict[str, Any]]]]] = defaultdict(list)
    lately = world.today - timedelta(days=7)
    for plan in world.shipments:
        for number, happening in enumerate(plan.happenings):
            told = happening.told_at
            slot = f"{told:%Y-%m-%dT%H}" if told > lately else f"{told:%Y-%m-%d}"
            grouped[happening.source, slot].append((told, list(events_of(plan, number, happening))))
    made = [
        one
        for (source, _slot), parts in grouped.items()
        for one in sent(source, max(told for told, _events in parts), [e for _told, events in parts for e in events])
    ]
    return sorted([*made, *oddities(world)], key=lambda b: (b.at, b.source))


def sent(source: str, at: datetime, events: list[dict[str, Any]]) -> Iterator[Batch]:
    """What a source sends at an instant: moves as EDIFACT where it speaks that, the rest as it always does."""
    moves = [e for e in events if e.get("equipmentEventTypeCode") in edi.CODES and e["eventClassifierCode"] == "ACT"]
    if source in BY_EDI and moves:
        text = edi.interchange("HAMCTA", f"{at:%y%m%d%H%M}", at, moves)
        yield Batch(at, source, text, len(moves), content_type="application/edifact")
        events = [e for e in events if e not in moves]
    if events:
        yield batch(source, at, events)


def batch(source: str, at: datetime, events: Iterable[dict[str, Any]]) -> Batch:
    """A message of a source: a signed callback where it pushes, else a post, as JSON or as rows."""
    listed = list(events)
    if source in BY_CSV:
        return Batch(at, source, rows_csv(_row(e) for e in listed), len(listed), content_type="text/csv")
    body = json.dumps(listed, separators=(",", ":")).encode()
    return Batch(at, source, body, len(listed), expected=204 if source in CALLBACKS else 200)


def _row(event: dict[str, Any]) -> dict[str, str]:
    """The same event as a row of events.csv."""
    papers = event["documentReferences"]
    return {
        "source_event_id": event["eventID"], "container": str(event["equipmentReference"]),
        "booking": papers[0]["documentReferenceValue"] if papers else "", "code": event["equipmentEventTypeCode"],
        "classifier": event["eventClassifierCode"], "event_time": event["eventDateTime"],
        "source_created_at": event["eventCreatedDateTime"], "place": event["eventLocation"]["UNLocationCode"],
        "laden": event["emptyIndicatorCode"], "retracts": "",
    }  # fmt: skip


def rows_csv(rows: Iterable[dict[str, str]]) -> bytes:
    """A CSV message with header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def events_of(plan: ShipmentPlan, number: int, happening: Happening) -> Iterator[dict[str, Any]]:
    """One vessel call by its booking, or one event for each box."""
    if happening.code in _TRANSPORT:
        yield transport(plan, happening, f"{plan.ref}/{number}")
        return
    for box in plan.containers:
        yield equipment(plan, happening, f"{plan.ref}/{number}/{box}", box)


def event_id(mark: str) -> str:
    """The same mark, the same id."""
    return str(uuid.uuid5(_NAMESPACE, mark))


def local_text(instant: datetime, place: str) -> str:
    """As a terminal writes it: local time with its offset."""
    return instant.astimezone(ZoneInfo(ZONES[place])).isoformat(timespec="seconds")


def _common(plan: ShipmentPlan, told: Happening, mark: str, kind: str) -> dict[str, Any]:
    return {
        "eventID": event_id(f"{told.source}/{mark}"),
        "eventType": kind,
        "eventClassifierCode": told.classifier,
        "eventDateTime": local_text(told.at, told.place),
        "eventCreatedDateTime": told.told_at.isoformat(timespec="seconds"),
        "documentReferences": [{"documentReferenceType": "BKG", "documentReferenceValue": plan.booking}],
    }


def transport(plan: ShipmentPlan, told: Happening, mark: str) -> dict[str, Any]:
    """A TRANSPORT event: a vessel call."""
    return {
        **_common(plan, told, mark, "TRANSPORT"),
        "transportEventTypeCode": told.code,
        "transportCall": {
            "transportCallID": f"{plan.voyage}-{told.place}",
            "modeOfTransport": "VESSEL",
            "UNLocationCode": told.place,
            "exportVoyageNumber": plan.voyage,
            "vessel": {"vesselIMONumber": plan.lane.imo, "vesselName": plan.lane.vessel},
        },
    }


def equipment(plan: ShipmentPlan, told: Happening, mark: str, box: str) -> dict[str, Any]:
    """An EQUIPMENT event of one box."""
    return {
        **_common(plan, told, mark, "EQUIPMENT"),
        "equipmentEventTypeCode": told.code,
        "equipmentReference": box,
        "emptyIndicatorCode": "EMPTY" if told.laden is False else "LADEN",
        "eventLocation": {"UNLocationCode": told.place},
    }


# --- what goes wrong on the way ---


def oddities(world: World) -> Iterator[Batch]:
    """A correction, a withdrawal, events that must wait for a person, and two messages that are refused at the door."""
    yield from _corrected(world)
    yield from _retracted(world)
    yield from _quarantined(world)
    yesterday = world.today - timedelta(hours=26)
    yield Batch(yesterday, "ham-cta", b'[{"eventID": "cut-off", "eventType": "EQUIPM', expected=400)
    yield Batch(yesterday, "maeu", b"[]", expected=401, signed_well=False)


def _corrected(world: World) -> Iterator[Batch]:
    """A terminal reports a discharge, and the next morning the right time under the same id."""
    before = world.today - timedelta(days=3)
    for plan in reversed(world.shipments):
        for number, told in enumerate(plan.happenings):
            if told.code == "DISC" and told.told_at < before and told.source not in BY_EDI:
                right = Happening(told.told_at + timedelta(hours=19), told.source, told.code, told.classifier,
                                  told.at + timedelta(minutes=50), told.place, told.laden)  # fmt: skip
                yield batch(told.source, right.told_at, events_of(plan, number, right))
                return


def _retracted(world: World) -> Iterator[Batch]:
    """A driver confirms a delivery at the wrong door, and the haulier takes it back in the afternoon."""
    for plan in reversed(world.shipments):
        for told in plan.happenings:
            if told.code == "DROP" and told.classifier == "ACT" and told.told_at < world.today - timedelta(days=2):
                wrong_at = told.at - timedelta(hours=22)
                wrong = Happening(
                    wrong_at + timedelta(minutes=10), "haulier", "DROP", "ACT", wrong_at, told.place, True
                )
                event = equipment(plan, wrong, f"{plan.ref}/wrong-door", plan.containers[0])
                yield batch("haulier", wrong.told_at, [event])
                back = {"source_event_id": event_id(f"{plan.ref}/taken-back"), "retracts": event["eventID"]}
                later = wrong.told_at + timedelta(hours=5)
                back["source_created_at"] = later.isoformat(timespec="seconds")
                yield Batch(later, "haulier", rows_csv([back]), 1, content_type="text/csv")
                return


def _quarantined(world: World) -> Iterator[Batch]:
    """One event of each kind that the ops desk knows too well, among good ones of the same day."""
    at = world.today - timedelta(hours=20)
    plan = next(p for p in reversed(world.shipments) if p.happenings)
    told = plan.happenings[-1]

    def odd(mark: str, place: str, **changes: Any) -> dict[str, Any]:
        gate = Happening(at, "rtm-ect", "GTOT", "ACT", at - timedelta(hours=2), "NLRTM", True)
        made = equipment(plan, gate, f"odd/{mark}", plan.containers[0])
        made["eventLocation"] = {"UNLocationCode": place}
        return {**made, **changes}

    unknown_box = {"equipmentReference": "MSKU9999990", "documentReferences": []}
    yield batch("rtm-ect", at, [
        odd("code", "NLRTM", equipmentEventTypeCode="GATE"),
        odd("type", "NLRTM", equipmentReference=4711),
        odd("box", "NLRTM", **unknown_box),
    ])  # fmt: skip
    yield batch("haulier", at + timedelta(minutes=25), [
        odd("zone", "XXZZZ", eventDateTime=f"{told.at:%Y-%m-%dT%H:%M:%S}"),
        odd("future", "NLRTM", eventDateTime=local_text(at + timedelta(hours=3), "NLRTM"),
            equipmentEventTypeCode="PICK"),
    ])  # fmt: skip
