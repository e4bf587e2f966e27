"""Writes about master data: what ships with the product, and an admin's word on each code."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.tenancy.services import audit
from tracking.models import Carrier, Place, PlaceSetting, Terminal, Vessel
from tracking.partners import AVPU
from tracking.services.rederivation import rederivation_ask
from tracking.timing import zone_or_none

_DATA: Final = Path(__file__).resolve().parents[1] / "data"


class UnknownZone(PortalError):
    """A place can only be given a zone that exists."""

    code, status = "unknown_zone", 422
    message = _("There is no time zone %(zone)s; write it as in Europe/Amsterdam.")


class UnknownAliasTarget(PortalError):
    """A code can be another name only of a place that is known."""

    code, status = "unknown_alias_target", 422
    message = _("There is no place %(place)s that %(code)s could be another code of.")


class AliasOfAlias(PortalError):
    """Aliases do not chain."""

    code, status = "alias_of_alias", 422
    message = _("%(place)s is itself another code of %(target)s; name that one.")


@transaction.atomic
def places_load() -> int:
    """Loads the places, terminals and carriers that ship with the product; what exists is left as it is.

    Returns how many places the file holds.
    """
    places = [
        Place(
            code=row["code"], name=row["name"], country=row["country"], zone=row["zone"],
            lat=Decimal(row["lat"]) if row["lat"] else None, lon=Decimal(row["lon"]) if row["lon"] else None,
        )
        for row in _rows("places.csv")
    ]  # fmt: skip
    by_code = {p.code: p for p in places}
    for row in _rows("aliases.csv"):
        target = by_code[row["place"]]
        alias = by_code.get(row["alias"])
        if alias is None:
            alias = Place(code=row["alias"], name=target.name, country=target.country, zone=target.zone,
                          lat=target.lat, lon=target.lon)  # fmt: skip
            places.append(alias)
        alias.alias_of = target.code
    made = Place.objects.bulk_create(places, ignore_conflicts=True, batch_size=1_000)
    Terminal.objects.bulk_create(
        [Terminal(**row) for row in _rows("terminals.csv")], ignore_conflicts=True, batch_size=1_000
    )
    Carrier.objects.bulk_create(
        [Carrier(code=r["scac"], name=r["name"], smdg=r["smdg"]) for r in _rows("carriers.csv")], ignore_conflicts=True
    )
    return len(made)


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            row.pop("note", None)
            yield row


# --- an admin's word ---


@transaction.atomic
def place_set(
    *, code: str, name: str, country: str, zone: str, lat: Decimal | None, lon: Decimal | None, sends_avpu: bool,
    alias_of: str, at: datetime, actor: str,
) -> Place:  # fmt: skip
    """Adds or changes a place, or accepts one that events brought along. Raises UnknownZone, UnknownAliasTarget.

    Events that were read before stay as they were; what waits for a zone is read anew by a replay.
    """
    if zone and zone_or_none(zone) is None:
        raise UnknownZone(zone=zone)
    if alias_of:
        target = Place.objects.filter(code=alias_of).first()
        if target is None or alias_of == code:
            raise UnknownAliasTarget(place=alias_of, code=code)
        if target.alias_of:
            raise AliasOfAlias(place=alias_of, target=target.alias_of)
        zone = zone or target.zone
    said = Place.objects.filter(code=code).values_list("sends_avpu", flat=True).first() or False
    place, _made = Place.objects.update_or_create(
        code=code,
        defaults={
            "name": name or code, "country": country, "zone": zone, "lat": lat, "lon": lon, "sends_avpu": sends_avpu,
            "alias_of": alias_of, "needs_review": False,
        },
    )  # fmt: skip
    audit(action="place.set", actor=actor, at=at, object_type="place", object_id=code,
          details={"zone": zone, "alias_of": alias_of, "sends_avpu": sends_avpu})  # fmt: skip
    if sends_avpu != said:
        PlaceSetting.objects.create(place=code, name=AVPU, value=sends_avpu, recorded_at=at, recorded_by=actor)
        rederivation_ask(at=at, place=code)
    return place


@transaction.atomic
def terminal_set(*, place: str, code: str, name: str, provider: str, at: datetime, actor: str) -> Terminal:
    """Adds, names or accepts a terminal."""
    terminal, _made = Terminal.objects.update_or_create(
        place=place, code=code, defaults={"name": name, "provider": provider, "needs_review": False}
    )
    audit(action="terminal.set", actor=actor, at=at, object_type="terminal", object_id=f"{place} {code}")
    return terminal


@transaction.atomic
def carrier_set(*, code: str, name: str, smdg: str, at: datetime, actor: str) -> Carrier:
    """Adds, names or accepts a carrier."""
    carrier, _made = Carrier.objects.update_or_create(
        code=code, defaults={"name": name, "smdg": smdg, "needs_review": False}
    )
    audit(action="carrier.set", actor=actor, at=at, object_type="carrier", object_id=code)
    return carrier


@transaction.atomic
def vessel_set(*, imo: str, name: str, call_sign: str, at: datetime, actor: str) -> Vessel:
    """Adds, names or accepts a vessel."""
    vessel, _made = Vessel.objects.update_or_create(
        imo=imo, defaults={"name": name, "call_sign": call_sign, "needs_review": False}
    )
    audit(action="vessel.set", actor=actor, at=at, object_type="vessel", object_id=imo)
    return vessel
