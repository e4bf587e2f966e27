"""Writes about places."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.db import transaction

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.services import audit
from tracking.models import Place

_DATA: Final = Path(__file__).resolve().parents[1] / "data"


@transaction.atomic
def places_load() -> int:
    """Loads the places that ship with the product; places that exist are left as they are. Returns how many."""
    with (_DATA / "places.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            Place(
                code=row["code"], name=row["name"], country=row["country"], zone=row["zone"],
                lat=Decimal(row["lat"]) if row["lat"] else None, lon=Decimal(row["lon"]) if row["lon"] else None,
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip
    return len(Place.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000))


@transaction.atomic
def place_zone_set(*, code: str, zone: str, at: datetime, actor: str) -> Place:
    """Gives a place its time zone, from now on and for all; a place that was only seen on an event is made."""
    place, _made = Place.objects.get_or_create(code=code, defaults={"name": "", "needs_review": True})
    before, place.zone = place.zone, zone
    place.save(update_fields=["zone"])
    with as_tenant(OPERATOR_ID):
        audit(action="place.zone_set", actor=actor, at=at, object_type="place", object_id=code,
              details={"zone": zone, "before": before})  # fmt: skip
    return place
