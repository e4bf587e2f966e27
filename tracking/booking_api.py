"""POST /ingest/<source>/shipments: the forwarder's own system tells of shipments, new ones and changes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from portal.lib.errors import NotFound
from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.replies import Reply, once
from tracking import bookings
from tracking.api import SourceDoor, Unparsable, body_of, is_json
from tracking.ingest import room_or_refuse
from tracking.models import Source
from tracking.services import Booked, NotForBookings, Outcome, bookings_take
from tracking.types import Unreadable


class BookingsDoor(SourceDoor):
    """A message of up to 1,000 shipments; the same message again changes nothing, so a sender may simply repeat it."""

    def post(self, request: HttpRequest, source: str) -> HttpResponse:
        """200 with what came of each; refused ones hinder no others. 400 when the message cannot be read at all."""
        room_or_refuse()
        found = Source.objects.filter(key=source, is_active=True).first()
        if found is None:
            raise NotFound
        if not found.books_shipments:
            raise NotForBookings
        body, content_type = body_of(request), request.headers.get("Content-Type", "")
        try:
            rows = bookings.of_json(body) if is_json(content_type) else bookings.of_csv(body)
        except Unreadable as error:
            raise Unparsable(detail=error.detail) from None
        own = () if found.tenant_id == OPERATOR_ID else (found.tenant_id,)

        def act() -> Reply:
            tenants = own or tuple(found.account_ids)
            booked = bookings_take(rows=rows, at=self.at, actor=f"source {found.key}", tenants=tenants)
            return Reply(200, msgspec.json.encode(booked_answer(booked)))

        reply = once(
            owner=self.known.public_id, call=f"POST {request.path}"[:300], body=body, at=self.at, act=act,
            key=request.headers.get("Idempotency-Key"),
        )  # fmt: skip
        answer = HttpResponse(reply.body, status=reply.status, content_type="application/json")
        if reply.again:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer


def booked_answer(booked: list[Booked]) -> dict[str, Any]:
    """Counts by outcome, then each row."""
    counts = Counter(row.outcome for row in booked)
    return {
        "received": len(booked), **{outcome.value: counts[outcome] for outcome in Outcome},
        "items": [row.plain() for row in booked],
    }  # fmt: skip
