"""The desk's inbox of exceptions: the list over all accounts, one case, and what is done about it (R8.3).

Lists cross tenants, each saying why; what is done is written inside the one account that the case belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from portal.lib.periods import local_date
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone, tenant_id_of_public_id
from portal.web.pages import CrossingView, PageView, pager
from portal.web.policy import Policy, staff
from portal.web.tables import Cursor
from tracking import crossings, services, wording
from tracking import exception_pages as pages
from tracking import exception_reads as reads
from tracking.dossier import Dossier
from tracking.exception_forms import AssignForm, CutoffForm, NoteForm, OwnerForm, ResolveForm
from tracking.exception_reads import CaseFile, InboxFilter
from tracking.models import CaseState, OwnerKind, OwnerRule, Place, Resolution
from tracking.shipment_views import OneShipment

OWNING: Final = (Role.OPS, Role.ACCOUNT_MANAGER)
WRITERS: Final = frozenset({Role.OPS.value, Role.ACCOUNT_MANAGER.value, Role.ADMIN.value})
CASE_REASON: Final = "exceptions: one case, with its shipment and its history"
OWNERS_REASON: Final = "exceptions: who owns those of which account, lane and branch"


class Inbox(CrossingView):
    """Exceptions of all accounts, newest first, by state, severity, owner, account and code."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "exceptions: the inbox, over all accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of the list."""
        wanted, zone = InboxFilter.read(request.GET), operator_zone()
        page = reads.inbox_page(wanted, me=self.member, cursor=Cursor.read(request.GET), now=self.at)
        counts = reads.inbox_counts(wanted, me=self.member, now=self.at)
        narrowed = wanted.params() != {}
        return self.page("tracking/ops/exceptions.html", {
            "title": _("Exceptions"),
            "subtitle": _("What goes wrong on the way, with who takes care of it. Times are yours, in %(zone)s.")
            % {"zone": zone.key},
            "chips": pages.states(wanted, counts), "menus": pages.menus(wanted, counts),
            "clear_url": pages.inbox_url() if narrowed else "",
            "rows": [pages.row(row, zone, self.at) for row in page.rows],
            "empty": {"title": _("Nothing here"), "text": _("No exception matches all of these filters."),
                      "action": {"label": _("All open exceptions"), "url": pages.inbox_url()}} if narrowed else {},
            "pager": pager(request, older=page.older, newer=page.newer),
            "owners_url": reverse("ops:tracking_owners") if self.member.role in WRITERS else "",
        })  # fmt: skip


class Case(CrossingView):
    """One case: what the record says, who owns it, what was done, what can be done."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = CASE_REASON

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The case as of now."""
        return case_page(self, public_id)


def case_page(view: PageView, public_id: str, *, status: int = 200, **forms: Form) -> HttpResponse:
    """The page of a case, also with a refused form on it; run inside a crossing."""
    file = reads.case_item(public_id)
    if file is None:
        raise NotFound
    case, zone = file.case, operator_zone()
    names = dict(Place.objects.filter(code__in=_codes(file)).values_list("code", "name"))
    url = reverse(
        "ops:tracking_shipment",
        kwargs={"account": case.tenant.public_id, "public_id": case.shipment.public_id},
    )
    is_open = case.state == CaseState.OPEN
    context: dict[str, Any] = {
        "title": wording.exception(case.code), "says": wording.exception_says(case.code),
        "crumbs": [{"label": _("Exceptions"), "url": pages.inbox_url()}],
        "severity": pages.severity_badge(case.severity),
        "state": {"tone": pages.STATE_TONES[CaseState(case.state)], "label": CaseState(case.state).label},
        "answer": pages.answer_words(case.respond_by, case.acknowledged_at, view.at) if is_open else None,
        "facts": pages.facts(case, zone, lambda code: names.get(code) or code, url),
        "history": pages.history(file.steps, zone),
    }  # fmt: skip
    if view.member.role in WRITERS:
        context |= _acts(view, file, forms)
    return view.page("tracking/ops/exception.html", context, status)


def _codes(file: CaseFile) -> set[str]:
    return {code for code in (file.case.node, str(file.case.about.get("booked", ""))) if code}


def _acts(view: PageView, file: CaseFile, forms: dict[str, Form]) -> dict[str, Any]:
    """What this person can do about the case as it stands."""
    case = file.case
    found: dict[str, Any] = {
        "note": {"action": pages.case_url(case.public_id, "note"), "submit": _("Keep the note"),
                 "sentence": _("Say what is being done. Notes stay; they cannot be changed."),
                 "fields": forms.get("note") or NoteForm()},
    }  # fmt: skip
    if case.state != CaseState.OPEN:
        return found
    members = reads.staff_members()
    mine = case.owner == view.member.public_id
    found["assign"] = {
        "action": pages.case_url(case.public_id, "assign"), "submit": _("Assign"),
        "sentence": _("Now with %(owner)s.") % {"owner": pages.owner_words(case.owner_name)},
        "fields": forms.get("assign") or AssignForm(members=members, initial={"owner": case.owner}),
    }  # fmt: skip
    found["resolve"] = {
        "action": pages.case_url(case.public_id, "resolve"), "submit": _("Resolve"),
        "sentence": _("It is ended with your reason, and the customer is told once. It does not open again."),
        "fields": forms.get("resolve") or ResolveForm(),
    }  # fmt: skip
    found["quick"] = [
        {"action": pages.case_url(case.public_id, act), "label": label, "main": act == "acknowledge"}
        for act, label, offered in (
            ("acknowledge", _("Acknowledge"), case.acknowledged_at is None), ("take", _("Take it"), not mine),
        )
        if offered
    ]  # fmt: skip
    return found


# --- what is done about a case ---


class _Act(PageView):
    """Something done about one case, written inside the account that it belongs to."""

    policy: ClassVar[Policy] = staff(*OWNING)
    http_method_names = ["post"]

    def owner(self, public_id: str) -> int:
        """The account of the case, found by a crossing; raises NotFound."""
        reason = "exceptions: whose case this is, before something is done about it"
        with across_tenants(reason=reason, actor=self.member.label, at=self.at):
            file = reads.case_item(public_id)
        if file is None:
            raise NotFound
        return int(file.case.tenant_id)

    def do(self, public_id: str, act: Callable[[], Any], said: str) -> HttpResponse:
        """Does it in the account's scope and says so, or why not; back to the case."""
        try:
            with as_tenant(self.owner(public_id)):
                act()
        except NotFound:
            raise
        except PortalError as error:
            messages.error(self.request, error.sentence())
        else:
            messages.success(self.request, said)
        return HttpResponseRedirect(pages.case_url(public_id))

    def again(self, public_id: str, **forms: Form) -> HttpResponse:
        """The case's page with a form that was refused."""
        with across_tenants(reason=CASE_REASON, actor=self.member.label, at=self.at):
            return case_page(self, public_id, status=422, **forms)


