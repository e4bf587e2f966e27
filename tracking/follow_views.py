"""Follow and follow no longer: one shipment, those ticked in the list, or a whole view up to a limit."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.errors import BadRequest, NotFound
from portal.web.policy import Policy, customers
from portal.web.tables import Cursor
from tracking.filters import ShipmentFilter
from tracking.models import Shipment
from tracking.selectors import shipment_ids
from tracking.services import MOST_FOLLOWED, TooManyToFollow, shipments_follow, shipments_unfollow
from tracking.views import ShipmentView


class FollowShipments(ShipmentView):
    """What the list's form does with the ticked shipments (`s`), or with the whole view that `query` holds."""

    policy: ClassVar[Policy] = customers(entitlement="portal_core")

    def post(self, request: HttpRequest) -> HttpResponse:
        """`do`: follow, unfollow, follow-all, unfollow-all; then back to where it was pressed."""
        do = request.POST.get("do", "")
        if do not in ("follow", "unfollow", "follow-all", "unfollow-all"):
            raise BadRequest(detail=_("Say what to do: follow, unfollow, follow-all or unfollow-all."))
        wanted = ShipmentFilter.read(dict(parse_qsl(request.POST.get("query", ""))))
        back = wanted.url(reverse("tracking:shipments"))
        page = request.POST.get("page", "")
        if Cursor.read(dict(parse_qsl(page))) is not None:
            back = f"{back}{'&' if '?' in back else '?'}{urlencode(parse_qsl(page)[:1])}"
        ids = self._whole(wanted) if do.endswith("-all") else self._ticked(request.POST.getlist("s"))
        if not ids:
            messages.info(request, _("Tick the shipments first; nothing was changed."))
        elif do.startswith("follow"):
            new = shipments_follow(member=self.member, shipments=ids, at=self.at)
            told = ngettext("You follow %(n)d shipment more.", "You follow %(n)d shipments more.", new)
            messages.success(request, told % {"n": new})
        else:
            gone = shipments_unfollow(member=self.member, shipments=ids)
            told = ngettext("You follow %(n)d shipment less.", "You follow %(n)d shipments less.", gone)
            messages.success(request, told % {"n": gone})
        return redirect(back)

    def _ticked(self, public_ids: list[str]) -> list[int]:
        ids = Shipment.objects.filter(public_id__in=public_ids[:MOST_FOLLOWED]).values_list("pk", flat=True)
        return list(ids)

    def _whole(self, wanted: ShipmentFilter) -> list[int]:
        if wanted.problems:
            raise BadRequest(detail=" ".join(wanted.problems))
        ids = shipment_ids(
            wanted, now=self.at, every_event=self.every_event, follower=self.follower, most=MOST_FOLLOWED
        )
        if len(ids) > MOST_FOLLOWED:
            raise TooManyToFollow(most=MOST_FOLLOWED)
        return ids


class FollowShipment(ShipmentView):
    """The bell on a shipment's page."""

    policy: ClassVar[Policy] = customers(entitlement="portal_core")

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """`do`: follow or unfollow."""
        shipment = Shipment.objects.filter(public_id=public_id).values_list("pk", flat=True).first()
        if shipment is None:
            raise NotFound
        if request.POST.get("do") == "unfollow":
            shipments_unfollow(member=self.member, shipments=[shipment])
        else:
            shipments_follow(member=self.member, shipments=[shipment], at=self.at)
        return redirect("tracking:shipment", public_id=public_id)
