"""Fetches the events of carriers that are asked and do not send: a door that we open ourselves (issue 3, point 5).

Every page is stored raw, in the transaction that moves the place we have read to, before the next one is asked for:
killed anywhere, it goes on where it was. What a publisher's words mean stands in feeds.py; the schedule is the row's.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids, seal
from portal.lib.egress import Answer, EgressFailed, EgressRefused, call
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.outbox.handlers import TryAgain
from portal.outbox.services import enqueue
from tracking import feeds
from tracking.feeds import FeedFault, FeedPage
from tracking.ingest import message_receive, room_or_refuse
from tracking.models import Poll, RawBody, SecretIn

CHANNEL: Final = "POLL"
GIVES_UP: Final = 5  # failures in a row after which a person is told, whatever their kind
_WORKS: Final = 15.0  # seconds; then the work is put back, well before its lease is over
_REQUEST: Final = 12.0  # seconds for one request, however slowly the other side answers
_MOST_PAGES: Final = 5_000  # of one window: more is a publisher whose pages never end
_KEPT_RUNS: Final = 12

declare("poll.after_answer", "a page was read, nothing of it is stored")
declare("poll.before_commit", "a page is stored and the place we have read to is moved, not committed")
declare("poll.after_page", "a page is committed, the next one was not asked for")

_log = logging.getLogger("plimsoll.poller")
_random = SystemRandom()


class _Overtaken(Exception):
    """Another run holds the poll, or a person has changed it: nothing more of this one may be written (O3)."""


def polls_enqueue(*, at: datetime) -> None:
    """Work for every poll of the entered scope that is due; two schedulers enqueue it once (O6).

    A run that was given up is due again an hour later, under another key.
    """
    due = Poll.objects.filter(is_active=True, source__is_active=True, next_at__lte=at).select_related("source")
    for poll in due.order_by("next_at"):
        late = int((at - poll.next_at).total_seconds() // 3600)
        enqueue("tracking.poll", key=f"{poll.source.key}:{poll.next_at.isoformat()}:{late}", at=at,
                source=poll.source.key)  # fmt: skip


def poll_run(*, source: str, at: datetime, works: float = _WORKS) -> None:
    """Reads on in the window of a source of the entered scope until it ends, or fails, or `works` seconds are over.

    Raises TryAgain when there is more to read. Does nothing when the poll is paused or not due. What the publisher
    does wrong is written on the poll, which is then due later; it delays no other source.
    """
    poll = _claim(source, at)
    if poll is None:
        return
    ends = time.monotonic() + works
    try:
        while _read_page(poll, at):
            fault("poll.after_page")
            if time.monotonic() >= ends:
                raise TryAgain("there are further pages", due_at=at)
    except _Overtaken:
        _log.warning("the poll of %s was taken over", source)
    except FeedFault as wrong:
        _failed(poll, wrong, at)
    except (EgressFailed, EgressRefused) as wrong:
        _failed(poll, FeedFault(wrong.sentence(), needs_person=isinstance(wrong, EgressRefused)), at)


@transaction.atomic
def _claim(source: str, at: datetime) -> Poll | None:
    """The poll with a new fence and an open window; None when there is nothing to do."""
    poll = Poll.objects.select_for_update(of=("self",)).select_related("source").filter(source__key=source).first()
    if poll is None or not poll.is_active or not poll.source.is_active or poll.next_at > at:
        return None
    poll.fence += 1
    if not poll.next_page:
        poll.next_page = _beginning(poll)
        poll.window_began_at, poll.window_newest, poll.window_pages, poll.window_events = at, None, 0, 0
    poll.save()
    return poll


def _beginning(poll: Poll, size: int = 0) -> str:
    """Some of what was read is asked for again: an event may become visible after a later one (overlap)."""
    since = poll.window_from - timedelta(minutes=poll.overlap_minutes)
    return feeds.first_page(poll.base_url, since=since, filters=poll.filters, size=size or poll.page_size)


def _read_page(poll: Poll, at: datetime) -> bool:
    """Asks for the next page and keeps it; True when there is another one."""
    try:
        room_or_refuse()
    except PortalError as full:  # nothing is fetched that there is no room for (G13)
        raise TryAgain(full.code, due_at=at + timedelta(minutes=1)) from None
    asked = poll.next_page
    page = feeds.page_of(_ask(poll, at), asked=asked, at=at)
    fault("poll.after_answer")
    with transaction.atomic():
        _hold(poll)
        _keep(poll, page, at)
        poll.window_pages += 1
        poll.window_events += page.events
        poll.next_page = page.next_page
        if page.newest is not None:  # a publisher whose clock runs ahead must not make us skip anything
            poll.window_newest = min(max(page.newest, poll.window_newest or page.newest), at)
        if not page.next_page:
            _window_end(poll, at)
        elif poll.window_pages >= _MOST_PAGES:
            raise FeedFault(_("Its pages do not come to an end."), needs_person=True)
        poll.save()
        fault("poll.before_commit")
    return bool(page.next_page)


def _hold(poll: Poll) -> None:
    """Locks the row while this run is the last that claimed it. Raises _Overtaken."""
    if not Poll.objects.select_for_update().filter(pk=poll.pk, fence=poll.fence, is_active=True).exists():
        raise _Overtaken


def _keep(poll: Poll, page: FeedPage, at: datetime) -> None:
    """A page that holds nothing, or that we have to the byte, says nothing new."""
    known = RawBody.objects.filter(source=poll.source, sha256=ids.digest(page.body)).exists()
    if page.events and not known:
        message_receive(source=poll.source, body=page.body, channel=CHANNEL, at=at, content_type="application/json")


def _window_end(poll: Poll, at: datetime) -> None:
    if poll.window_newest is not None:
        poll.window_from = max(poll.window_from, poll.window_newest)
    _note_run(poll, at, "")
    poll.window_began_at, poll.failures, poll.needs_person = None, 0, False
    poll.last_ok_at, poll.next_at = at, at + timedelta(minutes=poll.interval_minutes)


def _note_run(poll: Poll, at: datetime, error: str) -> None:
    run = {"at": at.isoformat(), "pages": poll.window_pages, "events": poll.window_events, "error": error}
    poll.runs = [run, *poll.runs][:_KEPT_RUNS]


@transaction.atomic
def _failed(claimed: Poll, wrong: FeedFault, at: datetime) -> None:
    """Tried again later, and later each time. What was read stays; a place inside a window that is refused is given up
    and the window begins anew, because cursors grow old.
    """
    held = Poll.objects.select_for_update(of=("self",)).select_related("source")
    poll = held.filter(pk=claimed.pk, fence=claimed.fence).first()
    if poll is None:  # whoever holds it now has its own answer
        return
    grown_old = 400 <= wrong.status < 500 and wrong.needs_person and poll.window_pages > 0
    poll.failures += 1
    poll.needs_person = (wrong.needs_person and not grown_old) or poll.failures >= GIVES_UP
    poll.last_error, poll.last_error_at = wrong.sentence[:500], at
    _note_run(poll, at, wrong.sentence[:200])
    if grown_old or not poll.window_pages:
        poll.next_page, poll.window_began_at, poll.window_pages = "", None, 0
    # what only a person can mend is not asked for faster than what works
    least = timedelta(minutes=poll.interval_minutes if poll.needs_person else 0)
    asked = max(wrong.after or least, least)
    poll.next_at = at + feeds.wait_after(poll.failures, spread=_random.uniform(0.75, 1.25), asked=asked)
    poll.save()
    _log.warning("the poll of %s failed for the %s. time: %s", poll.source.key, poll.failures, wrong.sentence)


# --- asking ---


def _ask(poll: Poll, at: datetime) -> Answer:
    """One page with a token; a token that is refused is replaced once."""
    answer = _get(poll.next_page, _token(poll, at))
    if answer.status == 401 and poll.token_url:
        answer = _get(poll.next_page, _fresh_token(poll, at))
    return answer


def _get(url: str, token: str) -> Answer:
    headers = {"Accept": "application/json", "API-Version": feeds.API_VERSION}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return call("GET", url, headers=headers, most_bytes=settings.INGEST_MAX_BYTES, seconds=_REQUEST)


def _token(poll: Poll, at: datetime) -> str:
    """The kept token while it lives, else a fresh one; empty when none is needed."""
    if not poll.token_url:
        return ""
    if poll.token and poll.token_until is not None and poll.token_until > at:
        with suppress(ValueError):
            return seal.unseal(poll.token)
    return _fresh_token(poll, at)


def _fresh_token(poll: Poll, at: datetime) -> str:
    token, until = _asked_token(poll, at)
    poll.token, poll.token_until = seal.seal(token), until
    Poll.objects.filter(pk=poll.pk, fence=poll.fence).update(token=poll.token, token_until=until)
    return token


def _asked_token(poll: Poll, at: datetime) -> tuple[str, datetime]:
    try:
        secret = seal.unseal(poll.secret) if poll.secret else ""
    except ValueError:
        raise FeedFault(_("The kept secret cannot be opened any more; enter it again."), needs_person=True) from None
    headers, body = feeds.token_request(
        client_id=poll.client_id, secret=secret, scope=poll.scope, in_header=poll.secret_in == SecretIn.HEADER
    )
    return feeds.token_of(call("POST", poll.token_url, headers=headers, body=body, seconds=_REQUEST), at=at)


def connection_try(poll: Poll, *, at: datetime) -> dict[str, Any]:
    """Asks for a token and one event and stores nothing: what came, or the first thing that was wrong, in words.

    Outside of any transaction: the other side may take its time.
    """
    told: dict[str, Any] = {"error": "", "token": bool(poll.token_url), "events": 0, "has_more": False}
    try:
        token = _asked_token(poll, at)[0] if poll.token_url else ""
        url = _beginning(poll, size=1)
        page = feeds.page_of(_get(url, token), asked=url, at=at)
    except FeedFault as wrong:
        return told | {"error": wrong.sentence}
    except (EgressFailed, EgressRefused) as wrong:
        return told | {"error": wrong.sentence()}
    return told | {"events": page.events, "has_more": bool(page.next_page), "newest": page.newest}