class Acknowledge(_Act):
    """Somebody has seen it."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Stops the clock of the first response."""
        return self.do(
            public_id,
            lambda: services.exception_acknowledge(public_id=public_id, actor=self.member, at=self.at),
            _("Acknowledged. It is not passed on any more."),
        )


class Take(_Act):
    """Somebody takes a case over."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """It is the asker's from now on."""
        return self.do(
            public_id,
            lambda: services.exception_assign(
                public_id=public_id, owner=self.member.public_id, actor=self.member, at=self.at
            ),
            _("It is yours."),
        )


class Assign(_Act):
    """A case is given to somebody."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """To one of the staff."""
        with across_tenants(reason="exceptions: to whom a case can be given", actor=self.member.label, at=self.at):
            form = AssignForm(request.POST, members=reads.staff_members())
        if not form.is_valid():
            return self.again(public_id, assign=form)
        owner = form.cleaned_data["owner"]
        return self.do(
            public_id,
            lambda: services.exception_assign(public_id=public_id, owner=owner, actor=self.member, at=self.at),
            _("Assigned."),
        )


class Note(_Act):
    """What is being done is noted."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """For the own people, or for the customer to read."""
        form = NoteForm(request.POST)
        if not form.is_valid():
            return self.again(public_id, note=form)
        data = form.cleaned_data
        return self.do(
            public_id,
            lambda: services.exception_comment(
                public_id=public_id, note=data["note"], for_customer=data["for_customer"], actor=self.member, at=self.at
            ),
            _("The note is kept."),
        )


class Resolve(_Act):
    """A case is ended with a reason."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Dealt with, or a false alarm."""
        form = ResolveForm(request.POST)
        if not form.is_valid():
            return self.again(public_id, resolve=form)
        data = form.cleaned_data
        return self.do(
            public_id,
            lambda: services.exception_resolve(
                public_id=public_id, resolution=Resolution(data["resolution"]), note=data["reason"],
                actor=self.member, at=self.at,
            ),
            _("Resolved."),
        )  # fmt: skip


# --- who owns what ---


