"""Writes of what people want to be told: by kind and channel, at which hours, of which lanes; and what they have read.

Mails that wait are judged anew when somebody changes these words (digests.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, time
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import NotFound, PortalError
from portal.notify.digests import DIGEST, held_release
from portal.notify.models import BellNotice, DigestRhythm, MailMode, MailWording, NoticeHabits, NoticePreference
from portal.notify.wishes import Wish, wishes_of
from portal.tenancy.models import Member
from portal.tenancy.services import audit

_AT_ONCE: Final = 5_000


class DigestNeeded(PortalError):
    """A kind of notice was put into a digest that never comes."""

    code, status = "digest_needed", 400
    message = _("Say when the digest comes: something is to come in it.")


@transaction.atomic
def wishes_set(*, member: Member, wishes: Mapping[str, Wish], at: datetime) -> None:
    """A person's word about some kinds of notice; the last word counts, for mails that wait, too."""
    rows = [
        NoticePreference(member=member, fact_key=key, changed_at=at, **asdict(wish)) for key, wish in wishes.items()
    ]  # fmt: skip
    NoticePreference.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["tenant", "member", "fact_key"],
        update_fields=["mail", "bell", "which", "always", "changed_at"],
    )  # fmt: skip
    held_release(member=member, at=at)


@transaction.atomic
def habits_set(
    *, member: Member, digest: str, digest_hour: int, digest_weekday: int, quiet_from: time | None,
    quiet_to: time | None, quiet_weekend: bool, lanes: Iterable[str], zone: str, at: datetime,
) -> NoticeHabits:  # fmt: skip
    """A person's hours and lanes; `zone` empty: the account's. Mails that wait are judged anew.

    Raises DigestNeeded when there is to be no digest and something is to come in it.
    """
    if digest == DigestRhythm.NONE and any(wish.mail == MailMode.DIGEST for wish in wishes_of(member.pk).values()):
        raise DigestNeeded
    said: dict[str, Any] = {
        "digest": digest, "digest_hour": digest_hour, "digest_weekday": digest_weekday, "quiet_from": quiet_from,
        "quiet_to": quiet_to, "quiet_weekend": quiet_weekend, "lanes": sorted(set(lanes)), "changed_at": at,
    }  # fmt: skip
    row, _made = NoticeHabits.objects.update_or_create(member=member, defaults=said)
    Member.objects.filter(pk=member.pk).update(zone=zone)
    member.zone = zone
    held_release(member=member, at=at)
    return row


@transaction.atomic
def preset_set(*, member: Member, wishes: Mapping[str, Wish], daily: bool, at: datetime) -> None:
    """A word about every kind at once; with `daily` there is a digest from then on, if there was none."""
    if daily:
        row, _made = NoticeHabits.objects.get_or_create(member=member, defaults={"changed_at": at})
        if row.digest == DigestRhythm.NONE:
            row.digest, row.changed_at = DigestRhythm.DAILY, at
            row.save(update_fields=["digest", "changed_at"])
    wishes_set(member=member, wishes=wishes, at=at)


@transaction.atomic
def mail_stop(*, member: Member, fact_key: str, at: datetime) -> None:
    """No further mail of this kind (or these, with `+` between) to this person; of the digest: of all that came in it.

    The bell stays as it is.
    """
    said = wishes_of(member.pk)
    if fact_key == DIGEST:
        stopped = [key for key, wish in said.items() if wish.mail == MailMode.DIGEST]
    else:
        stopped = fact_key.split("+")
    off = {key: _without_mail(said.get(key, Wish())) for key in stopped}
    wishes_set(member=member, wishes=off, at=at)
    if fact_key == DIGEST:
        NoticeHabits.objects.filter(member=member).update(digest=DigestRhythm.NONE, changed_at=at)


def _without_mail(wish: Wish) -> Wish:
    return Wish(mail=MailMode.OFF.value, bell=wish.bell, which=wish.which, always=wish.always)


@transaction.atomic
def notice_mark(*, member: Member, public_id: str, read: bool, at: datetime) -> BellNotice:
    """Marks one of the person's notices as read, or as unread again. Raises NotFound for anybody else's."""
    row = BellNotice.objects.select_for_update(of=("self",)).filter(member=member, public_id=public_id).first()
    if row is None:
        raise NotFound
    if read != (row.read_at is not None):
        row.read_at = at if read else None
        row.save(update_fields=["read_at"])
    return row


@transaction.atomic
def notices_read(*, member: Member, upto: int, at: datetime) -> int:
    """Marks all notices read that the person could see when the newest was `upto`; says how many were not yet."""
    return BellNotice.objects.filter(member=member, read_at=None, pk__lte=upto).update(read_at=at)


@transaction.atomic
def wording_set(*, language: str, greeting: str, closing: str, actor: str, at: datetime) -> bool:
    """What stands around the mails to the entered account in one language; both empty: nothing. False: as it was."""
    said = {"greeting": greeting.strip(), "closing": closing.strip()}
    before = MailWording.objects.filter(language=language).values(*said).first() or dict.fromkeys(said, "")
    if before == said:
        return False
    if any(said.values()):
        more = {"changed_at": at, "changed_by": actor}
        MailWording.objects.update_or_create(language=language, defaults={**said, **more})
    else:
        MailWording.objects.filter(language=language).delete()
    audit(action="mail.wording_set", actor=actor, at=at, details={"language": language, **said})
    return True


def notices_forget(*, before: datetime) -> None:
    """Takes away notices in the portal that are older, some thousand at a time."""
    old = BellNotice.objects.filter(recorded_at__lt=before).order_by("recorded_at").values("pk")[:_AT_ONCE]
    BellNotice.objects.filter(pk__in=old).delete()
