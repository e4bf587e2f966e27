"""What a session knows: when it began, when it was last used, which second factor opened it, the last proof (A4, A5).

All sessions of a person end by User.session_epoch; one session ends here by time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F

from portal.tenancy.models import STRONG_ROLES, User

IDLE: Final = timedelta(minutes=30)  # for roles with a mandatory second factor
LONGEST: Final = timedelta(hours=12)
FRESH: Final = timedelta(minutes=10)
_NOTE_EVERY: Final = timedelta(minutes=1)
_BEGAN, _SEEN, _FACTOR, _PROVEN = "began_at", "seen_at", "second_factor", "proven_at"


def _read(session: SessionBase, name: str) -> datetime | None:
    value = session.get(name)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None


def session_begin(session: SessionBase, *, at: datetime, second_factor: int | None) -> None:
    """Marks a session that has just been signed in, with the authenticator that was used, if any."""
    for name in (_BEGAN, _SEEN, _PROVEN):
        session[name] = at.timestamp()
    session[_FACTOR] = second_factor


def session_proven(session: SessionBase, *, at: datetime) -> None:
    """The person has just proven again who it is (A5); the session gets a new id (A4)."""
    session[_PROVEN] = at.timestamp()
    session.cycle_key()


def session_factor_set(session: SessionBase, *, second_factor: int, at: datetime) -> None:
    """A second factor was set up in this session."""
    session[_FACTOR] = second_factor
    session_proven(session, at=at)


def session_factor(session: SessionBase) -> int | None:
    """The authenticator that opened this session, or None."""
    found = session.get(_FACTOR)
    return found if isinstance(found, int) else None


def session_fresh(session: SessionBase, *, at: datetime) -> bool:
    """Whether the last proof is at most ten minutes old."""
    proven = _read(session, _PROVEN)
    return proven is not None and proven <= at <= proven + FRESH


def session_over(session: SessionBase, *, role: str, at: datetime, used: bool = True) -> bool:
    """Whether the session has ended by its length, or by being idle; otherwise notes the use once a minute.

    `used` False: a page asked by itself, and nobody need sit before it.
    """
    began, seen = _read(session, _BEGAN), _read(session, _SEEN)
    if began is None or seen is None:  # signed in by other means than our door: begins now, without any proof
        session[_BEGAN] = session[_SEEN] = at.timestamp()
        return False
    if at - began > LONGEST or (role in STRONG_ROLES and at - seen > IDLE):
        return True
    if used and at - seen >= _NOTE_EVERY:
        session[_SEEN] = at.timestamp()
    return False


@transaction.atomic
def sessions_end(*, user_id: int) -> None:
    """Ends every session of the person at the next request (A4, A7)."""
    User.objects.filter(pk=user_id).update(session_epoch=F("session_epoch") + 1)
