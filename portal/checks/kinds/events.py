"""Cases about events: which one is in force, visits at a node, holds, free time.

Adapters only; the rules are in tracking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.checks.types import CaseFault, CaseKind, Fields, read_date, read_instant, read_list
from portal.lib.periods import utc_text
from tracking.effective import effective, live_versions
from tracking.rules import FreeTimeStart, hold_is_long, hold_seconds, last_free_day, pair_visits
from tracking.types import Classifier, Kind, Milestone, Sighting


def _sightings(given: Fields) -> tuple[list[Sighting], dict[int, str]]:
    """The case's events with row ids in the order of their names, as ties ask for it."""
    rows = list(given.each("events"))
    names = dict(enumerate(sorted(row.text("id") for row in rows), start=1))
    numbers = {name: number for number, name in names.items()}
    found = []
    for row in rows:
        retracts = row.text_or("retracts")
        source, key = row.text("source"), row.text("sid")
        at = row.instant_or("time")
        if at is None and retracts is None:
            raise CaseFault(row.at("time"), "is missing")
        found.append(
            Sighting(
                id=numbers[row.text("id")],
                source=source,
                source_kind=source,
                event_key=key,
                natural_key=f"{source} {key}",
                code=row.text("code") if retracts is None else row.text_or("code") or "",
                kind=Kind.EQUIPMENT,
                classifier=row.text("cls") if retracts is None else row.text_or("cls") or Classifier.ACT,
                event_time=None if retracts else at,
                recorded_at=row.instant("recorded_at"),
                source_created_at=row.instant("created_at"),
                retracts=retracts,
            )
        )
    return found, names


def _effective_events(given: Fields) -> Mapping[str, Any]:
    priority = [str(name) for name in given.rows("priority")]
    instants = [read_instant(at, given.at("as_of")) for at in given.rows("as_of")]
    sightings, names = _sightings(given)
    by_time = {}
    for as_of in instants:
        live = live_versions(sightings, as_of=as_of)
        milestone = Milestone(live[0].code) if live else Milestone.DELIVERED
        found = effective(live, milestone=milestone, priority=priority)
        facts = {Classifier.ACT: found.act, Classifier.EST: found.est, Classifier.PLN: found.pln}
        by_time[utc_text(as_of)] = {str(c): names[h.sighting_id] if h else None for c, h in facts.items()}
    return {"by_time": by_time}


def _dwell_pairing(given: Fields) -> Mapping[str, Any]:
    rows = [read_list(row, given.at("events"), 2) for row in given.rows("events")]
    found = pair_visits((read_instant(at, given.at("events")), str(code)) for at, code in rows)
    return {
        "visits": [
            {"entry": utc_text(v.entry), "exit": utc_text(v.exit), "role": str(v.role), "seconds": v.seconds}
            for v in found.closed
        ],
        "anomalies": found.anomalies,
        "open_entry": [utc_text(found.open_entry[0]), found.open_entry[1]] if found.open_entry else None,
    }


def _hold_union(given: Fields) -> Mapping[str, Any]:
    at = given.at("intervals")
    rows = [read_list(row, at, 2) for row in given.rows("intervals")]
    spans = [(read_instant(start, at), None if end is None else read_instant(end, at)) for start, end in rows]
    seconds = hold_seconds(spans, now=given.instant("now"))
    return {"seconds": seconds, "long": hold_is_long(seconds, limit_hours=given.whole("limit_hours"))}


def _last_free_day(given: Fields) -> Mapping[str, Any]:
    day = last_free_day(
        given.day("event_day"),
        free_days=given.whole("free_days"),
        start=FreeTimeStart(given.text("start")),
        working_days=given.flag("working_days"),
        holidays={read_date(day, given.at("holidays")) for day in given.rows("holidays")},
    )
    return {"last_free_day": day.isoformat()}


EFFECTIVE_EVENTS = CaseKind("effective_events", _effective_events)
DWELL_PAIRING = CaseKind("dwell_pairing", _dwell_pairing)
HOLD_UNION = CaseKind("hold_union", _hold_union)
LAST_FREE_DAY = CaseKind("last_free_day", _last_free_day)
