"""The desk's pages about what came in: quarantine, messages as received, sources.

Lists cross tenants, each saying why; what is decided is written inside the one tenant that owns the item.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.context import across_tenants, as_tenant
from portal.tenancy.models import Role, TenantKind
from portal.tenancy.selectors import operator_zone
from portal.web.pages import CrossingView, PageView, pager
from portal.web.policy import Policy, staff
from portal.web.tables import Cursor
from tracking import crossings, services, wording
from tracking.crossings import QuarantineFilter
from tracking.forms import DiscardForm
from tracking.models import Acknowledgement, InboundMessage, MessageState, Quarantined, QuarantineState
from tracking.positions import locate, raw_lines
from tracking.reasons import Reason, sentence

WRITERS: Final = frozenset({Role.OPS.value, Role.ADMIN.value})
STATE_TONES: Final = {
    QuarantineState.OPEN: "warn",
    QuarantineState.REPLAYED: "ok",
    QuarantineState.DISCARDED: "neutral",
}
MESSAGE_TONES: Final = {MessageState.RECEIVED: "info", MessageState.APPLIED: "ok", MessageState.REFUSED: "late"}


def quarantine_url(**params: str) -> str:
    """The list with some filter."""
    base = reverse("ops:tracking_quarantine")
    return f"{base}?{urlencode(params)}" if params else base


class Quarantine(CrossingView):
    """What could not be used, of all sources: newest first, by state, reason and source."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "quarantine: events that could not be used, over all sources"

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of the list."""
        wanted = QuarantineFilter.read(request.GET)
        page = crossings.quarantine_page(wanted, cursor=Cursor.read(request.GET))
        states, reasons, sources = crossings.quarantine_counts(wanted)
        zone = operator_zone()
        return self.page("tracking/ops/quarantine.html", {
            "title": _("Quarantine"),
            "subtitle": _("Events that could not be used. Their bytes are kept; each can be replayed or set aside."),
            "chips": self._states(wanted, states), "menus": self._menus(wanted, reasons, sources),
            "rows": [self._row(row, zone) for row in page.rows],
            "empty": {} if wanted.params() == {} else
                {"title": _("Nothing here"), "text": _("No item has this state, reason and source."),
                 "action": {"label": _("All open items"), "url": quarantine_url()}},
            "pager": pager(request, older=page.older, newer=page.newer),
        })  # fmt: skip

    def _states(self, wanted: QuarantineFilter, counts: dict[str, int]) -> list[dict[str, Any]]:
        named = [*((s.value, s.label) for s in QuarantineState), ("ALL", _("All"))]
        return [
            {"label": label, "url": quarantine_url(**wanted.params(state=state)), "active": wanted.state == state,
             "count": sum(counts.values()) if state == "ALL" else counts.get(state, 0)}
            for state, label in named
        ]  # fmt: skip

    def _menus(
        self, wanted: QuarantineFilter, reasons: dict[str, int], sources: dict[str, int]
    ) -> list[dict[str, Any]]:
        def menu(label: str, field: str, counts: dict[str, int], names: dict[str, str]) -> dict[str, Any]:
            chosen = getattr(wanted, field)
            return {
                "label": label, "chosen": names.get(chosen, chosen),
                "all_url": quarantine_url(**wanted.params(**{field: ""})),
                "items": [
                    {"label": names.get(key, key), "url": quarantine_url(**wanted.params(**{field: key})),
                     "active": chosen == key, "count": str(number), "note": key if key in names else ""}
                    for key, number in counts.items()
                ],
            }  # fmt: skip

        words = {key: str(sentence(key)) for key in reasons}
        menus = [menu(_("Reason"), "reason", reasons, words), menu(_("Source"), "source", sources, {})]
        return [m for m in menus if m["items"]]

    def _row(self, row: dict[str, Any], zone: Any) -> dict[str, Any]:
        state = QuarantineState(row["state"])
        own = "" if row["tenant__kind"] == TenantKind.OPERATOR else row["tenant__name"]
        return {
            "url": reverse("ops:tracking_quarantine_item", kwargs={"public_id": row["public_id"]}),
            "reason": sentence(row["reason"]), "code": row["reason"], "source": row["source__name"],
            "source_key": row["source__key"], "account": own, "position": row["position"],
            "excerpt": row["fragment"][:160] or " ".join(r.partition(":")[2] for r in row["refs"][:4]),
            "at": row["recorded_at"], "zone": zone, "state": {"tone": STATE_TONES[state], "label": state.label},
        }  # fmt: skip


class QuarantineItem(CrossingView):
    """One refused event: why, where in the message, what was tried, what can be done."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "quarantine: one event that could not be used, with its message"

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The item with its place in the message marked."""
        row = crossings.quarantine_item(public_id)
        if row is None:
            raise NotFound
        return item_page(self, row, DiscardForm())


def item_page(view: PageView, row: Quarantined, form: DiscardForm, status: int = 200) -> HttpResponse:
    """The page of an item, also with a refused form on it."""
    text = bytes(row.message.raw.body).decode("utf-8", errors="replace")
    lines, cut = raw_lines(text, locate(text, row.position))
    state = QuarantineState(row.state)
    kwargs = {"public_id": row.public_id}
    may_write = state == QuarantineState.OPEN and view.member.role in WRITERS
    return view.page("tracking/ops/quarantine_item.html", {
        "title": str(sentence(row.reason)).rstrip("."), "state": {"tone": STATE_TONES[state], "label": state.label},
        "crumbs": [{"label": _("Quarantine"), "url": quarantine_url()}],
        "reason": {"text": "" if row.detail == str(sentence(row.reason)) else row.detail, "fix": _fix(row.reason)},
        "raw": {"lines": lines, "cut": _("The message is long: the lines around it are shown.") if cut else ""},
        "has_mark": any(line.get("marked") for line in lines),
        "facts": _item_facts(row), "history": _history(row),
        "raw_url": reverse("ops:tracking_message_raw", kwargs={"public_id": row.message.public_id}),
        "confirm": {
            "action": reverse("ops:tracking_quarantine_replay", kwargs=kwargs), "submit": _("Replay"),
            "sentence": _("The event is read and matched again. If it fits now, it is applied; if not, it stays here."),
        } if may_write else None,
        "discard": {
            "action": reverse("ops:tracking_quarantine_discard", kwargs=kwargs), "submit": _("Set aside"),
            "sentence": _("The event is given up and never tried again. Its bytes and your reason stay."),
            "danger": True, "fields": form,
        } if may_write else None,
    }, status)  # fmt: skip


def _fix(reason: str) -> str:
    fixes = {
        Reason.NO_MATCHING_SHIPMENT: _("It is applied by itself once a shipment with one of its references arrives."),
        Reason.NO_ZONE: _("Give the place its time zone, or ask the source to send an offset; then replay."),
        Reason.FUTURE_ACTUAL: _("Replay it once its time has passed, or let this source's early actuals be estimates."),
        Reason.UNKNOWN_CODE: _("Ask the source which code is meant; a corrected message replaces this one."),
    }  # fmt: skip
    return fixes.get(Reason(reason), "") if reason in list(Reason) else ""


def _item_facts(row: Quarantined) -> list[dict[str, Any]]:
    operators = row.tenant.kind == TenantKind.OPERATOR
    message_url = reverse("ops:tracking_message", kwargs={"public_id": row.message.public_id})
    return [
        {"label": _("Reason"), "value": row.reason, "mono": True},
        {"label": _("Position"), "value": row.position, "mono": True},
        {"label": _("Source"), "value": f"{row.source.name} ({row.source.key})"},
        {"label": _("Kind of source"), "value": wording.SOURCE_KINDS.get(row.source.kind, row.source.kind)},
        {"label": _("Belongs to"), "value": _("the operator") if operators else row.tenant.name},
        {"label": _("Message"), "value": row.message.public_id, "url": message_url, "mono": True},
        {"label": _("References"), "value": ", ".join(r.replace(":", " ", 1) for r in row.refs[:12]) or _("none")},
        {"label": _("Attempts"), "value": str(row.attempts)},
    ]


def _history(row: Quarantined) -> list[dict[str, Any]]:
    zone = operator_zone()
    told: list[dict[str, Any]] = [{"label": _("Quarantined"), "at": row.recorded_at, "zone": zone}]
    if row.attempts:
        tried = ngettext("Tried %(n)d time", "Tried %(n)d times", row.attempts) % {"n": row.attempts}
        told.append({"label": tried, "at": row.decided_at or row.recorded_at, "zone": zone})
    if row.decided_at is not None:
        label = QuarantineState(row.state).label
        told.append({"label": label, "who": row.decided_by, "at": row.decided_at, "zone": zone, "note": row.decision})
    return told[::-1]


class _Decide(PageView):
    """A decision about one item, written inside the tenant that owns it."""

    policy: ClassVar[Policy] = staff(Role.OPS)
    http_method_names = ["post"]

    def owner(self, public_id: str) -> int:
        """The tenant of the item, found by a crossing; raises NotFound."""
        reason = "quarantine: whose item this is, before it is decided about"
        with across_tenants(reason=reason, actor=self.member.label, at=self.at):
            row = crossings.quarantine_item(public_id)
        if row is None:
            raise NotFound
        return int(row.tenant_id)

    def back(self, public_id: str) -> HttpResponseRedirect:
        """To the item."""
        return HttpResponseRedirect(reverse("ops:tracking_quarantine_item", kwargs={"public_id": public_id}))


class QuarantineReplay(_Decide):
    """Tries one item again."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Says whether it fits now."""
        try:
            with as_tenant(self.owner(public_id)):
                row = services.quarantine_replay(public_id=public_id, at=self.at, actor=self.member.label)
        except services.AlreadyDecided as error:
            messages.error(request, error.sentence())
            return self.back(public_id)
        if row.state == QuarantineState.REPLAYED:
            messages.success(request, _("The event was applied."))
        else:
            messages.warning(request, _("It still cannot be used: %(why)s") % {"why": sentence(row.reason)})
        return self.back(public_id)


