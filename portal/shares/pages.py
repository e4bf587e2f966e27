"""A shared shipment in words: what the link's field set and the account's tier allow, and nothing beside it.

Who reported an event, what was corrected, and what was promised to the account stay with the account. Asks nothing of
the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.shares.models import ShareLink
from portal.web.templatetags.ui import ref, time_at, void
from tracking import shipment_pages as pages
from tracking import wording
from tracking.dossier import Dossier
from tracking.effective import Heard
from tracking.story import Step, StepKind, now_index
from tracking.types import Precision


def shared(link: ShareLink, found: Dossier, now: datetime) -> dict[str, Any]:
    """The context of shares/shipment.html."""
    shipment = found.shipment
    return {
        "title": title(found),
        "state": {"tone": wording.STATUS_TONES.get(shipment.status, "neutral"),
                  "label": found.prospect.status_words()},
        "summary": summary(found, now),
        "route": pages.route(found),
        "timeline": timeline(link, found, now),
        "missing": pages.missing(found),
        "containers": pages.containers(found) if link.shows_containers else [],
        "references": references(found) if link.shows_references else [],
    }  # fmt: skip


def title(found: Dossier) -> str:
    """From where to where; the reader may not know any of the shipment's references."""
    shipment = found.shipment
    ends = [found.name_of(code) for code in (shipment.pol, shipment.final_place or shipment.pod)]
    return " → ".join(end for end in ends if end) or _("Shipment")


def summary(found: Dossier, now: datetime) -> list[dict[str, Any]]:
    """Reached or expected, and when it was heard of last."""
    name, zone, heard = wording.milestone(found.final), found.zone, found.shipment.last_heard_at
    done = found.facts.reached(found.final)
    best = done or found.facts.expected(found.final)
    final: dict[str, Any] = {"label": name if done else _("%(milestone)s, expected") % {"milestone": name}}
    final["value"] = _moment(best, zone) if best else void(_("no estimate"))
    if best and not done and best.time < now:
        final["note"] = _("passed, nothing heard")
    last = time_at(heard, zone) if heard else void(_("nothing yet"))
    return [final, {"label": _("Last heard"), "value": last}]


def _moment(heard: Heard, zone: ZoneInfo) -> SafeString:
    return time_at(heard.time, zone, "day" if heard.precision == Precision.DAY else "minute")


def timeline(link: ShareLink, found: Dossier, now: datetime) -> list[dict[str, Any]]:
    """The steps as web/_timeline.html takes them, with the mark of the present among them."""
    steps = [s for s in found.steps if s.sighting is None or s.kind != StepKind.MISSING]  # withdrawn ones were none
    entries = [_entry(link, found, step) for step in steps]
    mark = now_index(steps, now)
    if mark is not None:
        entries.insert(mark, {"today": True, "at": now, "zone": found.zone})
    return entries


def _entry(link: ShareLink, found: Dossier, step: Step) -> dict[str, Any]:
    zone = found.zone_of(step.node) or found.zone.key
    entry: dict[str, Any] = {
        "kind": step.kind.value, "label": pages.label(step), "place": found.name_of(step.node), "at": step.at,
        "zone": zone, "precision": "day" if step.precision == Precision.DAY else "minute",
        "lines": [] if step.kind == StepKind.MISSING else [*pages.expectations(step, zone)],
    }  # fmt: skip
    if link.shows_containers:
        if step.sighting is not None:
            entry["container"] = step.sighting.container or ""
        if step.apart:
            entry["lines"].append(pages.boxes_apart(step, zone))
    if step.kind == StepKind.MISSING:
        entry["missing_text"], entry["at"] = pages.missing_text(found, step), None
    elif step.kind == StepKind.PLANNED and step.at is None:
        entry["kind_label"] = _("to come")
    return entry


def references(found: Dossier) -> list[dict[str, Any]]:
    """The shipment's own number, and what else it is known by."""
    return [{"label": _("Shipment"), "value": ref(found.shipment.ref)}, *pages.references(found)]
