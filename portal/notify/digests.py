"""Mails that wait: for the end of quiet hours or for a digest; then they go out as one, each fact in one mail only.

A mail is held, or collected, in one transaction with the work that will take it up, and under a lock of its rows: two
workers, a kill or a clock that jumps neither lose it nor send it twice. What newer news has overtaken is dropped with
that reason, and nobody hears of the end of what was never told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from portal.lib import ids
from portal.lib.facts import Act, Fact, fact_class
from portal.notify.models import Delivery, HeldFor, MailMode, Phase
from portal.notify.rules import News, overtaken
from portal.notify.services import message_id
from portal.notify.timing import digest_due, quiet_until
from portal.notify.wishes import Wish, habits_read, habits_row, zone_of
from portal.outbox.services import STALE, enqueue, enqueue_outgoing, run_all_again
from portal.tenancy.context import scope
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_current

DIGEST: Final = "notify.digest"  # what a mail of several is called among the deliveries
WORK: Final = "notify.digest"
_LATE: Final = timedelta(minutes=3)
_TOLD: Final = (Phase.CLAIMED, Phase.HANDED_OVER, Phase.SENT, Phase.UNCERTAIN, Phase.COLLECTED)  # or may have been


def hold_until(*, fact: Fact, wish: Wish, member: Member, at: datetime) -> tuple[datetime, HeldFor] | None:
    """Until when, and why, a mail to this person waits that could go now; None: it goes."""
    habits, zone = habits_read(habits_row(member.pk)), zone_of(member)
    if wish.mail == MailMode.DIGEST:
        due = digest_due(habits, at=at, zone=zone)
        if due is not None:
            return due, HeldFor.DIGEST
    if fact.is_urgent or wish.always:
        return None
    until = quiet_until(habits, at=at, zone=zone)
    return None if until is None else (until, HeldFor.QUIET)


def delivery_hold(*, delivery: Delivery, until: datetime, why: HeldFor, at: datetime) -> bool:
    """A claimed mail waits, with the work that will take it up; False when the claim is no longer ours."""
    with transaction.atomic():
        held = Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence, phase=Phase.CLAIMED).update(
            phase=Phase.HELD, held_until=until, held_for=why, lease_until=None, attempts=F("attempts") - 1,
            reason="", changed_at=at,
        )  # fmt: skip
        if held:
            assert delivery.member is not None
            member = delivery.member.public_id
            enqueue(WORK, key=f"{member}:{until.isoformat()}", at=at, due_at=until, member=member)
    return bool(held)


def end_before_told(*, delivery: Delivery, fact: Fact, at: datetime) -> str:
    """A mail that could go now and says that something is over, while its beginning waits untold: neither is told.

    Returns the reason for which it is not to be sent, else an empty text.
    """
    if fact.act != Act.ENDS or not delivery.matter:
        return ""
    with transaction.atomic():
        waiting = Delivery.objects.filter(member=delivery.member, matter=delivery.matter, phase=Phase.HELD)
        if not waiting.select_for_update(of=("self",)).exists():
            return ""
        dropped = _overtaken([delivery.matter], delivery.member_id, asked=delivery)
        _drop({pk: why for pk, why in dropped.items() if pk != delivery.pk}, at)
    return dropped.get(delivery.pk, "")


@transaction.atomic
def digest_collect(*, member: str, at: datetime) -> Delivery | None:
    """Makes one mail of all that waited for this person until now; None when nothing is left to tell.

    What waited alone for the end of quiet hours goes out as the mail that it is; what nobody could take up for
    three days after its hour is no news any more.
    """
    held = Delivery.objects.select_for_update(of=("self",)).select_related("member__user").filter(
        member__public_id=member, phase=Phase.HELD, held_until__lte=at
    ).order_by("recorded_at", "pk")  # fmt: skip
    due = list(held)
    if not due:
        return None
    dropped = _overtaken({d.matter for d in due if d.matter}, due[0].member_id)
    dropped |= {d.pk: "stale" for d in due if d.held_until is not None and at - d.held_until > STALE}
    _drop(dropped, at)
    left = [d for d in due if d.pk not in dropped]
    if not left:
        return None
    if len(left) == 1 and left[0].held_for == HeldFor.QUIET:
        _release(left, at)
        return None
    return _collected(left, at)


def _collected(left: list[Delivery], at: datetime) -> Delivery:
    reader = left[0].member
    assert reader is not None
    # every mail is collected once, so the first one names the digest once and for ever (O7)
    key = ids.digest("\n".join([str(scope()), DIGEST, reader.public_id, left[0].key]))
    mail = Delivery(
        key=key, fact_key=DIGEST, recorded_at=at, member=reader, email=reader.user.email,
        message_id=message_id(key=key, owner=tenant_current().public_id), created_at=at, changed_at=at,
        held_for=HeldFor.DIGEST if any(d.held_for == HeldFor.DIGEST for d in left) else HeldFor.QUIET,
    )  # fmt: skip
    mail.save()
    Delivery.objects.filter(pk__in=[d.pk for d in left]).update(phase=Phase.COLLECTED, digest=mail, changed_at=at)
    enqueue_outgoing("notify.send", keys={key: {"delivery": key}}, at=at)
    return mail


def _overtaken(matters: Iterable[str], member: int | None, *, asked: Delivery | None = None) -> dict[int, str]:
    """Of what waits about these matters (and `asked`, which is being sent) what need not be told, with the reason."""
    rows = Delivery.objects.filter(member=member, matter__in=list(matters), phase__in=(Phase.HELD, *_TOLD))
    by_matter: dict[str, list[News[int]]] = defaultdict(list)
    for pk, matter, fact_key, phase in rows.order_by("recorded_at", "pk").values_list(
        "pk", "matter", "fact_key", "phase"
    ):
        is_told = phase != Phase.HELD and (asked is None or pk != asked.pk)
        by_matter[matter].append(News(key=pk, act=fact_class(fact_key).act, told=is_told))
    return {pk: why for news in by_matter.values() for pk, why in overtaken(news).items()}


def _drop(dropped: dict[int, str], at: datetime) -> None:
    for why in set(dropped.values()):
        mine = [pk for pk, reason in dropped.items() if reason == why]
        Delivery.objects.filter(pk__in=mine, phase=Phase.HELD).update(
            phase=Phase.SUPPRESSED, reason=why, changed_at=at
        )  # fmt: skip


def _release(rows: list[Delivery], at: datetime) -> None:
    """Mails that waited are due again, and are judged as they would be now."""
    Delivery.objects.filter(pk__in=[d.pk for d in rows], phase=Phase.HELD).update(phase=Phase.QUEUED, changed_at=at)
    run_all_again("notify.send", keys={d.key: {"delivery": d.key} for d in rows}, at=at, due_at=at)


@transaction.atomic
def held_release(*, member: Member, at: datetime) -> int:
    """What waits for this person is judged anew, because the person has said something else; says how many."""
    waiting = Delivery.objects.select_for_update(of=("self",)).filter(member=member, phase=Phase.HELD)
    rows = list(waiting.order_by("pk"))
    if rows:
        _release(rows, at)
    return len(rows)


def forgotten_enqueue(*, at: datetime) -> None:
    """Asks again for mails of the entered tenant that should have been taken up minutes ago; usually there are none."""
    late = Delivery.objects.filter(phase=Phase.HELD, held_until__lt=at - _LATE, member__isnull=False)
    for member in set(late.values_list("member__public_id", flat=True)):
        enqueue(WORK, key=f"again:{member}:{at:%Y-%m-%dT%H:%M}", at=at, member=member)