class QuarantineDiscard(_Decide):
    """Gives one item up, with a reason."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Needs a reason; without one the page says so."""
        form, owner = DiscardForm(request.POST), self.owner(public_id)
        if not form.is_valid():
            with across_tenants(reason=QuarantineItem.crossing_reason, actor=self.member.label, at=self.at):
                row = crossings.quarantine_item(public_id)
                assert row is not None
                return item_page(self, row, form, status=422)
        try:
            with as_tenant(owner):
                services.quarantine_discard(
                    public_id=public_id, reason=form.cleaned_data["reason"], at=self.at, actor=self.member.label
                )
        except PortalError as error:
            messages.error(request, error.sentence())
        else:
            messages.success(request, _("The event was set aside."))
        return self.back(public_id)


class Message(CrossingView):
    """One message as it was received, with what became of it."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "messages: one message as received"

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Counts, refusals and the text."""
        found = _message(public_id)
        body = bytes(found.raw.body)
        lines, cut = raw_lines(_text(body), None)
        state = MessageState(found.state)
        return self.page("tracking/ops/message.html", {
            "title": _("Message"), "state": {"tone": MESSAGE_TONES[state], "label": state.label},
            "crumbs": [{"label": _("Sources"), "url": reverse("ops:tracking_sources")}, {"label": found.source.name}],
            "facts": _message_facts(found, len(body)), "counts": _message_counts(found),
            "warnings": [{"label": sentence(code), "value": str(n)} for code, n in sorted(found.warnings.items())],
            "refusals": [
                {"url": reverse("ops:tracking_quarantine_item", kwargs={"public_id": r.public_id}),
                 "label": sentence(r.reason), "position": r.position,
                 "state": {"tone": STATE_TONES[QuarantineState(r.state)], "label": QuarantineState(r.state).label}}
                for r in crossings.message_refusals(found)
            ],
            "acknowledgements": [_acknowledgement(row) for row in crossings.message_acknowledgements(found)],
            "raw": {"lines": lines, "cut": _("The message is long: its beginning is shown.") if cut else ""},
            "raw_url": reverse("ops:tracking_message_raw", kwargs={"public_id": public_id}),
        })  # fmt: skip


