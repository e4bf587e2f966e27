"""What people enter by hand: one event about one shipment, with what proves it, and its withdrawal (R1.12, G12).

An entry goes the way of every message: bytes first, then read, matched, stored. Nothing is overwritten.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import audit
from tracking.ingest import message_process, message_receive
from tracking.models import Evidence, InboundMessage, Quarantined, Shipment, SightingRow, Source
from tracking.pictures import NotAPicture, drawn_anew
from tracking.reasons import Reason, sentence
from tracking.selectors import source_scope
from tracking.services.sources import source_create
from tracking.types import Classifier, SourceKind

MANUAL_KEY: Final = "manual-desk"
MOST_BYTES: Final = 5 * 1024 * 1024
_LONGEST_SIDE: Final = 2_400  # pixels that are kept of a photo; enough to read a delivery note
_PHOTOS: Final = ("JPEG", "PNG", "WEBP")


class EvidenceRefused(PortalError):
    """The file is none of the kinds that are kept, or too large."""

    code, status = "evidence_refused", 422
    message = _("%(name)s is neither a photo (JPEG, PNG, WebP) nor a PDF, or it is damaged or too large.")


class EntryRefused(PortalError):
    """The record does not take the entry; says why."""

    code, status = "entry_refused", 422
    message = _("The entry was not taken: %(why)s")


class NotByHand(PortalError):
    """Only what people entered can be withdrawn by people; a partner's events are withdrawn by the partner (R1.4)."""

    code, status = "not_by_hand", 422
    message = _("Only entries made by hand can be withdrawn here.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a person says happened. `local` is ISO 8601 without offset, or a bare day, at the place."""

    code: str
    local: str
    place: str
    classifier: Classifier = Classifier.ACT
    container: str = ""  # empty: the whole shipment
    laden: bool | None = None
    mode: str = ""
    place_role: str = ""
    evidence: str = ""  # public id of an Evidence, or a reference to a paper kept elsewhere
    note: str = ""  # who said so, and how


@transaction.atomic
def evidence_store(*, shipment: Shipment, name: str, body: bytes, at: datetime, actor: str) -> Evidence:
    """Keeps a file about a shipment of the entered account; its bytes say what it is. Raises EvidenceRefused."""
    if len(body) > MOST_BYTES:
        raise EvidenceRefused(name=name)
    if body.startswith(b"%PDF-"):
        kept, content_type = body, "application/pdf"
    else:
        try:
            kept = drawn_anew(body, kinds=_PHOTOS, into="JPEG", longest=_LONGEST_SIDE)
        except NotAPicture:
            raise EvidenceRefused(name=name) from None
        content_type = "image/jpeg"
    return Evidence.objects.create(
        shipment=shipment, name=name.replace("\\", "/").rpartition("/")[2][:200] or "evidence",
        content_type=content_type, sha256=ids.digest(kept), size=len(kept), body=kept, recorded_at=at,
        recorded_by=actor,
    )  # fmt: skip


@transaction.atomic
def entry_record(*, shipment: Shipment, entry: Entry, at: datetime, actor: str, author: str = "") -> SightingRow:
    """Puts the entry on record for a shipment of the entered account; returns the sighting it became.

    `author` is the name that the customer reads beside it; the audit trail keeps `actor`.

    Raises EntryRefused with the reason in words: nothing is left behind then.
    """
    said = {
        "id": ids.public_id(), "code": entry.code, "classifier": entry.classifier.value, "time": entry.local,
        "place": entry.place, "container": entry.container, "laden": entry.laden, "mode": entry.mode,
        "place_role": entry.place_role, "evidence": entry.evidence, "note": entry.note,
    }  # fmt: skip
    message = _put(shipment, said, at, author or actor)
    _refuse_if_waiting(message)
    audit(action="entry.recorded", actor=actor, at=at, object_type="shipment", object_id=shipment.public_id,
          details={"code": entry.code, "time": entry.local, "evidence": entry.evidence})  # fmt: skip
    return SightingRow.objects.get(shipment=shipment, source=MANUAL_KEY, source_event_id=said["id"])


@transaction.atomic
def entry_withdraw(
    *, shipment: Shipment, sighting: SightingRow, why: str, at: datetime, actor: str, author: str = ""
) -> None:
    """Withdraws an entry made by hand, with the reason; the entry itself stays on record (R1.4). Raises NotByHand."""
    if sighting.source != MANUAL_KEY or not sighting.source_event_id:
        raise NotByHand
    _refuse_if_waiting(_put(shipment, {"withdraws": sighting.source_event_id, "note": why}, at, author or actor))
    audit(action="entry.withdrawn", actor=actor, at=at, object_type="shipment", object_id=shipment.public_id,
          details={"entry": sighting.source_event_id, "why": why})  # fmt: skip


def _put(shipment: Shipment, said: dict[str, Any], at: datetime, author: str) -> InboundMessage:
    """The entry as a message of the desk's own source, in the operator's scope, applied at once."""
    body = {
        **{name: value for name, value in said.items() if value not in ("", None)}, "account": tenant_current().code,
        "shipment": shipment.ref, "entered_by": author, "entered_at": at.isoformat(),
    }  # fmt: skip
    with as_tenant(OPERATOR_ID):
        message = message_receive(
            source=manual_source(at=at), body=json.dumps(body, ensure_ascii=False).encode(), channel="MANUAL", at=at,
            content_type="application/json",
        )  # fmt: skip
        return message_process(public_id=message.public_id, at=at)


def manual_source(*, at: datetime) -> Source:
    """The desk's own source, made when the first entry is; in the operator's scope, without a key."""
    if source_scope(MANUAL_KEY) is None:
        return source_create(key=MANUAL_KEY, name=str(_("Entered by hand")), kind=SourceKind.MANUAL, format="manual",
                             at=at)  # fmt: skip
    return Source.objects.get(key=MANUAL_KEY)


def _refuse_if_waiting(message: InboundMessage) -> None:
    if message.events_quarantined:
        with as_tenant(OPERATOR_ID):
            waiting = Quarantined.objects.filter(message=message).first()
            reason = waiting.reason if waiting else Reason.PARSER_FAILED.value
        raise EntryRefused(why=str(sentence(reason)))
