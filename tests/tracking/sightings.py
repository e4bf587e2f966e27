"""Short ways to write sightings and journeys in tests of the pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tracking.types import Classifier, FinalMilestone, Journey, Kind, Sighting

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after 1 March 2026 00:00Z."""
    return START + timedelta(hours=hours)


def utc(text: str) -> datetime:
    """`2026-03-05T22:30` or with seconds, read as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sighting(number: int, code: str, hours: float, **given: Any) -> Sighting:
    """An actual of one container, told by a carrier an hour after it happened."""
    time = None if given.get("retracts") else at(hours)
    fields: dict[str, Any] = {
        "id": number,
        "source": "carrier",
        "source_kind": given.get("source", "carrier"),
        "event_key": f"e{number}",
        "natural_key": f"n{number}",
        "code": code,
        "kind": Kind.TRANSPORT if code in ("ARRI", "DEPA") else Kind.EQUIPMENT,
        "classifier": Classifier.ACT,
        "event_time": time,
        "recorded_at": at(hours + 1),
        "container": None if code in ("ARRI", "DEPA") else "MSKU1234565",
    }
    return Sighting(**{**fields, **given})


def journey(final: FinalMilestone = FinalMilestone.DOOR, **given: Any) -> Journey:
    """One box from Shanghai to a door in Utrecht through Rotterdam."""
    fields: dict[str, Any] = {
        "final": final,
        "pol": "CNSHA",
        "pod": "NLRTM",
        "final_place": {"DOOR": "NLUTC", "CY": "NLRTM", "CFS": "NLRTM"}[final],
        "containers": ("MSKU1234565",),
    }
    return Journey(**{**fields, **given})
