"""When a person was last here (private to the person)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from portal.tenancy.context import scope
from portal.tenancy.models import Member

VISIT_ENDS_AFTER: Final = timedelta(minutes=30)
_OPENED: Final = """
insert into tracking_newsseen as seen (tenant_id, member_id, opened_at) values (%(tenant)s, %(member)s, %(at)s)
    on conflict (tenant_id, member_id) do update set
       since_at = case when excluded.opened_at - seen.opened_at > make_interval(secs => %(ends)s)
                       then seen.opened_at else seen.since_at end,
       opened_at = greatest(seen.opened_at, excluded.opened_at)
returning since_at
"""


def news_opened(*, member: Member, at: datetime) -> datetime | None:
    """Notes that the person opens the home page, and gives the end of the visit before; None during the first one.

    Opened again within half an hour it is the same visit, so that what was new stays new while one looks around; a
    screen that reloads by itself never ends its visit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _OPENED, {"tenant": scope(), "member": member.pk, "at": at, "ends": int(VISIT_ENDS_AFTER.total_seconds())}
        )
        since: datetime | None = cursor.fetchone()[0]
    return since
