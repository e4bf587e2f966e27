"""Cases of exceptions kept current: what the rules find of shipments against what is stored, and the news of it.

Callers hold the locks of the shipments. A constant number of statements, whatever the number of shipments; what people
did about a case is never touched from here, but by evidence that ends it (R8.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from django.db import connection

from portal.lib.facts import Fact
from portal.tenancy.bulk import rows_create
from portal.tenancy.context import scope
from portal.tenancy.services import SYSTEM
from tracking.detection import exceptions_of
from tracking.exceptions import (
    ENDS_UNTOLD,
    PASSING,
    SILENT,
    TOLD_AFTERWARDS,
    Code,
    Findings,
    Found,
    Key,
    Severity,
    Situation,
)
from tracking.facts import ExceptionCleared, ExceptionRaised, ExceptionWorsened
from tracking.freetime_reads import free_terms
from tracking.itinerary import Itinerary, Plan
from tracking.milestones import ShipmentFacts
from tracking.models import CaseState, ExceptionCase, ExceptionStep, Shipment, StepKind
from tracking.owners import Owners
from tracking.thresholds import p90_of_visits, thresholds
from tracking.types import Journey, Milestone, Sighting

_KEPT: Final = (
    "code", "node", "occurrence", "state", "started_at", "cleared_at", "severity", "delay_seconds", "about",
    "worsenings", "openings", "public_id",
)  # fmt: skip
_CHANGED: Final = {
    "id": "bigint", "state": "text", "started_at": "timestamptz", "cleared_at": "timestamptz", "severity": "smallint",
    "delay_seconds": "bigint", "about": "jsonb", "worsenings": "smallint", "openings": "smallint",
    "changed_at": "timestamptz",
}  # fmt: skip
_UPDATE: Final = (
    f"update tracking_exceptioncase as c set {', '.join(f'{n} = n.{n}' for n in _CHANGED if n != 'id')}, "  # noqa: S608
    # whoever took note of it before does so anew, within as long as at first
    "acknowledged_at = case when n.openings > c.openings then null else c.acknowledged_at end, "
    "respond_by = case when n.openings > c.openings then n.changed_at + (c.respond_by - c.noticed_at) "
    "else c.respond_by end "
    f"from json_to_recordset(%s) as n({', '.join(f'{name} {kind}' for name, kind in _CHANGED.items())}) "
    "where c.tenant_id = %s and c.id = n.id"
)
# of these the call of the ship that brings the box is meant
_BY_SHIP: Final = frozenset({Code.AT_RISK, Code.ETA_SLIP, Code.PORT_CHANGE})
_LEAVING: Final = frozenset({Code.ROLLOVER, Code.MISSED_CONNECTION})


@dataclass(slots=True)
class _Judged:
    """A shipment with what was found of it."""

    shipment: Shipment
    findings: Findings
    calls: Mapping[Code, str]


class Casebook:
    """The cases of some shipments: as stored, and as they should be. Four queries when made, few to write."""

    def __init__(self, shipments: Sequence[Shipment]) -> None:
        self.limits, self.p90, self.terms = thresholds(), p90_of_visits(), free_terms()
        self.stored: dict[int, dict[Key, dict[str, Any]]] = defaultdict(dict)
        rows = ExceptionCase.objects.filter(shipment_id__in=[s.pk for s in shipments])
        for row in rows.values("id", "shipment_id", *_KEPT):
            self.stored[row["shipment_id"]][row["code"], row["node"], row["occurrence"]] = row
        self.judged: list[_Judged] = []

    def judge(
        self, shipment: Shipment, facts: ShipmentFacts, journey: Journey, way: Itinerary, plan: Plan, *,
        sightings: Sequence[Sighting], at: datetime, pod_zone: ZoneInfo,
    ) -> None:  # fmt: skip
        """Works out what is wrong with a shipment, and sets when to look at it again; stores nothing."""
        standing = {
            key: row["started_at"]
            for key, row in self.stored[shipment.pk].items()
            if row["cleared_at"] is None and row["state"] in (CaseState.OPEN, CaseState.RESOLVED)
        }
        found = exceptions_of(Situation(
            at=at, journey=journey, facts=facts, live=way.live, sightings=sightings,
            heard=sorted({s.recorded_at for s in sightings}), booked=plan.booked, legs=way.legs,
            stays=way.stays.visits, moves=way.moves, due_at=shipment.due_at, confirmed_at=shipment.confirmed_at,
            cutoff_at=shipment.cutoff_at, cancelled_at=shipment.cancelled_at, p90_tenths=self.p90, standing=standing,
            limits=self.limits, terms=self.terms, pod_zone=pod_zone,
        ))  # fmt: skip
        shipment.look_at = found.next_look(at)
        self.judged.append(_Judged(shipment, found, _calls(way, journey, facts)))

    def differing(self) -> set[int]:
        """Shipments whose stored cases are not what the rules find."""
        return {j.shipment.pk for j in self.judged if _expected(j) != _kept(self.stored[j.shipment.pk].values())}

    def write(self, zones: Mapping[str, str], *, at: datetime) -> list[Fact]:
        """Makes the stored cases equal to what was found; returns what is news of it."""
        changes = _Changes(zones, at)
        for one in self.judged:
            stored = self.stored[one.shipment.pk]
            found = {f.key: f for f in one.findings.found}
            for key, f in found.items():
                row = stored.get(key)
                if row is not None:
                    changes.meet(one, f, row)
                elif f.cleared_at is None or f.code not in PASSING:
                    changes.make(one, f)
            for key, row in stored.items():
                if key not in found:
                    changes.miss(one, row)
        changes.write()
        return changes.news


def _expected(judged: _Judged) -> set[tuple[Any, ...]]:
    return {
        (*f.key, f.started_at, f.cleared_at, int(f.severity))
        for f in judged.findings.found
        if f.cleared_at is None or f.code not in PASSING
    }


def _kept(rows: Any) -> set[tuple[Any, ...]]:
    return {
        (row["code"], row["node"], row["occurrence"], row["started_at"], row["cleared_at"], row["severity"])
        for row in rows
        if row["state"] != CaseState.WITHDRAWN and (row["cleared_at"] is None or row["code"] not in PASSING)
    }


def _calls(way: Itinerary, journey: Journey, facts: ShipmentFacts) -> dict[Code, str]:
    """The vessel call that codes speak of, as `9321483 NLRTM`: what many shipments have in common (R8.5)."""
    found: dict[Code, str] = {}
    for leg in way.legs:
        ship = leg.vessel_imo or leg.voyage
        if ship and leg.leg.destination == journey.pod and not facts.reached(Milestone.VESSEL_ARRIVED):
            found |= dict.fromkeys(_BY_SHIP, f"{ship} {journey.pod}")
        if ship and leg.leg.origin == journey.pol:
            found[Code.ROLLOVER] = f"{ship} {journey.pol}"
    return found


class _Changes:
    """Cases to be made, changed, and told, gathered over many shipments."""

    def __init__(self, zones: Mapping[str, str], at: datetime) -> None:
        self.zones, self.at = zones, at
        self.made: list[ExceptionCase] = []
        self.changed: list[dict[str, Any]] = []
        self.steps: list[ExceptionStep] = []
        self.news: list[Fact] = []
        self.owners = Owners(at)

    def make(self, one: _Judged, f: Found) -> None:
        """A case that nobody knew."""
        case = ExceptionCase(
            shipment=one.shipment, code=f.code.value, node=f.node, occurrence=f.occurrence,
            state=CaseState.OPEN if f.cleared_at is None else CaseState.CLEARED, started_at=f.started_at,
            cleared_at=f.cleared_at, severity=int(f.severity), delay_seconds=f.delay_seconds, about=dict(f.about),
            worsenings=len(f.worse), noticed_at=self.at, changed_at=self.at,
        )  # fmt: skip
        if f.cleared_at is None:
            self.owners.give(case, one.shipment)
        self.made.append(case)
        if f.cleared_at is None or f.code in TOLD_AFTERWARDS:
            self._raised(one, f, case.public_id, opening=1)

    def meet(self, one: _Judged, f: Found, row: dict[str, Any]) -> None:
        """A case that is known: evidence may move, end or reopen it; who ended it by hand has the last word."""
        new = {
            **row, "started_at": f.started_at, "cleared_at": f.cleared_at, "severity": int(f.severity),
            "delay_seconds": f.delay_seconds, "about": dict(f.about), "worsenings": len(f.worse),
        }  # fmt: skip
        was, now = row["state"], CaseState.OPEN if f.cleared_at is None else CaseState.CLEARED
        if was != CaseState.RESOLVED:
            new["state"] = now
        if was == CaseState.OPEN and now == CaseState.CLEARED:
            self._step(row, StepKind.CLEARED)
            self._cleared(one, f, row, because="heard")
        elif was in (CaseState.CLEARED, CaseState.WITHDRAWN) and now == CaseState.OPEN:
            new["openings"] += 1
            self._step(row, StepKind.REOPENED)
            self._raised(one, f, row["public_id"], opening=new["openings"])
        elif was == now == CaseState.OPEN and len(f.worse) > row["worsenings"]:
            self._step(row, StepKind.WORSENED)
            self._worsened(one, f, row["public_id"])
        self._change(row, new)

    def miss(self, one: _Judged, row: dict[str, Any]) -> None:
        """A case that the rules do not find any more: it never was, by what is known now."""
        if row["state"] not in (CaseState.OPEN, CaseState.CLEARED) or (
            row["state"] == CaseState.CLEARED and row["code"] in PASSING
        ):
            return
        new = {**row, "state": CaseState.WITHDRAWN, "cleared_at": max(self.at, row["started_at"])}
        self._step(row, StepKind.WITHDRAWN)
        if row["state"] == CaseState.OPEN:
            gone = Found(code=Code(row["code"]), started_at=row["started_at"], cleared_at=new["cleared_at"],
                         node=row["node"], severity=Severity(row["severity"]))  # fmt: skip
            self._cleared(one, gone, row, because="withdrawn")
        self._change(row, new)

    def write(self) -> None:
        """Three statements at most."""
        rows_create(self.made)
        if self.changed:
            values = [{name: row[name] for name in _CHANGED} for row in self.changed]
            with connection.cursor() as cursor:
                cursor.execute(_UPDATE, [msgspec.json.encode(values).decode(), scope()])
        rows_create(self.steps)

    def _change(self, row: dict[str, Any], new: dict[str, Any]) -> None:
        if new != row:
            self.changed.append({**new, "changed_at": self.at})

    def _step(self, row: dict[str, Any], kind: StepKind) -> None:
        self.steps.append(ExceptionStep(case_id=row["id"], kind=kind, at=self.at, actor=SYSTEM))

    # --- what is told ---

    def _said(self, one: _Judged, f: Found, case: str) -> dict[str, Any]:
        zone = ZoneInfo(self.zones.get(f.node) or "UTC")
        there = f.started_at.astimezone(zone)
        return {
            "case": case, "shipment": one.shipment.public_id, "reference": one.shipment.ref, "code": f.code.value,
            "severity": f.severity.name, "node": f.node, "since": f"{there:%d %b %Y %H:%M} {there.tzname()}",
            "delay_hours": max(0, (f.delay_seconds or 0) // 3600), "call": one.calls.get(f.code) or f.node,
            "path": f"/shipments/{one.shipment.public_id}",
        }  # fmt: skip

    def _raised(self, one: _Judged, f: Found, case: str, *, opening: int) -> None:
        if f.code not in SILENT:
            self.news.append(ExceptionRaised(
                occurred_at=f.started_at, opening=opening, is_over=f.cleared_at is not None, **self._said(one, f, case)
            ))  # fmt: skip

    def _worsened(self, one: _Judged, f: Found, case: str) -> None:
        if f.code not in SILENT:
            said = self._said(one, f, case)
            self.news.append(ExceptionWorsened(occurred_at=f.worse[-1], times=len(f.worse), **said))

    def _cleared(self, one: _Judged, f: Found, row: dict[str, Any], *, because: str) -> None:
        if f.code in SILENT or f.code in ENDS_UNTOLD:
            return
        assert f.cleared_at is not None
        said = self._said(one, f, row["public_id"])
        self.news.append(ExceptionCleared(
            occurred_at=max(f.cleared_at, f.started_at), opening=row["openings"], because=because, **said
        ))  # fmt: skip
