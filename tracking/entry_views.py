"""The desk's pages for what people hear by telephone: enter an event with its evidence, see the file, withdraw it."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.models import Role
from portal.web.policy import Policy, staff
from tracking import services, wording
from tracking.entry_forms import EntryForm, WithdrawForm
from tracking.milestones import final_of
from tracking.models import Place, SightingRow
from tracking.selectors import evidence_of
from tracking.services import Entry, entry_record, entry_withdraw, evidence_store
from tracking.shipment_views import OneShipment, event_name
from tracking.types import Classifier, Milestone


class NewEntry(OneShipment):
    """An event that somebody told us of."""

    policy: ClassVar[Policy] = staff(Role.OPS)

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The form, for this journey."""
        found = self.dossier(public_id)
        return self._form(public_id, EntryForm(journey=found.journey))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Records it, and says what it counts for."""
        found = self.dossier(public_id)
        form, zone = EntryForm(request.POST, request.FILES, journey=found.journey), None
        if form.is_valid():
            zone = Place.objects.filter(code=form.cleaned_data["place"]).values_list("zone", flat=True).first()
            if not zone:
                form.add_error("place", _("We know no place of this code with its time zone; add it first."))
        if zone is None or not form.is_valid():
            return self._form(public_id, form, status=422)
        try:
            self._record(found.shipment, form, ZoneInfo(zone))
        except services.EvidenceRefused as error:
            form.add_error("evidence_file", error.sentence())
        except PortalError as error:
            form.add_error(None, error.sentence())
        else:
            self._tell(request, form, found.journey)
            return HttpResponseRedirect(self.url("tracking:shipment", public_id=public_id))
        return self._form(public_id, form, status=422)

    def _record(self, shipment: Any, form: EntryForm, zone: ZoneInfo) -> None:
        data, actor = form.cleaned_data, self.member.label
        evidence = data["evidence_ref"].strip()
        if data["evidence_file"] is not None:
            file = data["evidence_file"]
            evidence = evidence_store(
                shipment=shipment, name=file.name, body=file.read(), at=self.at, actor=actor
            ).public_id
        chosen = form.choice
        entry_record(
            shipment=shipment, at=self.at, actor=actor, author=self.member.name,
            entry=Entry(
                code=chosen.code, local=form.local(zone), place=data["place"], classifier=form.classified,
                container="" if chosen.whole_shipment else data.get("container", ""), laden=chosen.laden,
                mode=chosen.mode, place_role=chosen.role, evidence=evidence, note=data["note"],
            ),
        )  # fmt: skip

    def _tell(self, request: HttpRequest, form: EntryForm, journey: Any) -> None:
        milestone = Milestone(form.cleaned_data["milestone"])
        proven = bool(form.cleaned_data["evidence_ref"] or form.cleaned_data["evidence_file"])
        if milestone == final_of(journey.final) and form.classified == Classifier.ACT and not proven:
            messages.warning(request, _("Entered. Without evidence it is shown, but counts for no figure."))
        else:
            messages.success(request, _("Entered: %(what)s.") % {"what": wording.milestone(milestone)})

    def _form(self, public_id: str, form: EntryForm, status: int = 200) -> HttpResponse:
        found = self.dossier(public_id)
        return self.page("tracking/ops/entry.html", {
            "title": _("Enter an event"), "crumbs": self.crumbs(found), "form": form,
            "subtitle": _("For what comes by telephone or on paper. It stands beside what carriers report, with your "
                          "name, and counts after them."),
            "cancel_url": self.url("tracking:shipment", public_id=public_id),
        }, status)  # fmt: skip


class WithdrawEntry(OneShipment):
    """Withdraws an entry made by hand; it stays on record with the reason."""

    policy: ClassVar[Policy] = staff(Role.OPS)

    def get(self, request: HttpRequest, public_id: str, number: int) -> HttpResponse:
        """What will happen, in a sentence."""
        return self._form(public_id, number, WithdrawForm())

    def post(self, request: HttpRequest, public_id: str, number: int) -> HttpResponse:
        """Needs a reason."""
        form = WithdrawForm(request.POST)
        if not form.is_valid():
            return self._form(public_id, number, form, status=422)
        found = self.dossier(public_id)
        entry_withdraw(
            shipment=found.shipment, sighting=self._entry(public_id, number), why=form.cleaned_data["why"], at=self.at,
            actor=self.member.label, author=self.member.name,
        )  # fmt: skip
        messages.success(request, _("The entry was withdrawn."))
        return HttpResponseRedirect(self.url("tracking:shipment", public_id=public_id))

    def _entry(self, public_id: str, number: int) -> SightingRow:
        found = self.dossier(public_id)
        if not 1 <= number <= len(found.rows) or found.rows[number - 1].source != services.MANUAL_KEY:
            raise NotFound
        row = found.rows[number - 1]
        if row.retracts or not row.source_event_id:
            raise NotFound
        return row

    def _form(self, public_id: str, number: int, form: WithdrawForm, status: int = 200) -> HttpResponse:
        found, row = self.dossier(public_id), self._entry(public_id, number)
        return self.page("tracking/ops/entry_withdraw.html", {
            "title": _("Withdraw the entry"), "crumbs": self.crumbs(found), "form": form,
            "sentence": _("“%(what)s”, entered by %(who)s, will count no more. It stays on record with your reason.")
            % {"what": event_name(row), "who": row.entered_by},
            "cancel_url": self.event_url(found, number),
        }, status)  # fmt: skip


class EvidenceFile(OneShipment):
    """A file that proves an entry, as a download: whatever it is, the browser does not run it (X3)."""

    def get(self, request: HttpRequest, public_id: str, evidence: str) -> HttpResponse:
        """The bytes as they are kept."""
        found = evidence_of(self.dossier(public_id).shipment, evidence)
        if found is None:
            raise NotFound
        response = HttpResponse(bytes(found.body), content_type=found.content_type)
        ending = "pdf" if found.content_type == "application/pdf" else "jpg"
        response["Content-Disposition"] = f'attachment; filename="evidence-{found.public_id}.{ending}"'
        return response
