"""Whether a mail may go: rights, wishes and age are judged when it is sent, not when the fact happened (O9, A7).

What is left out of a digest says why on its own row. When a mail goes stands in digests.py and timing.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from portal.lib.facts import Audience, Fact, fact_class
from portal.notify.models import Delivery, MailMode, Phase
from portal.notify.selectors import suppressed_of
from portal.notify.wishes import Wish, Wishes, wishes_about
from portal.outbox.services import STALE
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.models import Member, Role
from portal.web.policy import entitled


@dataclass(frozen=True, slots=True)
class Judged:
    """`reason` says why a mail does not go; else it tells `fact`, as far as the reader wants it, or these `items`."""

    reason: str = ""
    fact: Fact | None = None
    wish: Wish = field(default_factory=Wish)
    items: Sequence[tuple[Delivery, Fact]] = ()


def judge(delivery: Delivery, at: datetime) -> Judged:
    """A mail about one fact; at most five statements."""
    since = max(delivery.recorded_at, delivery.held_until or delivery.recorded_at)
    reason = "stale" if at - since > STALE else _about_the_person(delivery)
    if reason:
        return Judged(reason=reason)
    fact = fact_class(delivery.fact_key).read(delivery.fact)
    if delivery.member is None:
        return Judged(reason="" if _may(fact, at) else "not_entitled", fact=fact)
    reason, told, wish = _about_the_fact(fact, delivery.member, wishes_about([fact], members=[delivery.member.pk]), at)
    return Judged(reason=reason, fact=told, wish=wish)


def judge_digest(delivery: Delivery, at: datetime) -> Judged:
    """A mail of several: what has lost its reader since it was collected is left out, and says why itself."""
    reason = "stale" if at - delivery.recorded_at > STALE else _about_the_person(delivery)
    if reason or delivery.member is None:
        return Judged(reason=reason or "member_inactive")
    rows = list(Delivery.objects.filter(digest=delivery, phase=Phase.COLLECTED).order_by("recorded_at", "pk"))
    facts = [fact_class(row.fact_key).read(row.fact) for row in rows]
    wishes = wishes_about(facts, members=[delivery.member.pk])
    items: list[tuple[Delivery, Fact]] = []
    refused: dict[str, list[int]] = {}
    for row, fact in zip(rows, facts, strict=True):
        why, told, _wish = _about_the_fact(fact, delivery.member, wishes, at)
        if told is None or why:
            refused.setdefault(why, []).append(row.pk)
        else:
            items.append((row, told))
    with transaction.atomic():
        for why, pks in refused.items():
            Delivery.objects.filter(pk__in=pks).update(phase=Phase.SUPPRESSED, reason=why, changed_at=at)
    return Judged(reason="" if items else "nothing_left", items=items)


def _about_the_person(delivery: Delivery) -> str:
    if suppressed_of(delivery.email):
        return "suppressed_address"
    if not delivery.tenant.is_active:
        return "account_inactive"
    member = delivery.member
    if member is None:
        return ""
    if not (member.is_active and member.user.is_active):
        return "member_inactive"
    return "address_changed" if member.user.email.lower() != delivery.email.lower() else ""


def _about_the_fact(fact: Fact, member: Member, wishes: Wishes, at: datetime) -> tuple[str, Fact | None, Wish]:
    """(reason against it, what is left of it for this reader, the reader's word about its kind)."""
    wish = wishes.of(member.pk, fact.key)
    if fact.audience == Audience.MANAGERS and member.role != Role.MANAGER:
        return "role_changed", None, wish
    if wish.mail == MailMode.OFF:
        return "not_wanted", None, wish
    told = wishes.narrowed(member.pk, fact, by_mail=True)
    if told is None:
        return "not_followed", None, wish
    return "" if _may(fact, at) else "not_entitled", told, wish


def _may(fact: Fact, at: datetime) -> bool:
    return fact.entitlement is None or scope() == OPERATOR_ID or all(entitled(key, at) for key in fact.needs)
