"""Folders in which partners drop files (SFTP): a door that a task looks through every minute (issue 3, point 5).

A file is stored raw before it is moved to done/, and nothing is ever deleted. Names are text for people: files are
opened inside their folder only, links are refused, subfolders are nobody's business (G7, G9).
"""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.outbox.handlers import TryAgain
from portal.outbox.services import enqueue
from tracking.ingest import message_receive, room_or_refuse
from tracking.models import Acknowledgement, InboxFault, InboxRefusal, Source

CHANNEL: Final = "INBOX"
_FOLDER: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}", re.ASCII)
_UNFINISHED: Final = (".part", ".partial", ".filepart", ".tmp", ".done", "~")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_FILES: Final = 500  # of one look
_WORKS: Final = 15.0  # seconds; the rest waits for the next turn
_HERE: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

declare("inbox.after_store", "a file is stored and committed, it still lies in its folder")

_log = logging.getLogger("plimsoll.inbox")


@dataclass(frozen=True, slots=True)
class _File:
    """An entry of a folder, as it was when it was looked at."""

    name: str
    told: os.stat_result

    @property
    def label(self) -> str:
        """The name as text that can be stored and shown."""
        text = self.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "?" for c in text)[:200]

    @property
    def mark(self) -> str:
        """The same for the same file only."""
        size, changed = self.told.st_size, self.told.st_mtime_ns
        return ids.digest(
            f"{self.told.st_ino} {size} {changed} ".encode() + self.name.encode("utf-8", "surrogateescape")
        )

    def kept_as(self, of: str) -> str:
        """A name that collides with nothing but the same contents under the same name."""
        return f"{of[:16]}-{_UNSAFE.sub('_', self.label).lstrip('.')[-100:] or 'file'}"


