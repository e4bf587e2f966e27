"""The machine doors of tracking: POST /ingest/<source>, POST /dcsa/callbacks/<source>, and a message's refusals.

Raw bytes are durable before anything is answered; what cannot be read at all is refused and logged (G1).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from portal.lib import clock, seal
from portal.lib.errors import NotFound, PortalError
from portal.lib.faults import fault
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import KeyRefused, KnownKey, key_of_request
from portal.web.policy import ANONYMOUS, EVERYBODY, SOURCE_KEY, Policy
from portal.web.problems import problem
from tracking import strictjson
from tracking.adapters.csv_events import CSV
from tracking.adapters.manual import MANUAL
from tracking.ingest import message_process, message_receive, room_or_refuse
from tracking.models import Acknowledgement, AcknowledgementKind, InboundMessage, MessageState, Quarantined, Source
from tracking.selectors import source_scope
from tracking.signatures import SignatureFault, verify
from tracking.types import Unreadable

log = logging.getLogger("plimsoll.ingest")


class TooLarge(PortalError):
    """More bytes than a message may have."""

    code, status = "too_large", 413
    message = "A message may have at most %(limit)s bytes; send it in parts."


class Unparsable(PortalError):
    """The body cannot be read at all: nothing was stored."""

    code, status = "unreadable", 400
    message = "%(detail)s"


class WrongSignature(PortalError):
    """The signature is missing or does not fit the body."""

    code, status = "wrong_signature", 401
    message = "%(detail)s"


class MachineView(View):
    """A door for systems: problem+json for every refusal, one log line each."""

    policy: ClassVar[Policy]
    at: datetime

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """No form stands behind it, so no form's token is asked for; said here, a subclass cannot lose it."""
        return csrf_exempt(super().as_view(**initkwargs))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Turns expected failures into problem+json and logs them as refused."""
        self.at = clock.now()
        try:
            return super().dispatch(request, *args, **kwargs)
        except PortalError as error:
            log.warning("refused %s at %s: %s", error.code, request.path, error.sentence())
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else dict(error.headers)
            return problem(request, status=error.status, code=error.code, detail=error.sentence(), headers=headers)
        finally:
            strictjson.forget()

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """405 as problem+json."""
        allowed = ", ".join(m.upper() for m in self.http_method_names if hasattr(self, m))
        return problem(
            request, status=405, code="method_not_allowed", detail=f"Use {allowed}.", headers={"Allow": allowed}
        )


def body_of(request: HttpRequest) -> bytes:
    """The raw bytes, refused by length before they are read (W8)."""
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > settings.INGEST_MAX_BYTES:
        raise TooLarge(limit=settings.INGEST_MAX_BYTES)
    body: bytes = request.read(settings.INGEST_MAX_BYTES + 1)
    if len(body) > settings.INGEST_MAX_BYTES:
        raise TooLarge(limit=settings.INGEST_MAX_BYTES)
    return body


def _json_or_refuse(body: bytes) -> None:
    try:
        strictjson.check(body, limits=strictjson.DOOR)
    except Unreadable as error:
        raise Unparsable(detail=error.detail) from None


def _readable_or_refuse(body: bytes, content_type: str) -> None:
    """What is JSON by its label or by its first byte, or a table, keeps within what one message may hold (W8)."""
    most = strictjson.DOOR.length
    if is_json(content_type) or body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        _json_or_refuse(body)
    elif body.count(b"\n") > most + 1 and CSV.recognises(body):
        raise Unparsable(detail=f"A message may hold at most {most} rows; send it in parts.")


def is_json(content_type: str) -> bool:
    """Whether a message calls itself JSON, or nothing at all."""
    return content_type.partition(";")[0].strip().lower() in ("", "application/json", "text/json")


class SourceDoor(MachineView):
    """A door that a source key opens: the key must be of this very source (T6: else the source does not exist)."""

    policy = Policy(who=frozenset({SOURCE_KEY}))
    known: KnownKey

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Enters the scope of the source."""
        self.at = clock.now()
        try:
            self.known = key_of_request(request, at=self.at)
            if self.known.scope != "events:write" or self.known.source_key != kwargs["source"]:
                raise NotFound if self.known.scope == "events:write" else KeyRefused
        except PortalError as error:
            log.warning("refused %s at %s", error.code, request.path)
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
            return problem(request, status=error.status, code=error.code, detail=error.sentence(), headers=headers)
        with as_tenant(self.known.tenant_id):
            return super().dispatch(request, *args, **kwargs)


