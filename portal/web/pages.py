"""Base classes of pages: refuse in `dispatch`, ask the domain one question, answer.

A page of a customer and the staff's look at the same page share one class: under `/ops/accounts/<account>/` the
account's scope is entered for staff. Lists over tenants are crossings and state their reason in the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views import View

from portal.lib import clock
from portal.lib.errors import BadRequest, Forbidden, NotEntitled, NotFound
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant
from portal.tenancy.models import Member, Tenant
from portal.tenancy.selectors import tenant_current, tenant_id_of_public_id
from portal.tenancy.services import audit
from portal.web.policy import ACCOUNT, STAFF, Policy, entitled
from portal.web.stepup import step_up


class TenantRequest(HttpRequest):
    """A request of a signed-in person."""

    member: Member


_ENTITLEMENT_LABELS: dict[str, str | Promise] = {}


def entitlement_label(key: str, label: str | Promise) -> None:
    """tiers.promises names its entitlements for refusals."""
    _ENTITLEMENT_LABELS[key] = label


def entitlement_word(key: str) -> str | Promise:
    """What refusals call an entitlement."""
    return _ENTITLEMENT_LABELS.get(key, key)


class PageView(View):
    """A door for people: signed in, in a role that the policy names."""

    policy: ClassVar[Policy]
    step_up: ClassVar[frozenset[str]] = frozenset()  # methods that need a proof of the last ten minutes (A5)
    at: datetime
    member: Member

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Anonymous: to the sign-in. A customer at a staff door: nothing there. A wrong role: not allowed."""
        self.at = clock.now()
        member: Member | None = getattr(request, "member", None)
        if member is None:
            return redirect_to_login(request.get_full_path())
        self.member = member
        if self.is_foreign_side(request):
            raise NotFound
        if not self.policy.allows(member.role, unsafe=request.method not in ("GET", "HEAD", "OPTIONS")):
            raise Forbidden
        method = "GET" if request.method == "HEAD" else request.method  # HEAD runs what GET runs
        asked = step_up(request, self.at) if method in self.step_up else None
        return asked or self.enter(request, *args, **kwargs)

    def is_foreign_side(self, request: HttpRequest) -> bool:
        """Whether the address belongs to the other side: the desk for a customer, a customers' page for the staff."""
        desk = request.resolver_match is not None and "ops" in request.resolver_match.namespaces
        side = STAFF if self.member.is_staff else ACCOUNT
        return (desk and not self.member.is_staff) or not self.policy.who & side

    def enter(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Runs the method in one transaction of the entered scope."""
        with transaction.atomic():
            return super().dispatch(request, *args, **kwargs)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The rendered page."""
        return render(self.request, template, {**context, "at": self.at}, status=status)


class TenantView(PageView):
    """A page of one account: the person's own, or for staff the one in the address (kwarg `account`)."""

    account: Tenant
    staff_namespace: ClassVar[str] = "ops"

    def enter(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Enters the account's scope and checks its entitlement (staff see without)."""
        public_id = kwargs.pop("account", None)
        if not self.member.is_staff:
            if public_id is not None:
                raise NotFound
            self.account = self.member.tenant
            key = self.policy.entitlement
            if key is not None and not self.is_entitled(key, **kwargs):
                raise NotEntitled(label=entitlement_word(key))
            return super().enter(request, *args, **kwargs)
        if public_id is None:
            raise NotFound
        tenant_id = tenant_id_of_public_id(public_id)
        if tenant_id is None or tenant_id == OPERATOR_ID:
            raise NotFound
        with transaction.atomic():
            # whose data a member of the staff looked at is kept in the operator's own scope (R0.8)
            page = request.resolver_match.view_name if request.resolver_match else ""
            audit(
                action="account.entered", actor=self.member.label, at=self.at, object_type="account",
                object_id=public_id, details={"page": page},
            )  # fmt: skip
        with as_tenant(tenant_id):
            self.account = tenant_current()
            return super().enter(request, *args, **kwargs)

    def is_entitled(self, key: str, **kwargs: Any) -> bool:
        """Whether the account may see the page; pages of what stays after a downgrade say more (R5.3)."""
        return entitled(key, self.at)

    def url(self, name: str, **kwargs: Any) -> str:
        """The address of a page about the same account, on the customer's side or the staff's."""
        if not self.member.is_staff:
            return reverse(name, kwargs=kwargs)
        app, _colon, page = name.rpartition(":")
        return reverse(f"{self.staff_namespace}:{app}_{page}", kwargs={"account": self.account.public_id, **kwargs})

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The rendered page with the account it is about."""
        return super().page(template, {"account": self.account, "staff": self.member.is_staff, **context}, status)


class CrossingView(PageView):
    """A list over tenants for staff: says why it crosses; leaves one audit row a request (R0.8)."""

    crossing_reason: ClassVar[str]

    def enter(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """GET runs inside the crossing; whatever is written is written inside one tenant."""
        if request.method not in ("GET", "HEAD"):
            return super().enter(request, *args, **kwargs)
        with across_tenants(reason=self.crossing_reason, actor=self.member.label, at=self.at):
            return View.dispatch(self, request, *args, **kwargs)


def pager(request: HttpRequest, *, older: str | None, newer: str | None) -> dict[str, str | None]:
    """Addresses of the neighbouring keyset pages; the other parameters stay."""

    def with_cursor(name: str, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        kept = {k: v for k, v in request.GET.items() if k not in ("older", "newer")}
        return "?" + urlencode({**kept, name: cursor})

    return {"older_url": with_cursor("older", older), "newer_url": with_cursor("newer", newer)}


def position(request: HttpRequest, name: str) -> int | None:
    """A keyset position that is a row's number, of the address; None when none is asked for. Raises BadRequest."""
    text = request.GET.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(detail=_("This page of the list cannot be read."))
    return int(text)


def no_data() -> str:
    """How an absent figure reads; never 0 (R0.3)."""
    return _("no data")
