"""What the pages of one source show: facts, addresses, settings in words, its keys, what it sent lately.

Shapes only; reads what a scope holds, decides nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from portal.tenancy.models import ApiKey, TenantKind
from tracking import wording
from tracking.forms import format_name
from tracking.models import AcknowledgementKind, InboundMessage, MessageState, PartnerCode, Source, ZoneRule
from tracking.partners import KIND_RANKS
from tracking.services import valid_keys
from tracking.statuses import lists, standard_of
from tracking.types import StatusRule

LATELY: Final = 10
MESSAGE_TONES: Final = {MessageState.RECEIVED: "info", MessageState.APPLIED: "ok", MessageState.REFUSED: "late"}


def page_url(name: str, source: Source, **more: str) -> str:
    """The address of one of a source's pages."""
    return reverse(f"ops:tracking_{name}", kwargs={"source": source.key, **more})


def crumbs(source: Source, *, here: bool = False) -> list[dict[str, str]]:
    """The way to a source's page, or to a page below it."""
    way = [{"label": _("Sources"), "url": reverse("ops:tracking_sources")}]
    return way if here else [*way, {"label": source.name, "url": page_url("source", source)}]


def belongs_to(source: Source) -> str:
    """Whose source it is, in words."""
    return _("the operator") if source.tenant.kind == TenantKind.OPERATOR else source.tenant.name


def facts(source: Source, zone: Any) -> list[dict[str, Any]]:
    """Who it is."""
    from portal.web.templatetags.ui import time_at

    heard = time_at(source.last_heard_at, zone) if source.last_heard_at else _("never")
    return [
        {"label": pgettext("of a source", "Key"), "value": source.key, "mono": True},
        {"label": _("Kind"), "value": wording.SOURCE_KINDS.get(source.kind, source.kind)},
        {"label": _("Format"), "value": format_name(source.format)},
        {"label": _("Belongs to"), "value": belongs_to(source)},
        {"label": _("Last heard"), "value": heard},
        {"label": _("Added"), "value": time_at(source.created_at, zone, "day")},
    ]


def doors(source: Source) -> list[dict[str, Any]]:
    """Where it sends to; addresses for partners, so never from the request (W3)."""
    base, kwargs = settings.PUBLIC_URL, {"source": source.key}
    found = [{"label": _("Messages to"), "value": f"POST {base}{reverse('tracking:ingest', kwargs=kwargs)}"}]
    if source.dcsa_secrets:
        address = base + reverse("tracking:dcsa_callback", kwargs=kwargs)
        found.append({"label": _("Callbacks to"), "value": f"POST {address}"})
    if source.inbox:
        found.append({"label": _("Folder"), "value": source.inbox})
    return found


def settings_in_words(source: Source, *, rank: int | None, accounts: list[str]) -> list[dict[str, Any]]:
    """How it is read and how far it is believed."""
    fixed = source.zone_rule == ZoneRule.FIXED
    usual = _("%(rank)d, as its kind") % {"rank": KIND_RANKS.get(source.kind, 0)}
    silent = source.silent_after_minutes
    everybody = _("every account") if source.tenant.kind == TenantKind.OPERATOR else source.tenant.name
    said: list[tuple[Any, Any]] = [
        (_("Rank"), str(rank) if rank is not None else usual),
        (_("Times without offset"), source.zone if fixed else ZoneRule.PLACE.label),
        (_("Actuals in the future"), _("taken as estimates") if source.future_act_as_est else _("to quarantine")),
        (_("Its arrivals"), _("at the anchorage") if source.arrival_is_anchorage else _("at the berth")),
        (_("Envelopes that do not fit"), _("refused") if source.strict_envelope else _("a warning")),
        (_("One bad event"), _("keeps the message out") if source.all_or_nothing else _("waits by itself")),
        (_("Acknowledgement"), AcknowledgementKind(source.acknowledges).label),
        (_("May report on"), ", ".join(accounts) or everybody),
        (_("For carriers"), ", ".join(source.carriers) or _("every carrier")),
        (_("Silent after"), ngettext("%(n)d minute", "%(n)d minutes", silent) % {"n": silent}
         if silent else _("learned from its rhythm")),
    ]  # fmt: skip
    return [{"label": label, "value": value} for label, value in said]


