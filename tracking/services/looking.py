"""Looking at what the clock alone changes: exceptions that begin or end by time, answers that are overdue, usual stays.

What is due stands in the rows themselves, so that two schedulers, or none for hours, do no harm (O6): a late look finds
what a punctual one would have found, with its true start.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from portal.tenancy.context import scope
from portal.tenancy.services import SYSTEM
from tiers.promises.types import Tier
from tracking.derivation import rebuild, sightings_of
from tracking.models import CaseState, DwellNorm, ExceptionCase, ExceptionStep, Shipment, StepKind, VisitRow
from tracking.owners import DESK, RESPONSE, Owners
from tracking.telling import news_tell

PORTION: Final = 200
LEAST_VISITS: Final = 20  # `min_n_p90`: fewer say nothing about what is usual (R2.14)
_YEAR: Final = timedelta(days=365)


def exceptions_look(*, at: datetime, portions: int) -> bool:
    """Works out anew the entered tenant's shipments that the clock calls up; False when some are left.

    Each portion is one transaction under the locks of its shipments; what somebody else holds is looked at next time.
    """
    return any(not _look(at) for _n in range(portions))


@transaction.atomic
def _look(at: datetime) -> int:
    due = Shipment.objects.select_for_update(no_key=True, skip_locked=True).filter(look_at__lte=at)
    pks = list(due.order_by("pk").values_list("pk", flat=True)[:PORTION])
    if pks:
        held = list(Shipment.objects.filter(pk__in=pks).order_by("pk"))
        news_tell(rebuild(held, sightings_of(pks), at=at), at=at)
    return len(pks)


def look_is_due(*, at: datetime) -> bool:
    """Whether the clock calls up any shipment of the entered tenant."""
    return Shipment.objects.filter(look_at__lte=at).exists()


def answer_is_due(*, at: datetime) -> bool:
    """Whether a first response of the entered tenant's cases is overdue."""
    return _unanswered(at).exists()


def _unanswered(at: datetime) -> QuerySet[ExceptionCase]:
    """Overdue, with somebody further on in the chain."""
    late = ExceptionCase.objects.filter(state=CaseState.OPEN, acknowledged_at__isnull=True, respond_by__lt=at)
    return late.exclude(owner_step=DESK.step)


@transaction.atomic
def exceptions_escalate(*, at: datetime) -> int:
    """Passes cases that nobody took note of within the first-response time on to the next owner in the chain (R8.3).

    Logged each time; the desk is the end of the chain, from there on the list shows them as overdue.
    """
    # what is being worked on is passed on next time, if then still unanswered
    held = _unanswered(at).select_for_update(of=("self",), skip_locked=True)
    late = list(held.select_related("shipment").order_by("pk"))
    owners, steps = Owners(at), []
    for case in late:
        owner, before = owners.next_after(case.owner_step, case.shipment), case.owner_name
        case.owner, case.owner_name, case.owner_step = owner.public_id, owner.name, owner.step
        case.respond_by, case.changed_at = at + (owners.response or RESPONSE[Tier.PRIORITY]), at
        note = f"{before or 'desk'} → {owner.name or 'desk'}"
        steps.append(ExceptionStep(case=case, kind=StepKind.ESCALATED, at=at, actor=SYSTEM, note=note))
    ExceptionCase.objects.bulk_update(
        late, ["owner", "owner_name", "owner_step", "respond_by", "changed_at"], batch_size=500
    )
    ExceptionStep.objects.bulk_create(steps)
    return len(late)


# R2.13 in whole tenths of a second: 0.9·(n − 1) = k + f/10, so P90 = x[k] + f·(x[k+1] − x[k])/10.
_NORMS: Final = """
select place, facility, entry_code, n,
       10 * xs[9 * (n - 1) / 10 + 1]
       + (9 * (n - 1) %% 10) * (xs[least(9 * (n - 1) / 10 + 2, n)] - xs[9 * (n - 1) / 10 + 1])
  from (select place, facility, entry_code, count(*)::int as n, array_agg(seconds order by seconds) as xs
          from tracking_visitrow
         where tenant_id = %s and exit_at is not null and exit_at >= %s and exit_at <= %s
         group by place, facility, entry_code having count(*) >= %s) v
"""


@transaction.atomic
def norms_renew(*, at: datetime) -> int:
    """Works out how long nine of ten visits of the entered tenant took at each node in twelve months; how many nodes.

    Shipments with an open visit where that changed are looked at next.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NORMS, [scope(), at - _YEAR, at, LEAST_VISITS])
        now = {row[:3]: (row[4], row[3]) for row in cursor.fetchall()}
    known = {(n.place, n.facility, n.entry_code): n for n in DwellNorm.objects.all()}
    gone = [n.pk for key, n in known.items() if key not in now]
    moved = {key for key, (p90, _n) in now.items() if key not in known or known[key].p90_tenths != p90}
    DwellNorm.objects.filter(pk__in=gone).delete()
    DwellNorm.objects.bulk_create(
        [
            DwellNorm(place=key[0], facility=key[1], entry_code=key[2], p90_tenths=now[key][0], visits=now[key][1],
                      computed_at=at)
            for key in sorted(moved)
        ],
        update_conflicts=True, unique_fields=["tenant", "place", "facility", "entry_code"],
        update_fields=["p90_tenths", "visits", "computed_at"],
    )  # fmt: skip
    places = {key[0] for key in moved} | {key[0] for key in known if key not in now}
    if places:
        staying = VisitRow.objects.filter(shipment=OuterRef("pk"), exit_at__isnull=True, place__in=places)
        # in the order in which everybody locks shipments
        held = Shipment.objects.select_for_update(no_key=True).filter(Exists(staying), final_at__isnull=True)
        pks = list(held.order_by("pk").values_list("pk", flat=True))
        Shipment.objects.filter(pk__in=pks).update(look_at=at)
    return len(now)
