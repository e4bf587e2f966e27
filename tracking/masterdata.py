"""Codes that events and shipments bring along: usable at once, and queued for an admin to look at.

Writes rows of operator-wide tables only; what an admin says of them stands in services.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import models

from tracking.identifiers import imo_ok, locode_ok
from tracking.models import Carrier, Place, Terminal, Vessel
from tracking.types import CanonicalEvent

_known: set[tuple[str, str]] = set()  # (what, code) that this process saw in the tables; only spares look-ups


def codes_note(events: Sequence[CanonicalEvent], *, source: str, is_operators: bool, at: datetime) -> None:
    """Makes rows, for review, of places, terminals and vessels that nobody has told us of; in the caller's transaction.

    From an account's own source only what is written like a public code is taken: these tables hold nothing of any
    customer (R0.8). Costs no statement when all codes are known already.
    """
    fresh: dict[tuple[str, str], models.Model] = {}
    seen: dict[str, Any] = {"needs_review": True, "seen_at": at, "seen_from": source if is_operators else ""}
    for event in events:
        place, facility, imo = event.place, event.facility, event.vessel_imo
        if place and (is_operators or locode_ok(place)):
            if ("place", place) not in _known:
                country = place[:2] if locode_ok(place) else ""
                fresh["place", place] = Place(code=place[:16], name=place[:16], country=country, **seen)
            if facility and ("terminal", f"{place} {facility}") not in _known and (is_operators or len(facility) <= 6):
                fresh["terminal", f"{place} {facility}"] = Terminal(
                    place=place, code=facility, provider=event.facility_provider or "", **seen
                )
        if imo and ("vessel", imo) not in _known and len(imo) <= 8 and (is_operators or imo_ok(imo)):
            told = {**seen, "needs_review": not imo_ok(imo)}
            fresh["vessel", imo] = Vessel(imo=imo, name=(event.vessel or "")[:80], **told)
    _keep(fresh)


def carriers_note(codes: Iterable[str], *, at: datetime) -> None:
    """The same for carriers that shipments name."""
    _keep({("carrier", code): Carrier(code=code, needs_review=True, seen_at=at) for code in codes if code})


def _keep(fresh: dict[tuple[str, str], models.Model]) -> None:
    """Inserts what is in no table yet. A code counts as known once a table was seen to hold it, never when it was
    inserted: the transaction may still be rolled back.
    """
    unknown = {key: row for key, row in fresh.items() if key not in _known}
    if not unknown:
        return
    for what, stored in _stored(unknown).items():
        _known.update((what, code) for code in stored)
        rows = [row for (kind, code), row in sorted(unknown.items(), key=lambda item: item[0])
                if kind == what and code not in stored]  # fmt: skip
        if rows:  # in one order, so that two messages with the same new codes never wait for each other in a ring
            type(rows[0])._default_manager.bulk_create(rows, ignore_conflicts=True)


def _stored(unknown: dict[tuple[str, str], models.Model]) -> dict[str, set[str]]:
    """Of the codes looked for, those that the tables hold."""
    codes: dict[str, list[str]] = {}
    for what, code in unknown:
        codes.setdefault(what, []).append(code)
    found: dict[str, set[str]] = {}
    for what, wanted in codes.items():
        if what == "terminal":
            rows = Terminal.objects.filter(place__in={code.partition(" ")[0] for code in wanted})
            found[what] = {f"{place} {code}" for place, code in rows.values_list("place", "code")}
        else:
            model = {"place": Place, "carrier": Carrier, "vessel": Vessel}[what]
            found[what] = set(model._default_manager.filter(pk__in=wanted).values_list("pk", flat=True))
    return found
