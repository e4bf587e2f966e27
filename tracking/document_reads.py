"""Reads of a shipment's documents, always for one reader: what is internal is asked for by the staff only.

Reads the entered scope; the bytes are read by the one function that hands them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from tracking.models import Document, DocumentFile, Shipment


def documents_of(shipment: Shipment, *, internal: bool) -> list[Document]:
    """All documents that the reader may know of, newest first; those that were withdrawn too."""
    return list(_known(shipment, internal=internal).order_by("-pk"))


def _known(shipment: Shipment, *, internal: bool) -> QuerySet[Document]:
    rows = Document.objects.filter(shipment=shipment)
    return rows if internal else rows.filter(is_internal=False)


def current(documents: Sequence[Document]) -> list[Document]:
    """Of each kind the newest that holds, those of the customer's and the internal ones apart; newest first."""
    seen: set[tuple[str, bool]] = set()
    found = []
    for document in documents:
        about = (document.kind, document.is_internal)
        if document.withdrawn_at is None and about not in seen:
            seen.add(about)
            found.append(document)
    return found


@dataclass(frozen=True, slots=True)
class Download:
    """A document with its bytes."""

    document: Document
    body: bytes


def document_file(shipment: Shipment, public_id: str, *, internal: bool) -> Download | None:
    """What is handed out; None for what the reader may not know of, and for what was withdrawn."""
    found = _known(shipment, internal=internal).filter(public_id=public_id, withdrawn_at__isnull=True).first()
    if found is None:
        return None
    return Download(found, bytes(DocumentFile.objects.get(document=found).body))


def document_known(shipment: Shipment, public_id: str, *, internal: bool) -> Document | None:
    """One document that the reader may know of, also a withdrawn one."""
    return _known(shipment, internal=internal).filter(public_id=public_id).first()
