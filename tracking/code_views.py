"""The desk's pages about a source's partner table: its own lines above the standard ones, and files of them."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from portal.tenancy.selectors import operator_zone
from portal.web.exports import csv_stream
from portal.web.policy import Policy
from tracking import partner_pages, services
from tracking.models import PartnerCode
from tracking.partner_forms import CodeForm, CodesFileForm
from tracking.partner_pages import page_url
from tracking.partner_views import ADMINS, SourceView
from tracking.partners import code_lists, codes_of
from tracking.services.partner_files import COLUMNS
from tracking.statuses import lists, standard_of

_MOST_BYTES: Final = 1024 * 1024


class PartnerTable(SourceView):
    """What the codes of a source mean: its own lines, and below them the standard table of one list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """`?list=` chooses the standard table; without it that of the source's format."""
        return self.table(CodesFileForm())

    def table(self, form: CodesFileForm, *, faults: Any = (), status: int = 200) -> HttpResponse:
        """The page, also with a refused file on it."""
        rows, zone = list(codes_of(self.source)), operator_zone()
        own = {(r.listed, r.code) for r in rows}
        asked = self.request.GET.get("list", "")
        listed = asked if asked in lists() else partner_pages.list_of(self.source)
        base = page_url("source_codes", self.source)
        standard = partner_pages.standard_lines(self.source, listed, own, may_edit=self.may_edit)
        return self.page("tracking/ops/source_codes.html", {
            **self.below(_("Partner table")), "may_edit": self.may_edit, "zone": zone, "form": form,
            "subtitle": _("What a code means when %(name)s sends it. An own line wins over the standard one.")
            % {"name": self.source.name},
            "own": partner_pages.own_lines(self.source, rows, zone, may_edit=self.may_edit), "listed": listed,
            "standard": standard, "says": any(line["says"] for line in standard),
            "chips": [{"label": name, "url": f"{base}?list={name}", "active": name == listed,
                       "count": len(standard_of(name))} for name in lists() if standard_of(name)],
            "new_url": partner_pages.code_url(self.source, listed=listed), "faults": faults,
            "import_url": page_url("source_codes_import", self.source),
            "export_url": page_url("source_codes_csv", self.source),
            "remove_url": page_url("source_code_remove", self.source),
            "bench_url": page_url("source_bench", self.source),
        }, status)  # fmt: skip


class PartnerTableCsv(SourceView):
    """The own lines as CSV, in the columns that the import reads."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """A download."""
        name = f"partner-table-{self.source.key}.csv"
        return csv_stream(name, COLUMNS, list(services.partner_codes_rows(self.source)))


class PartnerTableImport(PartnerTable):
    """Takes a file in: all of its lines or none."""

    policy: ClassVar[Policy] = ADMINS
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Says what came of it, or names every bad line."""
        form = CodesFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.table(form, status=422)
        file = form.cleaned_data["file"]
        if file.size > _MOST_BYTES:
            form.add_error("file", _("A partner table has at most 1 MB."))
            return self.table(form, status=422)
        try:
            done = services.partner_codes_import(
                key=self.source.key, body=file.read(), at=self.at, actor=self.member.label
            )
        except services.BadLines as error:
            form.add_error(None, error.sentence())
            faults = [{"line": number, "says": said} for number, said in error.faults]
            return self.table(form, faults=faults, status=422)
        told = _("Lines added: %(added)d, changed: %(changed)d, as they were: %(same)d.")
        messages.success(request, told % {"added": done.added, "changed": done.changed, "same": done.same})
        return self.to("source_codes")


class PartnerLine(SourceView):
    """One line: new, changed, or overriding a standard one."""

    policy: ClassVar[Policy] = ADMINS

    def get(self, request: HttpRequest) -> HttpResponse:
        """`?listed=&code=&agency=` fill it in: from the own line, else from the standard one, else empty."""
        asked = {name: request.GET.get(name, "")[:40] for name in ("listed", "code", "agency")}
        if any("\0" in value for value in asked.values()):
            asked = dict.fromkeys(asked, "")
        row = PartnerCode.objects.filter(source=self.source, **asked).first()
        return self._form(CodeForm.of(row) if row else CodeForm(initial=self._standard(asked)))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores it, or says field by field what cannot be."""
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                row = services.partner_code_set(
                    key=self.source.key, line=form.line(), at=self.at, actor=self.member.label
                )
            except services.Refused as error:
                form.tell(error.faults)
            else:
                told = _("%(code)s is read so from now on: new messages, and events that are replayed.")
                messages.success(request, told % {"code": row.code})
                return self.to("source_codes")
        return self._form(form, 422)

    def _standard(self, asked: dict[str, str]) -> dict[str, Any]:
        rule = standard_of(asked["listed"]).get(asked["code"])
        listed = asked["listed"] if asked["listed"] in code_lists() else partner_pages.list_of(self.source)
        told: dict[str, Any] = {**asked, "listed": listed}
        if rule is not None:
            told |= {
                "kind": rule.kind.value, "event_code": rule.code, "classifier": rule.classifier.value,
                "laden": {True: "LADEN", False: "EMPTY"}.get(rule.laden, ""),  # type: ignore[arg-type]
                "mode": rule.mode or "", "place_role": rule.place_role or "",
                "document_type": rule.document_type or "", "is_ignored": rule.is_ignored,
            }  # fmt: skip
        return told

    def _form(self, form: CodeForm, status: int = 200) -> HttpResponse:
        table = {"label": _("Partner table"), "url": page_url("source_codes", self.source)}
        return self.page("tracking/ops/source_form.html", {
            **self.below(_("A line of the partner table")), "form": form, "submit": _("Store the line"),
            "crumbs": [*partner_pages.crumbs(self.source), table], "back_url": table["url"],
            "affects": _("Nothing that is stored changes: it counts for messages that come, and events that are "
                         "replayed, from now on."),
        }, status)  # fmt: skip


class PartnerLineRemove(SourceView):
    """From now on the standard meaning counts again."""

    policy: ClassVar[Policy] = ADMINS
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """The line is named by list, agency and code."""
        told = {name: request.POST.get(name, "").replace("\0", "")[:40] for name in ("listed", "agency", "code")}
        services.partner_code_remove(key=self.source.key, **told, at=self.at, actor=self.member.label)
        messages.success(request, _("%(code)s means again what the standard table says.") % {"code": told["code"]})
        return self.to("source_codes")
