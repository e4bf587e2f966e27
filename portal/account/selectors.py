"""Reads about people: members, invitations, keys, the audit trail. Never writes."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from portal.lib import seal
from portal.lib.errors import BadRequest
from portal.tenancy.models import ApiKey, AuditEntry, Invitation, Member, Role

AUDIT_PAGE: Final = 50


def member_list() -> list[Member]:
    """The scope's members, active ones first, by name."""
    return list(Member.objects.select_related("user").order_by("-is_active", "name", "pk"))


def members_with_second_factor(members: list[Member]) -> set[int]:
    """The user ids among them that have one."""
    users = [m.user_id for m in members]
    rows = Authenticator.objects.filter(user_id__in=users, type=Authenticator.Type.TOTP)
    return set(rows.values_list("user_id", flat=True))


def invitation_list(*, at: datetime) -> list[Invitation]:
    """Open invitations, newest first."""
    return list(Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=at).order_by("-created_at"))


def key_valid(at: datetime) -> Q:
    """Neither revoked nor ended."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=at))


def key_list(*, at: datetime) -> tuple[list[ApiKey], list[ApiKey]]:
    """Valid keys by name, and the twenty that ended last."""
    keys = ApiKey.objects.filter(scope="read")
    valid = list(keys.filter(key_valid(at)).order_by("label", "created_at"))
    return valid, list(keys.exclude(key_valid(at)).order_by("-created_at")[:20])


def keys_ending(*, scope: str, at: datetime, within: timedelta) -> list[ApiKey]:
    """Keys that end, or ended, by their date less than so long away, and have no valid successor of their name."""
    dated = ApiKey.objects.filter(scope=scope, revoked_at=None, expires_at__gt=at - within, expires_at__lte=at + within)
    after = Q(expires_at=None) | Q(expires_at__gt=OuterRef("expires_at"))
    heirs = ApiKey.objects.filter(
        after, key_valid(at), scope=scope, source_key=OuterRef("source_key"), label__iexact=OuterRef("label")
    )
    return list(dated.exclude(Exists(heirs)).order_by("expires_at", "pk")[:10])


def active_count(role: Role) -> int:
    """How many people of the entered scope have the role and may come in."""
    return Member.objects.filter(role=role.value, is_active=True, user__is_active=True).count()


def totp_secret_of(email: str) -> str | None:
    """The secret of a person's authenticator in the clear; for the demo's codes only."""
    row = Authenticator.objects.filter(user__email=email.strip().lower(), type=Authenticator.Type.TOTP).first()
    return seal.unseal(row.data["secret"]) if row else None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Fifty rows at most and the cursors of the neighbouring pages."""

    rows: list[AuditEntry]
    older: str | None
    newer: str | None


def _cursor(entry: AuditEntry) -> str:
    return base64.urlsafe_b64encode(f"{entry.at.astimezone(UTC).isoformat()} {entry.pk}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        instant, _blank, pk = text.partition(" ")
        at, number = datetime.fromisoformat(instant), int(pk)
    except (binascii.Error, ValueError):
        raise BadRequest(detail=_("This is not a page of the list.")) from None
    if at.tzinfo is None or not 0 <= number < 2**63:
        raise BadRequest(detail=_("This is not a page of the list."))
    return at, number


def audit_page(*, older: str | None = None, newer: str | None = None, prefix: str = "") -> AuditPage:
    """Rows of the scope, newest first; `prefix` narrows to actions that begin with it. Raises BadRequest."""
    rows = AuditEntry.objects.filter(action__startswith=prefix) if prefix else AuditEntry.objects.all()
    backwards = newer is not None
    if older or newer:
        at, pk = _position(newer or older or "")
        beyond = Q(at__gt=at) | Q(at=at, pk__gt=pk) if backwards else Q(at__lt=at) | Q(at=at, pk__lt=pk)
        rows = rows.filter(beyond)
    order = ("at", "pk") if backwards else ("-at", "-pk")
    found = list(rows.order_by(*order)[: AUDIT_PAGE + 1])
    more, found = len(found) > AUDIT_PAGE, found[:AUDIT_PAGE]
    if backwards:
        found.reverse()
    if not found:
        return AuditPage([], None, None)
    has_newer, has_older = (more, True) if backwards else (bool(older), more)
    return AuditPage(found, _cursor(found[-1]) if has_older else None, _cursor(found[0]) if has_newer else None)
