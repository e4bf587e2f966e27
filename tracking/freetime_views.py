"""The desk's pages of an account's free-day terms: the list, one term, a file of them with what each line becomes."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import NotFound, PortalError
from portal.lib.periods import local_date
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone
from portal.web.exports import csv_stream
from portal.web.pages import TenantView
from portal.web.policy import Policy, staff
from tracking import freetime_pages as pages
from tracking import services
from tracking.freetime_forms import COLUMNS, MOST_BYTES, FreeTermForm, Line, TermsFileForm, cells_of, read_terms
from tracking.freetime_reads import free_term_rows, term_of
from tracking.models import FreeTerm, Place
from tracking.types import Unreadable

WRITERS: Final = frozenset({Role.OPS.value, Role.ACCOUNT_MANAGER.value, Role.ADMIN.value})


class TermsView(TenantView):
    """A page about the terms of one account, for the staff."""

    policy: ClassVar[Policy] = staff(write=WRITERS)

    def address(self, page: str = "", **kwargs: Any) -> str:
        """Of a page about the same account."""
        return reverse(f"ops:tracking_freedays{page}", kwargs={"account": self.account.public_id, **kwargs})

    def crumbs(self, *, below: bool = False) -> list[dict[str, str]]:
        """To the account's shipments, and to the list."""
        account = {"account": self.account.public_id}
        found = [{"label": self.account.name, "url": reverse("ops:tracking_shipments", kwargs=account)}]
        return [*found, {"label": _("Free days"), "url": self.address()}] if below else found

    def back(self) -> HttpResponse:
        """To the list."""
        return HttpResponseRedirect(self.address())


class FreeDays(TermsView):
    """How long the account's boxes may stay without charge."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """All terms, and the form for a file of them."""
        return self.listed(TermsFileForm())

    def listed(self, form: TermsFileForm, status: int = 200) -> HttpResponse:
        """The list, also with a refused file."""
        rows, today = free_term_rows(), local_date(self.at, operator_zone())
        names = dict(Place.objects.filter(code__in={r.place for r in rows}).values_list("code", "name"))
        may_edit = self.member.role in WRITERS
        return self.page("tracking/ops/freedays.html", {
            "title": _("Free days"), "crumbs": self.crumbs(), "zone": operator_zone(), "form": form,
            "subtitle": _("How long boxes of %(account)s may stay before demurrage or detention is charged.")
            % {"account": self.account.name},
            "rows": [pages.row(r, names, today, self.address("_term", public_id=r.public_id) if may_edit else "")
                     for r in rows],
            "may_edit": may_edit, "new_url": self.address("_new"), "export_url": self.address("_csv"),
            "import_url": self.address("_import"), "columns": ", ".join(COLUMNS),
        }, status)  # fmt: skip


class FreeDaysCsv(TermsView):
    """The terms as the import reads them."""

    policy: ClassVar[Policy] = staff()

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """A download; without any term, the header alone."""
        rows = [cells_of(term_of(row)) for row in free_term_rows()]
        return csv_stream(f"free-days-{self.account.code}.csv", COLUMNS, rows)


class FreeTermNew(TermsView):
    """A new term."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self.form(FreeTermForm(initial={"first_day": local_date(self.at, operator_zone())}))

    def post(self, request: HttpRequest, public_id: str = "") -> HttpResponse:
        """Stores it; what follows for shipments under way is worked out within minutes."""
        form = FreeTermForm(request.POST)
        if form.is_valid():
            try:
                services.free_term_set(term=form.term(), by=self.member.label, at=self.at, public_id=public_id)
            except NotFound:
                raise
            except PortalError as error:
                form.add_error(None, error.sentence())
            else:
                messages.success(request, _("Saved. Shipments under way are looked at within minutes."))
                return self.back()
        return self.form(form, public_id, 422)

    def form(self, form: FreeTermForm, public_id: str = "", status: int = 200) -> HttpResponse:
        """The page of one term."""
        return self.page("tracking/ops/freeday_form.html", {
            "title": _("Free days at a terminal") if public_id else _("New free days"),
            "crumbs": self.crumbs(below=True), "form": form, "cancel_url": self.address(),
            "remove": {
                "action": self.address("_remove", public_id=public_id), "submit": _("Remove"), "danger": True,
                "sentence": _("The term is taken away, and the one before it counts again. The audit trail keeps it."),
            } if public_id else None,
        }, status)  # fmt: skip


