"""The canonical event as JSON and back, for waiting rows, and as the line that `canonical` prints.

Instants are ISO 8601 in UTC; absent values are null. Nothing is looked up: zones and messages come as arguments.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from msgspec import structs

from tracking.milestones import bind
from tracking.timing import timed
from tracking.types import CanonicalEvent, Classifier, FinalMilestone, Journey, Kind, Precision, Refusal, Sighting

_INSTANTS: Final = ("time", "source_created_at", "recorded_at")
_TUPLES: Final = ("equipment", "warnings")


def event_to_json(event: CanonicalEvent) -> dict[str, Any]:
    """Plain JSON values by field name."""
    data = structs.asdict(event)
    for name in _INSTANTS:
        data[name] = data[name].isoformat() if data[name] is not None else None
    data["warnings"] = [str(w) for w in event.warnings]
    return data


def event_from_json(data: dict[str, Any]) -> CanonicalEvent:
    """The event back from its plain form."""
    values = dict(data)
    for name in _INSTANTS:
        values[name] = datetime.fromisoformat(values[name]) if values.get(name) else None
    for name in _TUPLES:
        values[name] = tuple(values.get(name) or ())
    values["references"] = tuple((kind, value) for kind, value in values.get("references") or ())
    values["kind"], values["classifier"] = Kind(values["kind"]), Classifier(values["classifier"])
    values["precision"] = Precision(values["precision"])
    return CanonicalEvent(**values)


_NO_LIMIT: Final = datetime(9000, 1, 1, tzinfo=UTC)  # printing judges no plausibility, so no clock is asked


def event_line(event: CanonicalEvent, *, message: str, place_zone: str | None) -> dict[str, Any]:
    """What `canonical` prints of an event (design 4.2): its fields by name, as read.

    A time without offset is read in the zone of its place when that is given (R1.6); else `time` is null and the
    warnings say so. What ingest would hold back for its time is printed here, with the reason among the warnings.
    """
    found = timed(event, place_zone=place_zone, recorded_at=_NO_LIMIT)
    warnings = [str(w) for w in found.event.warnings]
    if found.refused is not None:
        warnings.append(str(found.refused))
    return {
        "message": message, "position": event.position, "kind": str(event.kind), "code": event.code,
        "classifier": str(event.classifier), "container": event.container, "container_ok": event.container_ok,
        "laden": event.laden, "place": event.place, "facility": event.facility, "place_role": event.place_role,
        "local": event.local, "zone": found.zone or None, "time": _utc(found.at), "booking": event.booking,
        "bill_of_lading": event.bill_of_lading, "voyage": event.voyage, "vessel": event.vessel,
        "vessel_imo": event.vessel_imo, "pol": event.pol, "pod": event.pod, "source_event_id": event.source_event_id,
        "source_created_at": _utc(event.source_created_at), "milestone": milestone_of(event),
        "warnings": list(dict.fromkeys(warnings)),
    }  # fmt: skip


def refusal_line(refusal: Refusal) -> dict[str, Any]:
    """What `canonical` prints of a refusal."""
    return {"refused": str(refusal.code), "position": refusal.position, "detail": refusal.detail}


def milestone_of(event: CanonicalEvent) -> str | None:
    """The milestone that the event speaks of by what its own message says of the journey; None when that is too little.

    Its classifier is not asked: an estimate of an arrival speaks of the arrival.
    """
    if event.retracts is not None:
        return None
    journey = Journey(final=FinalMilestone.CY, pol=event.pol, pod=event.pod)
    sighting = Sighting(
        id=0, source="", source_kind="", event_key="", natural_key="", code=event.code, kind=event.kind,
        classifier=event.classifier, event_time=event.time, recorded_at=_NO_LIMIT, container=event.container,
        place=event.place, facility=event.facility, place_role=event.place_role, laden=event.laden,
        is_transshipment=event.is_transshipment, mode=event.mode, voyage=event.voyage, vessel_imo=event.vessel_imo,
        document_type=event.document_type,
    )  # fmt: skip
    bound = bind(sighting, journey)
    return str(bound[0]) if bound else None


def _utc(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
