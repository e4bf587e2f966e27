"""Writes about subscriptions: made, changed, ended, and the callbacks that are put down for them.

Sending stands in pusher.py. Secrets are sealed here and never read back to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from portal.lib import seal
from portal.lib.errors import NotFound, PortalError
from portal.outbox.services import emit, enqueue_outgoing
from portal.tenancy.keys import KnownKey
from portal.tenancy.models import Tenant
from portal.tenancy.selectors import tenant_zone
from portal.tenancy.services import SYSTEM, audit
from tiers.promises.entitlements.read_api import READ_API
from tracking.dcsaevents import Json, bundle
from tracking.dcsaquery import SubscriptionAsked, filters_of
from tracking.facts import SubscriptionEnded
from tracking.ingest.subscribers import news_key
from tracking.models import EventPush, EventSubscription, PushState
from tracking.published import events_of_message

MOST: Final = 50  # subscriptions of an account
BUNDLE: Final = 100  # events of one callback
SEND: Final = "tracking.push"  # work: send what waits for one subscription
ENTITLEMENT: Final = READ_API.key
_HOURS: Final = 3_600


class TooManySubscriptions(PortalError):
    """The account has as many subscriptions as it may have."""

    code, status = "too_many_subscriptions", 409
    message = _("An account has at most %(most)d subscriptions; delete one that is no longer needed.")


def subscription_get(text: str) -> EventSubscription:
    """The entered account's subscription with this id, ended ones too. Raises NotFound."""
    try:
        wanted = UUID(text)
    except ValueError:
        raise NotFound from None
    found = EventSubscription.objects.filter(subscription_id=wanted).first() if str(wanted) == text.lower() else None
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def subscription_create(asked: SubscriptionAsked, *, key: KnownKey, at: datetime) -> EventSubscription:
    """A subscription of the entered account; its address is asked with an empty callback first (H7).

    The address and the secret were checked by the door. Raises TooManySubscriptions.
    """
    Tenant.objects.select_for_update().get()  # two requests at once must not pass the limit
    if EventSubscription.objects.count() >= MOST:
        raise TooManySubscriptions(most=MOST)
    made = EventSubscription.objects.create(
        callback_url=asked.callback_url, secret=seal.seal(asked.secret), filters=dict(asked.written),
        key=key.public_id, made_by=key.label, created_at=at, changed_at=at, next_at=at,
    )  # fmt: skip
    _audit("made", made, key, at)
    _send_soon(made, name="first", at=at)
    return made


@transaction.atomic
def subscription_change(text: str, asked: SubscriptionAsked, *, key: KnownKey, at: datetime) -> EventSubscription:
    """Address and filters anew; one that had ended begins again, with what still waits. Raises NotFound."""
    found = _locked(text)
    if found.callback_url != asked.callback_url:
        found.callback_url, found.answered_at = asked.callback_url, None
    found.filters, found.key, found.made_by, found.changed_at = dict(asked.written), key.public_id, key.label, at
    found.is_active, found.ended_because, found.failures, found.failing_since = True, "", 0, None
    found.next_at, found.lease_until = at, None
    found.fence += 1  # a run that is under way writes nothing more under the old settings
    found.save()
    _audit("changed", found, key, at)
    _send_soon(found, name=f"changed:{at.isoformat()}", at=at)
    return found


@transaction.atomic
def subscription_secret_set(text: str, secret: str, *, key: KnownKey, at: datetime) -> None:
    """Another secret, in force for whatever is sent from now on. Raises NotFound."""
    found = _locked(text)
    found.secret, found.changed_at = seal.seal(secret), at
    found.fence += 1
    found.lease_until = None
    found.save()
    _audit("secret_changed", found, key, at)


@transaction.atomic
def subscription_delete(text: str, *, key: KnownKey, at: datetime) -> None:
    """Ends a subscription for good, with its log; what was not sent never is. Raises NotFound."""
    found = _locked(text)
    _audit("deleted", found, key, at)
    EventPush.objects.filter(subscription=found).delete()
    found.delete()


def _locked(text: str) -> EventSubscription:
    pk = subscription_get(text).pk
    found = EventSubscription.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if found is None:
        raise NotFound
    return found


