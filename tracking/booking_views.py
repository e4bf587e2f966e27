"""The desk's pages for shipments and their promises: one by hand, many from a file, changed, called off."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.errors import PortalError
from portal.tenancy.models import Role
from portal.web.pages import PageView
from portal.web.policy import Policy, staff
from tracking import booking_forms as forms
from tracking import bookings, wording
from tracking.dossier import Dossier
from tracking.history import SHIPMENT_COLUMNS, ShipmentRow
from tracking.models import Container
from tracking.reasons import sentence
from tracking.services import Booked, Outcome, bookings_take, commitment_change
from tracking.shipment_views import OneShipment
from tracking.types import Unreadable
from tracking.views import ShipmentView

BOOKING = staff(Role.OPS, Role.ACCOUNT_MANAGER)


class NewShipment(ShipmentView):
    """A shipment of one account, entered by hand."""

    policy: ClassVar[Policy] = BOOKING

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self._form(forms.BookingForm(account=self.account.code))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Registers it, and shows it; a number that is taken is said at its field."""
        form = forms.BookingForm(request.POST, account=self.account.code)
        if form.is_valid():
            booked = take_one(form.cleaned_data["row"], self)
            if booked.outcome is Outcome.MADE:
                messages.success(request, _("Registered."))
                return HttpResponseRedirect(self.url("tracking:shipment", public_id=booked.public_id))
            tell(form, booked, _("The account has a shipment with this number already."))
        return self._form(form, status=422)

    def _form(self, form: forms.BookingForm, status: int = 200) -> HttpResponse:
        listed = self.url("tracking:shipments")
        return self.page("tracking/ops/booking.html", {
            "title": _("New shipment"), "form": form, "cancel_url": listed, "submit": _("Register it"),
            "crumbs": [{"label": self.account.name}, {"label": _("Shipments"), "url": listed}],
            "subtitle": _("For %(account)s. Events that wait for one of its numbers are matched at once.")
            % {"account": self.account.name},
        }, status)  # fmt: skip


def take_one(row: ShipmentRow, view: ShipmentView) -> Booked:
    """What came of one row of the entered account; a number that is new must be new."""
    return bookings_take(rows=[row], at=view.at, actor=view.member.label, tenants=[view.account.pk])[0]


def tell(form: Any, booked: Booked, taken: str) -> None:
    """Why a row was not taken, at the field it is about."""
    if booked.outcome is not Outcome.REFUSED:
        form.add_error("shipment_ref", taken)
        return
    form.add_error("final_place" if booked.reason == "no_zone" else None, booked.detail)


class EditShipment(OneShipment):
    """What describes a shipment; its promise is changed elsewhere."""

    policy: ClassVar[Policy] = BOOKING

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The form as it is."""
        found = self.dossier(public_id)
        return self._form(found, self._filled(found))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Stores it; what follows is there at once."""
        found = self.dossier(public_id)
        form = self._filled(found, request.POST)
        if form.is_valid():
            booked = take_one(form.cleaned_data["row"], self)
            if booked.outcome is not Outcome.REFUSED:
                messages.success(request, _("Saved.") if booked.outcome is Outcome.CHANGED else _("Nothing changed."))
                return HttpResponseRedirect(self.url("tracking:shipment", public_id=public_id))
            tell(form, booked, "")
        return self._form(found, form, status=422)

    def _filled(self, found: Dossier, data: Any = None) -> forms.BookingForm:
        live = Container.objects.filter(shipment=found.shipment, removed_at=None).order_by("number")
        initial = forms.described(found.shipment, list(live.values_list("number", flat=True)))
        return forms.BookingForm(data, initial=initial, account=self.account.code, known=found.shipment)

    def _form(self, found: Dossier, form: forms.BookingForm, status: int = 200) -> HttpResponse:
        url = self.url("tracking:shipment", public_id=found.shipment.public_id)
        return self.page("tracking/ops/booking.html", {
            "title": _("Change the booking"), "form": form, "crumbs": self.crumbs(found), "cancel_url": url,
            "subtitle": _("References are added, never taken away. What was promised stays."), "submit": _("Save"),
        }, status)  # fmt: skip


class ChangePromise(OneShipment):
    """Another promised day; whether it binds follows from who asked and when (R1.16)."""

    policy: ClassVar[Policy] = BOOKING

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The form, with the day as it is now."""
        found = self.dossier(public_id)
        return self._form(found, forms.PromiseForm(initial={"due_date": found.shipment.due_date}))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Records it, and says whether it counts."""
        found, form = self.dossier(public_id), forms.PromiseForm(request.POST)
        if not form.is_valid():
            return self._form(found, form, status=422)
        asked = form.cleaned_data
        row = commitment_change(
            shipment=found.shipment, due_date=asked["due_date"], asked_by_customer=asked["asked_by"] == "CUSTOMER",
            reason=asked["reason"], actor=self.member.label, at=self.at,
        )  # fmt: skip
        if row.is_binding:
            messages.success(request, _("Recorded. The new day counts from now on."))
        elif asked["asked_by"] == "CUSTOMER":
            messages.warning(request, _("Recorded. It came after the promised day was over, so that day still counts."))
        else:
            messages.success(request, _("Recorded. It is shown; the old day still counts."))
        return HttpResponseRedirect(self.url("tracking:shipment", public_id=public_id))

    def _form(self, found: Dossier, form: forms.PromiseForm, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/promise_change.html", {
            "title": _("Change the promise"), "form": form, "crumbs": self.crumbs(found), "submit": _("Record it"),
            "cancel_url": self.url("tracking:shipment", public_id=found.shipment.public_id),
            "subtitle": _("Only what the customer asks for, before the promised day is over, takes its place. All "
                          "changes stay on record."),
        }, status)  # fmt: skip


