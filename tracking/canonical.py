"""The canonical event as JSON and back, for waiting rows and for printing.

Instants are ISO 8601 in UTC; absent values are null.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from tracking.types import CanonicalEvent, Classifier, Kind, Precision

_INSTANTS: Final = ("time", "source_created_at", "recorded_at")
_TUPLES: Final = ("equipment", "warnings")


def event_to_json(event: CanonicalEvent) -> dict[str, Any]:
    """Plain JSON values by field name."""
    data = asdict(event)
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
