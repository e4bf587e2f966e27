"""The standard's own schema of Track & Trace 2.2.0, kept in tests/golden/dcsa_outward with its licence."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

import fastjsonschema

from tests.tracking.outward import GOLDEN

DOCUMENT: dict[str, Any] = json.loads((GOLDEN / "schema.json").read_text())
_BY_TYPE = {"TRANSPORT": "transportEvent", "SHIPMENT": "shipmentEvent", "EQUIPMENT": "equipmentEvent"}


def _is_uuid(text: str) -> bool:
    return str(UUID(text)) == text


def _is_base64(text: str) -> bool:
    return bool(base64.b64decode(text, validate=True))


@cache
def _schema(name: str) -> Callable[[Any], Any]:
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#", "definitions": DOCUMENT["definitions"],
        "allOf": [{"$ref": f"#/definitions/{name}"}],
    }  # fmt: skip
    date_time = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z"
    formats = {
        "uuid": _is_uuid,
        "byte": _is_base64,
        "date-time": date_time,
        "$date-time": date_time,
    }  # a slip of theirs
    return fastjsonschema.compile(whole, formats=formats)


def check(name: str, value: Any) -> None:
    """Raises JsonSchemaException when the value does not fit."""
    _schema(name)(value)


def check_event(event: Any) -> None:
    """An event against the schema of its own type, and the one rule that the schema says in words only."""
    check(_BY_TYPE[event["eventType"]], event)
    if event["eventType"] == "SHIPMENT":
        assert event["eventDateTime"] == event["eventCreatedDateTime"]
