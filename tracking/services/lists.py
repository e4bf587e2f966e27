"""What people keep of the list of shipments: views under a name, and the shipments they follow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import Forbidden, NotFound, PortalError
from portal.tenancy.models import Member, Role
from portal.tenancy.services import audit
from tracking.filters import LONGEST_QUERY, ShipmentFilter
from tracking.models import DefaultFor, Follow, SavedView, Shipment

MOST_VIEWS: Final = 50
MOST_FOLLOWED: Final = 1_000  # at once


class TooManyViews(PortalError):
    """A person keeps so many views and no more."""

    code, status = "too_many_views", 409
    message = _("You keep %(most)d views already; delete one first.")


class ViewNameTaken(PortalError):
    """The names of a person's views differ."""

    code, status = "view_name_taken", 409
    message = _("You have a view named “%(name)s” already; take another name, or change that one.")


class ViewTooLong(PortalError):
    """A view is an address, and an address has its length."""

    code, status = "view_too_long", 422
    message = _("This view holds %(count)d characters; %(most)d can be kept. Shorten the list of references.")


class TooManyToFollow(PortalError):
    """What is done with a whole view has a limit, and nothing is done with a part of it."""

    code, status = "too_many_to_follow", 409
    message = _("This view holds more than %(most)d shipments. Narrow it first; nothing was changed.")


@transaction.atomic
def view_save(
    *, owner: Member, name: str, wanted: ShipmentFilter, shared: bool, default_for: str, at: datetime,
    public_id: str = "",
) -> SavedView:  # fmt: skip
    """Keeps a view of the owner's under a name, or changes the one of this public id.

    Raises NotFound, Forbidden (managers share, and choose for the account), TooManyViews, ViewNameTaken, ViewTooLong.
    """
    Member.objects.select_for_update(of=("self",)).get(pk=owner.pk)  # one after the other: the limit is exact
    query, own = wanted.query(view="", problems=()), SavedView.objects.filter(owner=owner)
    if len(query) > LONGEST_QUERY:
        raise ViewTooLong(count=len(query), most=LONGEST_QUERY)
    for_account = default_for == DefaultFor.ACCOUNT
    if (shared or for_account) and owner.role != Role.MANAGER:
        raise Forbidden
    found = own.filter(public_id=public_id).first() if public_id else None
    if public_id and found is None:
        raise NotFound
    if own.filter(name=name).exclude(pk=found.pk if found else None).exists():
        raise ViewNameTaken(name=name)
    if found is None and own.count() >= MOST_VIEWS:
        raise TooManyViews(most=MOST_VIEWS)
    others = SavedView.objects.exclude(pk=found.pk if found else None).filter(default_for=default_for)
    if default_for:  # a new default takes the place of the old one
        (others if for_account else others.filter(owner=owner)).update(default_for=DefaultFor.NOBODY, changed_at=at)
    view = found or SavedView(owner=owner)
    was_shared = view.is_shared
    view.name, view.query, view.default_for, view.changed_at = name, query, default_for, at
    view.is_shared = shared or for_account
    view.save()
    if was_shared != view.is_shared:
        audit(action="view.shared" if view.is_shared else "view.unshared", actor=owner.label, at=at,
              object_type="view", object_id=view.public_id, details={"name": name})  # fmt: skip
    return view


@transaction.atomic
def view_delete(*, owner: Member, public_id: str) -> str:
    """Deletes a view of the owner's and returns its name; raises NotFound."""
    view = SavedView.objects.filter(owner=owner, public_id=public_id).first()
    if view is None:
        raise NotFound
    view.delete()
    return view.name


@transaction.atomic
def shipments_follow(*, member: Member, shipments: Iterable[int], at: datetime) -> int:
    """The member follows these shipments of the entered scope; says how many of them were new."""
    before = Follow.objects.filter(member=member).count()
    ids = Shipment.objects.filter(pk__in=list(shipments)).values_list("pk", flat=True)
    rows = [Follow(member=member, shipment_id=pk, since_at=at) for pk in ids]
    Follow.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
    return Follow.objects.filter(member=member).count() - before


@transaction.atomic
def shipments_unfollow(*, member: Member, shipments: Iterable[int]) -> int:
    """The member follows these no longer; says how many they were."""
    gone, _by_model = Follow.objects.filter(member=member, shipment__in=list(shipments)).delete()
    return gone
