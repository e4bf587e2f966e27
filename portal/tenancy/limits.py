"""Limits of calls, exact however many come at once: counted in the database, in one statement (F1).

Limits of tries, where a right one is given back, stand in portal.account.limits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.lib.errors import PortalError
from portal.tenancy.context import scope

WINDOW: Final = 60  # seconds
_KEPT: Final = WINDOW + 1  # a span of 60 seconds touches 61 whole ones

# One row a subject. The statement waits for whoever holds the row and then judges what that one left, so no two calls
# take the same place. A count lost in a crash does no harm, so nobody waits for the disk.
_TAKE: Final = """
with hasty as materialized (select set_config('synchronous_commit', 'off', true))
insert into tenancy_callwindow as w (tenant_id, subject, second, calls)
select %(tenant)s, %(subject)s, %(second)s, array[1] from hasty where %(most)s > 0
on conflict (tenant_id, subject) do update set
  second = greatest(w.second, excluded.second),
  calls = (select array[m[1] + 1] || m[2:%(kept)s] from (select (array_fill(0, array[
    least(greatest(excluded.second - w.second, 0), %(kept)s)::int]) || w.calls)[1:%(kept)s] as m) moved)
where (select coalesce(sum(c), 0) from unnest((array_fill(0, array[
    least(greatest(excluded.second - w.second, 0), %(kept)s)::int]) || w.calls)[1:%(kept)s]) c) < %(most)s
returning (select sum(c) from unnest(w.calls) c)
"""


class TooManyCalls(PortalError):
    """The limit of the last minute is reached; nothing was done."""

    code, status = "too_many_calls", 429
    message = _("At most %(most)s calls a minute are allowed; there is room again in %(wait)s.")

    def __init__(self, *, seconds: int, most: int) -> None:
        super().__init__(most=most, wait=ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds})
        self.headers = {"Retry-After": str(seconds), "RateLimit-Limit": str(most), "RateLimit-Remaining": "0"}


def call_take(subject: str, *, most: int, at: datetime) -> int:
    """Counts one call of the subject in the entered scope and returns how many are left.

    Raises TooManyCalls. Never more than `most` pass inside any span of a minute; spans are taken up to a second
    longer than they are, never shorter.
    """
    second = int(at.timestamp())
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"tenant": scope(), "subject": subject, "second": second, "most": most, "kept": _KEPT})
        row = cursor.fetchone()
        if row is not None:
            return most - int(row[0])
        cursor.execute("select second, calls from tenancy_callwindow where subject = %s", [subject])
        kept = cursor.fetchone()
    raise TooManyCalls(seconds=_wait(kept, second, most), most=most)


def _wait(kept: tuple[int, list[int]] | None, second: int, most: int) -> int:
    """Whole seconds until fewer than `most` of the kept calls lie inside the window."""
    if kept is None or most < 1:
        return WINDOW
    newest, calls = kept
    used = sum(calls)
    for age in range(len(calls) - 1, -1, -1):
        used -= calls[age]
        if used < most:
            return max(1, newest - age + _KEPT - second)
    return WINDOW