class CancelShipment(OneShipment):
    """Calls a shipment off; it stays, and counts as its month's rules say."""

    policy: ClassVar[Policy] = BOOKING

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """What will happen, in a sentence."""
        found = self.dossier(public_id)
        return self._form(found, forms.CancelForm(initial={"day": self.at.astimezone(self._zone(found)).date()}))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Records who and when."""
        found, form = self.dossier(public_id), forms.CancelForm(request.POST)
        if form.is_valid() and not self._is_over(found):
            shipment = found.shipment
            live = list(Container.objects.filter(shipment=shipment, removed_at=None).values_list("number", flat=True))
            same = forms.BookingForm(forms.described(shipment, live), account=self.account.code, known=shipment)
            if same.is_valid():
                row = replace(
                    same.cleaned_data["row"], cancelled_at=form.instant(self._zone(found), self.at),
                    cancelled_by=form.cleaned_data["cancelled_by"],
                )  # fmt: skip
                take_one(row, self)
                messages.success(request, _("Called off."))
                return HttpResponseRedirect(self.url("tracking:shipment", public_id=public_id))
            form.add_error(None, _("Its booking cannot be read as it stands; mend that first."))
        return self._form(found, form, status=422)

    @staticmethod
    def _is_over(found: Dossier) -> bool:
        return found.shipment.status in ("DONE", "CANCELLED")

    @staticmethod
    def _zone(found: Dossier) -> ZoneInfo:
        return found.zone

    def _form(self, found: Dossier, form: forms.CancelForm, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/promise_change.html", {
            "title": _("Call it off"), "form": form, "is_over": self._is_over(found), "danger": True,
            "crumbs": self.crumbs(found), "submit": _("Call it off"),
            "cancel_url": self.url("tracking:shipment", public_id=found.shipment.public_id),
            "subtitle": _("%(ref)s is followed no more. What was heard of it stays on record.")
            % {"ref": found.shipment.ref},
        }, status)  # fmt: skip


class ManyShipments(PageView):
    """Shipments of any accounts from a file: looked at first, then stored."""

    policy: ClassVar[Policy] = BOOKING

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, with the columns it knows."""
        return self._page(forms.ManyForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """`look`: what each row would become; else they are stored."""
        form = forms.ManyForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(form, status=422)
        text, is_look = form.text(), "store" not in request.POST
        try:
            rows = bookings.of_csv(text)
            booked = bookings_take(rows=rows, at=self.at, actor=self.member.label, rehearse=is_look)
        except Unreadable as error:
            form.add_error("rows", error.detail)
            return self._page(form, status=422)
        except PortalError as error:
            form.add_error(None, error.sentence())
            return self._page(form, status=422)
        shown = forms.ManyForm(initial={"rows": text.decode("utf-8-sig")})
        return self._page(shown, booked=booked, is_look=is_look)

    def _page(
        self, form: forms.ManyForm, *, booked: list[Booked] | None = None, is_look: bool = True, status: int = 200
    ) -> HttpResponse:
        return self.page("tracking/ops/bookings.html", {
            "title": _("Shipments from a file"), "form": form, "booked": booked is not None, "is_look": is_look,
            "subtitle": _("One row, one shipment. The same rows again change nothing, and promises are never "
                          "overwritten."),
            "columns": " ".join(SHIPMENT_COLUMNS), "most": bookings.MOST,
            **({} if booked is None else _told(booked)),
        }, status)  # fmt: skip


_SHOWN = 200
_TONES = {Outcome.MADE: "ok", Outcome.CHANGED: "info", Outcome.SAME: "neutral", Outcome.REFUSED: "late"}


def _told(booked: list[Booked]) -> dict[str, Any]:
    """Counts, and the rows: refused ones first."""
    counts = Counter(row.outcome for row in booked)
    ordered = sorted(booked, key=lambda row: row.outcome is not Outcome.REFUSED)[:_SHOWN]
    return {
        "counts": [{"label": wording.OUTCOMES[o], "value": counts[o]} for o in Outcome],
        "more": len(booked) - len(ordered), "would_change": counts[Outcome.MADE] + counts[Outcome.CHANGED],
        "rows": [
            {"line": int(row.position[2:].partition("]")[0]) + 2, "field": row.position.partition(".")[2],
             "account": row.account, "ref": row.ref, "tone": _TONES[row.outcome], "word": wording.OUTCOMES[row.outcome],
             "detail": row.detail, "warnings": [sentence(code) for code in row.warnings], "url": _url(row)}
            for row in ordered
        ],
    }  # fmt: skip


def _url(row: Booked) -> str:
    if not row.public_id:
        return ""
    return reverse("ops:tracking_shipment", kwargs={"account": row.account_id, "public_id": row.public_id})