def keys(source: Source, *, at: datetime, may_edit: bool) -> list[dict[str, Any]]:
    """The keys that open its doors now."""
    rows = ApiKey.objects.filter(valid_keys(at), source_key=source.key).order_by("-created_at", "-id")
    return [
        {"label": k.label, "prefix": k.prefix, "made": k.created_at, "by": k.created_by, "used": k.last_used_at,
         "revoke_url": page_url("source_key_revoke", source, public_id=k.public_id) if may_edit else ""}
        for k in rows
    ]  # fmt: skip


def lately(source: Source, *, count: int = LATELY) -> list[dict[str, Any]]:
    """Its newest messages with what became of them."""
    rows = InboundMessage.objects.filter(source=source).order_by("-received_at", "-id")[:count]
    return [
        {"url": reverse("ops:tracking_message", kwargs={"public_id": m.public_id}), "at": m.received_at,
         "channel": m.channel, "file": m.file_name, "accepted": m.events_accepted, "duplicate": m.events_duplicate,
         "quarantined": m.events_quarantined, "public_id": m.public_id,
         "state": {"tone": MESSAGE_TONES[MessageState(m.state)], "label": MessageState(m.state).label},
         "bench_url": f"{page_url('source_bench', source)}?message={m.public_id}"}
        for m in rows
    ]  # fmt: skip


# --- partner tables ---


def list_of(source: Source) -> str:
    """The list that the codes of its format stand in."""
    return source.format if source.format in lists() else ""


def means(rule: StatusRule) -> str:
    """What a line says, in words: `Departed, estimated, by vessel`."""
    if rule.is_ignored:
        return _("says nothing that is tracked")
    parts = [wording.event(rule.code, laden=rule.laden, document_type=rule.document_type or "")]
    if rule.classifier != "ACT":
        parts.append(str(wording.CLASSIFIERS[rule.classifier]))
    if rule.mode:
        parts.append(_("by %(mode)s") % {"mode": rule.mode.lower()})
    if rule.place_role:
        parts.append(_("at %(role)s") % {"role": rule.place_role})
    return ", ".join(parts)


def own_lines(source: Source, rows: list[PartnerCode], zone: Any, *, may_edit: bool) -> list[dict[str, Any]]:
    """The partner's own lines."""
    from tracking.partners import status_rule

    return [
        {
            "listed": r.listed, "agency": r.agency, "code": r.code, "means": means(status_rule(r)),
            "event": "" if r.is_ignored else f"{r.kind} {r.event_code}", "note": r.note, "by": r.changed_by,
            "at": r.changed_at, "zone": zone,
            "url": code_url(source, listed=r.listed, code=r.code, agency=r.agency) if may_edit else "",
        }
        for r in rows
    ]  # fmt: skip


def code_url(source: Source, **line: str) -> str:
    """The form of one line, filled in."""
    from urllib.parse import urlencode

    told = urlencode({name: value for name, value in line.items() if value})
    base = page_url("source_code", source)
    return f"{base}?{told}" if told else base


def standard_lines(source: Source, listed: str, own: set[tuple[str, str]], *, may_edit: bool) -> list[dict[str, Any]]:
    """The standard table of a list; what the partner says otherwise is marked."""
    return [
        {"code": code, "means": means(rule), "says": rule.says, "event": "" if rule.is_ignored else
         f"{rule.kind} {rule.code}", "overridden": (listed, code) in own,
         "url": code_url(source, listed=listed, code=code) if may_edit else ""}
        for code, rule in standard_of(listed).items()
    ]  # fmt: skip
