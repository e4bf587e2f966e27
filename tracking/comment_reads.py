"""Reads of a shipment's comments, always for one reader: internal notes are asked for by staff only.

Also who may be named in one: those who may see the shipment, as far as the reader may know of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member
from tracking.mentions import Person
from tracking.models import Comment, CommentWithdrawal, Follow, Shipment
from tracking.owners import Owners

COMMENTS_PAGE = 20


@dataclass(frozen=True, slots=True)
class Thread:
    """A page of comments, oldest first, with what was withdrawn of them; `earlier`: where the page before ends."""

    comments: Sequence[Comment]
    withdrawn: dict[int, CommentWithdrawal]
    earlier: str
    later: bool  # whether newer ones stand on another page


def _known(shipment: Shipment, *, internal: bool) -> QuerySet[Comment]:
    rows = Comment.objects.filter(shipment=shipment)
    return rows if internal else rows.filter(is_internal=False)


def thread(shipment: Shipment, *, internal: bool, before: str = "", size: int = COMMENTS_PAGE) -> Thread:
    """The newest comments that the reader may know of, or those before the one of this public id."""
    rows = _known(shipment, internal=internal)
    mark = rows.filter(public_id=before).values_list("pk", flat=True).first() if before else None
    if mark is not None:
        rows = rows.filter(pk__lt=mark)
    found = list(rows.order_by("-pk")[: size + 1])
    more, found = len(found) > size, found[:size][::-1]
    gone = {w.comment_id: w for w in CommentWithdrawal.objects.filter(comment__in=[c.pk for c in found])}
    return Thread(found, gone, found[0].public_id if more else "", mark is not None)


def comment_known(shipment: Shipment, public_id: str, *, internal: bool) -> Comment | None:
    """One comment that the reader may know of."""
    return _known(shipment, internal=internal).filter(public_id=public_id).first()


def comments_all(shipment: Shipment, *, internal: bool) -> list[Comment]:
    """All that hold, oldest first: what systems read."""
    gone = CommentWithdrawal.objects.filter(comment__shipment=shipment).values("comment_id")
    return list(_known(shipment, internal=internal).exclude(pk__in=gone).order_by("pk"))


def people_of(shipment: Shipment, *, reader: Member) -> list[Person]:
    """Who can be named by the reader: the account's people; for staff all staff, for a customer those of the staff who
    have answered here.
    """
    own = [Person(m.public_id, m.name, False) for m in Member.objects.filter(is_active=True).order_by("name", "pk")]
    return [*own, *(staff_people() if reader.is_staff else _answered(shipment))]


def _answered(shipment: Shipment) -> list[Person]:
    """The staff whose comments the customer reads, under the name that stands there."""
    rows = _known(shipment, internal=False).filter(is_from_staff=True).order_by("pk")
    found = dict(rows.values_list("author", "author_name"))
    return [Person(author, name, True) for author, name in found.items()]


def followers_of(shipment: Shipment) -> set[str]:
    """The account's people who follow the shipment, by public id."""
    return set(Follow.objects.filter(shipment=shipment).values_list("member__public_id", flat=True))


def staff_known(shipment: Shipment, *, at: datetime) -> set[str]:
    """The active staff who wrote here, internal notes too, and the shipment's owner (R8.3), by public id."""
    wrote = _known(shipment, internal=True).filter(is_from_staff=True).values_list("author", flat=True)
    known = {*wrote, Owners(at).next_after("", shipment).public_id} - {""}
    return known & {person.id for person in staff_people()} if known else known


def staff_people() -> list[Person]:
    """The operator's active people, read in the operator's scope."""
    with as_tenant(OPERATOR_ID):
        rows = Member.objects.filter(is_active=True).order_by("name", "pk")
        return [Person(m.public_id, m.name, True) for m in rows]
