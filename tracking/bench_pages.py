"""What the test bench shows of a message: each event in words, each refusal with its place in the text.

Shapes only; what would become of the message is worked out by ingest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.tenancy.models import Tenant
from portal.web.templatetags.ui import time_at
from tracking import wording
from tracking.ingest import Meant, Trial, Tried
from tracking.models import Place, Source
from tracking.partner_pages import code_url
from tracking.partners import code_lists
from tracking.positions import locate, raw_lines
from tracking.reasons import Reason, sentence
from tracking.registry import ADAPTERS
from tracking.types import CanonicalEvent, Refusal

MOST_SHOWN: Final = 50
_MOST_SHIPMENTS: Final = 12
_AROUND: Final = 2  # lines before and after the marked ones
_MOST_MARKED: Final = 12
_QUOTED: Final = re.compile(r"'([^']{1,40})'")
_LISTED: Final = re.compile(r"in the list (\w+)\.?$")  # a file may hold messages of several formats
_STATUS_FIELD: Final = re.compile(r"(?i)event\w*typecode$")
_OPEN: Final = frozenset({Reason.NO_MATCHING_SHIPMENT, Reason.NOT_AUTHORISED})


def shown(trial: Trial, *, source: Source, text: str, accounts: Mapping[int, Tenant], may_edit: bool) -> dict[str, Any]:
    """The result in the form of tracking/ops/source_bench.html."""
    listed = trial.tried[:MOST_SHOWN]
    places = _places(listed)
    reader = trial.reader
    events = sum(1 for t in trial.tried if t.event is not None)
    return {
        "reader": f"{ADAPTERS[reader.key].label} ({reader.key})" if reader and reader.key in ADAPTERS else _("none"),
        "events": events, "refused": len(trial.tried) - events, "more": max(0, len(trial.tried) - MOST_SHOWN),
        "usable": sum(1 for t in trial.tried if t.refused is None),
        "unreadable": _refusal(trial.unreadable, text) if trial.unreadable else None,
        "envelopes": [
            {"label": f"{e.syntax} {e.reference}", "value": f"{e.sender} → {e.receiver}",
             "note": " ".join(str(sentence(f)) for f in (*e.faults, *(f for p in e.parts for f in p.faults)))}
            for e in trial.envelopes
        ],
        "items": [
            _item(n, t, source=source, text=text, accounts=accounts, places=places,
                  key=reader.key if reader and may_edit else "")
            for n, t in enumerate(listed, start=1)
        ],
    }  # fmt: skip


def _places(listed: tuple[Tried, ...]) -> dict[str, str]:
    codes = {t.event.place for t in listed if t.event and t.event.place}
    return dict(Place.objects.filter(code__in=codes).values_list("code", "name"))


def _item(
    n: int, tried: Tried, *, source: Source, text: str, accounts: Mapping[int, Tenant], places: Mapping[str, str],
    key: str,
) -> dict[str, Any]:  # fmt: skip
    event, refused = tried.event, tried.refused
    shown: dict[str, Any] = {"n": n, "title": in_words(event) if event else _("Refused"), "position": tried.position}
    if event is not None:
        shown |= {
            "facts": _facts(tried, event, places), "warnings": [sentence(w) for w in event.warnings],
            "rule": event.rule, "meant": [_meant(m, accounts) for m in tried.meant[:_MOST_SHIPMENTS]],
            "more_meant": max(0, len(tried.meant) - _MOST_SHIPMENTS),
        }  # fmt: skip
    if refused is not None:
        shown["refusal"] = _refusal(refused, text)
        shown["map_url"] = _map_url(refused, source, key) if key else ""
    if tried.otherwise is not None:
        shown["otherwise"] = _said(tried.otherwise)
    tone = "ok" if refused is None else "warn"
    label = _("Would be stored") if refused is None else _("Would wait in quarantine")
    if refused is not None and refused.code == Reason.NOT_TRACKED:
        tone, label = "neutral", _("Would be set aside")
    return shown | {"state": {"tone": tone, "label": label}}


def in_words(event: CanonicalEvent) -> str:
    """`Gate in, full (actual)`."""
    if event.retracts is not None:
        return _("A withdrawal")
    name = wording.event(event.code, laden=event.laden, document_type=event.document_type or "")
    return f"{name} ({wording.CLASSIFIERS[event.classifier]})"


def _said(other: CanonicalEvent | Refusal) -> str:
    if isinstance(other, Refusal):
        return _("refused. %(why)s") % {"why": sentence(other.code)}
    return f"{in_words(other)} · {other.kind} {other.code}, {other.rule}"


def _facts(tried: Tried, event: CanonicalEvent, places: Mapping[str, str]) -> list[dict[str, Any]]:
    container = event.container or ""
    verdict = {True: _("its check digit fits"), False: _("its check digit does not fit")}.get(event.container_ok)  # type: ignore[arg-type]
    place = " · ".join(str(part) for part in (places.get(event.place or ""), event.facility, event.place_role) if part)
    vessel = ", ".join(part for part in (event.vessel, event.vessel_imo) if part)
    said: list[tuple[Any, Any, Any, bool]] = [
        (_("Event"), f"{event.kind} {event.code} {event.classifier}", "", True),
        (_("As written"), event.local, _stated(event), True),
        (_("There"), time_at(tried.at, tried.zone) if tried.at and tried.zone else "", tried.zone, False),
        (_("In UTC"), time_at(tried.at) if tried.at else _("no time"), "", False),
        (_("Place"), event.place, place, True),
        (_("Container"), container, verdict, True),
        (_("Booking"), event.booking, "", True),
        (_("Bill"), event.bill_of_lading, "", True),
        (_("Shipment"), event.shipment_ref, "", True),
        (_("Also"), ", ".join(f"{kind} {value}" for kind, value in event.references[:12]), "", False),
        (_("Boxes"), ", ".join(event.equipment[:12]), "", False),
        (_("Vessel"), vessel, event.voyage and _("voyage %(no)s") % {"no": event.voyage}, False),
        (_("Mode"), event.mode, "", False),
        (_("Withdraws"), event.retracts, "", True),
        (_("Source's id"), event.source_event_id, "", True),
        (_("Made by"), event.rule, "", False),
    ]  # fmt: skip
    return [{"label": label, "value": value, "note": note, "mono": mono} for label, value, note, mono in said if value]


def _stated(event: CanonicalEvent) -> str:
    if event.offset_minutes is None:
        return "" if event.time is not None else _("without offset")
    sign = "-" if event.offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(event.offset_minutes), 60)
    return _("offset %(offset)s") % {"offset": f"{sign}{hours:02d}:{minutes:02d}"}


def _meant(meant: Meant, accounts: Mapping[int, Tenant]) -> dict[str, Any]:
    account = accounts.get(meant.tenant_id)
    told = wording.milestone(meant.milestone) if meant.milestone else _("no milestone: it stands in the time line")
    notes = [told if not meant.place else f"{told}, {meant.place}"]
    notes += [_("told before")] if meant.is_known else []
    notes += [] if meant.is_allowed else [_("this source may not report on it")]
    kwargs = {"account": account.public_id if account else "", "public_id": meant.public_id}
    return {
        "label": meant.ref, "account": account.name if account else "", "note": " · ".join(notes),
        "url": reverse("ops:tracking_shipment", kwargs=kwargs) if account else "",
    }  # fmt: skip


def _refusal(refused: Refusal, text: str) -> dict[str, Any]:
    """Why, and the lines around its place; for whom nobody is found the whole event is meant, so nothing is marked."""
    told = {"reason": sentence(refused.code), "code": str(refused.code), "position": refused.position,
            "detail": refused.detail.removeprefix(str(sentence(refused.code))).strip()}  # fmt: skip
    span = None if refused.code in _OPEN else locate(text, refused.position)
    if span is None:
        return told
    lines, cut = raw_lines(text, span)
    marked = [n for n, line in enumerate(lines) if line.get("marked")][:_MOST_MARKED]
    if marked:
        low, high = max(0, marked[0] - _AROUND), marked[-1] + _AROUND + 1
        lines, cut = [{**line, "anchor": False} for line in lines[low:high]], False
    label = _("Where: %(position)s") % {"position": refused.position}
    return told | {"raw": {"lines": lines, "label": label, "cut": _("Shortened.") if cut else ""}}


def _map_url(refused: Refusal, source: Source, key: str) -> str:
    """Where an unknown code can be given a meaning; empty when it is no status code that the partner chose."""
    if refused.code != Reason.UNKNOWN_CODE or "time zone" in refused.detail:
        return ""
    field = refused.position.rpartition(".")[2]
    if (key.startswith("dcsa") and not _STATUS_FIELD.search(field)) or (key == "csv" and field != "code"):
        return ""
    found, named = _QUOTED.search(refused.detail), _LISTED.search(refused.detail)
    listed = named[1] if named else key
    return code_url(source, listed=listed, code=found[1].upper()) if found and listed in code_lists() else ""
