"""Comments in words: who wrote, for whom, what was withdrawn, with the people named in it marked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.tenancy.models import Member, Role
from tracking.comment_forms import CommentForm
from tracking.comment_reads import Thread, people_of, thread
from tracking.dossier import Dossier
from tracking.mentions import parts
from tracking.models import Comment
from tracking.services import TAKE_BACK

DESK: Final = frozenset({Role.OPS.value, Role.ACCOUNT_MANAGER.value, Role.ADMIN.value})  # may withdraw others'


def panel(
    found: Dossier, *, reader: Member, at: datetime, url: Callable[..., str], form: CommentForm | None = None,
    before: str = "",
) -> dict[str, Any]:  # fmt: skip
    """The thread as a part of a page: the newest comments, or those before one, and the form. `url` makes addresses."""
    public_id = found.shipment.public_id
    if form is None:
        people = people_of(found.shipment, reader=reader)
        form = CommentForm(people=people, is_staff=reader.is_staff, me=reader.public_id)
    listed = thread(found.shipment, internal=reader.is_staff, before=before)
    here = url("tracking:comments", public_id=public_id)

    def withdraw(comment: Comment) -> str:
        return url("tracking:comment_withdraw", public_id=public_id, comment=comment.public_id)

    return {
        "rows": shown(listed, reader=reader, desk=reader.role in DESK, zone=found.zone, now=at, url=withdraw),
        "form": form, "names": form.names, "action": here, "staff": reader.is_staff,
        "earlier_url": f"{here}?before={listed.earlier}" if listed.earlier else "",
        "newest_url": here if listed.later else "",
    }  # fmt: skip


def text_of(comment: Comment) -> SafeString:
    """What was written, escaped, with the names behind an @ marked; its lines are kept by the template."""
    return format_html_join(
        "", "{}",
        ((format_html('<b class="mention">{}</b>', p.text) if p.is_mention else p.text,)
         for p in parts(comment.text, comment.mentions)),
    )  # fmt: skip


def shown(
    listed: Thread, *, reader: Member, desk: bool, zone: ZoneInfo, now: datetime, url: Callable[[Comment], str]
) -> list[dict[str, Any]]:  # fmt: skip
    """The comments of a page. `desk`: the reader may withdraw others' with a reason."""
    return [_one(c, listed, reader, desk=desk, zone=zone, now=now, url=url) for c in listed.comments]


def _one(
    comment: Comment, listed: Thread, reader: Member, *, desk: bool, zone: ZoneInfo, now: datetime,
    url: Callable[[Comment], str],
) -> dict[str, Any]:  # fmt: skip
    gone = listed.withdrawn.get(comment.pk)
    mine = comment.author == reader.public_id and comment.is_from_staff == reader.is_staff
    back = mine and now - comment.posted_at <= TAKE_BACK
    others = [n for n in comment.mentions if f"@{n}".casefold() not in comment.text.casefold()]
    told = _("Told: %(names)s") % {"names": ", ".join(others)} if others and gone is None else ""
    return {
        "id": comment.public_id, "who": comment.author_name, "mine": mine, "at": comment.posted_at, "zone": zone,
        "staff": comment.is_from_staff, "internal": comment.is_internal, "told": told,
        "text": text_of(comment) if gone is None else "",
        "gone": {"at": gone.at, "by": gone.by, "why": gone.why} if gone else None,
        "take_back_url": url(comment) if gone is None and back else "",
        "withdraw_url": url(comment) if gone is None and desk and not back else "",
    }  # fmt: skip
