"""Writes of share links: made, revoked, opened. Each but the opening leaves an audit row (L1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import Forbidden, NotFound, PortalError
from portal.lib.periods import local_date, local_midnight
from portal.shares.models import LONGEST, ShareLink
from portal.shares.selectors import may_revoke, secret_digest, share_of_token, share_valid
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_current, tenant_zone
from portal.tenancy.services import audit
from tracking.models import Shipment

MOST_DAYS: Final = LONGEST.days
MOST_OPEN: Final = 25  # of one shipment


class TooManyShares(PortalError):
    """A shipment has as many open links as it may."""

    code, status = "too_many_shares", 409
    message = _("This shipment has %(most)d open links already. Revoke one of them first.")


def ends_at(*, days: int, at: datetime) -> datetime:
    """The end of the day that many days later in the account's zone, and never more than 90 days from now (A8)."""
    zone = tenant_zone()
    return min(local_midnight(local_date(at, zone) + timedelta(days=days + 1), zone), at + LONGEST)


@transaction.atomic
def share_create(
    *, shipment: Shipment, label: str, days: int, by: Member, at: datetime,
    shows_containers: bool = False, shows_references: bool = False,
) -> tuple[ShareLink, str]:  # fmt: skip
    """A link of the entered account and its token, which is never shown again. Raises TooManyShares.

    The token is the account's public id and 256 random bits; only their digest is kept.
    """
    Shipment.objects.select_for_update(of=("self",)).get(pk=shipment.pk)  # two pages at once must not make one too many
    if ShareLink.objects.filter(share_valid(at), shipment=shipment).count() >= MOST_OPEN:
        raise TooManyShares(most=MOST_OPEN)
    token = f"{tenant_current().public_id}{ids.secret()}"
    link = ShareLink.objects.create(
        shipment=shipment, label=label, token_hash=secret_digest(token), shows_containers=shows_containers,
        shows_references=shows_references, made_by=by, created_at=at, expires_at=ends_at(days=days, at=at),
    )  # fmt: skip
    audit(
        action="share.created", actor=by.label, at=at, object_type="share", object_id=link.public_id,
        details={
            "shipment": shipment.public_id, "label": label, "containers": shows_containers,
            "references": shows_references, "expires_at": link.expires_at.isoformat(),
        },
    )  # fmt: skip
    return link, token


@transaction.atomic
def share_revoke(*, public_id: str, by: Member, at: datetime) -> ShareLink:
    """Ends a link at once; ending it again changes nothing. Raises NotFound, Forbidden (a colleague's link)."""
    link = ShareLink.objects.select_for_update(of=("self",)).filter(public_id=public_id).first()
    if link is None:
        raise NotFound
    if not may_revoke(link, by):
        raise Forbidden
    if link.revoked_at is None:
        link.revoked_at, link.revoked_by = at, by.label
        link.save(update_fields=["revoked_at", "revoked_by"])
        audit(action="share.revoked", actor=by.label, at=at, object_type="share", object_id=public_id)
    return link


@transaction.atomic
def share_open(*, token: str, at: datetime, counts: bool = True) -> ShareLink | None:
    """The entered account's valid link of this token, or None; a view is counted, of the viewer nothing is kept."""
    link = share_of_token(token, at=at)
    if link is not None and counts:
        ShareLink.objects.filter(pk=link.pk).update(
            views=F("views") + 1, last_viewed_at=Greatest(F("last_viewed_at"), at)
        )
    return link
