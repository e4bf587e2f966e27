"""Documents of a shipment: taken in, shown, withdrawn. Nothing is overwritten or deleted (1.5, X3, X4).

Bytes say what a file is, never its name. What the staff keep for themselves leaves its trace in the operator's own
scope only: the account's managers read its audit trail.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Max, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import NotFound, PortalError
from portal.outbox.services import emit
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import audit
from tracking.comment_reads import followers_of, staff_known
from tracking.facts import DocumentAdded
from tracking.filekinds import DAMAGED, EMPTY, FileKind, kind_of, safe_name
from tracking.models import Document, DocumentFile, Shipment
from tracking.papers import LABELS, PaperKind
from tracking.pictures import NotAPicture, drawn_anew
from tracking.services.exceptions import NoteNeeded

MOST_DOCUMENT_MB: Final = 10
MOST_DOCUMENT_BYTES: Final = MOST_DOCUMENT_MB * 1024 * 1024
MOST_DOCUMENTS: Final = 200  # of one shipment
MOST_MB: Final = 200  # of all of them together
_LONGEST_SIDE: Final = 5_000  # pixels of a scan: A4 at 400 dots an inch and a little more


class FileRefused(PortalError):
    """A file that is not kept, and why."""

    code, status = "file_refused", 422
    message = _("%(name)s was not taken: %(why)s.")


class FileKnown(PortalError):
    """The same bytes are there already."""

    code, status = "file_known", 409
    message = _("This very file is there already, as version %(version)d.")


class TooManyDocuments(PortalError):
    """A shipment has room for so many."""

    code, status = "too_many_documents", 409
    message = _("A shipment has room for %(most)d documents of %(megabytes)d MB together.")


class DocumentWithdrawn(PortalError):
    """Nothing more is done with a document that was withdrawn."""

    code, status = "document_withdrawn", 409
    message = _("This document was withdrawn.")


@transaction.atomic
def document_add(
    *, shipment: Shipment, kind: PaperKind, name: str, body: bytes, by: Member, at: datetime, note: str = "",
    is_internal: bool = False,
) -> Document:  # fmt: skip
    """Keeps a file as the next version of its kind. What a customer brings is never internal.

    Raises FileRefused, FileKnown, TooManyDocuments.
    """
    internal = is_internal and by.is_staff
    shown = name.replace("\\", "/").rpartition("/")[2][:80] or str(_("The file"))
    file, kept = _checked(shown, body)
    Shipment.objects.select_for_update(no_key=True).get(pk=shipment.pk)
    own = Document.objects.filter(shipment=shipment)
    held = own.aggregate(count=Count("pk"), size=Sum("size"))
    if held["count"] >= MOST_DOCUMENTS or (held["size"] or 0) + len(kept) > MOST_MB * 1024 * 1024:
        raise TooManyDocuments(most=MOST_DOCUMENTS, megabytes=MOST_MB)
    digest = ids.digest(kept)
    alike = own.filter(kind=kind, is_internal=internal, withdrawn_at__isnull=True)
    known = alike.filter(sha256=digest).first()
    if known is not None:
        raise FileKnown(version=known.version)
    made = Document.objects.create(
        shipment=shipment, kind=kind.value, version=_next(shipment, kind.value, internal=internal),
        is_internal=internal, name=safe_name(name, file, otherwise=kind.value.lower().replace("_", " ")),
        content_type=file.content_type, sha256=digest, size=len(kept), note=" ".join(note.split())[:200], added_at=at,
        added_by=by.name, is_from_staff=by.is_staff,
    )  # fmt: skip
    DocumentFile.objects.create(document=made, body=kept)
    _record("document.added", made, by=by, at=at)
    if not internal:
        _tell(made, by=by, at=at)
    return made


def _checked(name: str, body: bytes) -> tuple[FileKind, bytes]:
    """The kind of a file, and the bytes that are kept: pictures are drawn anew."""

    def refused(why: str | Promise) -> FileRefused:
        return FileRefused(name=name, why=why)

    if not body:
        raise refused(EMPTY)
    if len(body) > MOST_DOCUMENT_BYTES:
        raise refused(_("it is larger than %(most)d MB") % {"most": MOST_DOCUMENT_MB})
    kind = kind_of(body)
    if not isinstance(kind, FileKind):
        raise refused(kind)
    if not kind.is_picture:
        return kind, body
    form = "PNG" if kind.ending == "png" else "JPEG"
    try:
        drawn = drawn_anew(body, kinds=(form,), into=form, longest=_LONGEST_SIDE)
    except NotAPicture:
        raise refused(DAMAGED) from None
    return kind, drawn


def _next(shipment: Shipment, kind: str, *, internal: bool) -> int:
    own = Document.objects.filter(shipment=shipment, kind=kind, is_internal=internal)
    return (own.aggregate(newest=Max("version"))["newest"] or 0) + 1


def _held(shipment: Shipment, public_id: str) -> Document:
    """The document of the entered account's shipment, locked after it. Raises NotFound, DocumentWithdrawn."""
    Shipment.objects.select_for_update(no_key=True).get(pk=shipment.pk)
    found = Document.objects.select_for_update(of=("self",)).filter(shipment=shipment, public_id=public_id).first()
    if found is None:
        raise NotFound
    if found.withdrawn_at is not None:
        raise DocumentWithdrawn
    return found