class MessageRaw(CrossingView):
    """The bytes of a message, unchanged, as a download."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "messages: the bytes of one message"

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Never shown by the browser: whatever it is, it is a file."""
        found = _message(public_id)
        response = HttpResponse(bytes(found.raw.body), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="message-{found.public_id}.bin"'
        return response


def _acknowledgement(row: Acknowledgement) -> dict[str, Any]:
    label = f"{row.get_kind_display()} {row.number}"
    return {
        "label": label, "raw": {"lines": raw_lines(_text(row.body), None)[0], "label": label},
        "state": {"tone": "warn", "label": _("Refuses")} if row.is_refused else {"tone": "ok", "label": _("Accepts")},
    }  # fmt: skip


def _text(body: bytes | memoryview[int]) -> str:
    return bytes(body).decode("utf-8", errors="replace")


def _message(public_id: str) -> InboundMessage:
    found = crossings.message_item(public_id)
    if found is None:
        raise NotFound
    return found


def _message_facts(found: InboundMessage, size: int) -> list[dict[str, Any]]:
    from portal.web.templatetags.ui import time_at

    zone = operator_zone()
    said = (
        (_("Id"), found.public_id, True),
        (_("Source"), f"{found.source.name} ({found.source.key})", False),
        (_("Came by"), found.channel, False),
        (_("Received"), time_at(found.received_at, zone), False),
        (_("Applied"), time_at(found.applied_at, zone) if found.applied_at else _("not yet"), False),
        (_("Content type"), found.content_type, False),
        (_("File"), found.file_name, True),
        (_("Idempotency key"), found.idempotency_key, True),
        (_("Size"), _("%(n)d bytes") % {"n": size}, False),
        (_("SHA-256"), found.raw.sha256, True),
        (_("Detail"), found.detail, False),
    )
    return [{"label": label, "value": value, "mono": mono} for label, value, mono in said if value]


def _message_counts(found: InboundMessage) -> list[dict[str, Any]]:
    return [
        {"label": _("Received"), "value": str(found.events_received)},
        {"label": _("Accepted"), "value": str(found.events_accepted)},
        {"label": _("Known before"), "value": str(found.events_duplicate)},
        {"label": _("Quarantined"), "value": str(found.events_quarantined)},
    ]
