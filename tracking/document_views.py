"""Pages of a shipment's documents: every version, a file taken in, shown, withdrawn, handed out.

A file is handed out as a download, whatever it is: the browser does not run it (X3). Internal documents are asked for
by the staff only; for everybody else they do not exist.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.models import Role
from portal.web.policy import ACCOUNT, STAFF, Policy, staff
from tracking import document_pages as pages
from tracking import services
from tracking.document_forms import DocumentForm, DocumentWithdrawForm
from tracking.document_reads import Download, document_file, document_known, documents_of
from tracking.models import Document
from tracking.shipment_views import OneShipment

DESK_WRITES: Final = frozenset({Role.OPS.value, Role.ACCOUNT_MANAGER.value, Role.ADMIN.value})
BOTH_WRITE: Final = Policy(who=ACCOUNT | STAFF, entitlement="portal_core", write=ACCOUNT | DESK_WRITES)


def handed_out(found: Download) -> HttpResponse:
    """A document as a download under its safe name."""
    response = HttpResponse(found.body, content_type=found.document.content_type)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=found.document.name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


class Documents(OneShipment):
    """Every document of a shipment with its versions; and the form for one more."""

    policy: ClassVar[Policy] = BOTH_WRITE

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """As of now."""
        kind = request.GET.get("kind", "")
        return self._page(public_id, self._form(initial={"kind": kind} if kind else {}))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Takes a file in, or says why not, at the field."""
        form = self._form(request.POST, request.FILES)
        if form.is_valid():
            file, shipment = form.cleaned_data["file"], self.dossier(public_id).shipment
            try:
                made = services.document_add(
                    shipment=shipment, kind=form.kind_chosen, name=file.name,
                    body=file.read(services.MOST_DOCUMENT_BYTES + 1), by=self.member, at=self.at,
                    note=form.cleaned_data["note"], is_internal=form.is_internal,
                )  # fmt: skip
            except PortalError as error:
                form.add_error("file", error.sentence())
            else:
                messages.success(request, _("Kept: %(document)s.") % {"document": services.document_name(made)})
                return HttpResponseRedirect(self.url("tracking:documents", public_id=public_id))
        return self._page(public_id, form, 422)

    def _form(self, *args: Any, **kwargs: Any) -> DocumentForm:
        return DocumentForm(*args, is_staff=self.member.is_staff, **kwargs)

    def _page(self, public_id: str, form: DocumentForm, status: int = 200) -> HttpResponse:
        found = self.dossier(public_id)
        rows = documents_of(found.shipment, internal=self.member.is_staff)
        here = [d for d in rows if d.withdrawn_at is None]
        writes = self.policy.allows(self.member.role, unsafe=True)
        return self.page("tracking/documents.html", {
            "title": _("Documents"), "crumbs": self.crumbs(found), "form": form if writes else None,
            "subtitle": _("Every version stays. What is withdrawn is handed out no more, and says why."),
            "rows": pages.listed(found, rows, lambda d: self._file_url(found, d), lambda d: self._acts(found, d)),
            "missing": pages.missing_words(found, here, self.at),
        }, status)  # fmt: skip

    def _file_url(self, found: Any, document: Document) -> str:
        return self.url("tracking:document", public_id=found.shipment.public_id, document=document.public_id)

    def _acts(self, found: Any, document: Document) -> dict[str, Any]:
        """What the desk can do about a document."""
        if self.member.role not in DESK_WRITES:
            return {}
        about = {"public_id": found.shipment.public_id, "document": document.public_id}
        show = self.url("tracking:document_show", **about) if document.is_internal else ""
        return {"withdraw_url": self.url("tracking:document_withdraw", **about), "show_url": show}


class DocumentDownload(OneShipment):
    """The bytes of a document."""

    def get(self, request: HttpRequest, public_id: str, document: str) -> HttpResponse:
        """A download; rights are judged now."""
        shipment = self.dossier(public_id).shipment
        found = document_file(shipment, document, internal=self.member.is_staff)
        if found is None:
            raise NotFound
        return handed_out(found)


class DocumentShow(OneShipment):
    """Shows an internal document to the customer."""

    policy: ClassVar[Policy] = staff(Role.OPS, Role.ACCOUNT_MANAGER)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, public_id: str, document: str) -> HttpResponse:
        """From now on the customer reads it."""
        shipment = self.dossier(public_id).shipment
        try:
            services.document_show(shipment=shipment, public_id=document, by=self.member, at=self.at)
        except services.DocumentWithdrawn as error:
            messages.error(request, error.sentence())
        else:
            messages.success(request, _("The customer reads it from now on."))
        return HttpResponseRedirect(self.url("tracking:documents", public_id=public_id))


class DocumentWithdraw(OneShipment):
    """Hands a document out no more, with a reason."""

    policy: ClassVar[Policy] = staff(Role.OPS, Role.ACCOUNT_MANAGER)

    def get(self, request: HttpRequest, public_id: str, document: str) -> HttpResponse:
        """What will happen, in a sentence."""
        return self._form(public_id, document, DocumentWithdrawForm())

    def post(self, request: HttpRequest, public_id: str, document: str) -> HttpResponse:
        """Needs a reason."""
        form = DocumentWithdrawForm(request.POST)
        if not form.is_valid():
            return self._form(public_id, document, form, 422)
        try:
            services.document_withdraw(
                shipment=self.dossier(public_id).shipment, public_id=document, why=form.cleaned_data["why"],
                by=self.member, at=self.at,
            )  # fmt: skip
        except services.DocumentWithdrawn as error:
            messages.error(request, error.sentence())
        else:
            messages.success(request, _("The document was withdrawn."))
        return HttpResponseRedirect(self.url("tracking:documents", public_id=public_id))

    def _form(self, public_id: str, document: str, form: DocumentWithdrawForm, status: int = 200) -> HttpResponse:
        found = self.dossier(public_id)
        row = document_known(found.shipment, document, internal=True)
        if row is None:
            raise NotFound
        return self.page("tracking/ops/document_withdraw.html", {
            "title": _("Withdraw a document"), "crumbs": self.crumbs(found), "form": form,
            "sentence": _("“%(document)s” will be handed out no more. It stays on record with your reason.")
            % {"document": services.document_name(row)},
            "cancel_url": self.url("tracking:documents", public_id=public_id),
        }, status)  # fmt: skip
