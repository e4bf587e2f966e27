"""Workbooks of large views, made by the outbox: kept in PostgreSQL for a day, for the person who asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.outbox.services import emit, enqueue
from portal.tenancy.context import scope
from portal.tenancy.models import Member, Tenant
from portal.web.exports import xlsx_write
from portal.web.policy import entitled
from tracking.facts import ExportReady
from tracking.filters import ShipmentFilter
from tracking.list_files import ListFile
from tracking.models import Export, ExportState

MOST_AT_ONCE: Final = 10_000  # rows of a workbook that is made while somebody waits
MOST_ROWS: Final = 250_000
MOST_BYTES: Final = 20 * 1024 * 1024
MOST_KEPT: Final = 20  # of an account
KEPT: Final = timedelta(hours=24)
WORK: Final = "tracking.export_build"
_STEP: Final = 2_000  # rows between two looks at whether the run still counts


class TooManyExports(PortalError):
    """An account keeps so many files at a time."""

    code, status = "too_many_exports", 409
    message = gettext_lazy(
        "Your account keeps %(most)d files of lists already. Each goes after a day: try again later."
    )


class ExportTooLarge(PortalError):
    """No spreadsheet program would be happy with it."""

    code, status = "export_too_large", 422
    message = gettext_lazy("This view holds more than %(most)d shipments. Narrow it, or take the CSV: it has no limit.")


class _Overtaken(Exception):  # noqa: N818 - an outcome
    """A later run makes the same file, or nobody wants it any more."""


@transaction.atomic
def export_ask(*, member: Member, wanted: ShipmentFilter, total: int, at: datetime) -> Export:
    """Notes that a workbook of the view is wanted, and the work of making it. Raises TooManyExports, ExportTooLarge."""
    Tenant.objects.select_for_update().get(pk=scope())  # one after the other: the limit is exact
    if total > MOST_ROWS:
        raise ExportTooLarge(most=MOST_ROWS)
    if Export.objects.filter(expires_at__gt=at).count() >= MOST_KEPT:
        raise TooManyExports(most=MOST_KEPT)
    made = Export.objects.create(
        member=member, query=wanted.query(view="", problems=()), total=total, made_at=at, expires_at=at + KEPT
    )
    enqueue(WORK, key=made.public_id, at=at, export=made.public_id)
    return made


def export_build(*, public_id: str, at: datetime) -> None:
    """Makes the file as the view stands now, with what its person may see now; run again it is made again."""
    with transaction.atomic():
        export = Export.objects.select_for_update(of=("self",)).filter(public_id=public_id).defer("body").first()
        if export is None or export.state in (ExportState.DONE, ExportState.FAILED) or export.expires_at <= at:
            return
        export.run, export.state, export.rows = export.run + 1, ExportState.RUNNING, 0
        export.save(update_fields=["run", "state", "rows"])
    wanted = ShipmentFilter.read(dict(parse_qsl(export.query)))
    file = ListFile(wanted=wanted, now=at, every_event=entitled("live_tracking", at), follower=export.member_id)
    with tempfile.TemporaryFile() as out:
        try:
            count = xlsx_write(out, sheet="shipments", columns=file.heads, rows=_watched(export, file.values()))
        except _Overtaken:
            return
        out.seek(0)
        body = out.read(MOST_BYTES + 1)
    _finish(export, body, count, at)


def _watched(export: Export, rows: Iterator[list[str | date | None]]) -> Iterator[list[str | date | None]]:
    """The rows, with how far we are written down on the way; raises _Overtaken."""
    for number, row in enumerate(rows, start=1):
        yield row
        if number % _STEP == 0:
            with transaction.atomic():
                if not _mine(export).update(rows=number):
                    raise _Overtaken


def _mine(export: Export):  # type: ignore[no-untyped-def]  # a query set
    return Export.objects.filter(pk=export.pk, run=export.run, state=ExportState.RUNNING)


@transaction.atomic
def _finish(export: Export, body: bytes, count: int, at: datetime) -> None:
    if len(body) > MOST_BYTES:
        reason = _("The workbook would have more than %(n)d MB. Take fewer columns or shipments, or the CSV.")
        _mine(export).update(state=ExportState.FAILED, rows=count, finished_at=at, reason=reason % {"n": 20})
        return
    ready = {"state": ExportState.DONE, "rows": count, "body": body, "size": len(body), "sha256": ids.digest(body)}
    if not _mine(export).update(**ready, finished_at=at, expires_at=F("made_at") + KEPT):
        return
    emit(
        ExportReady(occurred_at=at, export=export.public_id, rows=count, email=export.member.user.email,
                    path=f"/shipments/exports/{export.public_id}"),
        at=at,
    )  # fmt: skip


@transaction.atomic
def exports_forget(*, at: datetime) -> int:
    """Removes the files of the entered scope whose day is over; says how many."""
    gone, _by_model = Export.objects.filter(expires_at__lte=at).delete()
    return gone
