"""Writes about people: sign-in records, passwords, members.

Invitations stand in invitations.py, codes in second_factor.py. Each writes its audit row in the same transaction
(L1); none reads the clock.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils.http import int_to_base36
from django.utils.translation import gettext_lazy as _

from portal.account import facts, limits
from portal.account.addresses import public_url
from portal.account.second_factor import second_factor_activate
from portal.account.sessions import sessions_end
from portal.lib import ids, seal
from portal.lib.errors import NotFound, PortalError
from portal.outbox.services import emit, enqueue
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import ACCOUNT_ROLES, STAFF_ROLES, Member, Role, User
from portal.tenancy.selectors import installation, member_get, membership_of
from portal.tenancy.services import SYSTEM, audit


class AddressTaken(PortalError):
    """The e-mail address already has a sign-in in this installation."""

    code, status = "address_taken", 409
    message = _("This e-mail address already has a sign-in. Ask to be invited under another address.")


class WrongRole(PortalError):
    """The role belongs to the other side."""

    code, status = "wrong_role", 400
    message = _("This role cannot be given here.")


class LastOne(PortalError):
    """Somebody must be left who can let people in."""

    code, status = "last_manager", 409
    message = _("This is the last person who can manage members. Give the role to somebody else first.")


class NotYourself(PortalError):
    """Nobody changes the own rights."""

    code, status = "not_yourself", 409
    message = _("You cannot change your own role or access. Ask a colleague who can.")


def _member_of(user: User) -> Member | None:
    found = membership_of(user.pk)
    return member_get(found[1]) if found else None


@transaction.atomic
def sign_in_succeeded(*, user: User, second_factor: bool, at: datetime) -> None:
    """The audit row of a sign-in, in the person's tenant."""
    found = membership_of(user.pk)
    if found is None:
        return
    with as_tenant(found[0]):
        member = member_get(found[1])
        if member is not None:
            audit(action="sign_in.succeeded", actor=member.label, at=at, object_type="member",
                  object_id=member.public_id, details={"second_factor": second_factor})  # fmt: skip


@transaction.atomic
def sign_in_failed(*, email: str, reason: str, at: datetime) -> None:
    """The audit row of a failed try: in the person's tenant when known, else in the operator's by digest only (L1).

    Both ways ask the same questions, so that they take the same time (A3).
    """
    if installation() is None:
        return
    user = User.objects.filter(email=email.strip().lower()).first()
    found = membership_of(user.pk if user else 0)
    with as_tenant(found[0] if found else OPERATOR_ID):
        member = member_get(found[1] if found else 0)
        audit(
            action="sign_in.failed", at=at, details={"reason": reason},
            actor=member.label if member else f"unknown {limits.subject_digest(limits.SIGN_IN_ACCOUNT, email)[:16]}",
            object_type="member" if member else "", object_id=member.public_id if member else "",
        )  # fmt: skip


@transaction.atomic
def signed_out(*, member: Member, at: datetime) -> None:
    """The audit row of a sign-out."""
    audit(action="sign_out", actor=member.label, at=at, object_type="member", object_id=member.public_id)


@transaction.atomic
def password_reset_request(*, email: str, at: datetime) -> None:
    """Leaves the look-up to the worker, so that known and unknown addresses cost the same (A3)."""
    if installation() is None:
        return
    with as_tenant(OPERATOR_ID):
        enqueue("people.password_reset", key=ids.public_id(), at=at, email=email.strip().lower())


@transaction.atomic
def password_reset_send(*, email: str, at: datetime) -> bool:
    """The worker's part: a mail with a link for a known person, nothing for anybody else. True when mailed."""
    user = User.objects.filter(email=email, is_active=True).first()
    found = membership_of(user.pk) if user else None
    if user is None or found is None:
        return False
    with as_tenant(found[0]):
        member = member_get(found[1])
        if member is None:
            return False
        path = reverse(
            "account_reset_password_from_key",
            kwargs={"uidb36": int_to_base36(user.pk), "key": default_token_generator.make_token(user)},
        )
        emit(
            facts.PasswordResetRequested(
                occurred_at=at, email=user.email, name=member.name, request=ids.public_id(),
                link=seal.seal(public_url(path)), minutes=60,
            ),
            at=at,
        )  # fmt: skip
        audit(action="password.reset_requested", actor=member.label, at=at, object_type="member",
              object_id=member.public_id)  # fmt: skip
    return True


