"""Writes about polls: set up, changed, paused. Fetching itself stands in poller.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from portal.lib import seal
from portal.tenancy.services import audit
from tracking.models import Poll, SecretIn, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSpec:
    """What a person says of a poll. An empty secret keeps the one that is there."""

    base_url: str
    token_url: str = ""
    client_id: str = ""
    secret: str = ""
    secret_in: str = SecretIn.BODY.value
    scope: str = ""
    interval_minutes: int = 15
    overlap_minutes: int = 120
    page_size: int = 100
    filters: Mapping[str, str] = field(default_factory=dict)


def poll_planned(spec: PollSpec, *, source: Source, since: datetime, at: datetime, actor: str) -> Poll:
    """The poll as it would be, not stored: with what is known of the source's poll already."""
    poll = Poll.objects.filter(source=source).first()
    poll = poll or Poll(source=source, window_from=since, next_at=at)
    if poll.base_url != spec.base_url:
        poll.window_from = since  # of another publisher nothing was read yet
    if (poll.base_url, poll.token_url) != (spec.base_url, spec.token_url) and not spec.secret:
        poll.secret = ""  # a secret is for whom it was entered, and goes to nobody else
    for name in (
        "base_url", "token_url", "client_id", "secret_in", "scope", "interval_minutes", "overlap_minutes", "page_size",
    ):  # fmt: skip
        setattr(poll, name, getattr(spec, name))
    if spec.secret:
        poll.secret = seal.seal(spec.secret)
    poll.filters = dict(spec.filters)
    poll.changed_at, poll.changed_by = at, actor
    return poll


@transaction.atomic
def poll_save(spec: PollSpec, *, source: Source, since: datetime, at: datetime, actor: str) -> Poll:
    """Sets up or changes the poll of a source in the entered scope; it begins its window anew, at once."""
    Source.objects.select_for_update(of=("self",)).get(pk=source.pk)
    poll = poll_planned(spec, source=source, since=since, at=at, actor=actor)
    poll.fence += 1  # a run that is under way stores nothing more under the old settings
    poll.next_page, poll.window_began_at, poll.window_pages, poll.token, poll.token_until = "", None, 0, "", None
    poll.failures, poll.needs_person, poll.next_at, poll.is_active = 0, False, at, True
    poll.save()
    audit(action="source.poll_changed", actor=actor, at=at, object_type="source", object_id=source.key,
          details={"base_url": spec.base_url, "token_url": spec.token_url, "secret_changed": bool(spec.secret),
                   "interval_minutes": spec.interval_minutes, "filters": dict(spec.filters)})  # fmt: skip
    return poll


@transaction.atomic
def poll_pause(*, source: Source, paused: bool, at: datetime, actor: str) -> Poll | None:
    """Stops fetching, or goes on from where it was; None when the source has no poll."""
    poll = Poll.objects.select_for_update(of=("self",)).filter(source=source).first()
    if poll is None or poll.is_active is not paused:
        return poll
    poll.is_active, poll.next_at = not paused, at
    poll.fence += 1
    poll.save()
    audit(action="source.poll_paused" if paused else "source.poll_resumed", actor=actor, at=at, object_type="source",
          object_id=source.key)  # fmt: skip
    return poll
