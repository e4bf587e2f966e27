"""Invitations: made by a manager, sent by mail, accepted once (A3).

An invited address that already has a sign-in looks the same to whoever invites; only its owner learns of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.account import facts, limits
from portal.account.addresses import public_url
from portal.account.services import AddressTaken, role_check
from portal.lib import ids, seal
from portal.lib.errors import NotFound, PortalError
from portal.outbox.services import emit
from portal.tenancy.context import as_tenant, scope
from portal.tenancy.models import Invitation, Member, User
from portal.tenancy.selectors import tenant_current, tenant_id_of_public_id
from portal.tenancy.services import SYSTEM, audit

DAYS: Final = 7


class InvitationOver(PortalError):
    """Unknown, ended, revoked or used: always the same answer."""

    code, status = "invitation_over", 404
    message = _("This invitation has ended or was used already. Ask the person who invited you for a new one.")


class AlreadyMember(PortalError):
    """A colleague with this address is a member already; the one who asks sees the list anyway."""

    code, status = "already_member", 409
    message = _("A member of this account has this e-mail address already.")


@dataclass(frozen=True, slots=True)
class Made:
    """An invitation and the address that accepts it, which is known here only once."""

    invitation: Invitation
    url: str


@transaction.atomic
def invitation_create(*, email: str, name: str, role: str, by: Member | None, at: datetime, mail: bool = True) -> Made:
    """Invites an address into the entered scope for seven days; an earlier open invitation of it ends.

    `by` is None for the first administrator, whose link is printed instead (`mail` False). Raises TooManyTries,
    WrongRole, AlreadyMember.
    """
    tenant = tenant_current()
    role_check(role, staff=tenant.is_operator)
    limits.slot_take(limits.INVITE, f"tenant {scope()}", at=at)
    address, actor = email.strip().lower(), by.label if by else SYSTEM
    if Member.objects.filter(user__email=address).exists():
        raise AlreadyMember
    for open_one in Invitation.objects.select_for_update().filter(email=address, accepted_at=None, revoked_at=None):
        open_one.revoked_at = at
        open_one.save(update_fields=["revoked_at"])
    secret = ids.secret()
    own = by if by is not None and by.tenant_id == scope() else None  # staff may invite into an account
    invitation = Invitation.objects.create(
        email=address, name=name, role=role, token_hash=ids.digest(secret), invited_by=own, created_at=at,
        expires_at=at + timedelta(days=DAYS),
    )  # fmt: skip
    url = public_url(reverse("people_invitation", kwargs={"token": f"{tenant.public_id}.{secret}"}))
    audit(action="invitation.created", actor=actor, at=at, object_type="invitation", object_id=invitation.public_id,
          details={"email": address, "role": role})  # fmt: skip
    if mail:
        emit(
            facts.Invited(
                occurred_at=at, email=address, name=name, account_name=tenant.name, days=DAYS,
                invited_by=by.name if by else tenant.name, invitation=invitation.public_id, link=seal.seal(url),
            ),
            at=at,
        )  # fmt: skip
    return Made(invitation, url)


@transaction.atomic
def invitation_revoke(*, public_id: str, by: Member, at: datetime) -> Invitation:
    """Ends an open invitation; raises NotFound when there is none of this id or it is over."""
    invitation = Invitation.objects.select_for_update().filter(public_id=public_id, accepted_at=None).first()
    if invitation is None:
        raise NotFound
    if invitation.revoked_at is None:
        invitation.revoked_at = at
        invitation.save(update_fields=["revoked_at"])
        audit(action="invitation.revoked", actor=by.label, at=at, object_type="invitation", object_id=public_id)
    return invitation


def _tenant_of(token: str) -> tuple[int, str]:
    public_id, _dot, secret = token.partition(".")
    tenant_id = tenant_id_of_public_id(public_id)
    if tenant_id is None or not secret:
        raise InvitationOver
    return tenant_id, ids.digest(secret)


def _open(digest: str, at: datetime, *, lock: bool) -> Invitation:
    rows = Invitation.objects.select_for_update() if lock else Invitation.objects.all()
    invitation = rows.filter(token_hash=digest, accepted_at=None, revoked_at=None, expires_at__gt=at).first()
    if invitation is None:
        raise InvitationOver
    return invitation


@dataclass(frozen=True, slots=True)
class Open:
    """What the acceptance page shows."""

    email: str
    name: str
    role: str
    account_name: str
    taken: bool  # the address already has a sign-in


def invitation_open(*, token: str, at: datetime) -> Open:
    """The open invitation behind a token; raises InvitationOver. Entering its scope is done here."""
    tenant_id, digest = _tenant_of(token)
    with as_tenant(tenant_id):
        found = _open(digest, at, lock=False)
        taken = User.objects.filter(email=found.email).exists()
        return Open(found.email, found.name, found.get_role_display(), tenant_current().name, taken)


@transaction.atomic
def invitation_accept(*, token: str, name: str, password: str, at: datetime) -> Member:
    """Makes the sign-in and the member, once. Raises InvitationOver, AddressTaken."""
    tenant_id, digest = _tenant_of(token)
    with as_tenant(tenant_id):
        invitation = _open(digest, at, lock=True)
        try:
            with transaction.atomic():
                user = User.objects.create(email=invitation.email, password=make_password(password))
        except IntegrityError:
            raise AddressTaken from None
        member = Member.objects.create(user=user, name=name, role=invitation.role, created_at=at)
        invitation.accepted_at = at
        invitation.save(update_fields=["accepted_at"])
        audit(
            action="invitation.accepted", actor=member.label, at=at, object_type="member", object_id=member.public_id,
            details={"invitation": invitation.public_id, "role": member.role},
        )  # fmt: skip
        return member
