"""Reads of share links: which are open, which ended and why, which one a token opens. Never writes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.shares.models import ShareLink
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import tenant_id_of_public_id
from tracking.models import Shipment

_FORM: Final = re.compile(r"\A([0-9a-z]{20})([A-Za-z0-9_-]{43})\Z", re.ASCII)
MOST_ENDED: Final = 20
MOST_LISTED: Final = 200


def share_valid(at: datetime) -> Q:
    """Neither revoked nor ended, and its maker may still come in: what they shared ends with their access (A7)."""
    maker = Q(made_by__is_active=True, made_by__user__is_active=True)
    return Q(revoked_at=None, expires_at__gt=at) & maker


def tenant_of_token(token: str) -> int | None:
    """The account whose public id the token begins with, so that its scope is entered before the look-up."""
    form = _FORM.match(token)
    return tenant_id_of_public_id(form[1]) if form else None


def secret_digest(token: str) -> str:
    """The digest by which the link of a token is found inside its account."""
    form = _FORM.match(token)
    return ids.digest(form[2]) if form else ""


def share_of_token(token: str, *, at: datetime) -> ShareLink | None:
    """The entered account's valid link of this token, with its shipment."""
    found = ShareLink.objects.filter(share_valid(at), token_hash=secret_digest(token))
    return found.select_related("shipment").first()


def shares_seen_by(member: Member) -> QuerySet[ShareLink]:
    """What the person sees listed under the settings: managers every link of the account, others their own."""
    own = {} if member.role == Role.MANAGER else {"made_by": member}
    return ShareLink.objects.filter(**own).select_related("shipment", "made_by__user")


def shares_of(shipment: Shipment) -> QuerySet[ShareLink]:
    """The links to one shipment, whoever made them."""
    return ShareLink.objects.filter(shipment=shipment).select_related("shipment", "made_by__user")


def open_and_ended(links: QuerySet[ShareLink], *, at: datetime) -> tuple[list[ShareLink], list[ShareLink]]:
    """Valid links, newest first, and the twenty that were made last of those that ended."""
    newest = links.order_by("-created_at", "-id")
    return list(newest.filter(share_valid(at))[:MOST_LISTED]), list(newest.exclude(share_valid(at))[:MOST_ENDED])


def may_revoke(link: ShareLink, member: Member) -> bool:
    """Whoever made it, and every manager."""
    return link.made_by_id == member.pk or member.role == Role.MANAGER


def why_ended(link: ShareLink, *, at: datetime) -> str:
    """Why a link opens nothing any more, in words; empty for an open one."""
    if link.revoked_at is not None:
        return _("Revoked by %(who)s") % {"who": link.revoked_by}
    if link.expires_at <= at:
        return _("Ended by its date")
    if not (link.made_by.is_active and link.made_by.user.is_active):
        return _("Its maker has no access any more")
    return ""


def shipment_named(public_id: str) -> Shipment | None:
    """The entered account's shipment of this public id."""
    return Shipment.objects.filter(public_id=public_id).first()
