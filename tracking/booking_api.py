"""POST /ingest/<source>/shipments: the forwarder's own system tells of shipments, new ones and changes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from portal.lib.errors import NotFound
from portal.tenancy.context import OPERATOR_ID
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
        booked = bookings_take(
            rows=rows, at=self.at, actor=f"source {found.key}", tenants=own or tuple(found.account_ids)
        )
        return JsonResponse(booked_answer(booked))


def booked_answer(booked: list[Booked]) -> dict[str, Any]:
    """Counts by outcome, then each row."""
    counts = Counter(row.outcome for row in booked)
    return {
        "received": len(booked), **{outcome.value: counts[outcome] for outcome in Outcome},
        "items": [row.plain() for row in booked],
    }  # fmt: skip
