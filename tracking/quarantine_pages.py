"""What the quarantine's pages show: rows and filters of the list, one item with its place in the message, progress.

Words and shapes only; what is asked and decided stands in quarantine_views.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.tenancy.models import TenantKind
from portal.tenancy.selectors import operator_zone
from tracking import wording, workbooks
from tracking.crossings import AGES, QuarantineCounts, QuarantineFilter
from tracking.models import BatchAction, QuarantineBatch, Quarantined, QuarantineState
from tracking.positions import Span, locate, locate_cell, own_part, raw_lines
from tracking.reasons import Reason, sentence

STATE_TONES: Final = {
    QuarantineState.OPEN: "warn",
    QuarantineState.REPLAYED: "ok",
    QuarantineState.DISCARDED: "neutral",
    QuarantineState.REPLACED: "ok",
}
MOST_EDITED: Final = 100_000  # characters of a message that are offered for correction


def quarantine_url(**params: str) -> str:
    """The list with some filter."""
    base = reverse("ops:tracking_quarantine")
    return f"{base}?{urlencode(params)}" if params else base


def item_url(public_id: str, page: str = "item") -> str:
    """An address of one item."""
    return reverse(f"ops:tracking_quarantine_{page}", kwargs={"public_id": public_id})


# --- the list ---


def states(wanted: QuarantineFilter, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """The chips by state."""
    named = [*((s.value, s.label) for s in QuarantineState), ("ALL", _("All"))]
    return [
        {"label": label, "url": quarantine_url(**wanted.params(state=state)), "active": wanted.state == state,
         "count": sum(counts.values()) if state == "ALL" else counts.get(state, 0)}
        for state, label in named
    ]  # fmt: skip


def menus(wanted: QuarantineFilter, counts: QuarantineCounts) -> list[dict[str, Any]]:
    """The filters with many values."""

    def menu(label: str, field: str, values: Mapping[str, int | None], names: Mapping[str, str]) -> dict[str, Any]:
        chosen = getattr(wanted, field)
        return {
            "label": label, "chosen": names.get(chosen, chosen),
            "all_url": quarantine_url(**wanted.params(**{field: ""})),
            "items": [
                {"label": names.get(key, key), "url": quarantine_url(**wanted.params(**{field: key})),
                 "active": chosen == key, "count": "" if number is None else str(number),
                 "note": key if key in names and field == "reason" else ""}
                for key, number in values.items()
            ],
        }  # fmt: skip

    words = {key: str(sentence(key)) for key in counts.reasons}
    ages = {days: _("at least %(days)s") % {"days": wording.days(int(days))} for days in AGES}
    made = [
        menu(_("Reason"), "reason", counts.reasons, words), menu(_("Source"), "source", counts.sources, {}),
        menu(_("Code"), "code", counts.codes, {}), menu(_("Waiting"), "age", dict.fromkeys(AGES), ages),
    ]  # fmt: skip
    return [m for m in made if m["items"]]


def row(item: Mapping[str, Any], zone: Any) -> dict[str, Any]:
    """One line of the list."""
    state = QuarantineState(item["state"])
    own = "" if item["tenant__kind"] == TenantKind.OPERATOR else item["tenant__name"]
    return {
        "id": item["public_id"], "url": item_url(item["public_id"]), "reason": sentence(item["reason"]),
        "code": item["reason"], "about": item["code"], "source": item["source__name"],
        "source_key": item["source__key"], "account": own, "position": item["position"],
        "excerpt": item["fragment"][:160] or " ".join(r.partition(":")[2] for r in item["refs"][:4]),
        "at": item["recorded_at"], "zone": zone, "state": {"tone": STATE_TONES[state], "label": state.label},
    }  # fmt: skip


# --- one item ---


def message_text(item: Quarantined) -> tuple[str, str]:
    """The bytes as text, and the encoding that gives them back; EDI is older than UTF-8."""
    body = bytes(item.message.raw.body)
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return body.decode("latin-1"), "latin-1"


def readable(body: bytes) -> str:
    """The bytes as text, as far as they are text."""
    if workbooks.is_archive(body):
        return _("A workbook: download it to see it.")
    return body.decode("utf-8", errors="replace")


def shown(item: Quarantined) -> tuple[str, Span | None]:
    """What the item's page shows of its message, and the place in it: of a spreadsheet the row, a cell a line."""
    if item.source.format == "table":
        cells = (item.event or {}).get("payload") or {}
        text = item.fragment or "\n".join(f"{name}: {cell}" for name, cell in cells.items())
        if text:
            return text, locate_cell(text, item.position)
    body = bytes(item.message.raw.body)
    text = readable(body) if workbooks.is_archive(body) else message_text(item)[0]
    return text, locate(text, item.position)


def is_text(item: Quarantined) -> bool:
    """Whether the message can be mended as text: a workbook or an archive cannot."""
    return b"\0" not in bytes(item.message.raw.body)


def correctable(item: Quarantined) -> str:
    """The item's own part of its message, to be mended; empty when it is no text or too long to edit."""
    if not is_text(item):
        return ""
    part = own_part(message_text(item)[0], item.position)
    return part if len(part) <= MOST_EDITED else ""


