"""The desk's pages of master data: what events brought along and nobody has looked at, and the lists themselves.

Operator-wide tables, nothing of any customer: no account is entered and none is crossed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone
from portal.web.pages import PageView
from portal.web.policy import Policy, staff
from tracking import services
from tracking.models import Carrier, Place, Terminal, Vessel
from tracking.place_forms import CarrierForm, CodeForm, PlaceForm, TerminalForm, VesselForm

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """One list of codes: its words, its form, how a row is found and written."""

    label: str | Promise
    one: str | Promise
    new: str | Promise
    model: type[Model]
    form: type[CodeForm]
    fields: tuple[str, ...]  # the form's, without the key
    write: Callable[..., Model]
    detail: Callable[[Any], str]

    def find(self, key: str) -> Any:
        """The row of a key in an address, or None."""
        if self.model is Terminal:
            place, _colon, code = key.partition(":")
            return Terminal.objects.filter(place=place, code=code).first()
        return self.model._default_manager.filter(pk=key).first()


def key_of(row: Any) -> str:
    """The key of a row in an address."""
    return f"{row.place}:{row.code}" if isinstance(row, Terminal) else str(row.pk)


def _place_detail(row: Place) -> str:
    if row.alias_of:
        return _("another code of %(place)s") % {"place": row.alias_of}
    return row.zone or _("no time zone: local times there wait")


KINDS: Final[dict[str, Kind]] = {
    "places": Kind(
        gettext_lazy("Places"), gettext_lazy("Place"), gettext_lazy("New place"), Place, PlaceForm,
        ("name", "country", "zone", "lat", "lon", "sends_avpu", "alias_of"), services.place_set, _place_detail,
    ),
    "terminals": Kind(
        gettext_lazy("Terminals"), gettext_lazy("Terminal"), gettext_lazy("New terminal"), Terminal, TerminalForm,
        ("name", "provider"), services.terminal_set, lambda row: f"{row.place} {row.provider}".strip(),
    ),
    "carriers": Kind(
        gettext_lazy("Carriers"), gettext_lazy("Carrier"), gettext_lazy("New carrier"), Carrier, CarrierForm,
        ("name", "smdg"), services.carrier_set, lambda row: row.smdg,
    ),
    "vessels": Kind(
        gettext_lazy("Vessels"), gettext_lazy("Vessel"), gettext_lazy("New vessel"), Vessel, VesselForm,
        ("name", "call_sign"), services.vessel_set, lambda row: row.call_sign,
    ),
}  # fmt: skip


def codes_url(kind: str, **params: str) -> str:
    """A list with some filter."""
    base = reverse("ops:tracking_codes", kwargs={"kind": kind})
    return f"{base}?{urlencode(params)}" if params else base


class Codes(PageView):
    """One list: what waits for a look first, then by code; found by any part of code or name."""

    policy: ClassVar[Policy] = staff()

    def get(self, request: HttpRequest, kind: str) -> HttpResponse:
        """At most 200 rows; the search narrows them."""
        wanted = KINDS.get(kind)
        if wanted is None:
            raise NotFound
        text, waiting = request.GET.get("q", "").strip()[:60].replace("\0", ""), request.GET.get("review") == "1"
        found = wanted.model._default_manager.all()
        if waiting:
            found = found.filter(needs_review=True)
        if text:
            key = "imo" if wanted.model is Vessel else "code"
            parts = Q(**{f"{key}__icontains": text}) | Q(name__icontains=text)
            found = found.filter(parts | Q(place__icontains=text) if wanted.model is Terminal else parts)
        rows = list(found.order_by("-needs_review", "pk")[: MOST + 1])
        zone = operator_zone()
        return self.page("tracking/ops/codes.html", {
            "title": wanted.label, "kind": kind, "cut": len(rows) > MOST,
            "subtitle": _("Codes that an event brings along work at once and wait here for somebody to look at them."),
            "chips": self._chips(kind, waiting),
            "search": {"action": codes_url(kind), "value": text, "label": _("Find by code or name"), "hidden": []},
            "rows": [self._row(kind, wanted, row, zone) for row in rows[:MOST]],
            "new_url": reverse("ops:tracking_code_new", kwargs={"kind": kind})
            if self.member.role == Role.ADMIN else "", "new_label": wanted.new,
        })  # fmt: skip

    def _chips(self, kind: str, waiting: bool) -> list[dict[str, Any]]:
        counts = {name: k.model._default_manager.filter(needs_review=True).count() for name, k in KINDS.items()}
        chips: list[dict[str, Any]] = [
            {"label": k.label, "url": codes_url(name), "active": name == kind and not waiting}
            for name, k in KINDS.items()
        ]
        return [*chips, {"label": _("To look at"), "url": codes_url(kind, review="1"), "active": waiting,
                         "count": counts[kind]}]  # fmt: skip

    def _row(self, kind: str, wanted: Kind, row: Any, zone: Any) -> dict[str, Any]:
        return {
            "url": reverse("ops:tracking_code", kwargs={"kind": kind, "code": key_of(row)}),
            "code": row.imo if isinstance(row, Vessel) else row.code, "name": row.name, "detail": wanted.detail(row),
            "state": {"tone": "warn", "label": _("New")} if row.needs_review else {"tone": "ok", "label": _("Known")},
            "at": row.seen_at, "zone": zone, "source": row.seen_from,
        }  # fmt: skip


class _Edit(PageView):
    policy: ClassVar[Policy] = staff(Role.ADMIN)

    def kind_of(self, kind: str) -> Kind:
        """The list of this name; raises NotFound."""
        if kind not in KINDS:
            raise NotFound
        return KINDS[kind]

    def form_page(self, kind: str, form: CodeForm, title: str, note: str = "", status: int = 200) -> HttpResponse:
        """The form, also a refused one."""
        return self.page("tracking/ops/code.html", {
            "title": title, "form": form, "note": note, "cancel_url": codes_url(kind),
            "crumbs": [{"label": KINDS[kind].label, "url": codes_url(kind)}],
        }, status)  # fmt: skip

    def written(self, request: HttpRequest, kind: str, form: CodeForm, keys: dict[str, str]) -> HttpResponse | None:
        """Back to the list, or None when the service refuses; its word stands on the form then."""
        wanted = KINDS[kind]
        try:
            wanted.write(**keys, **{name: form.cleaned_data[name] for name in wanted.fields}, at=self.at,
                         actor=self.member.label)  # fmt: skip
        except PortalError as error:
            form.add_error(_field_of(error), error.sentence())
            return None
        messages.success(request, _("Saved: %(code)s.") % {"code": " ".join(keys.values())})
        return HttpResponseRedirect(codes_url(kind, review="1") if kind == "places" else codes_url(kind))


def _field_of(error: PortalError) -> str | None:
    return {"unknown_zone": "zone", "unknown_alias_target": "alias_of", "alias_of_alias": "alias_of"}.get(error.code)


class CodeNew(_Edit):
    """One more code."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponse:
        """The form."""
        wanted = self.kind_of(kind)
        return self.form_page(kind, wanted.form(initial={"code": request.GET.get("code", "")[:32]}), str(wanted.new))

    def post(self, request: HttpRequest, kind: str) -> HttpResponse:
        """A code that exists already is changed on its own page."""
        wanted = self.kind_of(kind)
        form = wanted.form(request.POST)
        if form.is_valid():
            keys = {name: form.cleaned_data[name] for name in form.keys}
            if wanted.find(":".join(keys.values())) is not None:
                form.add_error(form.keys[-1], _("This code is in the list already."))
            elif (done := self.written(request, kind, form, keys)) is not None:
                return done
        return self.form_page(kind, form, str(wanted.new), status=422)


