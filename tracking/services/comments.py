"""Comments on a shipment: posted, told to whom they concern, taken back. A posted one is never changed.

Internal notes leave the operator's side by no door: their facts and audit rows are written in the operator's own scope,
and nobody of the account can be named in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import NotFound, PortalError
from portal.outbox.services import emit
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_current
from portal.tenancy.services import audit
from tracking.comment_reads import comment_known, followers_of, people_of, staff_known
from tracking.facts import CommentPosted, CustomerWrote, Mentioned
from tracking.mentions import Person, named
from tracking.models import Comment, CommentWithdrawal, Shipment
from tracking.services.exceptions import NoteNeeded

TAKE_BACK: Final = timedelta(minutes=15)
MOST_COMMENTS: Final = 2_000  # of one shipment
MOST_NAMED: Final = 20
_EXCERPT: Final = 600


class CommentEmpty(PortalError):
    """Nothing was written."""

    code, status = "comment_empty", 422
    message = _("Write something first.")


class NotForThem(PortalError):
    """Somebody was named who will not read it."""

    code, status = "not_for_them", 422
    message = _("%(names)s would not read an internal note: take the name out, or let the customer read it.")


class TooManyComments(PortalError):
    """A shipment has room for so many."""

    code, status = "too_many_comments", 409
    message = _("A shipment has room for %(most)d comments.")


class TooManyNamed(PortalError):
    """More people than are told at once."""

    code, status = "too_many_named", 422
    message = _("Name at most %(most)d people.")


class TooLate(PortalError):
    """A comment is taken back within minutes, or not at all."""

    code, status = "too_late", 409
    message = _("A comment can be taken back for %(minutes)d minutes; it stays now.")


class CommentGone(PortalError):
    """It was withdrawn already."""

    code, status = "comment_gone", 409
    message = _("This comment was withdrawn already.")


@transaction.atomic
def comment_post(
    *, shipment: Shipment, text: str, by: Member, at: datetime, is_internal: bool = False,
    named_ids: Sequence[str] = (),
) -> Comment:  # fmt: skip
    """Puts a comment on record and tells those whom it concerns. `named_ids`: people chosen beside the text.

    Only staff write internal notes. Raises CommentEmpty, NotForThem, TooManyNamed, TooManyComments.
    """
    internal = is_internal and by.is_staff
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise CommentEmpty
    # one at a time: whoever is told of a thread is told by what was written before
    Shipment.objects.select_for_update(no_key=True).get(pk=shipment.pk)
    if Comment.objects.filter(shipment=shipment).count() >= MOST_COMMENTS:
        raise TooManyComments(most=MOST_COMMENTS)
    people = people_of(shipment, reader=by)
    chosen = _chosen(people, text, named_ids)
    if internal and (others := [p.name for p in chosen if not p.is_staff]):
        raise NotForThem(names=", ".join(others))
    made = Comment.objects.create(
        shipment=shipment, text=text, is_internal=internal, is_from_staff=by.is_staff, author=by.public_id,
        author_name=by.name, mentions=[p.name for p in chosen], posted_at=at,
    )  # fmt: skip
    _record("comment.posted", made, actor=by.label, at=at)
    _tell(made, [p for p in chosen if p.id != by.public_id], at=at)
    return made


def _chosen(people: Sequence[Person], text: str, named_ids: Sequence[str]) -> list[Person]:
    found = {p.id: p for p in named(text, people)}
    found |= {p.id: p for p in people if p.id in set(named_ids)}
    if len(found) > MOST_NAMED:
        raise TooManyNamed(most=MOST_NAMED)
    return list(found.values())


@transaction.atomic
def comment_withdraw(*, shipment: Shipment, public_id: str, by: Member, at: datetime, why: str = "") -> Comment:
    """Shows a comment no more: its author takes it back within minutes, or the desk withdraws it with a reason.

    It stays on record. Raises NotFound, TooLate, NoteNeeded, CommentGone.
    """
    Shipment.objects.select_for_update(no_key=True).get(pk=shipment.pk)
    found = comment_known(shipment, public_id, internal=by.is_staff)
    if found is None:
        raise NotFound
    own = found.author == by.public_id and found.is_from_staff == by.is_staff
    if not own and not by.is_staff:
        raise NotFound
    if not (own and at - found.posted_at <= TAKE_BACK):
        if not by.is_staff:
            raise TooLate(minutes=TAKE_BACK // timedelta(minutes=1))
        if not why.strip():
            raise NoteNeeded
    if CommentWithdrawal.objects.filter(comment=found).exists():
        raise CommentGone
    CommentWithdrawal.objects.create(comment=found, at=at, by=by.name, why=why.strip()[:250])
    _record("comment.withdrawn", found, actor=by.label, at=at, why=why.strip()[:250])
    return found


def _record(action: str, comment: Comment, *, actor: str, at: datetime, why: str = "") -> None:
    details = {"comment": comment.public_id} | ({"why": why} if why else {})
    with as_tenant(OPERATOR_ID if comment.is_internal else comment.tenant_id):
        audit(action=action, actor=actor, at=at, object_type="shipment", object_id=comment.shipment.public_id,
              details=details)  # fmt: skip


# --- who is told ---


@dataclass(frozen=True, slots=True)
class _Side:
    """Those of one side who are told: who is named, and who else takes part; by public id."""

    named: tuple[str, ...]
    others: tuple[str, ...]


def _tell(comment: Comment, chosen: Sequence[Person], *, at: datetime) -> None:
    """Whoever is named is told so; followers and those who wrote here hear of it; nobody twice, not the author.

    What a customer writes reaches somebody of the staff in any case.
    """
    if not comment.is_internal:
        _emit(comment, _side(comment, chosen, _account_others(comment), is_staff=False), is_staff=False, at=at)
    shipment = comment.shipment
    known = staff_known(shipment, at=at) if not comment.is_from_staff else _staff_wrote(comment)
    side = _side(comment, chosen, known, is_staff=True)
    with_account = tenant_current()
    with as_tenant(OPERATOR_ID):
        _emit(comment, side, is_staff=True, at=at, account=with_account.name, prefix=with_account.public_id)
        if not comment.is_from_staff and not side.named and not side.others:
            emit(CustomerWrote(
                occurred_at=at, comment=comment.public_id, reference=shipment.ref, account=with_account.name,
                author=comment.author_name, text=comment.text[:_EXCERPT],
                path=f"/ops/accounts/{with_account.public_id}{_path(comment)}",
            ), at=at)  # fmt: skip


def _side(comment: Comment, chosen: Sequence[Person], known: set[str], *, is_staff: bool) -> _Side:
    own = {p.id for p in chosen if p.is_staff == is_staff}
    return _Side(tuple(sorted(own)), tuple(sorted(known - own - {comment.author})))


def _account_others(comment: Comment) -> set[str]:
    """The account's people who follow the shipment or wrote here."""
    wrote = Comment.objects.filter(shipment=comment.shipment, is_from_staff=False).values_list("author", flat=True)
    return {*followers_of(comment.shipment), *wrote}


def _staff_wrote(comment: Comment) -> set[str]:
    wrote = Comment.objects.filter(shipment=comment.shipment, is_from_staff=True)
    return set(wrote.values_list("author", flat=True))


def _path(comment: Comment) -> str:
    return f"/shipments/{comment.shipment.public_id}/comments#c-{comment.public_id}"


def _emit(comment: Comment, side: _Side, *, is_staff: bool, at: datetime, account: str = "", prefix: str = "") -> None:
    said = {
        "occurred_at": at, "comment": comment.public_id, "reference": comment.shipment.ref,
        "account": account, "author": comment.author_name, "text": comment.text[:_EXCERPT],
        "is_internal": comment.is_internal,
        "path": f"/ops/accounts/{prefix}{_path(comment)}" if is_staff else _path(comment),
    }  # fmt: skip
    if side.named:
        emit(Mentioned(members=list(side.named), **said), at=at)
    if side.others:
        emit(CommentPosted(members=list(side.others), **said), at=at)


__all__ = ["NoteNeeded", "comment_post", "comment_withdraw"]
