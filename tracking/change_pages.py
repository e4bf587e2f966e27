"""Who changed what about a shipment, in sentences. Addresses of people stay in the records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.tenancy.services import SYSTEM
from portal.web.templatetags.ui import time_at
from tracking import wording
from tracking.change_reads import Change
from tracking.document_pages import kind_words
from tracking.dossier import Dossier
from tracking.models import CommitmentRow


def sentences(found: Dossier, changes: list[Change]) -> list[dict[str, Any]]:
    """As the page lists them: when, who, what, why."""
    return [
        {
            "at": c.at, "zone": found.zone, "who": _who(c), "what": _what(found, c), "why": _why(c),
            "internal": c.is_internal,
        }
        for c in changes
    ]  # fmt: skip


def _who(change: Change) -> str:
    name = change.who.partition(" <")[0]
    return _("Plimsoll") if name in ("", SYSTEM) else name


def _why(change: Change) -> str:
    return str(change.details.get("why") or change.details.get("reason") or change.details.get("note") or "")


def _what(found: Dossier, change: Change) -> SafeString | str:
    words: dict[str, Callable[[Dossier, Change], SafeString | str]] = {
        "promise": _promise,
        "entry.recorded": _entered,
        "entry.withdrawn": lambda _f, _c: _("withdrew an event that was entered by hand"),
        "shipment.cutoff_set": _cutoff,
        "document.added": lambda _f, c: _("added %(document)s") % {"document": _document(c)},
        "document.shown": lambda _f, c: _("showed %(document)s to the customer") % {"document": _document(c)},
        "document.withdrawn": lambda _f, c: _("withdrew %(document)s") % {"document": _document(c)},
        "comment.withdrawn": lambda _f, _c: _("withdrew a comment"),
        "exception.acknowledged": lambda _f, c: _("took note of “%(case)s”") % {"case": _case(c)},
        "exception.assigned": lambda _f, c: _("gave “%(case)s” to somebody else") % {"case": _case(c)},
        "exception.resolved": lambda _f, c: _("resolved “%(case)s”") % {"case": _case(c)},
    }
    return words[change.what](found, change)


def _document(change: Change) -> str:
    said = {"kind": kind_words(str(change.details["kind"])), "version": change.details["version"]}
    if change.is_internal:
        return _("%(kind)s, internal version %(version)s") % said
    return _("%(kind)s, version %(version)s") % said


def _case(change: Change) -> str:
    return str(wording.exception(str(change.details["code"])))


def _entered(found: Dossier, change: Change) -> str:
    """What it was is for those who see every event (5.1)."""
    if found.core is not None:
        return _("entered an event by hand")
    code = str(change.details.get("code", ""))
    return _("entered by hand: %(event)s") % {"event": wording.event(code, laden=None, document_type="")}


def _cutoff(found: Dossier, change: Change) -> SafeString | str:
    text = str(change.details.get("cutoff_at", ""))
    if not text:
        return _("took the cut-off away")
    zone = found.zone_of(found.shipment.pol) or "UTC"
    return format_html(_("set the cut-off to {time}"), time=time_at(datetime.fromisoformat(text), zone))


def _promise(found: Dossier, change: Change) -> SafeString:
    row, before = change.details["row"], change.details["before"]
    asked = {
        "CUSTOMER": _("changed the promise from {before} to {after}, as the customer asked"),
        "OPERATOR": _("noted another date, {after} in place of {before}; the earlier promise stays in force"),
    }.get(row.asked_by, _("changed the promise from {before} to {after}"))
    return format_html(asked, before=_day(before), after=_day(row))


def _day(row: CommitmentRow) -> SafeString:
    return time_at(row.due_date) if row.due_date else time_at(row.due_at, ZoneInfo(row.zone))
