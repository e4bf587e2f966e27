"""What pages show of exceptions: the desk's list and its filters, one case, and the part of a shipment's page.

Words and shapes only; what is asked and decided stands in exception_views.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.web.templatetags.ui import time_at
from tracking import wording
from tracking.exception_reads import DESK, MINE, InboxCounts, InboxFilter
from tracking.exceptions import Code, Severity
from tracking.models import CaseState, ExceptionCase, ExceptionStep, StepKind

STATE_TONES: Final = {
    CaseState.OPEN: "warn", CaseState.CLEARED: "ok", CaseState.RESOLVED: "ok", CaseState.WITHDRAWN: "neutral",
}  # fmt: skip
_SHOWN_OVER: Final = 10


def inbox_url(**params: str) -> str:
    """The list with some filter."""
    base = reverse("ops:tracking_exceptions")
    return f"{base}?{urlencode(params)}" if params else base


def case_url(public_id: str, act: str = "") -> str:
    """The address of a case, or of something to do about it."""
    return reverse(f"ops:tracking_exception{'_' if act else ''}{act}", kwargs={"public_id": public_id})


def severity_badge(severity: int) -> dict[str, str]:
    """Tone, word and shape."""
    name = Severity(severity).name
    return {
        "tone": wording.SEVERITY_TONES[name], "label": wording.severity(name), "shape": wording.SEVERITY_SHAPES[name],
    }  # fmt: skip


def owner_words(name: str) -> str:
    """Who takes care of a case."""
    return name or _("Operations desk")


def answer_words(respond_by: datetime | None, acknowledged_at: datetime | None, now: datetime) -> dict[str, str] | None:
    """How the clock of the first response stands; None where none runs."""
    if acknowledged_at is not None:
        return {"tone": "ok", "label": _("Acknowledged")}
    if respond_by is None:
        return None
    left = respond_by - now
    if left < timedelta():
        return {"tone": "late", "label": _("Answer overdue")}
    minutes = int(left.total_seconds()) // 60
    span = wording.hours(minutes // 60) if minutes >= 60 else _("%(n)d min") % {"n": minutes}
    return {"tone": "info", "label": _("Answer due in %(span)s") % {"span": span}}


# --- the desk's list ---


def states(wanted: InboxFilter, counts: InboxCounts) -> list[dict[str, Any]]:
    """The chips: mine, overdue, and by state."""
    open_url = inbox_url(**wanted.params(owner="" if wanted.owner == MINE else MINE))
    chips: list[dict[str, Any]] = [{"label": _("Mine"), "url": open_url, "active": wanted.owner == MINE}]
    chips.append({
        "label": _("Answer overdue"), "url": inbox_url(**wanted.params(overdue="" if wanted.overdue else "1")),
        "active": bool(wanted.overdue), "count": counts.overdue,
    })  # fmt: skip
    for state, label in (*((s.value, s.label) for s in CaseState), ("ALL", _("All"))):
        number = sum(counts.states.values()) if state == "ALL" else counts.states.get(state, 0)
        url = inbox_url(**wanted.params(state=state))
        chips.append({"label": label, "url": url, "active": wanted.state == state, "count": number})
    return chips


def menus(wanted: InboxFilter, counts: InboxCounts) -> list[dict[str, Any]]:
    """The filters with many values."""
    severities = [
        (s.name, _("%(severity)s and above") % {"severity": wording.severity(s.name)},
         sum(n for level, n in counts.severities.items() if level >= s))
        for s in Severity
    ]  # fmt: skip
    codes = [(code, wording.exception(code), n) for code, n in counts.codes.items()]
    owners = [(key or DESK, owner_words(name), n) for (key, name), n in counts.owners.items()]
    accounts = [(key, name, n) for (key, name), n in counts.accounts.items()]
    return [
        _menu(wanted, _("Severity"), "severity", severities), _menu(wanted, _("What"), "code", codes),
        _menu(wanted, _("Owner"), "owner", owners), _menu(wanted, _("Account"), "account", accounts),
    ]  # fmt: skip


def _menu(wanted: InboxFilter, label: str, field: str, values: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    chosen = getattr(wanted, field)
    names = {key: name for key, name, _n in values} | {MINE: _("Mine")}
    return {
        "label": label, "chosen": names.get(chosen, chosen), "all_url": inbox_url(**wanted.params(**{field: ""})),
        "items": [
            {"label": name, "url": inbox_url(**wanted.params(**{field: key})), "active": chosen == key, "count": str(n)}
            for key, name, n in values
        ],
    }  # fmt: skip


def row(item: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """One line of the list."""
    state = CaseState(item["state"])
    url = reverse(
        "ops:tracking_shipment",
        kwargs={"account": item["tenant__public_id"], "public_id": item["shipment__public_id"]},
    )
    return {
        "url": case_url(item["public_id"]), "what": wording.exception(item["code"]), "node": item["node"],
        "severity": severity_badge(item["severity"]), "account": item["tenant__name"], "ref": item["shipment__ref"],
        "shipment_url": url, "at": item["started_at"], "zone": zone, "owner": owner_words(item["owner_name"]),
        "state": {"tone": STATE_TONES[state], "label": state.label},
        "answer": answer_words(item["respond_by"], item["acknowledged_at"], now) if state == CaseState.OPEN else None,
        "delay": delay_words(item["delay_seconds"]),
    }  # fmt: skip


def delay_words(seconds: int | None) -> str:
    """`3 days after the promise`; empty when none is predicted."""
    if seconds is None or seconds <= 0:
        return ""
    hours = seconds // 3600
    size = wording.days(hours // 24) if hours >= 48 else wording.hours(max(1, hours))
    return _("%(size)s after the promise") % {"size": size}


# --- one case ---


def details(case: ExceptionCase, zone: ZoneInfo, name_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """What the record says about it, in words; instants in the zone given."""
    about: Mapping[str, str] = case.about

    def instant(name: str) -> SafeString | str:
        return time_at(about[name], zone) if about.get(name) else ""

    said: list[tuple[str, Any]] = [
        (_("Cut-off"), instant("cutoff")), (_("Gate-in"), instant("gate_in")),
        (_("Last heard"), instant("since")),
        (_("Expected until then"), instant("was")), (_("Expected now"), instant("now")),
        (_("Milestone"), wording.milestone(about["milestone"]) if about.get("milestone") else ""),
        (_("Booked"), _booked(case, name_of)), (_("Booked departure"), instant("departure")),
        (_("Goes with"), about.get("new", "")),
        (_("Last free day"), time_at(date.fromisoformat(about["last_free_day"])) if about.get("last_free_day") else ""),
        (_("Longer than"), wording.hours(int(about["limit_hours"])) if about.get("limit_hours") else ""),
    ]  # fmt: skip
    return [{"label": label, "value": value} for label, value in said if value]


def _booked(case: ExceptionCase, name_of: Callable[[str], str]) -> str:
    booked = str(case.about.get("booked", ""))
    return name_of(booked) if case.code == Code.PORT_CHANGE else booked


def facts(case: ExceptionCase, zone: ZoneInfo, name_of: Callable[[str], str], url: str) -> list[dict[str, Any]]:
    """The head of a case's page."""
    said: list[dict[str, Any]] = [
        {"label": _("Account"), "value": case.tenant.name},
        {"label": _("Shipment"), "value": format_html('<a class="ref" href="{}">{}</a>', url, case.shipment.ref)},
        {"label": _("Since"), "value": time_at(case.started_at, zone)},
    ]
    if case.cleared_at:
        said.append({"label": _("Until"), "value": time_at(case.cleared_at, zone)})
    if case.node:
        name = name_of(case.node)
        said.append({"label": _("Place"), "value": f"{name} ({case.node})" if name != case.node else name})
    said += details(case, zone, name_of)
    if delay := delay_words(case.delay_seconds):
        said.append({"label": _("Predicted, at most"), "value": delay})
    said.append({"label": _("Noticed"), "value": time_at(case.noticed_at, zone)})
    said.append({"label": _("Owner"), "value": owner_words(case.owner_name)})
    if case.respond_by and not case.acknowledged_at:
        said.append({"label": _("First response due"), "value": time_at(case.respond_by, zone)})
    if case.acknowledged_at:
        value = format_html("{} · {}", time_at(case.acknowledged_at, zone), case.acknowledged_by)
        said.append({"label": _("Acknowledged"), "value": value})
    return said


