"""The bell: what a person is told in the portal, as rows to write and as lists to read.

A notice is shown to whoever still has the rights it needs (A7): they are asked at every reading, at no cost of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, Func, OuterRef, QuerySet, TextField, Value

from portal.lib.facts import Audience, Fact, all_facts, fact_class
from portal.notify.models import BellNotice
from portal.notify.notices import line_render, path_of
from portal.notify.wishes import wishes_about
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.models import Member, Role
from portal.web.policy import entitled
from tiers.promises.registry import ENTITLEMENTS

COUNTED: Final = 100  # the bell counts no further than that
MANAGERS_ONLY: Final = "MANAGER"


@dataclass(frozen=True, slots=True)
class Line:
    """One notice as it is read: what it says, and where it leads."""

    public_id: str
    pk: int
    fact_key: str
    text: str
    path: str
    at: datetime
    is_unread: bool


def bell_rows(fact: Fact, keys: dict[int, str], *, recorded_at: datetime, at: datetime) -> list[BellNotice]:
    """The notices that members (with the key each has) are due: who wants it in the portal, if the account may."""
    if not keys or not _may(fact, at):
        return []
    wishes = wishes_about([fact], members=keys)
    rows = []
    for member, key in keys.items():
        left = wishes.narrowed(member, fact, by_mail=False) if wishes.of(member, fact.key).bell else None
        if left is not None:
            rows.append(BellNotice(member_id=member, key=key, fact_key=fact.key, fact=_short(left), needs=_needs(fact),
                                   recorded_at=recorded_at))  # fmt: skip
    return rows


def _may(fact: Fact, at: datetime) -> bool:
    return scope() == OPERATOR_ID or all(entitled(key, at) for key in fact.needs)


def _needs(fact: Fact) -> list[str]:
    return [*fact.needs, *([MANAGERS_ONLY] if fact.audience == Audience.MANAGERS else [])]


def _short(fact: Fact) -> dict[str, Any]:
    """A line says how many, not which."""
    return {name: [] if isinstance(value, list | tuple) else value for name, value in fact.plain().items()}


def unread_beside() -> ArraySubquery:
    """What the newest unread notices need, as an expression beside the member: every page shows their count."""
    unread = BellNotice.objects.filter(member=OuterRef("pk"), read_at=None).order_by("-pk")
    words = Func(F("needs"), Value(" "), function="array_to_string", output_field=TextField())
    return ArraySubquery(unread.values_list(words)[:COUNTED])


def unread_count(member: Member, at: datetime) -> int:
    """How many notices wait for this person, of those the person may still see, counted up to COUNTED."""
    needs: list[str] | None = getattr(member, "unread_needs", None)
    if needs is None:
        unread = BellNotice.objects.filter(member=member, read_at=None).order_by("-pk")
        needs = [" ".join(words) for words in unread.values_list("needs", flat=True)[:COUNTED]]
    held = _rights(member, {word for words in needs for word in words.split()}, at)
    return sum(held.issuperset(words.split()) for words in needs)


def _rights(member: Member, asked: Iterable[str], at: datetime) -> frozenset[str]:
    """Those of the words that the person, or the account, has now."""
    if member.is_staff:
        return frozenset(asked)
    return frozenset(
        word for word in asked if (member.role == Role.MANAGER if word == MANAGERS_ONLY else entitled(word, at))
    )  # fmt: skip


def notices_newest(
    member: Member, *, at: datetime, unread: bool, before: int | None, after: int | None, most: int
) -> list[Line]:
    """The person's notices, newest first, keyset by id: `before` older ones, `after` newer ones."""
    rows = _shown(member, at)
    if unread:
        rows = rows.filter(read_at=None)
    if after is not None:
        found = list(rows.filter(pk__gt=after).order_by("pk")[:most])[::-1]
    else:
        found = list((rows.filter(pk__lt=before) if before is not None else rows).order_by("-pk")[:most])
    return [_line(row) for row in found]


def _shown(member: Member, at: datetime) -> QuerySet[BellNotice]:
    """What the person has the rights for, of kinds that this release knows."""
    rows = BellNotice.objects.filter(member=member, fact_key__in=list(all_facts()))
    if member.is_staff:
        return rows
    return rows.filter(needs__contained_by=sorted(_rights(member, [MANAGERS_ONLY, *ENTITLEMENTS.keys()], at)))


def _line(row: BellNotice) -> Line:
    fact = fact_class(row.fact_key).read(row.fact)
    return Line(
        public_id=row.public_id, pk=row.pk, fact_key=row.fact_key, text=line_render(fact),
        path=path_of(fact), at=row.recorded_at, is_unread=row.read_at is None,
    )  # fmt: skip
