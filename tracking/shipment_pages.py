"""A shipment's page in words: summary, route bar, time line, what is missing, boxes, references, the promise.

Shapes a Dossier into the context of tracking/shipment.html; asks nothing of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.web.templatetags.ui import ref, time_at, void
from tracking import wording
from tracking.dossier import Dossier
from tracking.effective import Heard
from tracking.milestones import chain
from tracking.models import CommitmentRow, ReferenceKind
from tracking.standing import Standing
from tracking.story import Step, StepKind, now_index, origin_first
from tracking.types import Milestone, Mode, Precision
from tracking.whereabouts import NOT_KNOWN, Whereabouts

EventUrl = Callable[[int], str]
_TS = (Milestone.TS_DISCHARGED, Milestone.TS_LOADED)
_BASIS = {
    "DISC": gettext_lazy("Taken from the discharge: this terminal does not report availability."),
    "STRP": gettext_lazy("Taken from the stripping of the container."),
    "RELEASE": gettext_lazy("Moved to the release of a hold."),
}


def summary(found: Dossier, now: datetime) -> list[dict[str, Any]]:
    """Promised, expected, actual, verdict: the head of the page."""
    shipment, zone = found.shipment, found.zone
    promise: SafeString | str = void(_("none made"))
    if shipment.due_at is not None:
        exact = not shipment.due_is_exclusive
        promise = time_at(shipment.due_at, zone) if exact else time_at(shipment.due_date)
    newest = found.commitments[0] if found.commitments else None
    expected, done = found.facts.expected(found.final), found.facts.reached(found.final)
    facts = [
        {"label": _("Promised"), "value": promise, "note": _tolerance(newest) if newest else ""},
        {"label": _("Expected"), "value": _moment(expected, zone) if expected and not done else
            (void(_("reached")) if done else void(_("no estimate"))),
         "note": _heard_note(expected, zone) if expected and not done else ""},
        {"label": _("Actual"), "value": _moment(done, zone) if done else void(_("not yet")),
         "note": _heard_note(done, zone) if done else ""},
        {"label": _("Last heard"), "value": time_at(shipment.last_heard_at, zone, "short") if shipment.last_heard_at
            else void(_("nothing yet"))},
    ]  # fmt: skip
    if found.prospect.standing(now) == Standing.CANCELLED:
        facts.append({"label": _("Cancelled"), "value": time_at(shipment.cancelled_at, zone) if shipment.cancelled_at
                      else "", "note": shipment.cancelled_by.lower()})  # fmt: skip
    return facts


def _moment(heard: Heard, zone: ZoneInfo) -> SafeString:
    return time_at(heard.time, zone, "day" if heard.precision == Precision.DAY else "minute")


def _heard_note(heard: Heard, zone: ZoneInfo) -> SafeString:
    return format_html(
        _("{source}, heard {time}"), source=wording.source(heard.source, heard.source_kind),
        time=time_at(heard.recorded_at, zone, "short"),
    )  # fmt: skip


def _tolerance(row: CommitmentRow) -> str:
    if row.tol_days:
        return _("and %(days)s of tolerance") % {"days": wording.days(row.tol_days)}
    return _("and %(hours)s of tolerance") % {"hours": wording.hours(row.tol_hours)} if row.tol_hours else ""


# --- the route bar ---


def route(found: Dossier, ship: Whereabouts = NOT_KNOWN) -> list[dict[str, Any]]:
    """Nodes and legs from the first place to the last, each done, now or next; the one under way as far as the
    schedule says, else half.
    """
    places = origin_first(found.journey)
    if len(places) < 2:
        return []
    passed = _passed(found, places)
    current = max((n for n, (left, _arrived) in enumerate(passed) if left or _arrived), default=0)
    left_current = passed[current][0]
    parts: list[dict[str, Any]] = []
    for n, code in enumerate(places):
        if n:
            done = n <= current
            moving = n == current + 1 and left_current
            parts.append({
                "leg": True, **_leg(found, places, n), "state": "done" if done else "now" if moving else "next",
                "progress": _progress(ship, places[n - 1], code) if moving else 0,
            })  # fmt: skip
        is_last = n == len(places) - 1
        here = n == current and not left_current and not (is_last and found.shipment.status == "DONE")
        parts.append({
            "node": True, "code": code, "name": found.name_of(code),
            "state": "done" if n <= current and not here else "now" if here else "next", **_node_time(found, places, n),
        })  # fmt: skip
    return parts


def _progress(ship: Whereabouts, origin: str, destination: str) -> int:
    """In hundredths of the leg."""
    if ship.share is None or (ship.place, ship.towards) != (origin, destination):
        return 50
    return int(ship.share * 100)


def _passed(found: Dossier, places: Sequence[str]) -> list[tuple[bool, bool]]:
    """(left, arrived) of each place, as far as the reader may know."""
    facts = found.facts

    def any_of(*milestones: Milestone) -> bool:
        seen = [m for m in milestones if found.core is None or m in found.core]
        return any(facts.reached(m) for m in seen)

    done = found.shipment.status == "DONE"
    state: list[tuple[bool, bool]] = []
    last = len(places) - 1
    for n, code in enumerate(places):
        if n == 0:
            state.append((any_of(Milestone.VESSEL_DEPARTED), any_of(Milestone.GATE_IN_FULL, Milestone.LOADED)))
        elif n == last and code != found.journey.pod:
            state.append((False, done))
        elif code == found.journey.pod:
            arrived = any_of(Milestone.VESSEL_ARRIVED, Milestone.DISCHARGED, Milestone.CY_AVAILABLE)
            state.append((n != last and any_of(Milestone.GATE_OUT_FULL), arrived or (n == last and done)))
        else:
            at = {m: any(f.act for c in facts.containers for f in c.milestones if f.milestone == m and f.node == code)
                  for m in _TS}  # fmt: skip
            seen = found.core is None
            state.append((seen and at[Milestone.TS_LOADED], seen and at[Milestone.TS_DISCHARGED]))
    return state


def _leg(found: Dossier, places: Sequence[str], n: int) -> dict[str, Any]:
    shipment = found.shipment
    by_water = shipment.mode == Mode.SEA and places[n] in (*shipment.transhipments, shipment.pod)
    stored = next((leg for leg in found.legs if (leg.origin, leg.destination) == (places[n - 1], places[n])), None)
    voyage = stored.voyage if stored else (shipment.voyage if n == 1 else "")
    detail = _("voyage %(voyage)s") % {"voyage": voyage} if voyage and by_water else ""
    if by_water:
        return {"mode": "ship", "label": shipment.carrier or _("By sea"), "detail": detail}
    if shipment.mode == Mode.SEA:
        return {"mode": "truck", "label": _("Inland"), "detail": ""}
    return {"mode": wording.MODE_ICONS.get(shipment.mode, "truck"), "label": shipment.carrier
            or str(wording.MODES.get(shipment.mode, "")), "detail": detail}  # fmt: skip


def _node_time(found: Dossier, places: Sequence[str], n: int) -> dict[str, Any]:
    code = places[n]
    if n == 0:
        wanted = Milestone.VESSEL_DEPARTED
    elif n == len(places) - 1 and code != found.journey.pod:
        wanted = found.final
    elif code == found.journey.pod:
        wanted = Milestone.VESSEL_ARRIVED if found.shipment.mode == Mode.SEA else found.final
    else:
        return {}
    best = found.facts.best(wanted)
    if best is None or (found.core is not None and wanted not in found.core and wanted != found.final):
        return {}
    note = "" if found.facts.reached(wanted) else _("expected")
    precision = "day" if best.precision == Precision.DAY else "short"
    return {"at": best.time, "zone": found.zone_of(code), "precision": precision, "when_note": note}


# --- the time line ---


def timeline(found: Dossier, now: datetime, event_url: EventUrl) -> list[dict[str, Any]]:
    """The steps as web/_timeline.html takes them, with the mark of the present among them."""
    entries = [_entry(found, step, event_url) for step in found.steps]
    mark = now_index(found.steps, now)
    if mark is not None:
        entries.insert(mark, {"today": True, "at": now, "zone": found.zone})
    return entries


def _entry(found: Dossier, step: Step, event_url: EventUrl) -> dict[str, Any]:
    zone = found.zone_of(step.node) or found.zone.key
    evidence = step.sighting.id if step.sighting else step.heard.sighting_id if step.heard else None
    number = found.number_of(evidence) if evidence is not None else None
    entry: dict[str, Any] = {
        "kind": step.kind.value, "label": label(step), "place": found.name_of(step.node), "at": step.at, "zone": zone,
        "precision": "day" if step.precision == Precision.DAY else "minute", "late": step.is_late,
        "lines": _lines(found, step, zone), "url": event_url(number) if number else "",
        "was": [_was_entry(w, zone) for w in step.was],
    }  # fmt: skip
    if step.sighting is not None:
        entry["container"] = step.sighting.container or ""
        if step.kind == StepKind.MISSING:
            entry["kind_label"] = _("withdrawn")
    elif step.kind == StepKind.MISSING:
        entry["missing_text"] = missing_text(found, step)
        entry["at"] = None
    elif step.kind == StepKind.PLANNED and step.at is None:
        entry["kind_label"] = _("to come")
    return entry


def label(step: Step) -> str:
    if step.milestone is not None:
        return wording.milestone(step.milestone)
    assert step.sighting is not None
    return wording.event(step.sighting.code, laden=step.sighting.laden, document_type=step.sighting.document_type or "")


def missing_text(found: Dossier, step: Step) -> SafeString:
    """`No gate-out heard, expected 12 Mar`, with how many boxes where only some have it."""
    assert step.milestone is not None
    zone = found.zone_of(step.node) or found.zone.key
    text = wording.missing(step.milestone)
    if 0 < step.reached < step.boxes:
        text = ngettext("%(text)s for %(count)d container", "%(text)s for %(count)d containers",
                        step.boxes - step.reached) % {"text": text, "count": step.boxes - step.reached}  # fmt: skip
    if step.at is None:
        return format_html("{}", text)
    at = time_at(step.at, zone, "day" if step.precision == Precision.DAY else "short")
    return format_html(_("{text}, expected {time}"), text=text, time=at)


def _was_entry(was: Any, zone: str) -> dict[str, Any]:
    s = was.sighting
    said = _("withdrawn by %(source)s") if was.withdrawn else _("corrected by %(source)s")
    why = format_html("{}, {} {}", said % {"source": wording.source(s.source, s.source_kind)}, _("heard"),
                      time_at(was.heard_at, zone, "short"))  # fmt: skip
    return {
        "at": s.event_time,
        "zone": zone,
        "precision": "day" if s.precision == Precision.DAY else "minute",
        "why": why,
    }


def _lines(found: Dossier, step: Step, zone: str) -> list[SafeString | str]:
    lines: list[SafeString | str] = []
    if step.sighting is not None:
        s = step.sighting
        if step.kind != StepKind.MISSING:
            lines.append(_reported(s.source, s.source_kind, s.recorded_at, zone))
        return lines
    if step.heard is not None and step.kind != StepKind.MISSING:
        lines.append(_reported(step.heard.source, step.heard.source_kind, step.heard.recorded_at, zone))
    lines += expectations(step, zone)
    if step.apart:
        lines.append(boxes_apart(step, zone))
    if step.basis in _BASIS:
        lines.append(str(_BASIS[step.basis]))
    if step.is_conflict:
        said = format_html_join(
            ", ", "{} {}", ((wording.source(h.source, h.source_kind), time_at(h.time, zone)) for h in step.rivals)
        )
        lines.append(format_html("{} {}", _("Sources disagree:"), said) if step.rivals else _("Sources disagree."))
    if step.unproven is not None:
        lines.append(_("Entered by hand without evidence: shown, but counts for nothing."))
    return lines


def _reported(source: str, kind: str, at: datetime, zone: str) -> SafeString:
    return format_html(
        _("{source}, heard {time}"), source=wording.source(source, kind), time=time_at(at, zone, "short")
    )


def expectations(step: Step, zone: str) -> list[SafeString]:
    """What was planned and estimated, beside what is shown."""
    shown = step.heard.sighting_id if step.heard and step.kind != StepKind.MISSING else None
    parts = [
        format_html("{} {}", word, time_at(h.time, zone, "day" if h.precision == Precision.DAY else "short"))
        for word, h in ((_("planned"), step.planned), (_("estimated"), step.estimated))
        if h is not None and h.sighting_id != shown
    ]
    return [format_html_join(" · ", "{}", ((p,) for p in parts))] if parts else []


def boxes_apart(step: Step, zone: str) -> SafeString:
    told = ngettext("%(count)d of %(all)d container", "%(count)d of %(all)d containers", step.boxes) % {
        "count": step.reached, "all": step.boxes,
    }  # fmt: skip
    each = format_html_join(
        ", ", "{} {}",
        ((b.container, time_at(b.at, zone, "short") if b.at else _("not heard")) for b in step.apart[:12]),
    )  # fmt: skip
    return format_html("{}: {}", told, each)


# --- beside the time line ---


def missing(found: Dossier) -> list[SafeString]:
    """What is missing, each in a sentence."""
    return [missing_text(found, s) for s in found.steps if s.kind == StepKind.MISSING and s.milestone is not None]


def containers(found: Dossier, free: Mapping[str, list[dict[str, Any]]] | None = None) -> list[dict[str, Any]]:
    """Each container with where it is; a replaced one says so. `free`: its free time in words, by number."""
    by_name = {c.container: c for c in found.facts.containers}
    order = chain(found.journey.final, found.journey.mode, found.journey.load)
    seen = [m for m in order if found.core is None or m in found.core]
    shown = []
    for box in found.containers:
        entry: dict[str, Any] = {"number": box.number, "free": (free or {}).get(box.number, [])}
        if box.removed_at is not None:
            entry["status"] = {"tone": "neutral", "label": _("Replaced")}
        part = by_name.get(box.number)
        acts = [(m, part.get(m)) for m in seen if part and part.get(m).act]
        if acts and box.removed_at is None:
            milestone, told = acts[-1]
            assert told.act is not None
            entry["latest"] = {
                "label": wording.milestone(milestone), "at": told.act.time,
                "zone": found.zone_of(told.node) or found.zone.key,
                "precision": "day" if told.act.precision == Precision.DAY else "short",
            }  # fmt: skip
        if part and found.core is None and any(h.end is None for h in part.holds):
            entry["status"] = {"tone": "warn", "label": _("On hold")}
        shown.append(entry)
    return shown


def references(found: Dossier) -> list[dict[str, Any]]:
    """Bookings, bills, orders, terms; containers stand apart."""
    shipment = found.shipment
    kinds: dict[str, list[str]] = {}
    for row in found.references:
        if row.kind not in (ReferenceKind.SHIPMENT, ReferenceKind.CONTAINER):
            kinds.setdefault(row.kind, []).append(row.written)
    facts: list[dict[str, Any]] = [
        {"label": ReferenceKind(kind).label, "value": format_html_join(" ", "{}", ((ref(v),) for v in values))}
        for kind, values in kinds.items()
    ]
    named = (
        (_("Terms"), wording.TERMS.get(shipment.final_milestone, shipment.final_milestone)),
        (_("Mode"), wording.MODES.get(shipment.mode, shipment.mode)),
        (_("Carrier"), shipment.carrier),
        (_("Voyage"), shipment.voyage),
        (_("Vessel, IMO"), shipment.vessel_imo),
        (_("Branch"), shipment.branch),
        (_("Cut-off"), time_at(shipment.cutoff_at, found.zone_of(shipment.pol)) if shipment.cutoff_at else ""),
    )
    facts += [{"label": label, "value": value} for label, value in named if value]
    return facts


def promise(found: Dossier) -> list[dict[str, Any]]:
    """The promise with its history: what binds, what does not and why (R1.16), newest first."""
    shown = []
    for n, row in enumerate(found.commitments):
        zone = ZoneInfo(row.zone)
        value = time_at(row.due_date) if row.due_date else time_at(row.due_at, zone)
        in_force = row.is_binding and not any(later.is_binding for later in found.commitments[:n])
        shown.append({
            "value": value, "place": found.name_of(row.place), "milestone": wording.milestone(row.milestone),
            "tolerance": _tolerance(row), "asked": _asked(row), "at": row.recorded_at, "zone": zone,
            "reason": row.reason, "binding": row.is_binding,
            "state": {"tone": "ok", "label": _("In force")} if in_force else
                     {"tone": "neutral", "label": _("Replaced") if row.is_binding else _("Does not bind")},
        })  # fmt: skip
    return shown


def _asked(row: CommitmentRow) -> str:
    return {
        "ORIGINAL": _("as booked"),
        "CUSTOMER": _("changed at the customer's request"),
        "OPERATOR": _("changed by the forwarder; the earlier promise stays in force"),
    }.get(row.asked_by, row.asked_by)


def shift(before: datetime, after: datetime) -> str:
    """`2 days later`."""
    hours = (after - before) // timedelta(hours=1)
    size = wording.days(abs(hours) // 24) if abs(hours) >= 24 else wording.hours(max(1, abs(hours)))
    return (_("%(size)s later") if after > before else _("%(size)s earlier")) % {"size": size}
