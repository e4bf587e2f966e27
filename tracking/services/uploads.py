"""Spreadsheets by hand: kept as a draft, explained, corrected, and sent through the ordinary door of their source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.tenancy.services import SYSTEM, audit
from tracking import tabletext, workbooks
from tracking.ingest import message_receive
from tracking.models import InboundMessage, Source, UploadDraft
from tracking.reasons import Reason
from tracking.tablemappings import BadMapping, TableMapping, suggest
from tracking.tabletext import Table
from tracking.types import Unreadable

CHANNEL: Final = "FILE"
_KEPT: Final = timedelta(days=30)
_MOST_CORRECTIONS: Final = 2_000
_LONGEST: Final = 400


class UploadRefused(PortalError):
    """The file cannot be read as a table, or cannot be imported as it stands."""

    code, status = "upload_refused", 422
    message = "%(detail)s"


class AlreadyImported(PortalError):
    """What was imported is a record and is not changed any more."""

    code, status = "already_imported", 409
    message = _("This file was imported already.")


@transaction.atomic
def upload_begin(*, source: Source, body: bytes, file_name: str, at: datetime, actor: str) -> UploadDraft:
    """Keeps the file in the source's scope, with the mapping of last time if its columns are the same, else a guess.

    Raises UploadRefused for what is no table, in words.
    """
    name = _plain_name(file_name)
    if len(body) > settings.INGEST_MAX_BYTES:
        raise UploadRefused(detail=_("The file has more than %(n)d MB; send it in parts.")
                            % {"n": settings.INGEST_MAX_BYTES // 2**20})  # fmt: skip
    try:
        workbooks.agrees(body, name)
        mapping, is_remembered = _first_mapping(source, body)
    except Unreadable as fault:
        raise UploadRefused(detail=fault.detail) from None
    draft = UploadDraft.objects.create(
        source=source, file_name=name, sha256=ids.digest(body), body=body, mapping=mapping.as_json(),
        is_remembered=is_remembered, made_at=at, made_by=actor[:200],
    )  # fmt: skip
    audit(action="upload.begun", actor=actor, at=at, object_type="source", object_id=source.key,
          details={"upload": draft.public_id, "file": name, "sha256": draft.sha256})  # fmt: skip
    return draft


def upload_table(draft: UploadDraft) -> Table:
    """The draft's table with its corrections; raises Unreadable."""
    mapping = TableMapping.read(draft.mapping)
    table = tabletext.read(bytes(draft.body), sheet=mapping.sheet, encoding=mapping.encoding,
                           names=[*mapping.columns.values()])  # fmt: skip
    return tabletext.corrected(table, {(c["row"], c["column"]): c["now"] for c in draft.corrections})


@transaction.atomic
def upload_mapping_set(*, public_id: str, mapping: TableMapping) -> UploadDraft:
    """What the columns mean, also unfinished."""
    draft = _open(public_id)
    draft.mapping, draft.is_remembered = mapping.as_json(), False
    draft.save(update_fields=["mapping", "is_remembered"])
    return draft


@transaction.atomic
def upload_sheet_set(*, public_id: str, sheet: str) -> UploadDraft:
    """Another sheet of the workbook, guessed anew; cells that were corrected on the one before are no more.

    Raises UploadRefused for a sheet that is no table; then nothing is changed.
    """
    draft = _open(public_id)
    try:
        table = tabletext.read(bytes(draft.body), sheet=sheet)
    except Unreadable as fault:
        raise UploadRefused(detail=fault.detail) from None
    made = suggest(table.header, [row.cells for row in table.rows]).as_json()
    draft.mapping, draft.is_remembered, draft.corrections = {**made, "sheet": table.sheet}, False, []
    draft.save(update_fields=["mapping", "is_remembered", "corrections"])
    return draft


@transaction.atomic
def upload_correct(*, public_id: str, cells: Mapping[tuple[int, str], str], at: datetime, actor: str) -> int:
    """Changes cells of the table that will be imported, each with what it was, who and when; returns how many."""
    draft = _open(public_id)
    table = upload_table(draft)
    made = []
    for (row, column), text in cells.items():
        n = table.at(column)
        if n is None or not 0 <= row < len(table.rows):
            continue
        own = table.rows[row].cells
        was, now = own[n] if n < len(own) else "", " ".join(text.replace("\0", "").split())[:_LONGEST]
        if was != now:
            made.append({"row": row, "column": table.header[n], "was": was, "now": now, "by": actor,
                         "at": at.isoformat()})  # fmt: skip
    if len(draft.corrections) + len(made) > _MOST_CORRECTIONS:
        raise UploadRefused(detail=_("More cells were corrected than can be kept; mend the file and upload it anew."))
    draft.corrections = [*draft.corrections, *made]
    draft.save(update_fields=["corrections"])
    if made:
        audit(action="upload.corrected", actor=actor, at=at, object_type="upload", object_id=public_id,
              details={"cells": [{k: c[k] for k in ("row", "column", "was", "now")} for c in made[:50]]})  # fmt: skip
    return len(made)


