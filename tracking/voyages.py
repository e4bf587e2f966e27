"""Boxes that miss the ship they were booked on, and ships that go elsewhere: ROLLOVER, MISSED_CONNECTION, PORT_CHANGE.

Pure. The reference is always the confirmed booking, never the latest plan (8.1). Which box is on which ship is said by
the voyage, or where one side names none by the hull; a source that names neither is taken to mean the booked ship.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking.effective import heard
from tracking.exceptions import HOUR, MOMENT, Code, Findings, Found, Situation
from tracking.types import Classifier, Kind, Mode, Sighting

_WATER: Final = frozenset({"VESSEL", "SEA", "MARITIME", "BARGE"})
_BEYOND: Final = frozenset({"DISC", "AVPU", "GTOT", "DROP", "STRP"})  # a box that did this has crossed the water


@dataclass(frozen=True, slots=True)
class Ship:
    """A sailing as booked or told: its voyage in normal form and its hull; what is not said is empty."""

    voyage: str
    imo: str

    def is_same(self, other: Ship) -> bool | None:
        """None where the two name nothing in common. Another hull under one voyage number is the same sailing."""
        if self.voyage and other.voyage:
            return self.voyage == other.voyage
        return self.imo == other.imo if self.imo and other.imo else None


def _ship(voyage: str | None, imo: str | None) -> Ship:
    plain = "".join(c for c in (voyage or "").upper() if c.isalnum()).lstrip("0")
    return Ship(plain, imo or "")


def _ship_of(s: Sighting) -> Ship:
    return _ship(s.voyage, s.vessel_imo)


def connections(s: Situation, told: Findings) -> None:
    """ROLLOVER at the first port, MISSED_CONNECTION where the box changes ships; each from the booked departure on."""
    journey = s.journey
    if journey.mode != Mode.SEA:
        return
    before: list[Ship] = []
    ports = [(Code.ROLLOVER, journey.pol), *((Code.MISSED_CONNECTION, port) for port in journey.transhipments)]
    for code, port in ports:
        if port:
            call = _Call.of(s, port, before)
            if call is not None:
                call.judge(code, told)
                before.append(call.booked)


@dataclass(frozen=True, slots=True)
class _Call:
    """The booked ship at one port, and what was heard of departures and loadings there."""

    s: Situation
    port: str
    booked: Ship
    left: datetime | None  # when the booked ship departed
    departure: datetime | None  # the same, or else as planned
    others: Sequence[Sighting]  # actual departures of other ships, in order

    @classmethod
    def of(cls, s: Situation, port: str, before: Sequence[Ship]) -> _Call | None:
        """None where no booked ship is known. `before`: ships that the box may have come with."""
        leg = next((x for x in s.booked if x.origin == port and (x.voyage or x.vessel_imo)), None)
        planned = _booked_plan(s, port, _ship(leg.voyage, leg.vessel_imo) if leg else None, before)
        if leg is None and planned is None:
            return None
        booked = _ship(leg.voyage, leg.vessel_imo) if leg else _ship_of(planned) if planned else Ship("", "")
        gone = [x for x in _calls(s.live, port) if x.classifier == Classifier.ACT]
        own = [heard(x).time for x in gone if booked.is_same(_ship_of(x))]
        others = [x for x in gone if booked.is_same(_ship_of(x)) is False and not _came_with(x, before)]
        left = min(own, default=None)
        return cls(s, port, booked, left, left or (heard(planned).time if planned else None),
                   sorted(others, key=lambda x: (heard(x).time, x.event_key)))  # fmt: skip

    def judge(self, code: Code, told: Findings) -> None:
        """What of 8.1 holds here."""
        starts = [t for t in (self._left_behind(told), self._on_another()) if t is not None]
        if not starts:
            return
        start = min(starts)
        new = next((x for x in self.others if heard(x).time >= start), None) or (
            self.others[-1] if self.others else None
        )
        cleared = max(start, heard(new).time) if new else self._crossed_anyway()
        about = {
            "booked": self.booked.voyage or self.booked.imo,
            "new": (new.voyage or new.vessel_imo or "") if new else "",
        }
        if self.departure is not None:
            about["departure"] = self.departure.isoformat()
        told.found.append(Found(code=code, node=self.port, started_at=start,
                                cleared_at=None if cleared is None else max(start, cleared), about=about))  # fmt: skip

    def _left_behind(self, told: Findings) -> datetime | None:
        """The booked ship departed, and 12 h later no loading on it is known of some box."""
        if self.left is None or all(self._is_aboard(box) for box in self._boxes):
            return None
        crossed = self.left + self.s.limits.load_known_hours * HOUR
        if self.s.at > crossed:
            return crossed
        told.looks.append(crossed + MOMENT)
        return None

    def _on_another(self) -> datetime | None:
        """A box is loaded on another voyage, or leaves with one, more than 24 h after the booked departure."""
        if self.departure is None or all(self._loaded_on(box) for box in self._boxes):
            return None
        if self.left is not None and all(self._is_aboard(box) for box in self._boxes):
            return None
        latest = self.departure + self.s.limits.rollover_hours * HOUR
        if any(heard(x).time > latest for x in self.others) and not any(heard(x).time <= latest for x in self.others):
            return latest
        for load in self._loads(None):
            ship = _ship_of(load)
            if self.booked.is_same(ship) is False:
                sails = [x for x in _calls(self.s.live, self.port) if ship.is_same(_ship_of(x))]
                if sails and _best(sails) > latest:
                    return min(heard(load).time, latest)
        return None

    @property
    def _boxes(self) -> tuple[str | None, ...]:
        return self.s.journey.containers or (None,)

    def _loads(self, box: str | None) -> list[Sighting]:
        return sorted(
            (
                x for x in self.s.live
                if x.code == "LOAD" and x.classifier == Classifier.ACT and x.place == self.port and _over_water(x)
                and (box is None or x.container in (None, box))
            ),
            key=lambda x: (heard(x).time, x.event_key),
        )  # fmt: skip

    def _loaded_on(self, box: str | None) -> bool:
        """A loading that names the booked ship."""
        return any(self.booked.is_same(_ship_of(x)) for x in self._loads(box))

    def _is_aboard(self, box: str | None) -> bool:
        """Loaded on the booked ship, or before it left on one that is not named; or beyond the water already."""
        assert self.left is not None
        latest = self.left + self.s.limits.load_known_hours * HOUR
        loads = self._loads(box)
        for load in loads:
            same = self.booked.is_same(_ship_of(load))
            if same or (same is None and heard(load).time <= latest):
                return True
        return not loads and self._beyond(box) is not None

    def _beyond(self, box: str | None) -> datetime | None:
        """When the box was first seen at a later port; its loading was never told then."""
        places = (*self.s.journey.transhipments, self.s.journey.pod, self.s.journey.final_place)
        later = places[places.index(self.port) + 1 :] if self.port in places else places
        times = [
            heard(x).time for x in self.s.live
            if x.code in _BEYOND and x.classifier == Classifier.ACT and x.place in later and x.place != self.port
            and x.laden is not False and (box is None or x.container in (None, box))
        ]  # fmt: skip
        return min(times, default=None)

    def _crossed_anyway(self) -> datetime | None:
        """When all boxes were seen beyond, though the new departure was never told."""
        seen = [self._beyond(box) for box in self._boxes]
        known = [t for t in seen if t is not None]
        return max(known) if len(known) == len(seen) else None


def _over_water(s: Sighting) -> bool:
    return s.mode is None or s.mode.upper() in _WATER


def _calls(sightings: Iterable[Sighting], port: str) -> list[Sighting]:
    """Departures of ships there, of every classifier."""
    return [
        s for s in sightings
        if s.kind == Kind.TRANSPORT and s.code == "DEPA" and s.place == port and s.event_time and _over_water(s)
    ]  # fmt: skip


def _came_with(s: Sighting, before: Sequence[Ship]) -> bool:
    return any(ship.is_same(_ship_of(s)) for ship in before)


def _best(sails: Sequence[Sighting]) -> datetime:
    """When a ship leaves: the actual, else the newest estimate, else the newest plan."""
    order = [Classifier.PLN, Classifier.EST, Classifier.ACT]
    return heard(max(sails, key=lambda x: (order.index(Classifier(x.classifier)), *_written(x)))).time


def _written(s: Sighting) -> tuple[datetime, datetime, str]:
    return s.source_created_at or s.recorded_at, s.recorded_at, s.event_key


def _booked_plan(s: Situation, port: str, booked: Ship | None, before: Sequence[Ship]) -> Sighting | None:
    """The planned departure that the booking was confirmed with: the newest plan of then, else the first one."""

    def is_meant(x: Sighting) -> bool:
        if x.classifier != Classifier.PLN or x.is_empty or _came_with(x, before):
            return False
        ship = _ship_of(x)
        return bool(ship.voyage or ship.imo) if booked is None else bool(booked.is_same(ship))

    plans = sorted((x for x in _calls(s.sightings, port) if is_meant(x)), key=_written)
    then = [x for x in plans if s.confirmed_at is not None and _written(x)[0] <= s.confirmed_at]
    return then[-1] if then else plans[0] if plans else None


# --- another port of discharge ---


def port_changes(s: Situation, told: Findings) -> None:
    """PORT_CHANGE: the carrier names another port of discharge, or discharges there; until the box has arrived.

    A discharge at a port that the plan does not know counts unless the box is loaded there again: that was a change of
    ships. From when on it was said.
    """
    journey = s.journey
    if journey.mode != Mode.SEA or not journey.pod:
        return
    said: dict[str, list[Sighting]] = {}
    for x in sorted((x for x in s.live if _names_port(s, x)), key=_written):
        said.setdefault(x.place or "", []).append(x)
    back = said.pop(journey.pod, [])
    for port, claims in sorted(said.items()):
        start = min(x.recorded_at for x in claims)
        acts = [heard(x).time for x in claims if x.classifier == Classifier.ACT]
        taken_back = [x.recorded_at for x in back if _written(x) > _written(claims[-1])]
        if not acts and any(t <= start for t in taken_back):
            continue  # it was out of date when it was heard
        ends = [max(start, t) for t in (*taken_back, *acts)]
        told.found.append(
            Found(code=Code.PORT_CHANGE, node=port, started_at=start, cleared_at=min(ends, default=None),
                  about={"booked": journey.pod})
        )  # fmt: skip


def _names_port(s: Situation, x: Sighting) -> bool:
    """Whether the sighting says where the box leaves the sea: the booked port, or another one."""
    known = (s.journey.pol, *s.journey.transhipments, s.journey.final_place)
    if x.code not in ("ARRI", "DISC") or not x.place or not _over_water(x) or x.is_transshipment:
        return False
    if x.place == s.journey.pod or x.place_role == "POD":
        return True
    discharged = x.code == "DISC" and x.classifier == Classifier.ACT and x.laden is not False
    unknown = discharged and not x.place_role and x.place not in known
    return unknown and not _reloaded(s, x) and not _was_there(s, x)


def _was_there(s: Situation, x: Sighting) -> bool:
    """Whether the ship had come to the booked port before: what is unloaded later comes by land."""
    return any(
        y.code in ("ARRI", "DISC") and y.classifier == Classifier.ACT and y.place == s.journey.pod
        and heard(y).time <= heard(x).time
        for y in s.live
    )  # fmt: skip


def _reloaded(s: Situation, x: Sighting) -> bool:
    return any(
        y.code == "LOAD" and y.classifier == Classifier.ACT and y.place == x.place
        and (x.container is None or y.container in (None, x.container))
        for y in s.live
    )  # fmt: skip
