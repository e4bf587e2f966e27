"""Pages of kept views: keep one, change one, delete one, all of them. The staff see what is shared, no more."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qsl

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.models import Role
from portal.web.policy import Policy, customers
from tracking import list_pages
from tracking.filters import ShipmentFilter, Terms
from tracking.list_forms import ViewForm
from tracking.models import SavedView
from tracking.selectors import views_of
from tracking.services import MOST_VIEWS, view_delete, view_save
from tracking.views import ShipmentView

_PEOPLE = customers(entitlement="portal_core")
_NOTHING = Terms.read("")


class _ViewPage(ShipmentView):
    """A page of the people of an account."""

    policy: ClassVar[Policy] = _PEOPLE

    @property
    def manages(self) -> bool:
        """Whether this person may share."""
        return self.member.role == Role.MANAGER

    def form(self, form: ViewForm, wanted: ShipmentFilter, view: SavedView | None, status: int = 200) -> HttpResponse:
        """The form above what the view holds."""
        base = reverse("tracking:shipments")
        return self.page("tracking/view_form.html", {
            "title": view.name if view else _("Keep this view"), "form": form, "view": view,
            "active": list_pages.active_chips(wanted, base, standing=True), "list_url": wanted.url(base),
            "notes": list_pages.notes(wanted, _NOTHING, None),
            "crumbs": [{"label": _("Shipments"), "url": wanted.url(base)},
                       {"label": _("Views"), "url": reverse("tracking:views")}],
        }, status)  # fmt: skip

    def save(self, form: ViewForm, wanted: ShipmentFilter, view: SavedView | None) -> HttpResponse:
        """Keeps what the form says, and shows the list under its name."""
        if form.is_valid():
            said = form.cleaned_data
            try:
                made = view_save(
                    owner=self.member, name=said["name"], wanted=wanted, shared=said.get("shared", False),
                    default_for=said["default_for"], at=self.at, public_id=view.public_id if view else "",
                )  # fmt: skip
            except PortalError as error:
                form.add_error("name", error.sentence())
            else:
                messages.success(self.request, _("The view “%(name)s” is kept.") % {"name": made.name})
                query = f"?{made.query}" if made.query else ""
                return redirect(reverse("tracking:shipments") + query)
        return self.form(form, wanted, view, 422)


class Views(_ViewPage):
    """All views that a person may open, with what can be done to the own ones."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """By name."""
        base, rows = reverse("tracking:shipments"), []
        for view in views_of(self.member.pk, is_staff=False):
            wanted = read(view)
            mine = view.owner_id == self.member.pk
            rows.append({
                "name": view.name, "url": wanted.url(base), "is_shared": view.is_shared, "mine": mine,
                "opens": view.get_default_for_display() if view.default_for else "",
                "says": [chip["label"] for chip in list_pages.active_chips(wanted, base, standing=True)],
                "edit_url": reverse("tracking:view", kwargs={"public_id": view.public_id}) if mine else "",
            })  # fmt: skip
        return self.page("tracking/views.html", {
            "title": _("Views"), "rows": rows, "most": MOST_VIEWS,
            "crumbs": [{"label": _("Shipments"), "url": f"{base}?view=all"}],
        })  # fmt: skip


class NewView(_ViewPage):
    """Keeps the view that the address holds."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self.form(ViewForm(manages=self.manages), self.wanted(request), None)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Kept, or said why not."""
        return self.save(ViewForm(request.POST, manages=self.manages), self.wanted(request), None)


class View(_ViewPage):
    """One of the reader's own views."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Its name and for whom it is."""
        view = self._own(public_id)
        return self.form(ViewForm(manages=self.manages, view=view), read(view), view)

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Changed, or deleted."""
        view = self._own(public_id)
        if request.POST.get("do") == "delete":
            messages.success(request, _("The view “%(name)s” is deleted.") % {
                "name": view_delete(owner=self.member, public_id=public_id)})  # fmt: skip
            return redirect("tracking:views")
        return self.save(ViewForm(request.POST, manages=self.manages), read(view), view)

    def _own(self, public_id: str) -> SavedView:
        found = SavedView.objects.filter(owner=self.member, public_id=public_id).first()
        if found is None:
            raise NotFound
        return found


def read(view: SavedView) -> ShipmentFilter:
    """What a kept view asks, checked anew."""
    return ShipmentFilter.read(dict(parse_qsl(view.query)))
