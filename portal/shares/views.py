"""Pages of share links: the shared shipment for whoever holds the link; making, listing, revoking for the account."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from portal.account.addresses import public_url
from portal.account.limits import Limit, TooManyTries, slot_take
from portal.account.network import client_network
from portal.lib import clock
from portal.lib.errors import Forbidden, NotFound
from portal.shares import selectors
from portal.shares.forms import ShareForm
from portal.shares.models import ShareLink
from portal.shares.pages import shared
from portal.shares.services import TooManyShares, share_create, share_open, share_revoke
from portal.tenancy.context import as_tenant
from portal.tenancy.selectors import tenant_current, tenant_zone
from portal.web.pages import TenantView
from portal.web.policy import Policy, customers, entitled, public
from portal.web.problems import of_error
from tracking.dossier import dossier
from tracking.models import Shipment

VIEWS: Final = Limit("share.network", 120, timedelta(minutes=5))
_HEADERS: Final = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
_CORE: Final = customers(entitlement="portal_core")


class SharedShipment(View):
    """One shipment for whoever holds its link, without a sign-in (A8).

    An unknown, ended or revoked link, and one whose account may not show it any more, are answered alike.
    """

    policy: ClassVar[Policy] = public()
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """The shipment as the account's tier shows it now, as far as the link's field set goes."""
        at = clock.now()
        try:
            slot_take(VIEWS, client_network(request), at=at)
        except TooManyTries as error:
            return self._guarded(of_error(request, error))
        tenant_id = selectors.tenant_of_token(token)
        if tenant_id is not None:
            with as_tenant(tenant_id):
                link = self._link(request, token, at)
                if link is not None:
                    return self._guarded(self._shown(request, link, at))
        return self._guarded(render(request, "shares/over.html", {"title": _("Nothing is shared here")}, status=404))

    def _link(self, request: HttpRequest, token: str, at: datetime) -> ShareLink | None:
        with transaction.atomic():  # its own: no view waits for another one's page
            if not entitled("portal_core", at):
                return None
            return share_open(token=token, at=at, counts=request.method == "GET")

    def _shown(self, request: HttpRequest, link: ShareLink, at: datetime) -> HttpResponse:
        with transaction.atomic():
            found = dossier(link.shipment.public_id, now=at, every_event=entitled("live_tracking", at))
            assert found is not None
            return render(request, "shares/shipment.html", {
                **shared(link, found, at), "at": at, "account": tenant_current().name, "expires_at": link.expires_at,
                "zone": tenant_zone(),
            })  # fmt: skip

    def _guarded(self, response: HttpResponse) -> HttpResponse:
        """No search engine, no cache and no further site learns the address; nor does our own log of refusals (L3)."""
        for name, value in _HEADERS.items():
            response[name] = value
        response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log the path, and with it the token
        return response


class _ShareView(TenantView):
    policy: ClassVar[Policy] = _CORE

    def lines(self, links: list[ShareLink]) -> list[dict[str, Any]]:
        """The links as shares/_links.html takes them."""
        return [
            {
                "link": link, "shipment_url": reverse("tracking:shipment", args=[link.shipment.public_id]),
                "shows": _shows(link), "why": selectors.why_ended(link, at=self.at),
                "revoke_url": reverse("shares:revoke", args=[link.public_id])
                if selectors.may_revoke(link, self.member) else "",
            }
            for link in links
        ]  # fmt: skip


def _shows(link: ShareLink) -> str:
    """The field set in words."""
    parts = [_("milestones and ETA")]
    parts += [_("containers")] if link.shows_containers else []
    parts += [_("references")] if link.shows_references else []
    return ", ".join(parts)


class ShipmentShares(_ShareView):
    """The links to one shipment, and a form for one more."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The form above the links."""
        shipment = self._shipment(public_id)
        return self._page(shipment, ShareForm(zone=tenant_zone()))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Makes the link and shows it once, in the answer itself: it is stored nowhere."""
        shipment = self._shipment(public_id)
        form = ShareForm(request.POST, zone=tenant_zone())
        if form.is_valid():
            try:
                link, token = share_create(shipment=shipment, by=self.member, at=self.at, **form.cleaned_data)
            except TooManyShares as error:
                form.add_error(None, error.sentence())
            else:
                return self.page("shares/made.html", {
                    "title": _("Your new link"), "crumbs": self._crumbs(shipment), "link": link, "zone": tenant_zone(),
                    "text": public_url(reverse("shares:view", args=[token])), "shows": _shows(link),
                    "back_url": reverse("shares:shipment", args=[public_id]),
                })  # fmt: skip
        return self._page(shipment, form, 422)

    def _shipment(self, public_id: str) -> Shipment:
        shipment = selectors.shipment_named(public_id)
        if shipment is None:
            raise NotFound
        return shipment

    def _crumbs(self, shipment: Shipment) -> list[dict[str, str]]:
        return [
            {"label": _("Shipments"), "url": reverse("tracking:shipments")},
            {"label": shipment.ref, "url": reverse("tracking:shipment", args=[shipment.public_id])},
        ]

    def _page(self, shipment: Shipment, form: ShareForm, status: int = 200) -> HttpResponse:
        valid, ended = selectors.open_and_ended(selectors.shares_of(shipment), at=self.at)
        context = {
            "title": _("Share this shipment"), "crumbs": self._crumbs(shipment), "form": form, "zone": tenant_zone(),
            "links": self.lines(valid), "ended": self.lines(ended),
            "back_url": reverse("tracking:shipment", args=[shipment.public_id]),
        }  # fmt: skip
        return self.page("shares/shipment_shares.html", context, status)


class Shares(_ShareView):
    """Every link of the account for a manager, the own ones for a member."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Open ones with their use, and those that ended."""
        valid, ended = selectors.open_and_ended(selectors.shares_seen_by(self.member), at=self.at)
        return self.page("shares/shares.html", {
            "title": _("Share links"), "zone": tenant_zone(), "links": self.lines(valid), "ended": self.lines(ended),
            "all_of_account": self.member.role == "MANAGER", "shipments_url": reverse("tracking:shipments"),
        })  # fmt: skip


class RevokeShare(_ShareView):
    """Ends a link at once; says what will happen first."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The sentence and the button."""
        link = self._link(public_id)
        crumbs = [{"label": _("Share links"), "url": reverse("shares:shares")}]
        return self.page("shares/revoke.html", {
            "title": _("Revoke a link"), "crumbs": crumbs, "link": link, "zone": tenant_zone(),
        })  # fmt: skip

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Revokes it."""
        link = share_revoke(public_id=self._link(public_id).public_id, by=self.member, at=self.at)
        messages.success(request, _("The link for “%(label)s” opens nothing any more.") % {"label": link.label})
        return redirect("shares:shipment", public_id=link.shipment.public_id)

    def _link(self, public_id: str) -> ShareLink:
        link = ShareLink.objects.select_related("shipment").filter(public_id=public_id).first()
        if link is None:
            raise NotFound
        if not selectors.may_revoke(link, self.member):
            raise Forbidden
        return link
