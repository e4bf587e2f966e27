"""Addresses that mail does not reach, for an account's managers and for the desk, with a way to lift it; and the door
for what mail servers send back.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from portal.lib import clock
from portal.lib.errors import NotFound
from portal.notify.bounces import MOST_BYTES, NotAReport
from portal.notify.models import SuppressedAddress
from portal.notify.selectors import addresses_newest
from portal.notify.undelivered import address_release, bounce_take
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone, tenant_id_of_public_id, tenant_zone
from portal.web.pages import CrossingView, PageView, pager, position
from portal.web.policy import Policy, public, staff
from portal.web.problems import refusal

PAGE: Final = 50
_LIFTED: Final = gettext_lazy("Mail goes to %(email)s again. If it comes back once more, it stops again.")
_WRITERS: Final = frozenset({Role.OPS.value, Role.ADMIN.value})


def _listed(request: HttpRequest) -> tuple[list[SuppressedAddress], dict[str, str | None]]:
    before, after = position(request, "older"), position(request, "newer")
    found = addresses_newest(before=before, after=after, most=PAGE + 1)
    more = len(found) > PAGE
    kept = found[-PAGE:] if after is not None else found[:PAGE]
    older = str(kept[-1].pk) if kept and (more or after is not None) else None
    newer = str(kept[0].pk) if kept and (before is not None or (after is not None and more)) else None
    return kept, pager(request, older=older, newer=newer)


def _row(address: SuppressedAddress) -> dict[str, Any]:
    return {"email": address.email, "reason": address.reason, "at": address.created_at, "account": address.tenant.name,
            "owner": address.tenant.public_id}  # fmt: skip


class Addresses(PageView):
    """Those of the manager's own account."""

    policy: ClassVar[Policy] = Policy(who=frozenset({Role.MANAGER.value}))

    def get(self, request: HttpRequest) -> HttpResponse:
        """With what the mail server said."""
        kept, pages = _listed(request)
        return self.page("notify/addresses.html", {
            "title": _("Addresses that mail does not reach"), "rows": [_row(a) for a in kept], "pager": pages,
            "zone": tenant_zone(), "for_staff": False, "may_lift": True,
        })  # fmt: skip

    def post(self, request: HttpRequest) -> HttpResponse:
        """Lifts one."""
        email = request.POST.get("email", "")
        if not address_release(email=email, actor=self.member.label, at=self.at):
            raise NotFound
        messages.success(request, str(_LIFTED) % {"email": email})
        return HttpResponseRedirect(reverse("notices:addresses"))


class DeskAddresses(CrossingView):
    """Those of all accounts and of the operator's own people."""

    policy: ClassVar[Policy] = staff(write=_WRITERS)
    crossing_reason: ClassVar[str] = "addresses that mail does not reach, over all accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """With whose they are."""
        kept, pages = _listed(request)
        return self.page("notify/addresses.html", {
            "title": _("Addresses that mail does not reach"), "rows": [_row(a) for a in kept], "pager": pages,
            "zone": operator_zone(), "for_staff": True,
            "may_lift": self.policy.allows(self.member.role, unsafe=True),
        })  # fmt: skip

    def post(self, request: HttpRequest) -> HttpResponse:
        """Lifts one, inside its account."""
        tenant_id = tenant_id_of_public_id(request.POST.get("owner", ""))
        email = request.POST.get("email", "")
        if tenant_id is None:
            raise NotFound
        with as_tenant(tenant_id):
            if not address_release(email=email, actor=self.member.label, at=self.at):
                raise NotFound
        messages.success(request, str(_LIFTED) % {"email": email})
        return HttpResponseRedirect(reverse("ops:notify_addresses"))


@method_decorator(csrf_exempt, name="dispatch")
class BounceDoor(View):
    """What a mail server sent back, posted as it came (`message/rfc822`), by whoever knows BOUNCE_KEY."""

    policy: ClassVar[Policy] = public()

    def post(self, request: HttpRequest) -> HttpResponse:
        """200 with what followed; 422 for what is no report about a mail of ours; without the key nothing is here."""
        scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
        if not settings.BOUNCE_KEY or scheme.lower() != "bearer" or not constant_time_compare(key, settings.BOUNCE_KEY):
            raise Http404
        if len(request.body) > MOST_BYTES:
            return refusal(request, status=413, code="too_large", detail=_("A report is at most 1 MB."))
        try:
            taken = bounce_take(raw=request.body, at=clock.now())
        except NotAReport as error:
            return refusal(request, status=422, code="not_a_report", detail=str(error))
        return JsonResponse({
            "outcome": taken.outcome.value, "status": taken.status, "suppressed": taken.suppressed,
            "known": taken.known,
        })  # fmt: skip