@transaction.atomic
def password_set(*, user: User, password: str, action: str, at: datetime) -> None:
    """A new password after a reset (`password.reset`) or by the person (`password.changed`); all sessions end (A4).

    The second factor stays as it is (A2).
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    sessions_end(user_id=user.pk)
    found = membership_of(user.pk)
    if found is None:
        return
    with as_tenant(found[0]):
        member = member_get(found[1])
        if member is not None:
            audit(action=action, actor=member.label, at=at, object_type="member", object_id=member.public_id)
            security_notice(member=member, what="PASSWORD", at=at)


def security_notice(*, member: Member, what: str, at: datetime) -> None:
    """Tells the person by mail that a secret changed; in the caller's transaction and scope."""
    emit(
        facts.SecurityChanged(
            occurred_at=at, email=member.user.email, name=member.name, what=what, change=ids.public_id()
        ),
        at=at,
    )


def role_check(role: str, *, staff: bool) -> None:
    """Raises WrongRole when the role belongs to the other side."""
    if role not in {r.value for r in (STAFF_ROLES if staff else ACCOUNT_ROLES)}:
        raise WrongRole


@transaction.atomic
def member_create(
    *, tenant_id: int, email: str, name: str, role: Role, password: str, at: datetime,
    totp_secret: str | None = None, actor: str = SYSTEM,
) -> Member:  # fmt: skip
    """A person with a sign-in, for seeds and the command line; with `totp_secret` (Base32) also the second factor.

    Raises AddressTaken, WrongRole.
    """
    role_check(role.value, staff=tenant_id == OPERATOR_ID)
    address = email.strip().lower()
    if User.objects.filter(email=address).exists():
        raise AddressTaken
    with as_tenant(tenant_id):
        user = User.objects.create_user(address, password)
        member = Member.objects.create(user=user, name=name, role=role.value, created_at=at)
        audit(action="member.created", actor=actor, at=at, object_type="member", object_id=member.public_id,
              details={"role": role.value})  # fmt: skip
        if totp_secret is not None:
            second_factor_activate(member=member, secret=totp_secret, step=-1, at=at)
    return member


def _last_chief(member: Member) -> bool:
    chief = Role.ADMIN if member.is_staff else Role.MANAGER
    if member.role != chief or not member.is_active:
        return False
    return not Member.objects.filter(role=chief.value, is_active=True).exclude(pk=member.pk).exists()


def _member_for_change(public_id: str, by: Member) -> Member:
    # Locks the whole list of the scope in one order: two managers who demote each other must not both succeed.
    members = {m.public_id: m for m in Member.objects.select_for_update().order_by("pk")}
    member = members.get(public_id)
    if member is None:
        raise NotFound
    if member.pk == by.pk and member.tenant_id == by.tenant_id:
        raise NotYourself
    return member


@transaction.atomic
def member_role_change(*, public_id: str, role: str, by: Member, at: datetime) -> Member:
    """Another role from the next request on; the person's sessions end (A4, A7).

    Raises LastOne, NotYourself, WrongRole, NotFound.
    """
    member = _member_for_change(public_id, by)
    role_check(role, staff=member.is_staff)
    if member.role == role:
        return member
    if _last_chief(member):
        raise LastOne
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    sessions_end(user_id=member.user_id)
    audit(action="member.role_changed", actor=by.label, at=at, object_type="member", object_id=member.public_id,
          details={"from": before, "to": role})  # fmt: skip
    return member


@transaction.atomic
def member_active_set(*, public_id: str, active: bool, by: Member, at: datetime) -> Member:
    """Takes the access away or gives it back; sessions end at once. Raises LastOne, NotYourself, NotFound."""
    member = _member_for_change(public_id, by)
    if member.is_active == active:
        return member
    if not active and _last_chief(member):
        raise LastOne
    member.is_active = active
    member.save(update_fields=["is_active"])
    sessions_end(user_id=member.user_id)
    audit(action="member.reactivated" if active else "member.deactivated", actor=by.label, at=at,
          object_type="member", object_id=member.public_id)  # fmt: skip
    return member


def member_language_set(*, member: Member, language: str) -> None:
    """In which language this person reads pages and mails; empty: as the browser asks. Nobody else's business: no
    audit row."""
    member.language = language
    member.save(update_fields=["language"])