class Code(_Edit):
    """One code: named, placed, accepted."""

    def get(self, request: HttpRequest, kind: str, code: str) -> HttpResponse:
        """The form with what is known."""
        wanted, row = self._found(kind, code)
        initial = {name: getattr(row, name) for name in wanted.fields}
        return self.form_page(
            kind, wanted.form(initial=initial, fixed=True), self._title(wanted, code), self._note(row)
        )

    def post(self, request: HttpRequest, kind: str, code: str) -> HttpResponse:
        """Saves and accepts it."""
        wanted, row = self._found(kind, code)
        form = wanted.form(request.POST, fixed=True)
        if form.is_valid():
            done = self.written(request, kind, form, {name: getattr(row, name) for name in form.keys})
            if done is not None:
                return done
        return self.form_page(kind, form, self._title(wanted, code), self._note(row), status=422)

    def _found(self, kind: str, key: str) -> tuple[Kind, Any]:
        wanted = self.kind_of(kind)
        row = wanted.find(key)
        if row is None:
            raise NotFound
        return wanted, row

    def _title(self, wanted: Kind, key: str) -> str:
        return f"{wanted.one} {key.replace(':', ' ')}"

    def _note(self, row: Any) -> str:
        if not row.needs_review:
            return ""
        if row.seen_from:
            return _("First named by the source %(source)s. Saving accepts it.") % {"source": row.seen_from}
        return _("Named by an event or a shipment. Saving accepts it.")