@contextmanager
def _folder(name: str) -> Iterator[int]:
    """The open folder of a source; OSError when it is not there."""
    if not _FOLDER.fullmatch(name):
        raise FileNotFoundError(name)
    root = os.open(settings.INBOX_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        own = os.open(name, _HERE, dir_fd=root)
    finally:
        os.close(root)
    try:
        yield own
    finally:
        os.close(own)


@contextmanager
def _inside(folder: int, *names: str) -> Iterator[int]:
    """A folder of ours inside the partner's, made when it is missing; never through a link."""
    opened = os.dup(folder)
    try:
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(name, 0o770, dir_fd=opened)
            inner = os.open(name, _HERE, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def folder_words(source: Source) -> dict[str, str] | None:
    """The folder of a source and whether it is there, for its page; None when it has none."""
    if not source.inbox:
        return None
    if not settings.INBOX_DIR:
        return {"folder": source.inbox, "text": _("This installation looks through no folders (INBOX_DIR is not set):")}
    try:
        with _folder(source.inbox):
            return {"folder": source.inbox, "text": _("Files are taken from:")}
    except OSError:
        return {"folder": source.inbox, "text": _("This folder is not there, or cannot be opened:")}


# --- what is due ---


def inboxes_enqueue(*, at: datetime) -> None:
    """Work for every folder of the entered scope in which something is ready, once for the same contents (O6)."""
    if not settings.INBOX_DIR:
        return
    for source in Source.objects.filter(is_active=True).exclude(inbox="").order_by("key"):
        try:
            with _folder(source.inbox) as folder:
                marks = [file.mark for file in _ready(folder, at)]
        except OSError as error:
            _log.warning("the folder of %s cannot be opened: %s", source.key, error.strerror)
            continue
        if marks:
            enqueue("tracking.inbox", key=f"{source.key}:{ids.digest(' '.join(marks))}:{at:%Y%m%d%H}", at=at,
                    source=source.key)  # fmt: skip


def _ready(folder: int, at: datetime) -> list[_File]:
    """Files that are whole, oldest first: with a .done beside them, or unchanged for a while.

    A file's change time is the host's own: no sender can set it, and whatever is written moves it.
    """
    with os.scandir(folder) as entries:
        names = {entry.name for entry in entries}
    found = []
    for name in names:
        if name.startswith(".") or name.lower().endswith(_UNFINISHED):
            continue
        try:
            told = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue
        settled = at.timestamp() - told.st_ctime >= settings.INBOX_SETTLE_SECONDS
        if not stat.S_ISDIR(told.st_mode) and (settled or f"{name}.done" in names):
            found.append(_File(name, told))
    return sorted(found, key=lambda file: (file.told.st_ctime_ns, file.name))[:_MOST_FILES]


# --- taking in ---


def inbox_run(*, source: str, at: datetime) -> None:
    """Takes in what is ready in the folder of a source of the entered scope; may be killed and run again.

    Raises TryAgain when there is no room, or when time is over before the files are.
    """
    row = Source.objects.filter(key=source, is_active=True).exclude(inbox="").first()
    if row is None or not settings.INBOX_DIR:
        return
    ends = time.monotonic() + _WORKS
    try:
        with _folder(row.inbox) as folder:
            for file in _ready(folder, at):
                if time.monotonic() >= ends:
                    raise TryAgain("there are further files", due_at=at)
                _take(row, folder, file, at)
    except (FileNotFoundError, NotADirectoryError):  # a link is none
        _log.warning("the folder of %s is not there", source)


def _take(source: Source, folder: int, file: _File, at: datetime) -> None:
    try:
        room_or_refuse()
    except PortalError as full:  # the file waits where it lies (G13)
        raise TryAgain(full.code, due_at=at + timedelta(minutes=1)) from None
    body = _read(folder, file)
    if body is None:  # it changes under our hands: not yet
        return
    if isinstance(body, InboxFault):
        _report(source, file, body, at)
        with suppress(OSError):
            _move(folder, file, "refused", at, file.kept_as(file.mark))
        return
    # named by its name and its bytes: killed before it is moved, it comes back as the same message
    key = ids.digest(file.name.encode("utf-8", "surrogateescape") + b"\0" + body)
    message_receive(source=source, body=body, channel=CHANNEL, at=at, file_name=file.label,
                    idempotency_key=f"inbox:{key}")  # fmt: skip
    fault("inbox.after_store")
    try:
        _move(folder, file, "done", at, file.kept_as(key))
    except FileNotFoundError:  # another worker was faster
        return
    except OSError:
        _report(source, file, InboxFault.CANNOT_MOVE, at)


def _read(folder: int, file: _File) -> bytes | InboxFault | None:
    """The bytes of a file that is whole, what is wrong with it, or None while it changes."""
    if stat.S_ISLNK(file.told.st_mode) or file.told.st_nlink > 1:
        return InboxFault.LINK
    if not stat.S_ISREG(file.told.st_mode):
        return InboxFault.NOT_A_FILE
    if file.told.st_size > settings.INGEST_MAX_BYTES:
        return InboxFault.TOO_LARGE
    try:
        opened = os.open(file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        return InboxFault.UNREADABLE
    with open(opened, "rb") as stream:
        body = stream.read(file.told.st_size + 1)
        if not _same(os.fstat(opened), file.told) or len(body) != file.told.st_size:
            return None
    return body or InboxFault.EMPTY


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether it is the same file with the same contents; its change time moves with its name and says nothing here."""
    return (one.st_ino, one.st_size, one.st_mtime_ns) == (other.st_ino, other.st_size, other.st_mtime_ns)


def _move(folder: int, file: _File, where: str, at: datetime, name: str) -> None:
    """Into done/ or refused/ of the day. What took its place meanwhile is put back and read in its turn."""
    with _inside(folder, where, f"{at:%Y-%m-%d}") as target:
        os.rename(file.name, name, src_dir_fd=folder, dst_dir_fd=target)
        if not _same(os.stat(name, dir_fd=target, follow_symlinks=False), file.told):
            os.rename(name, file.name, src_dir_fd=target, dst_dir_fd=folder)
            return
        marker = f"{file.name}.done"
        with suppress(OSError):
            os.rename(marker, f"{name}.done", src_dir_fd=folder, dst_dir_fd=target)


@transaction.atomic
def _report(source: Source, file: _File, reason: InboxFault, at: datetime) -> None:
    """Said once for the same file, however often it is looked at."""
    before = InboxRefusal.objects.filter(source=source, mark=file.mark)
    if before.exists():
        return
    InboxRefusal.objects.bulk_create(
        [InboxRefusal(source=source, name=file.label, mark=file.mark, size=file.told.st_size, reason=reason.value,
                      noticed_at=at)],
        ignore_conflicts=True,
    )  # fmt: skip
    _log.warning("a file in the folder of %s was refused: %s", source.key, reason.value)


# --- giving back ---


def acknowledgements_put(*, message: str, at: datetime) -> None:
    """Writes the acknowledgements of a message into out/ of its source's folder; each appears whole or not at all."""
    rows = Acknowledgement.objects.filter(message__public_id=message).select_related("source").order_by("place")
    for row in rows:
        if not row.source.inbox or not settings.INBOX_DIR:
            return
        name = f"{row.kind.lower()}-{row.number:09d}.edi"
        with _folder(row.source.inbox) as folder, _inside(folder, "out") as target:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(f".{name}.part", flags, 0o660, dir_fd=target), "wb") as stream:
                stream.write(bytes(row.body))
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(f".{name}.part", name, src_dir_fd=target, dst_dir_fd=target)
