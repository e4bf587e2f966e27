"""The desk's upload wizard: choose a file, say what its columns mean, look at what each row becomes, import.

For the operator's staff only in this version, also for an account's own source. A file is a draft until it is
imported; then it went through the ordinary door of its source.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib import messages
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View

from portal.lib import clock
from portal.lib.errors import NotFound, PortalError
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone
from portal.tenancy.services import audit
from portal.web.pages import PageView
from portal.web.policy import Policy, staff
from tracking import crossings, services, upload_columns, upload_pages
from tracking.adapters.table import parse_table
from tracking.ingest import message_process, message_rehearse
from tracking.models import InboundMessage, MessageState, Place, Quarantined, QuarantineState, Source, UploadDraft
from tracking.partners import partner_of
from tracking.quarantine_pages import quarantine_url
from tracking.selectors import source_scope
from tracking.tablemappings import TableMapping
from tracking.tabletext import Table, plain
from tracking.types import Unreadable

FORMAT: Final = "table"
MOST_AT_ONCE: Final = 1_000  # rows that are applied while somebody waits for the page
_CELL: Final = re.compile(r"cell:(\d{1,5}):(\d{1,3})", re.ASCII)
_REHEARSAL: Final = "upload: which shipments the rows of a file would reach"
_RESULT: Final = "upload: which shipments the rows of a file reached"


class _Upload(PageView):
    """A page of the wizard: inside the scope of the source that the address names."""

    policy: ClassVar[Policy] = staff(Role.OPS)
    is_atomic: ClassVar[bool] = True
    source: Source
    owner: int

    def enter(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """A source that is not there, is closed, or sends no spreadsheets is not found."""
        owner = source_scope(kwargs["source"])
        if owner is None:
            raise NotFound
        if owner != OPERATOR_ID:
            with transaction.atomic():  # whose data a member of the staff works on is kept (R0.8)
                audit(action="account.entered", actor=self.member.label, at=self.at, object_type="source",
                      object_id=kwargs["source"], details={"page": "upload"})  # fmt: skip
        self.owner = owner
        with as_tenant(owner):
            found = Source.objects.filter(key=kwargs["source"], is_active=True, format=FORMAT).first()
            if found is None:
                raise NotFound
            self.source = found
            if not self.is_atomic:
                return View.dispatch(self, request, *args, **kwargs)
            return super().enter(request, *args, **kwargs)

    def draft(self, public_id: str) -> UploadDraft:
        """The draft of this source; raises NotFound."""
        found = UploadDraft.objects.filter(public_id=public_id, source=self.source).first()
        if found is None:
            raise NotFound
        return found

    def step(self, name: str, public_id: str) -> str:
        """The address of a step of one draft."""
        return reverse(f"ops:tracking_upload_{name}", kwargs={"source": self.source.key, "public_id": public_id})

    def go(self, name: str, public_id: str) -> HttpResponseRedirect:
        """To a step."""
        return HttpResponseRedirect(self.step(name, public_id))

    def wizard(self, number: int, context: dict[str, Any], status: int = 200) -> HttpResponse:
        """A page of the wizard with its steps and its way back."""
        names = ("choose", "columns", "preview", "result")
        upload_url = reverse("ops:tracking_upload", kwargs={"source": self.source.key})
        labels = (_("File"), _("Columns"), _("Preview"), _("Result"))
        steps = [{"label": label, "is_now": n == number, "is_done": n < number} for n, label in enumerate(labels)]
        return self.page(f"tracking/ops/upload_{names[number]}.html", {
            "steps": steps, "source": self.source, "upload_url": upload_url,
            "crumbs": [{"label": _("Sources"), "url": reverse("ops:tracking_sources")},
                       {"label": self.source.name, **({"url": upload_url} if number else {})}],
            **context,
        }, status)  # fmt: skip


class Upload(_Upload):
    """The first step: choose a file; also the files that wait half done."""

    def get(self, request: HttpRequest, source: str) -> HttpResponse:
        """The form and what is under way."""
        return self._form()

    def post(self, request: HttpRequest, source: str) -> HttpResponse:
        """Keeps the file; a file whose columns are those of last time goes straight to the preview."""
        chosen = request.FILES.get("file")
        if chosen is None or not chosen.name:
            return self._form(_("Choose a file first."))
        if chosen.size is None or chosen.size > settings.INGEST_MAX_BYTES:
            return self._form(_("The file has more than %(n)d MB; send it in parts.")
                              % {"n": settings.INGEST_MAX_BYTES // 2**20})  # fmt: skip
        try:
            with transaction.atomic():
                draft = services.upload_begin(
                    source=self.source, body=chosen.read(), file_name=chosen.name, at=self.at, actor=self.member.label
                )
        except services.UploadRefused as error:
            return self._form(error.sentence())
        return self.go("preview" if draft.is_remembered else "columns", draft.public_id)

    def _form(self, error: str = "") -> HttpResponse:
        drafts = UploadDraft.objects.filter(source=self.source).defer("body", "mapping").order_by("-made_at")[:10]
        return self.wizard(0, {
            "title": _("Upload a spreadsheet"), "error": error,
            "subtitle": _("From %(source)s. Nothing is imported before you have seen what each row becomes.")
            % {"source": self.source.name},
            "most_mb": settings.INGEST_MAX_BYTES // 2**20, "knows_columns": bool(self.source.mapping),
            "drafts": [
                {"name": d.file_name, "who": d.made_by, "at": d.made_at, "zone": operator_zone(),
                 "is_imported": bool(d.message),
                 "url": self.step("result" if d.message else "preview", d.public_id)}
                for d in drafts
            ],
        }, 422 if error else 200)  # fmt: skip


class _DraftPage(_Upload):
    """A step of one draft; what was imported leads to its result."""

    def table(self, draft: UploadDraft) -> Table | None:
        """Its table, None when the columns it was said to have are not there (another sheet was chosen)."""
        try:
            return services.upload_table(draft)
        except Unreadable:
            return None


class UploadColumns(_DraftPage):
    """The second step: what each column means, what its texts mean, how its days are written."""

    def get(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """Each column with three of its values and what it was guessed to be."""
        draft = self.draft(public_id)
        return self.go("result", public_id) if draft.message else self._shown(draft, {}, asked=False)

    def post(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """`look`: what follows from the answers is asked, nothing is judged. Else to the preview once all is said."""
        draft = self.draft(public_id)
        if draft.message:
            return self.go("result", public_id)
        before, table = TableMapping.read(draft.mapping), services.upload_table(draft)
        if (sheet := request.POST.get("sheet", table.sheet)) != table.sheet:
            return self._another_sheet(public_id, sheet)
        answer = upload_columns.answer_of(request.POST.dict(), table, before)
        mapping, is_look = upload_columns.sure_dates(table, answer.mapping), "look" in request.POST
        draft = services.upload_mapping_set(public_id=public_id, mapping=mapping)
        if is_look or answer.errors or mapping.lacks():
            return self._shown(draft, answer.errors, asked=not is_look)
        return self.go("preview", public_id)

    def _another_sheet(self, public_id: str, sheet: str) -> HttpResponse:
        try:
            services.upload_sheet_set(public_id=public_id, sheet=sheet)
        except services.UploadRefused as error:
            messages.error(self.request, error.sentence())
        return self.go("columns", public_id)

    def _shown(self, draft: UploadDraft, errors: dict[str, str] | Any, *, asked: bool) -> HttpResponse:
        mapping = TableMapping.read(draft.mapping)
        table = services.upload_table(draft)
        told = upload_columns.columns_context(
            table, mapping, errors, asked=asked, place_names=_codes_of_places(table, mapping)
        )
        return self.wizard(1, {
            "title": _("What do the columns mean?"), "draft": draft, "rows": len(table.rows),
            "subtitle": _("%(file)s. What is certain is filled in; what is not, only you know.")
            % {"file": draft.file_name},
            "action": self.step("columns", draft.public_id), "discard_url": self.step("discard", draft.public_id),
            **told,
        }, 422 if asked else 200)  # fmt: skip


class UploadPreview(_DraftPage):
    """The third step: what each row would become, and its cells to be corrected in place."""

    def get(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """A rehearsal: read, timed and matched, nothing stored."""
        draft = self.draft(public_id)
        mapping, table = TableMapping.read(draft.mapping), self.table(draft)
        if draft.message:
            return self.go("result", public_id)
        if table is None or mapping.lacks():
            return self.go("columns", public_id)
        with across_tenants(reason=_REHEARSAL, actor=self.member.label, at=self.at), as_tenant(self.owner):
            partner = partner_of(self.source)
            trials = message_rehearse(source=self.source, parsed=parse_table(table, mapping, partner), at=self.at)
        told = upload_pages.preview_context(table, mapping, trials, draft.corrections)
        return self.wizard(2, {
            "title": _("What each row becomes"), "draft": draft, "subtitle": draft.file_name,
            "action": self.step("preview", public_id), "columns_url": self.step("columns", public_id),
            "import_url": self.step("import", public_id), "discard_url": self.step("discard", public_id),
            "zone": operator_zone(), **told,
        })  # fmt: skip

    def post(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """Corrects cells and shows the rows anew."""
        draft = self.draft(public_id)
        try:
            table = services.upload_table(draft)
            count = services.upload_correct(
                public_id=public_id, cells=_cells(request, table), at=self.at, actor=self.member.label
            )
        except PortalError as error:
            messages.error(request, error.sentence())
            return self.go("preview", public_id)
        if count:
            messages.success(request, ngettext("%(n)d cell corrected.", "%(n)d cells corrected.", count) % {"n": count})
        else:
            messages.info(request, _("No cell was changed."))
        return self.go("preview", public_id)


def _cells(request: HttpRequest, table: Table) -> dict[tuple[int, str], str]:
    """The fields `cell:<row>:<column>` as (row, name of the column) and text."""
    found = {}
    for key, text in request.POST.items():
        named = _CELL.fullmatch(key)
        if named is not None and int(named[2]) < len(table.header):
            found[(int(named[1]), table.header[int(named[2])])] = str(text)
    return found


def _codes_of_places(table: Table, mapping: TableMapping) -> dict[str, list[str]]:
    """What the place column says, in plain form, to the codes of the places that are called so."""
    if "place" not in mapping.columns:
        return {}
    texts = list({plain(text) for text in table.column(mapping.columns["place"]) if text})[:200]
    named: dict[str, list[str]] = {}
    wanted = {text.title() for text in texts} | {text.capitalize() for text in texts}
    for code, name in Place.objects.filter(name__in=wanted).order_by("code").values_list("code", "name"):
        named.setdefault(plain(name), []).append(code)
    return named


class UploadImport(_Upload):
    """Sends the table through the ordinary door; stored first, then applied (G1)."""

    http_method_names = ["post"]
    is_atomic = False

    def post(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """A second press finds it imported and shows the result. A long file is applied by the outbox, not here."""
        try:
            is_long = len(services.upload_table(self.draft(public_id)).rows) > MOST_AT_ONCE
            later = None if is_long else self.at + timedelta(seconds=settings.OUTBOX_LEASE_SECONDS)  # mends a crash
            message = services.upload_import(
                public_id=public_id, at=self.at, actor=self.member.label, process_after=later
            )
        except services.UploadRefused as error:
            messages.error(request, error.sentence())
            return self.go("columns", public_id)
        if not is_long:
            with suppress(OperationalError):  # a lock or a deadlock: stored already, the outbox applies it
                message_process(public_id=message.public_id, at=clock.now())
        return self.go("result", public_id)


class UploadResult(_Upload):
    """The last step: what became of the rows."""

    def get(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """The counts of the message, the shipments that it reached, and what waits in quarantine."""
        draft = self.draft(public_id)
        if not draft.message:
            return self.go("preview", public_id)
        message = InboundMessage.objects.get(public_id=draft.message)
        with across_tenants(reason=_RESULT, actor=self.member.label, at=self.at):
            reached = crossings.message_shipments(message.public_id)
        is_applied = message.state == MessageState.APPLIED
        waiting = Quarantined.objects.filter(message=message, state=QuarantineState.OPEN).count()
        counts = (
            (_("Rows"), message.events_received), (_("Became events"), message.events_accepted),
            (_("Known already"), message.events_duplicate),
            (_("In quarantine"), waiting),
            (_("Left out or decided about"), message.events_quarantined - waiting),
        )  # fmt: skip
        return self.wizard(3, {
            "title": _("Imported") if is_applied else _("Stored, being applied"), "draft": draft,
            "action": self.step("result", public_id),
            "subtitle": draft.file_name, "is_applied": is_applied,
            "sentence": ngettext("%(good)d of %(all)d row became an event.", "%(good)d of %(all)d rows became events.",
                                 message.events_received)
            % {"good": message.events_accepted, "all": message.events_received},
            "counts": [{"label": label, "value": str(n)} for label, n in counts],
            "waiting": waiting, "quarantine_url": quarantine_url(source=self.source.key),
            "message_url": reverse("ops:tracking_message", kwargs={"public_id": message.public_id}),
            "corrected": len(draft.corrections), "zone": operator_zone(),
            "original_url": self.step("original", public_id) if draft.corrections else "",
            "shipments": [
                {"ref": s.ref, "account": t.name,
                 "url": reverse("ops:tracking_shipment", kwargs={"account": t.public_id, "public_id": s.public_id})}
                for s, t in reached
            ],
        })  # fmt: skip


class UploadOriginal(_Upload):
    """The file as it was chosen, unchanged, as a download."""

    def get(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """Never shown by the browser, whatever it is."""
        draft = self.draft(public_id)
        response = HttpResponse(bytes(draft.body), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="upload-{draft.public_id}.bin"'
        return response


class UploadDiscard(_Upload):
    """Throws a draft away."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, source: str, public_id: str) -> HttpResponse:
        """What was imported stays."""
        self.draft(public_id)
        try:
            services.upload_discard(public_id=public_id, at=self.at, actor=self.member.label)
            messages.success(request, _("The file was thrown away. Nothing of it was imported."))
        except services.AlreadyImported as error:
            messages.error(request, error.sentence())
            return self.go("result", public_id)
        return HttpResponseRedirect(reverse("ops:tracking_upload", kwargs={"source": self.source.key}))