def history(steps: Sequence[ExceptionStep], zone: ZoneInfo) -> list[dict[str, Any]]:
    """What was done, newest first."""
    return [
        {"label": StepKind(s.kind).label, "who": s.actor if s.actor != "SYSTEM" else _("by itself"), "at": s.at,
         "zone": zone, "note": s.note, "for_customer": s.is_for_customer and s.kind == StepKind.COMMENTED}
        for s in reversed(steps)
    ]  # fmt: skip


# --- a shipment's page ---


def of_shipment(
    cases: Sequence[ExceptionCase], zone_of: Callable[[str], str], name_of: Callable[[str], str], url_of: bool
) -> dict[str, Any]:
    """Open exceptions, and the last of those that are over; with `url_of` each leads to the desk's page of it."""
    shown = [_entry(c, ZoneInfo(zone_of(c.node) or "UTC"), name_of, url_of) for c in cases]
    return {
        "open": [e for e in shown if e["is_open"]],
        "over": [e for e in shown if not e["is_open"]][:_SHOWN_OVER],
    }


def _entry(case: ExceptionCase, zone: ZoneInfo, name_of: Callable[[str], str], url_of: bool) -> dict[str, Any]:
    told: Mapping[str, str] | None = getattr(case, "told", None)
    return {
        "is_open": case.state == CaseState.OPEN, "what": wording.exception(case.code),
        "says": wording.exception_says(case.code), "severity": severity_badge(case.severity),
        "place": name_of(case.node) if case.node else "", "since": case.started_at, "until": case.cleared_at,
        "zone": zone, "delay": delay_words(case.delay_seconds), "owner": owner_words(case.owner_name),
        "acknowledged": case.acknowledged_at is not None,
        "note": {"text": told["note"], "at": told["at"]} if told else None,
        "details": details(case, zone, name_of), "url": case_url(case.public_id) if url_of else "",
        "resolved": case.state == CaseState.RESOLVED,
    }  # fmt: skip