@transaction.atomic
def document_show(*, shipment: Shipment, public_id: str, by: Member, at: datetime) -> Document:
    """Shows an internal document to the customer, as the next version of what the customer sees; for good.

    The second time changes nothing. Raises NotFound, DocumentWithdrawn.
    """
    found = _held(shipment, public_id)
    if not found.is_internal:
        return found
    found.version = _next(shipment, found.kind, internal=False)
    found.is_internal, found.shown_at = False, at
    found.save(update_fields=["is_internal", "version", "shown_at"])
    _record("document.shown", found, by=by, at=at)
    _tell(found, by=by, at=at)
    return found


@transaction.atomic
def document_withdraw(*, shipment: Shipment, public_id: str, why: str, by: Member, at: datetime) -> Document:
    """Hands a document out no more; it stays on record with the reason, which the customer reads of what it saw.

    Raises NotFound, NoteNeeded, DocumentWithdrawn.
    """
    if not why.strip():
        raise NoteNeeded
    found = _held(shipment, public_id)
    found.withdrawn_at, found.withdrawn_by, found.withdrawn_why = at, by.name, why.strip()[:250]
    found.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_why"])
    _record("document.withdrawn", found, by=by, at=at, why=found.withdrawn_why)
    return found


def _tell(document: Document, *, by: Member, at: datetime) -> None:
    """Who follows the shipment hears of it; of what a customer brings also the staff who look after it."""
    shipment, account = document.shipment, tenant_current()
    path = f"/shipments/{shipment.public_id}/documents"
    about = {
        "occurred_at": at, "document": document.public_id, "reference": shipment.ref, "author": by.name,
        "kind": document.kind, "version": document.version,
    }  # fmt: skip
    if members := sorted(followers_of(shipment) - {by.public_id}):
        emit(DocumentAdded(members=members, account="", path=path, **about), at=at)
    if not by.is_staff and (members := sorted(staff_known(shipment, at=at))):
        with as_tenant(OPERATOR_ID):
            emit(DocumentAdded(
                members=members, account=account.name, path=f"/ops/accounts/{account.public_id}{path}", **about
            ), at=at)  # fmt: skip


def _record(action: str, document: Document, *, by: Member, at: datetime, **more: Any) -> None:
    with as_tenant(OPERATOR_ID if document.is_internal else document.tenant_id):
        audit(
            action=action, actor=by.label, at=at, object_type="shipment", object_id=document.shipment.public_id,
            details={"document": document.public_id, "kind": document.kind, "version": document.version,
                     "file": document.name, **more},
        )  # fmt: skip


def document_name(document: Document) -> str:
    """`Bill of lading, version 2`."""
    label = LABELS.get(PaperKind(document.kind), document.kind)
    return str(_("%(kind)s, version %(version)d") % {"kind": label, "version": document.version})