def item_context(item: Quarantined, *, may_write: bool) -> dict[str, Any]:
    """The item with its place in the message marked, its facts and its history."""
    lines, cut = raw_lines(*shown(item))
    state = QuarantineState(item.state)
    is_open = state == QuarantineState.OPEN and may_write
    return {
        "title": str(sentence(item.reason)).rstrip("."), "state": {"tone": STATE_TONES[state], "label": state.label},
        "crumbs": [{"label": _("Quarantine"), "url": quarantine_url()}],
        "reason": {"text": "" if item.detail == str(sentence(item.reason)) else item.detail, "fix": _fix(item)},
        "raw": {"lines": lines, "cut": _("The message is long: the lines around it are shown.") if cut else ""},
        "has_mark": any(line.get("marked") for line in lines),
        "facts": _facts(item), "history": _history(item),
        "raw_url": reverse("ops:tracking_message_raw", kwargs={"public_id": item.message.public_id}),
        "correct_url": item_url(item.public_id, "correct") if is_open and correctable(item) else "",
        "confirm": {
            "action": item_url(item.public_id, "replay"), "submit": _("Replay"),
            "sentence": _("The event is read and matched again. If it fits now, it is applied; if not, it stays here."),
        } if is_open else None,
    }  # fmt: skip


def _fix(item: Quarantined) -> str:
    place = item.code if item.reason == Reason.NO_ZONE else ""
    fixes = {
        Reason.NO_MATCHING_SHIPMENT: _("It is applied by itself once a shipment with one of its references arrives."),
        Reason.NO_ZONE: _("Give %(place)s its time zone below; all that wait for it are then tried again.")
        % {"place": place} if place
        else _("The event names no place whose zone could be asked for: correct it, or give the source one zone."),
        Reason.FUTURE_ACTUAL: _("Replay it once its time has passed, or let this source's early actuals be estimates."),
        Reason.UNKNOWN_CODE: _("Say below what the code means; all that wait for it are then tried again.")
        if item.code else _("Ask the source which code is meant, and correct the event."),
        Reason.NOT_AUTHORISED: _("Let the source report on this account or carrier, or set the event aside."),
    }  # fmt: skip
    return fixes.get(Reason(item.reason), "") if item.reason in list(Reason) else ""


def _facts(item: Quarantined) -> list[dict[str, Any]]:
    operators = item.tenant.kind == TenantKind.OPERATOR
    message_url = reverse("ops:tracking_message", kwargs={"public_id": item.message.public_id})
    told: list[dict[str, Any]] = [
        {"label": _("Reason"), "value": item.reason, "mono": True},
        {"label": _("Position"), "value": item.position, "mono": True},
        {"label": _("Source"), "value": f"{item.source.name} ({item.source.key})"},
        {"label": _("Kind of source"), "value": wording.SOURCE_KINDS.get(item.source.kind, item.source.kind)},
        {"label": _("Belongs to"), "value": _("the operator") if operators else item.tenant.name},
        {"label": _("Message"), "value": item.message.public_id, "url": message_url, "mono": True},
        {"label": _("References"), "value": ", ".join(r.replace(":", " ", 1) for r in item.refs[:12]) or _("none")},
        {"label": _("Attempts"), "value": str(item.attempts)},
    ]
    if item.code:
        listed = " ".join(p for p in (item.listed, item.agency) if p)
        told.insert(1, {"label": _("Not known"), "value": item.code, "mono": True, "note": listed})
    for made in item.corrections.all():
        url = reverse("ops:tracking_message", kwargs={"public_id": made.public_id})
        told.append({"label": _("Corrected by"), "value": made.public_id, "url": url, "mono": True})
    return told


def _history(item: Quarantined) -> list[dict[str, Any]]:
    zone = operator_zone()
    told: list[dict[str, Any]] = [{"label": _("Quarantined"), "at": item.recorded_at, "zone": zone}]
    if item.attempts:
        tried = ngettext("Tried %(n)d time", "Tried %(n)d times", item.attempts) % {"n": item.attempts}
        told.append({"label": tried, "at": item.decided_at or item.recorded_at, "zone": zone})
    if item.decided_at is not None:
        label = QuarantineState(item.state).label
        told.append({
            "label": label, "who": item.decided_by, "at": item.decided_at, "zone": zone, "note": item.decision,
        })  # fmt: skip
    return told[::-1]


def events(count: int) -> str:
    """`312 events`."""
    return ngettext("%(n)d event", "%(n)d events", count) % {"n": count}


# --- many at once ---


def batch_url(batch: str) -> str:
    """Where the progress of a decision is seen."""
    return reverse("ops:tracking_quarantine_batch", kwargs={"batch": batch})


def batch_context(parts: list[QuarantineBatch], at: datetime) -> dict[str, Any]:
    """How far a decision about many items has come; true at any time, so the page can be left."""
    first = parts[0]
    of, done = sum(p.of for p in parts), sum(p.done for p in parts)  # type: ignore[attr-defined]
    finished = all(p.finished_at for p in parts)
    settled, waiting, skipped = (sum(getattr(p, n) for p in parts) for n in ("settled", "waiting", "skipped"))
    is_replay = first.action == BatchAction.REPLAY
    told = [
        {"label": _("Applied") if is_replay else _("Set aside"), "value": str(settled)},
        {"label": _("Still not usable"), "value": str(waiting)} if is_replay else None,
        {"label": _("Decided by somebody else before"), "value": str(skipped)},
    ]
    return {
        "title": (_("Replay of %(events)s") if is_replay else _("Setting aside %(events)s")) % {"events": events(of)},
        "crumbs": [{"label": _("Quarantine"), "url": quarantine_url()}],
        "state": {"tone": "ok", "label": _("Finished")} if finished else {"tone": "info", "label": _("Under way")},
        "done": done, "of": of, "finished": finished,
        "progress": _("%(done)d of %(of)d tried") % {"done": done, "of": of} if is_replay
        else _("%(done)d of %(of)d decided") % {"done": done, "of": of},
        "stats": [t for t in told if t], "zone": operator_zone(), "started_at": first.created_at,
        "who": first.created_by, "reason": first.reason, "list_url": quarantine_url(),
        "stuck": not finished and at - first.created_at > timedelta(minutes=15),
    }  # fmt: skip
