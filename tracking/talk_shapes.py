"""Documents and comments of a shipment in the form that systems read; what pages show comes from the same selectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from portal.web.apishapes import Shape, flag, instant, number, text, texts, word
from tracking.document_reads import current
from tracking.filekinds import KINDS
from tracking.models import Comment, Document, Shipment
from tracking.papers import PaperKind


class DocumentShape(Shape):
    """One version of a document."""

    id = text("Names the document in addresses; never reused.")
    kind = word("What it is.", PaperKind)
    version = number("Its version among the documents of this kind, counted from 1.")
    is_newest = flag("Whether it is the newest of its kind that was not withdrawn.")
    name = text("Its file name.")
    content_type = word("What the file is, by its bytes.", [k.content_type for k in KINDS])
    size = number("Bytes.")
    sha256 = text("SHA-256 of the bytes, in hexadecimal.")
    note = text("What was noted with it, or empty.")
    added_at = instant("When it was added.")
    added_by = text("Who added it.")
    is_from_forwarder = flag("Whether the forwarder added it, and not the account.")
    withdrawn_at = instant("When it was withdrawn; it is handed out no more then.")
    withdrawn_why = text("Why it was withdrawn, or empty.")
    file = text("Path of its bytes; empty once it is withdrawn.")


class CommentShape(Shape):
    """A comment."""

    id = text("Names the comment; never reused.")
    posted_at = instant("When it was written.")
    author = text("Who wrote it.")
    is_from_forwarder = flag("Whether the forwarder wrote it, and not the account.")
    text = text("What was written, as plain text.")
    mentions = texts("The people named in it.")


def document_rows(shipment: Shipment, documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Documents in the shape of DocumentShape, in their order."""
    newest = {d.pk for d in current(documents)}
    return [
        {
            "id": d.public_id, "kind": d.kind, "version": d.version, "is_newest": d.pk in newest, "name": d.name,
            "content_type": d.content_type, "size": d.size, "sha256": d.sha256, "note": d.note,
            "added_at": d.added_at, "added_by": d.added_by, "is_from_forwarder": d.is_from_staff,
            "withdrawn_at": d.withdrawn_at, "withdrawn_why": d.withdrawn_why,
            "file": "" if d.withdrawn_at
            else reverse("tracking:api_document_file", args=[shipment.public_id, d.public_id]),
        }
        for d in documents
    ]  # fmt: skip


def comment_row(comment: Comment) -> dict[str, Any]:
    """A comment in the shape of CommentShape."""
    return {
        "id": comment.public_id, "posted_at": comment.posted_at, "author": comment.author_name,
        "is_from_forwarder": comment.is_from_staff, "text": comment.text, "mentions": comment.mentions,
    }  # fmt: skip
