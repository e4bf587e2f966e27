"""Writes about places."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.db import transaction

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