class FreeTermPage(FreeTermNew):
    """A stored term."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:  # type: ignore[override]
        """The form with what is stored."""
        return self.form(FreeTermForm(initial=FreeTermForm.initial_of(term_of(self._row(public_id)))), public_id)

    def post(self, request: HttpRequest, public_id: str = "") -> HttpResponse:
        """Another wording."""
        self._row(public_id)
        return super().post(request, public_id)

    def _row(self, public_id: str) -> FreeTerm:
        found = FreeTerm.objects.filter(public_id=public_id).first()
        if found is None:
            raise NotFound
        return found


class FreeTermRemove(TermsView):
    """Takes a term away."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Back to the list."""
        services.free_term_remove(public_id=public_id, by=self.member.label, at=self.at)
        messages.success(request, _("Removed. Shipments under way are looked at within minutes."))
        return self.back()


class FreeDaysImport(FreeDays):
    """A file of terms: first what each line becomes, then all of them or none."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """With a file: the preview. With `text` and `do=import`: stores it."""
        if request.POST.get("do") == "import":
            return self._store(request.POST.get("text", "").encode(errors="replace"))
        form = TermsFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.listed(form, 422)
        file = form.cleaned_data["file"]
        if file.size > MOST_BYTES:
            form.add_error("file", _("A file of terms has at most %(most)d kB.") % {"most": MOST_BYTES // 1024})
            return self.listed(form, 422)
        return self._looked_at(file.read(), form)

    def _looked_at(self, raw: bytes, form: TermsFileForm, status: int = 200) -> HttpResponse:
        try:
            lines = read_terms(raw)
        except Unreadable as fault:
            form.add_error("file" if form.is_bound else None, str(fault.detail))
            return self.listed(form, 422)
        bad = [line for line in lines if line.term is None]
        return self.page("tracking/ops/freedays_preview.html", {
            "title": _("What the file would change"), "crumbs": self.crumbs(below=True),
            "subtitle": self._counts(lines, len(bad)), "rows": pages.preview(lines, free_term_rows()),
            "text": "" if bad or not lines else raw.decode("utf-8-sig"), "action": self.address("_import"),
            "submit": ngettext("Take %(n)d line", "Take %(n)d lines", len(lines)) % {"n": len(lines)},
            "cancel_url": self.address(),
        }, 422 if bad else status)  # fmt: skip

    @staticmethod
    def _counts(lines: list[Line], bad: int) -> str:
        if not lines:
            return _("The file has no lines below its header.")
        if not bad:
            return _("Nothing is stored yet.")
        said = ngettext(
            "%(n)d line cannot be taken, so none is: correct the file and choose it again.",
            "%(n)d lines cannot be taken, so none is: correct the file and choose it again.",
            bad,
        )
        return said % {"n": bad}

    def _store(self, raw: bytes) -> HttpResponse:
        form = TermsFileForm()
        if len(raw) > MOST_BYTES:
            raise NotFound
        try:
            lines = read_terms(raw)
        except Unreadable:
            messages.error(self.request, _("The file could not be read again; choose it once more."))
            return self.back()
        terms = [line.term for line in lines if line.term is not None]
        if len(terms) < len(lines) or not lines:
            return self._looked_at(raw, form, 422)
        try:
            done = services.free_terms_store(terms=terms, by=self.member.label, at=self.at)
        except PortalError as error:
            messages.error(self.request, error.sentence())
            return self.back()
        told = _("Lines added: %(added)d, changed: %(changed)d, as they were: %(same)d.")
        messages.success(self.request, told % {"added": done.added, "changed": done.changed, "same": done.same})
        return self.back()
