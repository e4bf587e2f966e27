"""The second factor: setting it up, checking a code once, recovery codes, taking it away (A2).

The rows are allauth's Authenticator (its sign-in stages ask them); secrets are sealed, recovery codes only digests.
Who must have one is asked by the middleware.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Final

from allauth.mfa.models import Authenticator
from django.db import transaction

from portal.account import totp
from portal.lib import ids, seal
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member, User
from portal.tenancy.selectors import member_get, membership_of
from portal.tenancy.services import audit

RECOVERY_CODES: Final = 10
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_SIX_DIGITS: Final = re.compile(r"\A[0-9]{6}\Z", re.ASCII)


def second_factor_of(user_id: int) -> int | None:
    """The id of the person's authenticator, or None before it is set up."""
    found = Authenticator.objects.filter(user_id=user_id, type=Authenticator.Type.TOTP).values_list("pk", flat=True)
    first: int | None = found.first()
    return first


def recovery_codes_left(user_id: int) -> int:
    """How many recovery codes are unused."""
    row = Authenticator.objects.filter(user_id=user_id, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(row.data["digests"]) if row else 0


def code_plain(text: str) -> str:
    """The code as it is compared: no blanks or dashes, small letters."""
    return re.sub(r"[\s-]+", "", text).lower()


def _recovery_codes_write(user_id: int, at: datetime) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    Authenticator.objects.filter(user_id=user_id, type=Authenticator.Type.RECOVERY_CODES).delete()
    Authenticator.objects.create(
        user_id=user_id, type=Authenticator.Type.RECOVERY_CODES, created_at=at,
        data={"digests": [ids.digest(code) for code in codes]},
    )  # fmt: skip
    return ["-".join(code[i : i + 4] for i in range(0, 16, 4)) for code in codes]


@transaction.atomic
def second_factor_activate(*, member: Member, secret: str, step: int, at: datetime) -> tuple[int, list[str]]:
    """Stores the secret and new recovery codes; the code just used counts as used.

    Returns the authenticator's id and the codes, which are never shown again. Ends the person's other sessions.
    """
    User.objects.select_for_update().get(pk=member.user_id)
    Authenticator.objects.filter(user_id=member.user_id).delete()
    row = Authenticator.objects.create(
        user_id=member.user_id, type=Authenticator.Type.TOTP, created_at=at,
        data={"secret": seal.seal(secret), "last_step": step},
    )  # fmt: skip
    codes = _recovery_codes_write(member.user_id, at)
    audit(action="second_factor.activated", actor=member.label, at=at, object_type="member", object_id=member.public_id)
    return int(row.pk), codes


@transaction.atomic
def recovery_codes_renew(*, member: Member, at: datetime) -> list[str]:
    """Ten new recovery codes; the old ones end."""
    User.objects.select_for_update().get(pk=member.user_id)
    codes = _recovery_codes_write(member.user_id, at)
    audit(action="second_factor.recovery_codes_renewed", actor=member.label, at=at, object_type="member",
          object_id=member.public_id)  # fmt: skip
    return codes


def _taken(row: Authenticator, plain: str, at: datetime) -> bool:
    """Whether the code is this row's; marks it as used in the row's data (RFC 6238: a step is never accepted twice)."""
    if row.type == Authenticator.Type.TOTP:
        if not _SIX_DIGITS.match(plain):
            return False
        step = totp.step_of_code(seal.unseal(row.data["secret"]), plain, at=at, after=row.data["last_step"])
        if step is not None:
            row.data["last_step"] = step
        return step is not None
    digests: list[str] = row.data["digests"]
    if ids.digest(plain) not in digests:
        return False
    digests.remove(ids.digest(plain))
    return True


@transaction.atomic
def code_check(*, user_id: int, code: str, at: datetime) -> Authenticator | None:
    """The authenticator that the code belongs to, or None; a code that was taken is never taken again (A2).

    The rows are locked while the code is compared and marked, so that of two requests with one code one wins.
    """
    plain = code_plain(code)
    for row in Authenticator.objects.select_for_update().filter(user_id=user_id).order_by("pk"):
        if _taken(row, plain, at):
            row.last_used_at = at
            row.save(update_fields=["data", "last_used_at"])
            if row.type == Authenticator.Type.RECOVERY_CODES:
                _recovery_use_record(user_id, left=len(row.data["digests"]), at=at)
            return row
    return None


def _recovery_use_record(user_id: int, *, left: int, at: datetime) -> None:
    found = membership_of(user_id)
    if found is None:
        return
    with as_tenant(found[0]):
        member = member_get(found[1])
        if member is not None:
            audit(action="second_factor.recovery_code_used", actor=member.label, at=at, object_type="member",
                  object_id=member.public_id, details={"left": left})  # fmt: skip


@transaction.atomic
def second_factor_remove(*, member: Member, actor: str, at: datetime) -> None:
    """Takes a lost second factor away; the person must set up a new one at the next sign-in, and all sessions end."""
    user = User.objects.select_for_update().get(pk=member.user_id)
    Authenticator.objects.filter(user_id=user.pk).delete()
    user.session_epoch += 1
    user.save(update_fields=["session_epoch"])
    audit(action="second_factor.removed", actor=actor, at=at, object_type="member", object_id=member.public_id)
