"""Limits of calls, exact however many come at once: counted in the database, in one statement (F1).

Limits of tries, where a right one is given back, stand in portal.account.limits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.lib.errors import PortalError
from portal.tenancy.context import scope

WINDOW: Final = 60  # seconds
_KEPT: Final = WINDOW + 1  # a span of 60 seconds touches 61 whole ones

ACCOUNT: Final = "account"  # the subject that stands for all keys and people together

# One row a subject. The statement waits for whoever holds the row and then judges what that one left, so no two calls
# take the same place. A count lost in a crash does no harm, so nobody waits for the disk.
_TAKE: Final = """
with hasty as materialized (select set_config('synchronous_commit', 'off', true))
insert into tenancy_callwindow as w (tenant_id, subject, second, calls)
select %(tenant)s, s.subject, %(second)s, array[1] from hasty, unnest(%(subjects)s::text[]) s(subject)
where (case when s.subject = %(account)s then %(together)s else %(most)s end) > 0 order by s.subject
on conflict (tenant_id, subject) do update set
  second = greatest(w.second, excluded.second),
  calls = (select array[m[1] + 1] || m[2:%(kept)s] from (select (array_fill(0, array[
    least(greatest(excluded.second - w.second, 0), %(kept)s)::int]) || w.calls)[1:%(kept)s] as m) moved)
where (select coalesce(sum(c), 0) from unnest((array_fill(0, array[
    least(greatest(excluded.second - w.second, 0), %(kept)s)::int]) || w.calls)[1:%(kept)s]) c)
  < (case when w.subject = %(account)s then %(together)s else %(most)s end)
returning w.subject, (select sum(c) from unnest(w.calls) c)
"""


class TooManyCalls(PortalError):
    """The limit of the last minute is reached; nothing was done."""

    code, status = "too_many_calls", 429
    message = _("At most %(most)s calls a minute are allowed; there is room again in %(wait)s.")

    def __init__(self, *, seconds: int, most: int) -> None:
        super().__init__(most=most, wait=ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds})
        self.headers = {"Retry-After": str(seconds), "RateLimit-Limit": str(most), "RateLimit-Remaining": "0"}


@transaction.atomic
def call_take(subject: str, *, most: int, at: datetime, together: int | None = None) -> int:
    """Counts one call of the subject in the entered scope, and with `together` one of the whole account; returns how
    many are left.

    Raises TooManyCalls, and then counts neither. Never more than the limit pass inside any span of a minute; spans are
    taken up to a second longer than they are, never shorter.
    """
    second = int(at.timestamp())
    limits = {subject: most, **({ACCOUNT: together} if together is not None else {})}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {
            "tenant": scope(), "subjects": list(limits), "second": second, "most": most, "together": together or 0,
            "account": ACCOUNT, "kept": _KEPT,
        })  # fmt: skip
        passed = {name: int(used) for name, used in cursor.fetchall()}
        full = next((name for name in limits if name not in passed), None)
        if full is None:
            return min(limit - passed[name] for name, limit in limits.items())
        cursor.execute("select second, calls from tenancy_callwindow where subject = %s", [full])
        kept = cursor.fetchone()
    raise TooManyCalls(seconds=_wait(kept, second, limits[full]), most=limits[full])


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
