"""That a source was heard: counted by its day, and noted in each account that it told something.

One statement each, last in the transaction of a message, so that messages of one source wait for each other briefly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from django.db import connection

from portal.tenancy.context import scope
from tracking.ingest.channels import NO_FEED
from tracking.ingest.items import Item
from tracking.models import InboundMessage, Source
from tracking.rhythm import MOST_SLOTS, histogram, slot
from tracking.types import Classifier

_DAY: Final = """
insert into tracking_sourceday as d
       (tenant_id, source_id, day, messages, received, accepted, duplicate, quarantined, warned, latency, quarters)
values (%s, %s, %s, 1, %s, %s, %s, %s, %s, %s::int[], %s::smallint[])
on conflict (tenant_id, source_id, day) do update set
       messages = d.messages + 1, received = d.received + excluded.received, accepted = d.accepted + excluded.accepted,
       duplicate = d.duplicate + excluded.duplicate, quarantined = d.quarantined + excluded.quarantined,
       warned = d.warned + excluded.warned,
       latency = (select array_agg(coalesce(a, 0) + coalesce(b, 0) order by n)
                    from unnest(d.latency, excluded.latency) with ordinality as t(a, b, n)),
       quarters = case when d.quarters @> excluded.quarters then d.quarters else d.quarters || excluded.quarters end
"""
_HEARD: Final = """
insert into tracking_heardfrom as h (tenant_id, source_key, name, kind, heard_at, slots)
values (%s, %s, %s, %s, %s, %s::int[])
on conflict (tenant_id, source_key) do update set
       name = excluded.name, kind = excluded.kind, heard_at = greatest(h.heard_at, excluded.heard_at),
       slots = case when h.slots @> excluded.slots then h.slots else (excluded.slots || h.slots)[1:%s] end
"""


def freshness_note(message: InboundMessage, items: Sequence[Item], at: datetime) -> None:
    """Adds an applied message to the day of its source, in the source's scope; what is no feed is left out."""
    if message.channel in NO_FEED:
        return
    came = message.received_at.astimezone(UTC)
    late = histogram(
        i.recorded_at - i.at
        for i in items
        if i.accepted and i.at and i.recorded_at and i.event and i.event.classifier == Classifier.ACT
    )
    warned = sum(1 for i in items if i.event and i.refused is None and i.event.warnings)
    with connection.cursor() as cursor:
        cursor.execute(_DAY, [
            scope(), message.source_id, came.date(), message.events_received, message.events_accepted,
            message.events_duplicate, message.events_quarantined, warned, late, [came.hour * 4 + came.minute // 15],
        ])  # fmt: skip


def heard_note(source: Source, at: datetime) -> None:
    """Notes in the entered account when a message came that told it something: rests on its own sightings (R0.8).

    `at` is when the message came, so that trying an old one again is no news.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HEARD, [scope(), source.key, source.name, source.kind, at, [slot(at)], MOST_SLOTS])
