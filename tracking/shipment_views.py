"""Pages of one shipment: its story, the list of everything heard, one event with its part of the message.

What belongs to another account answers like what does not exist (T6). Words are made in shipment_pages.py.
"""

from __future__ import annotations

import json
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.lib.errors import NotFound
from portal.tenancy.models import Role
from portal.web.templatetags.ui import time_at
from tracking import eta_pages, wording
from tracking import shipment_pages as pages
from tracking.dossier import Dossier, EventState, dossier, eta_history, event_row
from tracking.exception_pages import of_shipment
from tracking.exception_reads import cases_of
from tracking.freshness import feeds
from tracking.milestones import bind
from tracking.models import SightingRow
from tracking.reasons import sentence
from tracking.selectors import evidence_of, is_followed
from tracking.types import Load, Mode, Precision, SourceKind
from tracking.views import BOOKING, ShipmentView

ENTERING: Final = frozenset({Role.OPS.value, Role.ADMIN.value})


class OneShipment(ShipmentView):
    """A page about one shipment of the entered account."""

    def dossier(self, public_id: str) -> Dossier:
        """The entered account's shipment; raises NotFound."""
        found = dossier(public_id, now=self.at, every_event=self.every_event)
        if found is None:
            raise NotFound
        return found

    def crumbs(self, found: Dossier | None = None) -> list[dict[str, str]]:
        """Back to the list, and to the shipment from what hangs below it."""
        listed = []
        if self.member.is_staff:
            listed.append({"label": self.account.name})
        listed.append({"label": _("Shipments"), "url": self.url("tracking:shipments")})
        if found is not None:
            url = self.url("tracking:shipment", public_id=found.shipment.public_id)
            listed.append({"label": found.shipment.ref, "url": url})
        return listed

    def event_url(self, found: Dossier, number: int) -> str:
        """The address of one event."""
        return self.url("tracking:event", public_id=found.shipment.public_id, number=number)


class ShipmentPage(OneShipment):
    """One shipment: promised, expected, actual; the way; the time line; what is missing."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The story as of now."""
        found = self.dossier(public_id)
        shipment, prospect = found.shipment, found.prospect
        events_url = self.url("tracking:events", public_id=public_id)
        return self.page("tracking/shipment.html", {
            "title": shipment.ref, "crumbs": self.crumbs(),
            "shipment": {"ref": shipment.ref, "sub": _sub(found)},
            "status": {"tone": prospect.tone(self.at), "label": prospect.words(self.at)},
            "state": {"tone": wording.STATUS_TONES.get(shipment.status, "neutral"), "label": prospect.status_words()},
            "callouts": _callouts(found),
            "summary": pages.summary(found, self.at),
            "route": pages.route(found),
            "timeline": pages.timeline(found, self.at, lambda number: self.event_url(found, number)),
            "timeline_note": "" if found.core is None else _("Core events. Priority and Premium show every event."),
            "missing": pages.missing(found),
            "exceptions": self._exceptions(found),
            "heard_from": self._heard_from(found),
            "containers": pages.containers(found),
            "references": pages.references(found),
            "promise": pages.promise(found),
            "eta": self._eta(found),
            "raw_url": events_url if found.rows else "",
            "follow": self._follow(found), "actions": self._actions(found),
        })  # fmt: skip

    def _follow(self, found: Dossier) -> dict[str, Any] | None:
        """The bell: whether this person follows the shipment, and where that is changed."""
        if self.follower is None:
            return None
        url = reverse("tracking:follow", kwargs={"public_id": found.shipment.public_id})
        return {"url": url, "on": is_followed(found.shipment.pk, by=self.follower)}

    def _eta(self, found: Dossier) -> dict[str, Any]:
        """How the estimate moved, for those who see estimates as they come."""
        if found.core is not None:
            return {}
        return eta_pages.card(
            found, eta_history(found.shipment), wanted=self.request.GET.get("eta", ""), now=self.at,
            event_url=lambda number: self.event_url(found, number),
        )  # fmt: skip

    def _actions(self, found: Dossier) -> list[dict[str, str]]:
        """What the staff can do here, and a customer share."""
        public_id, journey = found.shipment.public_id, found.journey
        if not self.member.is_staff:
            return [{"label": _("Share"), "url": reverse("shares:shipment", args=[public_id]), "icon": "link"}]
        booking = self._bookings(found) if self.member.role in BOOKING else []
        if self.member.role not in ENTERING:
            return booking
        entry = {"label": _("Enter an event"), "url": self.url("tracking:entry", public_id=public_id), "icon": "plus"}
        if journey.mode != Mode.SEA or journey.load == Load.LCL:
            return [*booking, entry]
        return [
            *booking,
            {"label": _("Cut-off"), "url": self.url("tracking:cutoff", public_id=public_id), "icon": "clock"},
            entry,
        ]

    def _bookings(self, found: Dossier) -> list[dict[str, str]]:
        """What describes it, what was promised, and calling it off while it is under way."""
        public_id = found.shipment.public_id
        ended = found.shipment.status in ("DONE", "CANCELLED")
        listed = [(_("Booking"), "tracking:booking", "edit"), (_("Promise"), "tracking:promise", "calendar")]
        listed += [] if ended else [(_("Call it off"), "tracking:cancel", "x")]
        return [
            {"label": label, "url": self.url(name, public_id=public_id), "icon": icon} for label, name, icon in listed
        ]

    def _exceptions(self, found: Dossier) -> dict[str, Any] | None:
        """What goes wrong and who takes care of it; nothing for an account whose tier has no alerts (5.1)."""
        if not self.alerts:
            return None
        shown = of_shipment(cases_of(found.shipment), found.zone_of, found.name_of, url_of=self.member.is_staff)
        return shown if shown["open"] or shown["over"] else None

    def _heard_from(self, found: Dossier) -> list[dict[str, Any]]:
        """The sources of what the reader sees here; of a finished journey nothing more is awaited."""
        if found.shipment.status in ("DONE", "CANCELLED"):
            return []
        keys = {s.source for s in found.sightings if found.visible(s)}
        return [{"text": f.words(), "silent": f.is_silent} for f in feeds(at=self.at, keys=keys)] if keys else []


