"""The desk's pages about messages as they were received. Quarantine is in quarantine_views.py.

They cross tenants, each saying why; nothing is written here.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from portal.tenancy.selectors import operator_zone
from portal.web.pages import CrossingView
from portal.web.policy import Policy, staff
from tracking import crossings
from tracking.models import Acknowledgement, InboundMessage, MessageState, QuarantineState
from tracking.positions import raw_lines
from tracking.quarantine_pages import STATE_TONES, item_url, readable
from tracking.reasons import sentence

MESSAGE_TONES: Final = {MessageState.RECEIVED: "info", MessageState.APPLIED: "ok", MessageState.REFUSED: "late"}


class Message(CrossingView):
    """One message as it was received, with what became of it."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "messages: one message as received"

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Counts, refusals and the text."""
        found = _message(public_id)
        body = bytes(found.raw.body)
        lines, cut = raw_lines(readable(body), None)
        state = MessageState(found.state)
        return self.page("tracking/ops/message.html", {
            "title": _("Message"), "state": {"tone": MESSAGE_TONES[state], "label": state.label},
            "crumbs": [{"label": _("Sources"), "url": reverse("ops:tracking_sources")}, {"label": found.source.name}],
            "facts": _message_facts(found, len(body)), "counts": _message_counts(found),
            "warnings": [{"label": sentence(code), "value": str(n)} for code, n in sorted(found.warnings.items())],
            "refusals": [
                {"url": item_url(r.public_id), "label": sentence(r.reason), "position": r.position,
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
        "label": label, "raw": {"lines": raw_lines(readable(bytes(row.body)), None)[0], "label": label},
        "state": {"tone": "warn", "label": _("Refuses")} if row.is_refused else {"tone": "ok", "label": _("Accepts")},
    }  # fmt: skip


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
    facts: list[dict[str, Any]] = [
        {"label": label, "value": value, "mono": mono} for label, value, mono in said if value
    ]
    if found.corrects is not None:
        corrected = found.corrects
        facts.insert(3, {"label": _("Corrects"), "value": corrected.public_id, "url": item_url(corrected.public_id),
                         "mono": True, "note": sentence(corrected.reason)})  # fmt: skip
    return facts


def _message_counts(found: InboundMessage) -> list[dict[str, Any]]:
    return [
        {"label": _("Received"), "value": str(found.events_received)},
        {"label": _("Accepted"), "value": str(found.events_accepted)},
        {"label": _("Known before"), "value": str(found.events_duplicate)},
        {"label": _("Quarantined"), "value": str(found.events_quarantined)},
    ]
