"""Shipments and DCSA messages for tests: real wire format, small and readable."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests import cast
from tests.cast import START
from tracking.ingest import message_process, message_receive
from tracking.models import InboundMessage, Shipment, Source
from tracking.services import ShipmentSpec, shipment_register, source_create
from tracking.types import FinalMilestone, SourceKind


def source(kind: SourceKind = SourceKind.CARRIER, *, tenant_id: int = OPERATOR_ID, **more: Any) -> Source:
    """A fresh source with a random key."""
    cast.operator()
    with as_tenant(tenant_id):
        return source_create(key=f"src-{secrets.token_hex(5)}", name="Test line", kind=kind, at=START, **more)


# one after another: by chance two of thousands would be alike, and one would hear of the other
_serials = count(secrets.randbelow(10**6))


def box(number: int | None = None) -> str:
    """A container number with a right check digit; without a number one that this database has not seen."""
    from tracking.identifiers import container_ok

    text = f"MSKU{next(_serials) % 10**6 if number is None else number:06d}"
    return next(f"{text}{d}" for d in range(10) if container_ok(f"{text}{d}"))


def shipment(account: cast.Account, **more: Any) -> Shipment:
    """A door shipment Shanghai to Rotterdam with one box, due 20 March 2026."""
    mark = secrets.token_hex(4).upper()
    values: dict[str, Any] = {
        "ref": f"S-{mark}", "final_milestone": FinalMilestone.DOOR, "pol": "CNSHA", "pod": "NLRTM",
        "final_place": "NLRTM", "due_date": date(2026, 3, 20), "booked_at": datetime(2026, 1, 10, tzinfo=UTC),
        "confirmed_at": datetime(2026, 1, 11, tzinfo=UTC), "containers": (box(),), "booking": f"BKG{mark}",
        "carrier": "MAEU", "voyage": "601W", "vessel_imo": "9321483",
    }  # fmt: skip
    values.update(more)
    with as_tenant(account.pk):
        return shipment_register(spec=ShipmentSpec(**values), at=START)


def number_of(shipment: Shipment) -> str:
    """Its first container."""
    with as_tenant(shipment.tenant_id):
        return str(shipment.containers.order_by("number").values_list("number", flat=True)[0])


def equipment(code: str, container: str, at: str, *, place: str = "CNSHA", cls: str = "ACT", laden: bool = True,
              **more: Any) -> dict[str, Any]:  # fmt: skip
    """An EQUIPMENT event."""
    return {
        "eventID": more.pop("id", secrets.token_hex(8)), "eventType": "EQUIPMENT", "eventClassifierCode": cls,
        "eventDateTime": at, "eventCreatedDateTime": more.pop("created", at), "equipmentEventTypeCode": code,
        "equipmentReference": container, "emptyIndicatorCode": "LADEN" if laden else "EMPTY",
        "eventLocation": {"UNLocationCode": place}, **more,
    }  # fmt: skip


def vessel(code: str, booking: str, at: str, *, place: str, cls: str = "ACT", **more: Any) -> dict[str, Any]:
    """A TRANSPORT event that names a booking."""
    return {
        "eventID": more.pop("id", secrets.token_hex(8)), "eventType": "TRANSPORT", "eventClassifierCode": cls,
        "eventDateTime": at, "eventCreatedDateTime": more.pop("created", at), "transportEventTypeCode": code,
        "transportCall": {
            "transportCallID": "call-1", "modeOfTransport": "VESSEL", "UNLocationCode": place,
            "exportVoyageNumber": "601W", "vessel": {"vesselIMONumber": "9321483"},
        },
        "documentReferences": [{"documentReferenceType": "BKG", "documentReferenceValue": booking}], **more,
    }  # fmt: skip


def take(source: Source, events: Any, *, at: datetime, channel: str = "FILE") -> InboundMessage:
    """Receives and applies one message at an instant."""
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    with as_tenant(source.tenant_id):
        message = message_receive(source=source, body=body, channel=channel, at=at)
        return message_process(public_id=message.public_id, at=at)
