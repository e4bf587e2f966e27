"""Limits of tries, exact under concurrency (A3).

A try takes its slot before the secret is checked and gives it back when it was right, so that never more than the limit
can be wrong inside any window of that length. What a limit means for the person at the door is said by the doors.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.lib.errors import PortalError
from portal.tenancy.models import AttemptWindow


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `tries` inside any span of `window`, for one subject."""

    key: str
    tries: int
    window: timedelta


SIGN_IN_ACCOUNT: Final = Limit("sign_in.account", 5, timedelta(minutes=15))
SIGN_IN_NETWORK: Final = Limit("sign_in.network", 50, timedelta(minutes=15))
RESET_ACCOUNT: Final = Limit("reset.account", 3, timedelta(hours=1))
RESET_NETWORK: Final = Limit("reset.network", 50, timedelta(hours=1))
CODE: Final = Limit("code", 5, timedelta(minutes=15))
INVITE: Final = Limit("invite", 50, timedelta(days=1))


class TooManyTries(PortalError):
    """The limit is reached; the sentence is the same for known and unknown accounts."""

    code, status = "too_many_tries", 429
    message = _("Too many tries. Please wait %(wait)s, then try again.")

    def __init__(self, *, seconds: int) -> None:
        minutes = max(1, math.ceil(seconds / 60))
        super().__init__(wait=ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes})
        self.headers = {"Retry-After": str(seconds)}


@dataclass(frozen=True, slots=True)
class Slot:
    """A taken slot."""

    row: int

    def give_back(self) -> None:
        """The try was right: it does not count."""
        AttemptWindow.objects.filter(pk=self.row).delete()


def subject_digest(limit: Limit, subject: str) -> str:
    """64 hex digits: a keyed digest, so that the table names nobody."""
    words = f"{limit.key}:{subject.strip().lower()}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), words, hashlib.sha256).hexdigest()


@transaction.atomic
def slot_take(limit: Limit, subject: str, *, at: datetime) -> Slot:
    """Takes one slot of the subject or raises TooManyTries with the time until the next one is free.

    One subject's tries queue behind a lock of the transaction; each try has a row of its own under the instant it was
    made, so that the window slides and has no edge at which twice the limit would pass.
    """
    digest = subject_digest(limit, subject)
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"attempts:{digest}"])
        cursor.execute(
            "select coalesce(sum(tries), 0), min(starts_at) from tenancy_attemptwindow"
            " where subject = %s and starts_at > %s",
            [digest, at - limit.window],
        )
        used, oldest = cursor.fetchone()
        if used >= limit.tries:
            raise TooManyTries(seconds=max(1, math.ceil((oldest + limit.window - at).total_seconds())))
        starts_at = at
        while True:  # two tries in one microsecond get two rows
            cursor.execute(
                "insert into tenancy_attemptwindow (subject, starts_at, tries) values (%s, %s, 1)"
                " on conflict (subject, starts_at) do nothing returning id",
                [digest, starts_at],
            )
            made = cursor.fetchone()
            if made is not None:
                return Slot(row=int(made[0]))
            starts_at += timedelta(microseconds=1)


def slots_take(wanted: list[tuple[Limit, str]], *, at: datetime) -> list[Slot]:
    """All of the slots or none; raises TooManyTries."""
    taken: list[Slot] = []
    try:
        for limit, subject in wanted:
            taken.append(slot_take(limit, subject, at=at))
    except TooManyTries:
        slots_give_back(taken)
        raise
    return taken


def slots_give_back(taken: list[Slot]) -> None:
    """The tries were right."""
    for slot in taken:
        slot.give_back()


def attempts_purge(*, at: datetime) -> int:
    """Deletes what no window can reach any more; returns how many rows."""
    return AttemptWindow.objects.filter(starts_at__lt=at - timedelta(days=2)).delete()[0]