class IngestDoor(SourceDoor):
    """POST /ingest/<source>: one message or a batch; answers what became of each event."""

    def post(self, request: HttpRequest, source: str) -> HttpResponse:
        """200 with the counts; 202 when it is stored but not applied yet; 429 or 503 when there is no room (G13)."""
        room_or_refuse()
        body = body_of(request)
        content_type = request.headers.get("Content-Type", "")
        _readable_or_refuse(body, content_type)
        found = Source.objects.filter(key=source, is_active=True).first()
        if found is None or found.format == MANUAL.key:
            raise NotFound
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > 120 or not key.isprintable() or not key.isascii():
            raise Unparsable(detail="An Idempotency-Key has at most 120 printable ASCII characters.")
        message = message_receive(
            source=found, body=body, channel="HTTP", at=self.at, content_type=content_type, idempotency_key=key,
            process_after=self.at + timedelta(seconds=settings.OUTBOX_LEASE_SECONDS),  # only to mend a crash of ours
        )  # fmt: skip
        try:
            message = message_process(public_id=message.public_id, at=clock.now(), body=body)
        except OperationalError:  # a lock or a deadlock: stored already, the outbox applies it
            log.warning("message %s waits for the outbox", message.public_id)
        fault("ingest.before_answer")
        applied = message.state == MessageState.APPLIED
        return JsonResponse(message_answer(message), status=200 if applied else 202)


def message_answer(message: InboundMessage) -> dict[str, Any]:
    """Counts by outcome, reasons, and where the refusals can be read."""
    reasons: dict[str, int] = {}
    for reason in Quarantined.objects.filter(message=message).values_list("reason", flat=True):
        reasons[reason] = reasons.get(reason, 0) + 1
    answer = {
        "message": message.public_id,
        "state": message.state,
        "received": message.events_received,
        "accepted": message.events_accepted,
        "duplicate": message.events_duplicate,
        "quarantined": message.events_quarantined,
        "quarantined_by_reason": reasons,
        "warnings": message.warnings,
        "refusals": reverse("tracking:ingest_message", args=[message.source.key, message.public_id]),
    }
    if message.source.acknowledges and Acknowledgement.objects.filter(message=message).exists():
        answer["acknowledgement"] = reverse(
            "tracking:ingest_acknowledgement", args=[message.source.key, message.public_id]
        )
    return answer


class IngestMessage(SourceDoor):
    """GET /ingest/<source>/messages/<id>: the counts again, and each event that was not applied, with its reason."""

    def get(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """The first 1,000 refusals in order of position."""
        message = (
            InboundMessage.objects.select_related("source").filter(public_id=public_id, source__key=source).first()
        )
        if message is None:
            raise NotFound
        refusals = [
            {"position": q.position, "reason": q.reason, "detail": q.detail, "state": q.state}
            for q in Quarantined.objects.filter(message=message).order_by("pk")[:1_000]
        ]
        return JsonResponse({**message_answer(message), "items": refusals})


class IngestAcknowledgement(SourceDoor):
    """GET /ingest/<source>/messages/<id>/acknowledgement: what we tell the partner about its interchanges (G8)."""

    def get(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """One interchange for each that was acknowledged, in their order; 404 when there is none (yet)."""
        rows = list(
            Acknowledgement.objects.filter(message__public_id=public_id, source__key=source).order_by("place")
        )  # fmt: skip
        if not rows:
            raise NotFound
        kind = "application/EDI-X12" if rows[0].kind == AcknowledgementKind.X12_997 else "application/EDIFACT"
        return HttpResponse(b"".join(bytes(row.body) for row in rows), content_type=kind)


class DcsaCallback(MachineView):
    """POST /dcsa/callbacks/<source>: 204 once the bytes are durable; the outbox applies them."""

    policy = Policy(who=EVERYBODY | {ANONYMOUS})  # the signature is the key

    def post(self, request: HttpRequest, source: str) -> HttpResponse:
        """Signature over the raw bytes first (G10); an unknown source is 404."""
        body = body_of(request)
        tenant_id = source_scope(source)
        if tenant_id is None:
            raise NotFound
        with as_tenant(tenant_id):
            found = Source.objects.filter(key=source, is_active=True).first()
            if found is None or not found.dcsa_secrets:
                raise NotFound
            try:
                verify(
                    body,
                    request.headers.get("Notification-Signature"),
                    [seal.unseal(s) for s in found.dcsa_secrets],
                )
            except SignatureFault as error:
                raise WrongSignature(detail=str(error)) from None
            room_or_refuse()
            _json_or_refuse(body)
            message_receive(
                source=found, body=body, channel="CALLBACK", at=self.at,
                content_type=request.headers.get("Content-Type", ""),
            )  # fmt: skip
        fault("ingest.before_answer")
        return HttpResponse(status=204, headers={"API-Version": "2.2.0"})

    def head(self, request: HttpRequest, source: str) -> HttpResponse:
        """DCSA publishers ask whether the address is there before they subscribe."""
        if source_scope(source) is None:
            raise NotFound
        return HttpResponse(status=204, headers={"API-Version": "2.2.0"})