def _sub(found: Dossier) -> str:
    places = [found.name_of(c) for c in (found.shipment.pol, found.shipment.final_place or found.shipment.pod)]
    count = len([c for c in found.containers if c.removed_at is None])
    boxes = ngettext("%(count)d container", "%(count)d containers", count) % {"count": count} if count else ""
    return " · ".join(p for p in (" → ".join(p for p in places if p), found.shipment.carrier, boxes) if p)


def _callouts(found: Dossier) -> list[dict[str, Any]]:
    notes = []
    if found.facts.conflicts and found.core is None:
        notes.append({
            "tone": "warn", "title": _("Sources disagree"),
            "text": _("Two sources stand more than six hours apart; the time line shows what each of them says."),
        })  # fmt: skip
    return notes


class Events(OneShipment):
    """Everything heard about a shipment, in the order heard: what holds, what was replaced or withdrawn."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """One line an event; a Standard account sees those of the critical five."""
        found = self.dossier(public_id)
        rows = [
            self._row(found, number, row)
            for number, row in enumerate(found.rows, start=1)
            if found.visible(found.sightings[number - 1])
        ]
        return self.page("tracking/events.html", {
            "title": _("Events"), "crumbs": self.crumbs(found), "rows": rows[::-1],
            "subtitle": _("Everything heard, newest first. A correction stands beside what it corrects."),
        })  # fmt: skip

    def _row(self, found: Dossier, number: int, row: SightingRow) -> dict[str, Any]:
        return {
            "url": self.event_url(found, number), "number": number, "label": event_name(row),
            "state": _state(found, number), "source": wording.source(row.source, row.source_kind),
            "classifier": wording.CLASSIFIERS.get(row.classifier, row.classifier), "container": row.container,
            "place": found.name_of(row.place), "at": row.event_time, "zone": _zone(found, row),
            "precision": "day" if row.precision == Precision.DAY else "minute", "heard_at": row.recorded_at,
        }  # fmt: skip


class Event(OneShipment):
    """One event: what it says, when we heard it, and the part of its message that concerns this shipment."""

    def get(self, request: HttpRequest, public_id: str, number: int) -> HttpResponse:
        """The n-th event heard of the shipment, counted from 1."""
        found = self.dossier(public_id)
        if not 1 <= number <= len(found.rows) or not found.visible(found.sightings[number - 1]):
            raise NotFound
        row = event_row(found.shipment, found.rows[number - 1].pk)
        return self.page("tracking/event.html", {
            "title": event_name(row), "crumbs": self.crumbs(found), "state": _state(found, number),
            "facts": self._facts(found, row, number), "warnings": [sentence(w) for w in row.warnings],
            "raw": {"lines": _lines(row.payload), "label": _("This shipment's part of the message")},
            "previous_url": self._neighbour(found, number, -1), "next_url": self._neighbour(found, number, 1),
            "withdraw_url": self._withdraw_url(found, row, number),
            "message_url": reverse("ops:tracking_message", kwargs={"public_id": row.message})
            if self.member.is_staff and row.message else "",
        })  # fmt: skip

    def _withdraw_url(self, found: Dossier, row: SightingRow, number: int) -> str:
        """For entries made by hand that still hold."""
        own = found.sightings[number - 1]
        if (
            self.member.role not in ENTERING
            or row.source_kind != SourceKind.MANUAL
            or own.id not in found.facts.live_ids
        ):
            return ""
        if not row.source_event_id:
            return ""
        return self.url("tracking:entry_withdraw", public_id=found.shipment.public_id, number=number)

    def _evidence(self, found: Dossier, row: SightingRow) -> dict[str, Any] | None:
        """The file behind an entry, or where its paper is kept."""
        if not row.evidence_ref:
            return None
        if evidence_of(found.shipment, row.evidence_ref) is None:
            return {"label": _("Evidence"), "value": row.evidence_ref, "mono": False}
        url = self.url("tracking:evidence", public_id=found.shipment.public_id, evidence=row.evidence_ref)
        return {"label": _("Evidence"), "value": _("the file as it was kept"), "url": url}

    def _neighbour(self, found: Dossier, number: int, step: int) -> str:
        other = number + step
        while 1 <= other <= len(found.rows):
            if found.visible(found.sightings[other - 1]):
                return self.event_url(found, other)
            other += step
        return ""

    def _facts(self, found: Dossier, row: SightingRow, number: int) -> list[dict[str, Any]]:
        zone = _zone(found, row)
        precision = "day" if row.precision == Precision.DAY else "minute"
        bound = bind(found.sightings[number - 1], found.journey)
        said = [
            (_("Says"), wording.CLASSIFIERS.get(row.classifier, row.classifier), False),
            (_("Time"), time_at(row.event_time, zone, precision) if row.event_time else None, False),
            (_("As written"), row.local_text, True),
            (_("Place"), f"{found.name_of(row.place)} ({row.place})" if row.place else "", False),
            (_("Facility"), row.facility, True),
            (_("Container"), row.container, True),
            (_("Milestone"), wording.milestone(bound[0]) if bound else _("none: shown on the time line only"), False),
            (_("Source"), wording.source(row.source, row.source_kind), False),
            (_("Heard"), time_at(row.recorded_at, zone), False),
            (_("Created at the source"), time_at(row.source_created_at, zone) if row.source_created_at else "", False),
            (_("Event id at the source"), row.source_event_id, True),
            (_("Withdraws"), row.retracts, True),
            (_("Vessel"), " ".join(p for p in (row.vessel, row.vessel_imo, row.voyage) if p), False),
            (_("Reason given"), row.reason, False),
            (_("Entered by"), row.entered_by, False),
            (_("Digest of this part"), row.payload_hash, True),
        ]
        facts = [{"label": label, "value": value, "mono": mono} for label, value, mono in said if value]
        evidence = self._evidence(found, row)
        return [*facts, evidence] if evidence else facts


def event_name(row: SightingRow) -> str:
    """What an event is called."""
    if row.retracts:
        return _("Withdrawal")
    return wording.event(row.code, laden=row.laden, document_type=row.document_type)


def _zone(found: Dossier, row: SightingRow) -> str:
    return found.zone_of(row.place) or row.zone or found.zone.key


_STATES: Final[dict[EventState, tuple[str, Promise]]] = {
    EventState.IN_FORCE: ("ok", gettext_lazy("In force")),
    EventState.CORRECTED: ("neutral", gettext_lazy("Corrected")),
    EventState.WITHDRAWN: ("late", gettext_lazy("Withdrawn")),
    EventState.WITHDRAWAL: ("neutral", gettext_lazy("Withdrawal")),
    EventState.TOLD_BEFORE: ("neutral", gettext_lazy("Told before")),
}


def _state(found: Dossier, number: int) -> dict[str, Any]:
    """Whether the event holds, in a tone and a word."""
    tone, word = _STATES[found.state_of(number)]
    return {"tone": tone, "label": word}


def _lines(payload: Any) -> list[dict[str, Any]]:
    text = json.dumps(payload, indent=2, ensure_ascii=False)
    return [{"n": n, "text": line} for n, line in enumerate(text.splitlines(), start=1)]