class Owners(CrossingView):
    """Which of the staff owns the exceptions of which account, lane or branch, from when to when."""

    policy: ClassVar[Policy] = staff(Role.OPS, Role.ACCOUNT_MANAGER, write=frozenset({Role.ADMIN.value}))
    crossing_reason: ClassVar[str] = OWNERS_REASON

    def get(self, request: HttpRequest) -> HttpResponse:
        """The rules, with the form for one more."""
        return self._page(self._form())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Adds a rule; the one before it ends where it begins."""
        with across_tenants(reason=OWNERS_REASON, actor=self.member.label, at=self.at):
            form = self._form(request.POST)
            if not form.is_valid():
                return self._page(form, 422)
        data = form.cleaned_data
        kind = OwnerKind(data["kind"])
        tenant_id = tenant_id_of_public_id(data["account"]) if kind == OwnerKind.ACCOUNT else OPERATOR_ID
        if tenant_id is None:
            raise NotFound
        about = "" if kind == OwnerKind.ACCOUNT else data["about"].strip()
        with as_tenant(tenant_id):
            services.owner_set(
                kind=kind, about=about.upper() if kind == OwnerKind.LANE else about, owner=data["owner"],
                deputy=data["deputy"], valid_from=data["valid_from"], actor=self.member.label, at=self.at,
            )  # fmt: skip
        messages.success(request, _("Saved. It holds for exceptions that open from then on."))
        return HttpResponseRedirect(reverse("ops:tracking_owners"))

    def _form(self, data: Any = None) -> OwnerForm:
        accounts = [(a.public_id, a.name) for a in crossings.accounts()]
        day = local_date(self.at, operator_zone())
        return OwnerForm(data, members=reads.staff_members(), accounts=accounts, initial={"valid_from": day})

    def _page(self, form: OwnerForm, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/owners.html", {
            "title": _("Owners of exceptions"),
            "crumbs": [{"label": _("Exceptions"), "url": pages.inbox_url()}],
            "subtitle": _("The first that fits owns it: the account's, the lane's, the branch's; else your desk."),
            "rows": [self._row(rule, tenant.name) for rule, tenant in reads.owner_rules()],
            "form": form if self.member.role == Role.ADMIN else None,
        }, status)  # fmt: skip

    def _row(self, rule: OwnerRule, account: str) -> dict[str, Any]:
        day = local_date(self.at, operator_zone())
        if rule.valid_to is not None and rule.valid_to <= day:
            state = {"tone": "neutral", "label": _("Ended")}
        elif rule.valid_from > day:
            state = {"tone": "info", "label": _("Coming")}
        else:
            state = {"tone": "ok", "label": _("In force")}
        return {
            "kind": OwnerKind(rule.kind).label, "about": account if rule.kind == OwnerKind.ACCOUNT else rule.about,
            "owner": rule.owner_name, "deputy": rule.deputy_name, "from": rule.valid_from, "to": rule.valid_to,
            "state": state,
        }  # fmt: skip


# --- what an exception at the gate is measured by ---


class Cutoff(OneShipment):
    """Until when the boxes of a booking must be at the terminal; no message brings it, so it is entered."""

    policy: ClassVar[Policy] = staff(Role.OPS)

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The form, with what is known."""
        found = self.dossier(public_id)
        known = found.shipment.cutoff_at.astimezone(self._zone(found)) if found.shipment.cutoff_at else None
        initial = {"day": known.date(), "clock_time": known.time()} if known else {}
        return self._form(found, CutoffForm(initial=initial))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Stores it; what follows from it is there at once."""
        found, form = self.dossier(public_id), CutoffForm(request.POST)
        if not form.is_valid():
            return self._form(found, form, status=422)
        services.cutoff_set(
            shipment=found.shipment, cutoff_at=form.instant(self._zone(found)), actor=self.member.label, at=self.at
        )
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(self.url("tracking:shipment", public_id=public_id))

    @staticmethod
    def _zone(found: Dossier) -> ZoneInfo:
        return ZoneInfo(found.zone_of(found.shipment.pol) or "UTC")

    def _form(self, found: Dossier, form: CutoffForm, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/cutoff.html", {
            "title": _("Cut-off"), "crumbs": self.crumbs(found), "form": form,
            "subtitle": _("Until when full containers must be at %(place)s, in the time of %(zone)s.")
            % {"place": found.name_of(found.shipment.pol) or _("the terminal"), "zone": self._zone(found).key},
            "cancel_url": self.url("tracking:shipment", public_id=found.shipment.public_id),
        }, status)  # fmt: skip
