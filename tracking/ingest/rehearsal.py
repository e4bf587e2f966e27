"""What a message would do, without doing it: read, timed and matched as when it is applied, nothing stored or locked.

For previews. Between the rehearsal and the import the world may move; the import's own counts are the record.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from portal.tenancy.context import as_tenant
from portal.tenancy.selectors import tenant_current
from tracking.ingest.items import Item
from tracking.ingest.process import own_tenant
from tracking.ingest.run import Run, keep_out, unmatched
from tracking.ingest.tenant_run import TenantRun
from tracking.models import InboundMessage, Shipment, Source
from tracking.types import Parsed


@dataclass(frozen=True, slots=True)
class Met:
    """A shipment that an event would reach."""

    account: str
    account_name: str
    public_id: str
    ref: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of one event or row, and where."""

    item: Item
    met: tuple[Met, ...] = ()


def message_rehearse(*, source: Source, parsed: Parsed, at: datetime) -> list[Rehearsed]:
    """Every event and refusal of the message with its outcome, in the entered scope of its source.

    An event that stands in the message twice for different shipments is judged as if it came once.
    """
    run = Run(source=source, message=InboundMessage(source=source), at=at, own_tenant=own_tenant())
    items = run.timed_items(parsed)
    if source.all_or_nothing:
        keep_out(items, parsed.refusals)
    usable = [i for i in items if i.refused is None]
    met: dict[str, list[Met]] = defaultdict(list)
    forbidden: set[str] = set()
    for tenant_id, own, versions in run.concerned(usable):
        with as_tenant(tenant_id):
            part = _TenantRehearsal(run, own, versions=versions, authorised=run.may_report_on(tenant_id))
            part.apply()
            forbidden |= part.forbidden
            for position, shipments in part.met().items():
                met[position] += shipments
    for item in usable:
        if not item.accepted and not item.known:
            item.refused = unmatched(item, forbidden)
    refused = [Item(position=r.position, refused=r) for r in parsed.refusals]
    return [Rehearsed(i, tuple(met[i.position])) for i in (*items, *refused)]


class _TenantRehearsal(TenantRun):
    """The part inside one account, up to the rows that would be stored."""

    reached: dict[str, set[int]]

    def apply(self) -> None:
        """Marks the items; notes which shipments each would reach."""
        wanted = self.wanted()
        self.reached = {item.position: now | self.earlier(item) for item, now in wanted}
        self._rows(wanted)

    def met(self) -> dict[str, list[Met]]:
        """Position -> the shipments, in the words of a page."""
        account = tenant_current()
        named = {
            pk: Met(account.public_id, account.name, public_id, ref)
            for pk, public_id, ref in Shipment.objects.filter(
                pk__in={i for found in self.reached.values() for i in found}
            ).values_list("pk", "public_id", "ref")
        }
        return {position: [named[i] for i in sorted(found)] for position, found in self.reached.items()}