def _audit(what: str, about: EventSubscription, key: KnownKey, at: datetime) -> None:
    audit(action=f"subscription.{what}", actor=key.label, at=at, object_type="subscription",
          object_id=str(about.subscription_id), details={"address": about.address, "key": key.public_id,
                                                         "filters": about.filters})  # fmt: skip


# --- what is put down to be sent ---


def pushes_create(*, message: str, recorded_at: datetime, shipments: Sequence[int], at: datetime) -> int:
    """Callbacks of at most 100 events for every subscription that wants something of what was stored; how many.

    Runs again without doubling anything. The body of each is fixed here, byte for byte.
    """
    made = 0
    for subscription in EventSubscription.objects.filter(is_active=True).order_by("pk"):
        told = list(
            events_of_message(
                filters_of(subscription.filters), message=message, recorded_at=recorded_at, shipments=shipments
            )
        )
        name = news_key(message, recorded_at, shipments)
        rows = [_push(subscription, f"{name}:{n}", told[n : n + BUNDLE], at) for n in range(0, len(told), BUNDLE)]
        if rows:
            EventPush.objects.bulk_create(rows, ignore_conflicts=True)
            _send_soon(subscription, name=name, at=at)
            made += len(rows)
    return made


def _push(subscription: EventSubscription, key: str, events: Sequence[Json], at: datetime) -> EventPush:
    return EventPush(subscription=subscription, key=key, body=bundle(events), events=len(events), created_at=at)


def _send_soon(subscription: EventSubscription, *, name: str, at: datetime) -> None:
    own = str(subscription.subscription_id)
    enqueue_outgoing(SEND, keys={f"{own}:{name}": {"subscription": own}}, at=at)


@transaction.atomic
def push_split(push: EventPush, events: Sequence[Json], *, at: datetime) -> None:
    """A callback that the other side finds too large becomes two of half its events (413)."""
    half = (len(events) + 1) // 2
    for n, part in enumerate((events[:half], events[half:])):
        _push(push.subscription, f"{push.key[:110]}/{n}", part, at).save()
    EventPush.objects.filter(pk=push.pk).update(
        state=PushState.SPLIT, ended_at=at, body="", attempts=F("attempts") + 1, tried_at=at, status=413
    )


def pushes_due(*, at: datetime) -> None:
    """Work for every subscription of the entered account for which something waits and whose time has come (O6)."""
    due = EventSubscription.objects.filter(is_active=True, next_at__lte=at)
    waiting = EventPush.objects.filter(state=PushState.WAITING).values("subscription_id")
    for subscription in (due.filter(pk__in=waiting) | due.filter(answered_at__isnull=True)).order_by("next_at"):
        late = int((at - subscription.next_at).total_seconds() // _HOURS)
        _send_soon(subscription, name=f"{subscription.next_at.isoformat()}:{late}", at=at)


def subscription_end(subscription: EventSubscription, *, because: str, why: str, at: datetime) -> None:
    """Ends a locked subscription of which nothing more can be sent, and tells the account's managers (H4)."""
    subscription.is_active, subscription.ended_because, subscription.lease_until = False, because, None
    subscription.save()
    audit(action="subscription.ended", actor=SYSTEM, at=at, object_type="subscription",
          object_id=str(subscription.subscription_id), details={"because": because, "why": why[:200]})  # fmt: skip
    waiting = EventPush.objects.filter(subscription=subscription, state=PushState.WAITING).count()
    emit(
        SubscriptionEnded(
            occurred_at=at, subscription=str(subscription.subscription_id), address=subscription.address[:300],
            because=because, why=why[:300], since=_local(subscription.failing_since or at), waiting=waiting,
            path="/settings/subscriptions",
        ),
        at=at,
    )  # fmt: skip


def _local(at: datetime) -> str:
    """In the account's zone, as the notices write it."""
    there = at.astimezone(tenant_zone())
    return f"{there:%d %b %Y %H:%M} {there.tzname()}"


def pushes_forget(*, before: datetime) -> None:
    """Callbacks that ended long ago are forgotten (H7)."""
    EventPush.objects.filter(ended_at__lt=before).delete()