@transaction.atomic
def upload_import(*, public_id: str, at: datetime, actor: str, process_after: datetime | None = None) -> InboundMessage:
    """Receives the table as a message of its source and saves the mapping there; a second call returns the message.

    Without corrections the bytes are the file's own; a corrected table is CSV, and the draft keeps the original.
    """
    draft = UploadDraft.objects.select_for_update(of=("self",)).get(public_id=public_id)
    if draft.message:
        return InboundMessage.objects.get(public_id=draft.message)
    mapping = TableMapping.read(draft.mapping)
    if mapping.lacks():
        raise UploadRefused(detail=_("It is not said yet what all its columns mean."))
    source = Source.objects.select_for_update().get(pk=draft.source_id)
    if source.mapping != mapping.as_json():
        source.mapping = mapping.as_json()
        source.save(update_fields=["mapping"])
        audit(action="source.mapping_changed", actor=actor, at=at, object_type="source", object_id=source.key,
              details={"mapping": source.mapping})  # fmt: skip
    body, name = _as_imported(draft)
    message = message_receive(
        source=source, body=body, channel=CHANNEL, at=at, file_name=name, process_after=process_after,
        content_type=workbooks.CONTENT_TYPE if workbooks.is_archive(body) else "text/csv",
        idempotency_key=f"upload:{draft.public_id}",
    )  # fmt: skip
    draft.message, draft.imported_at, draft.imported_by = message.public_id, at, actor[:200]
    draft.save(update_fields=["message", "imported_at", "imported_by"])
    audit(action="upload.imported", actor=actor, at=at, object_type="upload", object_id=public_id,
          details={"message": message.public_id, "corrected_cells": len(draft.corrections)})  # fmt: skip
    return message


@transaction.atomic
def upload_discard(*, public_id: str, at: datetime, actor: str) -> None:
    """Throws a draft away that was never imported."""
    draft = _open(public_id)
    audit(action="upload.discarded", actor=actor, at=at, object_type="upload", object_id=public_id,
          details={"file": draft.file_name, "sha256": draft.sha256})  # fmt: skip
    draft.delete()


@transaction.atomic
def uploads_forget(*, at: datetime) -> int:
    """Throws drafts of the entered scope away that were not imported for 30 days; returns how many (L4)."""
    old = UploadDraft.objects.filter(message="", made_at__lt=at - _KEPT).defer("body")
    gone = list(old[:1_000])
    for draft in gone:
        upload_discard(public_id=draft.public_id, at=at, actor=SYSTEM)
    return len(gone)


def _open(public_id: str) -> UploadDraft:
    draft = UploadDraft.objects.select_for_update(of=("self",)).get(public_id=public_id)
    if draft.message:
        raise AlreadyImported
    return draft


def _first_mapping(source: Source, body: bytes) -> tuple[TableMapping, bool]:
    """That of last time where it fits, else what names and values leave no doubt about."""
    last = _last_mapping(source)
    if last is not None:
        try:
            tabletext.read(body, names=last.columns.values(), sheet=last.sheet, encoding=last.encoding)
            return last, True
        except Unreadable as fault:
            if fault.code not in (Reason.MISSING_COLUMN, Reason.NOT_UTF8):
                raise
    encoding = ""
    try:
        table = tabletext.read(body)
    except Unreadable as fault:
        if fault.code != Reason.NOT_UTF8:
            raise
        encoding = "windows-1252"  # shown to whoever maps the columns, who sees by the letters whether it is right
        table = tabletext.read(body, encoding=encoding)
    if not table.rows:
        raise UploadRefused(detail=_("The file has a header and no rows below it."))
    made = suggest(table.header, [row.cells for row in table.rows]).as_json()
    sheet = table.sheet if len(table.sheets) > 1 else ""
    return TableMapping.read({**made, "sheet": sheet, "encoding": encoding}), False


def _last_mapping(source: Source) -> TableMapping | None:
    try:
        last = TableMapping.read(source.mapping)
    except BadMapping:
        return None
    return None if last.lacks() else last


def _as_imported(draft: UploadDraft) -> tuple[bytes, str]:
    if not draft.corrections:
        return bytes(draft.body), draft.file_name
    table = upload_table(draft)
    stem = draft.file_name.rpartition(".")[0] or draft.file_name
    return tabletext.written(table.header, (row.cells for row in table.rows)), f"{stem[:180]} (corrected).csv"


def _plain_name(file_name: str) -> str:
    """The last part of what the browser says, for people to read; it is never a path (G9)."""
    name: Any = file_name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable()).strip()[-200:] or "file"
